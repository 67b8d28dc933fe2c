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
                let why = format!("no answer within {}", Brief(limit));
                entry.asked.heard(Finding::Unknown(why), limit);
            }
            Bounded::Ended => return,
        }
        entry.conclude(&inner, index);
    }
}

impl Entry {
    async fn ask(&mut self, inner: &Inner) {
        match inner.pool.probe().await {
            Ok(mut probe) => {
                let _is_lost = self.asked.ask(inner, &mut *probe).await;
            }
            // That is for probes to judge.
            Err(error) => self.asked.heard(Finding::Unknown(causes(&error)), Duration::ZERO),
        }
    }

    /// Shows what was found, and says when to ask again.
    fn conclude(&mut self, inner: &Inner, index: usize) {
        let now = inner.runtime.now();
        let serves = matches!(self.asked.finding(), Some(Finding::Fine | Finding::Degraded(_)));
        self.due = now.after(if serves { self.every } else { self.every.min(AGAIN) });
        let shown = &mut inner.scheduled.lock()[index];
        shown.report.clone_from(&self.asked.report);
        if serves {
            shown.overdue = now.after(self.every.saturating_mul(2));
        }
    }
}
