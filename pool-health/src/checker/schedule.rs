//! Checks on a schedule: each has a task of its own, which opens a connection whenever it asks and keeps
//! none. So one that takes its time holds up neither probes nor the others.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use pool_core::Brief;
use pool_core::runtime::{Instant, Timer};

use super::Inner;
use super::asked::Asked;
use super::wait::{Bounded, within};
use crate::check::{Check, Finding, causes};
use crate::health::CheckReport;

/// After how long one is asked again that failed, or was not answered; sooner if it is asked more often
/// than that.
const AGAIN: Duration = Duration::from_mins(1);

/// A check on a schedule.
pub(super) struct Scheduled {
    check: Arc<dyn Check>,
    pub(super) name: Arc<str>,
    every: Duration,
    limit: Duration,
    pub(super) task: AtomicWaker,
    /// What has become of it.
    shown: Mutex<Shown>,
}

struct Shown {
    report: Option<CheckReport>,
    /// When it has had no answer for too long.
    overdue: Instant,
}

impl Scheduled {
    /// The check, if it is one on a schedule.
    pub(super) fn new(check: &Arc<dyn Check>, now: Instant) -> Option<Self> {
        let every = check.every()?;
        Some(Self {
            check: Arc::clone(check),
            name: check.name().into(),
            every,
            limit: check.limit(),
            task: AtomicWaker::new(),
            shown: Mutex::new(Shown { report: None, overdue: overdue(every, now) }),
        })
    }

    pub(super) fn report(&self) -> Option<CheckReport> {
        self.shown.lock().report.clone()
    }

    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.shown.lock().overdue <= now
    }

    /// Shows what was found, and says how long to wait until it is asked again.
    fn conclude(&self, asked: &Asked, now: Instant) -> Duration {
        let serves = matches!(asked.finding(), Some(Finding::Fine | Finding::Degraded(_)));
        let mut shown = self.shown.lock();
        shown.report.clone_from(&asked.report);
        if serves {
            shown.overdue = overdue(self.every, now);
            return self.every;
        }
        self.every.min(AGAIN)
    }
}

fn overdue(every: Duration, answered: Instant) -> Instant {
    answered.after(every.saturating_mul(2))
}

/// Asks the check of this index whenever it is due: at once, and then sooner than its interval by up to a
/// tenth, so that the programs of a fleet do not ask in step.
pub(super) async fn run(inner: Arc<Inner>, index: usize, mut timer: Box<dyn Timer>) {
    let scheduled = &inner.scheduled[index];
    let mut asked = Asked::new(Arc::clone(&scheduled.check));
    let mut jitter = fastrand::Rng::with_seed(inner.runtime.seed());
    loop {
        timer.reset(inner.runtime.now().after(scheduled.limit));
        match within(&inner, &scheduled.task, &mut *timer, ask(&mut asked, &inner)).await {
            Bounded::Done => {}
            Bounded::TimedOut => {
                let limit = scheduled.limit;
                not_known(&mut asked, format!("no answer within {}", Brief(limit)), limit);
            }
            Bounded::Ended => return,
        }
        let now = inner.runtime.now();
        let pause = scheduled.conclude(&asked, now);
        timer.reset(now.after(pause.mul_f64(1.0 - 0.1 * jitter.f64())));
        if let Bounded::Ended = within(&inner, &scheduled.task, &mut *timer, pending()).await {
            return;
        }
    }
}

async fn ask(asked: &mut Asked, inner: &Inner) {
    match inner.pool.probe().await {
        Ok(mut probe) => {
            let _is_lost = asked.ask(inner, &mut *probe).await;
        }
        // That is for probes to judge.
        Err(error) => not_known(asked, causes(&error), Duration::ZERO),
    }
}

/// What failed goes on failing until an answer says something else.
fn not_known(asked: &mut Asked, why: String, took: Duration) {
    if !asked.has_failed() {
        asked.heard(Finding::Unknown(why), took);
    }
}
