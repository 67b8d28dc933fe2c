//! Checks on a schedule: a task of their own, which opens a connection for each and keeps none.

use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::{Instant, Timer};
use pool_core::{Brief, PoolState};

use super::Inner;
use super::asked::Asked;
use super::wait::{Bounded, within};
use crate::check::{Finding, causes};
use crate::health::CheckReport;

/// After how long one is asked again that failed, or was not answered; sooner if it is asked more often
/// than that.
const AGAIN: Duration = Duration::from_mins(1);

/// What a check on a schedule has come to.
#[derive(Clone)]
pub(super) struct Scheduled {
    pub(super) name: Arc<str>,
    pub(super) report: Option<CheckReport>,
    /// When it has had no answer for too long.
    pub(super) overdue: Instant,
}

struct Entry {
    asked: Asked,
    every: Duration,
    due: Instant,
}

/// Asks each when it is due, one after the other.
pub(super) async fn run(inner: Arc<Inner>, mut timer: Box<dyn Timer>) {
    let scheduled = inner.options.checks.iter().filter_map(|check| {
        let every = check.every()?;
        Some(Entry { asked: Asked::new(Arc::clone(check)), every, due: Instant::EPOCH })
    });
    let mut entries: Vec<_> = scheduled.collect();
    let mut jitter = fastrand::Rng::with_seed(inner.runtime.seed());
    loop {
        let next = entries.iter().enumerate().min_by_key(|(_, entry)| entry.due);
        let Some((index, due)) = next.map(|(index, entry)| (index, entry.due)) else { return };
        timer.reset(due);
        let ended = within(&inner, &inner.schedule_task, &mut *timer, std::future::pending()).await;
        if matches!(ended, Bounded::Ended) || inner.pool.state() == PoolState::Closed {
            return;
        }
        let entry = &mut entries[index];
        let limit = entry.asked.check.limit();
        timer.reset(inner.runtime.now().after(limit));
        match within(&inner, &inner.schedule_task, &mut *timer, entry.ask(&inner)).await {
            Bounded::Done => {}
            Bounded::TimedOut => {
                entry.not_known(format!("no answer within {}", Brief(limit)), limit);
            }
            Bounded::Ended => return,
        }
        entry.conclude(&inner, index, jitter.f64());
    }
}

impl Entry {
    async fn ask(&mut self, inner: &Inner) {
        match inner.pool.probe().await {
            Ok(mut probe) => {
                let _is_lost = self.asked.ask(inner, &mut *probe).await;
            }
            // That is for probes to judge.
            Err(error) => self.not_known(causes(&error), Duration::ZERO),
        }
    }

    /// What failed goes on failing until an answer says something else.
    fn not_known(&mut self, why: String, took: Duration) {
        if !self.asked.has_failed() {
            self.asked.heard(Finding::Unknown(why), took);
        }
    }

    /// Shows what was found, and says when to ask again: sooner by up to a tenth, by `chance`, so that the
    /// programs of a fleet do not ask in step.
    fn conclude(&mut self, inner: &Inner, index: usize, chance: f64) {
        let now = inner.runtime.now();
        let serves = matches!(self.asked.finding(), Some(Finding::Fine | Finding::Degraded(_)));
        let pause = if serves { self.every } else { self.every.min(AGAIN) };
        self.due = now.after(pause.mul_f64(1.0 - 0.1 * chance));
        let shown = &mut inner.scheduled.lock()[index];
        shown.report.clone_from(&self.asked.report);
        if serves {
            shown.overdue = now.after(self.every.saturating_mul(2));
        }
    }
}
