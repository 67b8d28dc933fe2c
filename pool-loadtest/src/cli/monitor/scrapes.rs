//! The endpoint for scrapers, and how long it stays.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use pool_core::{ControlHandle, Problem};
use pool_monitor::prometheus::{
    PrometheusEndpoint, PrometheusError, PrometheusMetrics, PrometheusOptions,
};
use tokio::sync::watch;
use tokio::time::sleep;

use super::arguments::MonitorArguments;
use crate::cli::say;

/// How long it waits for a scrape after the end: Prometheus' own interval is often this one.
const LAST: Duration = Duration::from_secs(15);

pub(super) struct Scrapes {
    metrics: PrometheusMetrics,
    endpoint: PrometheusEndpoint,
    /// How many there were.
    count: watch::Receiver<u64>,
}

impl Scrapes {
    /// Listens, if there is an address.
    pub(super) fn start(
        arguments: &MonitorArguments,
        problems: &mut Vec<Problem>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(address) = arguments.prometheus else { return Ok(None) };
        let options = PrometheusOptions { address, ..PrometheusOptions::default() };
        let metrics = PrometheusMetrics::default();
        let (scraped, count) = watch::channel(0);
        let families = metrics.families();
        let collect = move || {
            let families = families();
            scraped.send_modify(|count| *count += 1);
            families
        };
        match PrometheusEndpoint::start(&options, collect) {
            Ok(endpoint) => Ok(Some(Self { metrics, endpoint, count })),
            Err(PrometheusError::Thread(error)) => Err(error.into()),
            Err(error) => {
                let why = match &error {
                    PrometheusError::NoToken { .. } => "other machines reach it".to_owned(),
                    error => error.source().unwrap_or(error).to_string(),
                };
                let allowed = "a free address of this machine alone, such as 127.0.0.1:9187";
                let address = address.to_string();
                problems.push(Problem::invalid("--prometheus", address, why, allowed));
                Ok(None)
            }
        }
    }

    /// Shows this pool, too, and says where.
    pub(super) fn watch(&self, pool: &ControlHandle) {
        self.metrics.watch(pool);
        say(&format!("metrics are at http://{}/metrics", self.endpoint.address()));
    }

    /// Notes that the run has ended: who scrapes from now on sees how.
    pub(super) fn end(&mut self) {
        self.count.mark_unchanged();
    }

    /// Waits for a scrape after the end, or for `stop`.
    pub(super) async fn last(mut self, stop: impl Future<Output = ()>) {
        if self.count.has_changed().unwrap_or(true) {
            return;
        }
        let limit = humantime::format_duration(LAST);
        say(&format!("waiting for a last scrape, for at most {limit}"));
        tokio::select! {
            // The endpoint has the other end as long as it is there.
            _scraped = self.count.changed() => {}
            () = stop => {}
            () = sleep(LAST) => say("there was no last scrape: it has not seen how the run ended"),
        }
    }
}
