//! Prometheus' Alertmanager, by version 2 of its API.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{ConfigError, Problem, Secret, async_trait};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::http::{Endpoint, config_error};
use super::text::time;
use super::{DeliveryError, Habits, Sink, none};
use crate::alerts::alert::{Alert, Notification};
use crate::alerts::document::Table;
use crate::alerts::rule::Severity;

/// Where an [`Alertmanager`] is.
#[derive(Clone, Debug)]
pub struct AlertmanagerOptions {
    /// Its URL, without `/api/v2/alerts`. Default: none, which is an error.
    pub url: Secret,
    /// A bearer token. Default: none.
    pub token: Option<Secret>,
    /// Authorities that are trusted besides the system's, as PEM. Default: none.
    pub root_certificates: Option<PathBuf>,
}

impl Default for AlertmanagerOptions {
    fn default() -> Self {
        Self { url: none(), token: None, root_certificates: None }
    }
}

/// An Alertmanager, which groups, routes and silences by itself.
///
/// It is told at once of what fires and of what is over, and again every minute of what still fires: it
/// takes an alert for resolved of which it has not been told for four of these. Labels are `alertname`
/// (the rule), `pool`, `severity` and those of the program; the annotations `summary` and `value`.
pub struct Alertmanager {
    endpoint: Endpoint,
    headers: HeaderMap,
}

impl Alertmanager {
    /// Checks the options. Connects to nobody.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub fn new(options: &AlertmanagerOptions) -> Result<Self, ConfigError> {
        let AlertmanagerOptions { url, token, root_certificates } = options;
        let endpoint = Endpoint::new(url, "/api/v2/alerts", root_certificates.as_deref());
        match (endpoint, headers(token.as_ref())) {
            (Ok(endpoint), Ok(headers)) => Ok(Self { endpoint, headers }),
            (endpoint, headers) => {
                let problems = endpoint.err().into_iter().flatten().chain(headers.err());
                Err(config_error(problems.collect()))
            }
        }
    }
}

fn headers(token: Option<&Secret>) -> Result<HeaderMap, Problem> {
    let Some(token) = token else { return Ok(HeaderMap::new()) };
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| {
        Problem::not_shown("token", "signs that no header may hold", "a token of plain text")
    })?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

#[async_trait]
impl Sink for Alertmanager {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        self.endpoint.post(self.headers.clone(), body(notification)).await
    }

    fn habits(&self) -> Habits {
        Habits {
            // It decides by itself what is for whom, and gathers by itself.
            minimum_severity: Severity::Info,
            group_wait: Duration::ZERO,
            // As Prometheus does.
            repeat: Duration::from_mins(1),
            ..Habits::default()
        }
    }
}

fn body(notification: &Notification) -> String {
    let alerts = notification.alerts.iter().map(|alert| one(notification, alert));
    Value::Array(alerts.collect()).to_string()
}

fn one(notification: &Notification, alert: &Alert) -> Value {
    let own =
        [("alertname", &*alert.rule), ("pool", &*alert.pool), ("severity", alert.severity.name())];
    let labels = notification.labels.iter().map(|(name, value)| (&**name, &**value));
    // An empty label is none; it is refused in the form of a whole message.
    let labels: BTreeMap<_, _> = labels.chain(own).filter(|(_, value)| !value.is_empty()).collect();
    let lasts = notification.repeat.saturating_mul(4);
    // A clock that far ahead is wrong, but no reason to panic.
    let by_itself = notification.at.checked_add(lasts).unwrap_or(notification.at);
    let ends = alert.resolved.unwrap_or(by_itself);
    json!({
        "labels": labels,
        "annotations": { "summary": alert.summary, "value": alert.value.to_string() },
        "startsAt": time(alert.started),
        "endsAt": time(ends),
    })
}

pub(super) fn read(table: &Table<'_, '_>) -> Option<Arc<dyn Sink>> {
    let url = table.secret("url").unwrap_or_else(none);
    let token = table.secret("token");
    let root_certificates = table.text("root_certificates", "a path").map(PathBuf::from);
    match Alertmanager::new(&AlertmanagerOptions { url, token, root_certificates }) {
        Ok(sink) => Some(Arc::new(sink)),
        Err(error) => {
            table.note_all(error.problems().to_vec());
            None
        }
    }
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alertmanager").finish_non_exhaustive()
    }
}
