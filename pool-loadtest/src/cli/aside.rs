//! What is asked of the server beside a run, on connections outside the pool: what it counts
//! meanwhile, and how many connections it has for all replicas.

use std::time::Duration;

use pool_core::ControlHandle;

use super::budget::{NoBudget, ask};
use crate::budget::Sharing;
use crate::load::Progress;
use crate::report::{BudgetReport, Report};
use crate::server::ServerWatch;

/// What was asked, and is being asked.
pub(super) struct Aside {
    watch: ServerWatch,
    budget: Option<BudgetReport>,
    warnings: Vec<String>,
}

impl Aside {
    /// Asks for the budget of so many replicas, if there are any, and makes ready to ask what the server
    /// counts. Needs a tokio runtime around it.
    pub(super) async fn start(pool: &ControlHandle, replicas: Option<usize>) -> Self {
        let mut aside =
            Self { watch: ServerWatch::start(pool.clone()), budget: None, warnings: Vec::new() };
        let Some(replicas) = replicas else { return aside };
        let stats = pool.stats();
        let sharing = Sharing {
            replicas,
            surge: 0,
            reserve: 0,
            max_open: stats.max_open,
            own: stats.open + stats.probes + 1,
        };
        let why = match ask(pool, sharing).await {
            Ok(Some(budget)) => {
                aside.budget = Some(budget);
                return aside;
            }
            Ok(None) => "the database has no limit on connections".to_owned(),
            Err(NoBudget::Refused(problem)) => problem.to_string(),
            Err(NoBudget::Unanswered(error)) => format!("the server cannot be asked: {error:#}"),
        };
        aside.warnings.push(format!("there is no budget of connections: {why}"));
        aside
    }

    /// The load has come so far.
    pub(super) fn tell(&self, progress: &Progress) {
        self.watch.tell(progress);
    }

    /// Before the pool is closed: lets go of what must not be the last to be closed.
    pub(super) async fn before_close(&mut self) {
        self.watch.before_close().await;
    }

    /// Adds what was found to the report, once the pool is closed.
    pub(super) async fn add_to(self, report: &mut Report) {
        let Self { watch, budget, warnings } = self;
        report.warnings.extend(warnings);
        if let Some(server) = watch.report().await {
            let held = report.service.mean.unwrap_or_default() * report.service.count as f64;
            report.verdict.heed(&server, Duration::from_secs_f64(held / 1e6));
            report.server = Some(server);
        }
        if let Some(budget) = budget {
            report.verdict.fit(&budget);
            if !budget.fits {
                report.warnings.push(budget.detail.clone());
            }
            report.budget = Some(budget);
        }
    }
}
