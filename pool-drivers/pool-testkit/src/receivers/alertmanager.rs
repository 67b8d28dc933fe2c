//! Prometheus' Alertmanager in a process of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ask::{get_json, is_well};
use super::daemon::Daemon;
use super::error::ReceiverError;
use super::tool::Tool;
use crate::servers::error::Trying;
use crate::servers::port::{self, Port};
use crate::servers::process::BETWEEN_LOOKS;

/// An Alertmanager without a cluster. Killed when dropped.
#[derive(Debug)]
pub struct Alertmanager {
    daemon: Daemon,
    port: Port,
}

/// An alert as an Alertmanager has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// `active`, `suppressed` or `unprocessed`.
    pub state: String,
    /// Since when it fires, as in RFC 3339.
    pub starts_at: String,
    /// When it is taken for resolved unless it is sent again.
    pub ends_at: String,
}

impl Alertmanager {
    /// Starts one that tells nobody and waits until it answers.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn start() -> Result<Self, ReceiverError> {
        Self::start_with(&json!({ "name": "test" }))
    }

    /// Starts one that sends its notifications to a webhook, such as that of an
    /// [`HttpSink`](super::HttpSink), resolved ones too, almost at once.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn telling(url: &str) -> Result<Self, ReceiverError> {
        let webhook = json!([{ "url": url, "send_resolved": true }]);
        Self::start_with(&json!({ "name": "test", "webhook_configs": webhook }))
    }

    fn start_with(receiver: &Value) -> Result<Self, ReceiverError> {
        const SOON: &str = "100ms";
        let daemon = Daemon::new(Tool::Alertmanager)?;
        let port = port::free()?;
        let route = json!({ "receiver": "test", "group_wait": SOON, "group_interval": SOON });
        let settings = json!({ "route": route, "receivers": [receiver] });
        let path = daemon.directory.join("settings.yml");
        fs::write(&path, settings.to_string()).trying("write", &path)?;
        let directory = &daemon.directory;
        daemon.equipment.link_templates(directory)?;
        let mut command = daemon.equipment.program("usr/bin/prometheus-alertmanager", directory);
        command.args(["--config.file=settings.yml", "--storage.path=data"]);
        command.args(["--cluster.listen-address="]);
        command.arg(format!("--web.listen-address=127.0.0.1:{}", port.number));
        daemon.start(command, |_| is_well(port.number, "/-/ready"))?;
        Ok(Self { daemon, port })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number).into()
    }

    /// Its URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The alerts that fire.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn alerts(&self) -> Result<Vec<Alert>, ReceiverError> {
        let answer = get_json(self.port.number, "/api/v2/alerts");
        let answer = answer.trying_to("ask Alertmanager for its alerts")?;
        Ok(answer.as_array().into_iter().flatten().filter_map(alert).collect())
    }

    /// What `find` makes of the alerts that fire, as soon as it finds something. `awaited` is what that
    /// is, in words.
    ///
    /// # Errors
    ///
    /// It finds nothing within `bound`; the error says which alerts fire instead.
    pub fn wait_for<T>(
        &self,
        awaited: &str,
        bound: Duration,
        mut find: impl FnMut(&[Alert]) -> Option<T>,
    ) -> Result<T, ReceiverError> {
        let deadline = Instant::now() + bound;
        loop {
            let alerts = self.alerts()?;
            if let Some(found) = find(&alerts) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                let instead = format!("{alerts:?}");
                let awaited = awaited.to_owned();
                return Err(ReceiverError::Silent { awaited, waited: bound, instead });
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }
}

fn alert(value: &Value) -> Option<Alert> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |value: &Value| {
        let pairs = value.as_object()?.iter();
        pairs.map(|(name, value)| Some((name.clone(), text(value)?))).collect::<Option<_>>()
    };
    Some(Alert {
        labels: texts(&value["labels"])?,
        annotations: texts(&value["annotations"])?,
        state: text(&value["status"]["state"])?,
        starts_at: text(&value["startsAt"])?,
        ends_at: text(&value["endsAt"])?,
    })
}
