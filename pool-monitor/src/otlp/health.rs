//! How delivery goes: counted, and reported once when trouble begins and once when it ends.

use std::time::SystemTime;

use parking_lot::Mutex;

use super::error::ExportError;
use super::settings::Signal;

/// How delivery goes; all counts are since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TelemetryState {
    /// Since when traces or metrics are not delivered, if they are not.
    pub failing_since: Option<SystemTime>,
    /// Why an export failed last, even if others have been delivered since.
    pub last_error: Option<ExportError>,
    /// Exports that arrived whole.
    pub exports_delivered: u64,
    /// Exports that did not, with all their attempts.
    pub exports_failed: u64,
    /// Spans that the collector took.
    pub spans_delivered: u64,
    /// Spans that it never got or did not take: the queue was full, an export failed, the exporters
    /// were shut down.
    pub spans_dropped: u64,
}

/// Counts and reports.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    state: TelemetryState,
    traces: Option<Trouble>,
    metrics: Option<Trouble>,
}

#[derive(Clone, Debug)]
struct Trouble {
    since: SystemTime,
    peer: String,
    error: ExportError,
    /// Not if the other signal has the same trouble and reported it.
    is_reported: bool,
}

impl Health {
    pub(super) fn state(&self) -> TelemetryState {
        let record = self.0.lock();
        let troubles = [&record.traces, &record.metrics];
        let failing_since = troubles.into_iter().flatten().map(|trouble| trouble.since).min();
        TelemetryState { failing_since, ..record.state.clone() }
    }

    pub(super) fn spans_dropped(&self, count: u64) {
        self.0.lock().state.spans_dropped += count;
    }

    pub(super) fn spans_delivered(&self, count: u64) {
        self.0.lock().state.spans_delivered += count;
    }

    /// Notes how an export to `peer` went.
    pub(super) fn exported(&self, signal: Signal, peer: &str, error: Option<&ExportError>) {
        match error {
            None => self.delivered(signal, peer),
            Some(error) => self.failed(signal, peer, error),
        }
    }

    fn delivered(&self, signal: Signal, peer: &str) {
        let ended = {
            let mut record = self.0.lock();
            record.state.exports_delivered += 1;
            record.trouble(signal).0.take()
        };
        if let Some(trouble) = ended.filter(|trouble| trouble.is_reported) {
            let failed_for = trouble.since.elapsed().unwrap_or_default();
            tracing::info!(collector = peer, %signal, ?failed_for, "telemetry is delivered again");
        }
    }

    fn failed(&self, signal: Signal, peer: &str, error: &ExportError) {
        let begins = {
            let mut record = self.0.lock();
            record.state.exports_failed += 1;
            record.state.last_error = Some(error.clone());
            record.begin(signal, peer, error)
        };
        if begins {
            tracing::warn!(collector = peer, %signal, %error, "telemetry is not delivered");
        }
    }
}

impl Record {
    /// A signal's trouble, and the other's.
    fn trouble(&mut self, signal: Signal) -> (&mut Option<Trouble>, &Option<Trouble>) {
        match signal {
            Signal::Traces => (&mut self.traces, &self.metrics),
            Signal::Metrics => (&mut self.metrics, &self.traces),
        }
    }

    /// Whether this is news.
    fn begin(&mut self, signal: Signal, peer: &str, error: &ExportError) -> bool {
        let (own, other) = self.trouble(signal);
        if own.is_some() {
            return false;
        }
        let is_same = |other: &Trouble| other.peer == peer && other.error == *error;
        let is_reported = !other.as_ref().is_some_and(is_same);
        let (peer, error, since) = (peer.to_owned(), error.clone(), SystemTime::now());
        *own = Some(Trouble { since, peer, error, is_reported });
        is_reported
    }
}
