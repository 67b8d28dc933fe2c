//! One check, and what it found last.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use pool_core::Probe;

use super::Inner;
use crate::check::{Check, Finding};
use crate::health::CheckReport;

pub(super) struct Asked {
    pub(super) check: Arc<dyn Check>,
    pub(super) name: Arc<str>,
    pub(super) report: Option<CheckReport>,
    /// Connections were retired for what it found, until it is fine again.
    has_retired: bool,
}

impl Asked {
    pub(super) fn new(check: Arc<dyn Check>) -> Self {
        let name = check.name().into();
        Self { check, name, report: None, has_retired: false }
    }

    pub(super) fn finding(&self) -> Option<&Finding> {
        self.report.as_ref().map(|report| &report.finding)
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.finding(), Some(Finding::Failed(_)))
    }

    /// Asks; whether the connection is of no use any more.
    pub(super) async fn ask(&mut self, inner: &Inner, probe: &mut dyn Probe) -> bool {
        let began = inner.runtime.now();
        // Also what it does before it returns its future.
        let run = async { self.check.run(probe).await };
        let run = AssertUnwindSafe(run).catch_unwind().await;
        let has_panicked = run.is_err();
        let finding = run.unwrap_or_else(|_| Finding::Unknown("the check panicked".to_owned()));
        self.heard(finding, inner.runtime.now().since(began));
        if self.check.retires_connections() {
            self.retire(inner);
        }
        has_panicked || probe.is_lost()
    }

    /// Retires connections to the wrong server when that is found out, and, as some may have been opened to
    /// it since, when this one leads to the right one again.
    fn retire(&mut self, inner: &Inner) {
        let is_due = match self.finding() {
            Some(Finding::Failed(_)) => !self.has_retired,
            Some(Finding::Fine) => self.has_retired,
            _ => return,
        };
        if is_due {
            self.has_retired = !self.has_retired;
            let (pool, check) = (inner.pool.name(), &*self.name);
            let retired = inner.pool.invalidate();
            tracing::warn!(
                target: "pool_health", pool, check, retired,
                "connections may lead to the wrong server, and are replaced"
            );
        }
    }

    pub(super) fn heard(&mut self, finding: Finding, took: Duration) {
        let check = Arc::clone(&self.name);
        self.report = Some(CheckReport { check, finding, at: SystemTime::now(), took });
    }
}
