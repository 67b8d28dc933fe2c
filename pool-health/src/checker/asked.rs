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
}

impl Asked {
    pub(super) fn new(check: Arc<dyn Check>) -> Self {
        let name = check.name().into();
        Self { check, name, report: None }
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
        let was_failing = self.has_failed();
        let run = AssertUnwindSafe(self.check.run(probe)).catch_unwind().await;
        let has_panicked = run.is_err();
        let finding = run.unwrap_or_else(|_| Finding::Unknown("the check panicked".to_owned()));
        self.heard(finding, inner.runtime.now().since(began));
        if self.has_failed() && !was_failing && self.check.retires_connections() {
            let retired = inner.pool.invalidate();
            tracing::warn!(
                target: "pool_health",
                pool = inner.pool.name(),
                check = &*self.name,
                retired,
                "connections lead to the wrong server, and are replaced"
            );
        }
        has_panicked || probe.is_lost()
    }

    pub(super) fn heard(&mut self, finding: Finding, took: Duration) {
        let check = Arc::clone(&self.name);
        self.report = Some(CheckReport { check, finding, at: SystemTime::now(), took });
    }
}
