//! How one sink gets its notifications: one at a time, each rule in its turn, and again where that helps.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::select;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::alert::{Alert, Notification};
use super::sinks::{DeliveryError, Sink};

/// Bound on one attempt, from connecting to the answer.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The first pause after a failed attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No pause of our own is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// No pause that a receiver asks for is longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);
/// What could not be delivered for so long is given up: whoever reads it then reads history.
const GIVE_UP_AFTER: Duration = Duration::from_hours(1);
/// Rules of which something waits: one each, since what is newer takes the older one's place.
const MOST_WAITING: usize = 64;

/// What became of the notifications of one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryStats {
    /// The sink.
    pub sink: String,
    /// Notifications that it took.
    pub delivered: u64,
    /// Those of them that did not reach everybody they were for, such as all recipients of a mail.
    pub partly: u64,
    /// Notifications that it refused, or that were given up after an hour of trying. What is still so
    /// is told again five minutes later.
    pub failed: u64,
    /// Notifications that were thrown away, since too many waited, which are told again likewise, or the
    /// manager had been shut down.
    pub dropped: u64,
    /// Attempts after which the same was to be tried again.
    pub retried: u64,
    /// Notifications that wait or are being tried now.
    pub waiting: usize,
    /// What went wrong last; none if the last attempt succeeded.
    pub last_error: Option<String>,
}

/// What waits for one sink.
#[derive(Debug)]
pub(crate) struct Queue {
    sink: String,
    /// Never held while a sink is at work or something is logged: both are foreign code.
    inner: Mutex<Inner>,
    /// Told when there is something to do, or nothing will come any more.
    changed: Notify,
    /// Told when nothing will come any more.
    closed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Waiting>,
    in_flight: Option<Waiting>,
    /// What the sink will not get, until that is taken note of.
    lost: Vec<Notification>,
    is_closed: bool,
    stats: DeliveryStats,
}

#[derive(Debug)]
struct Waiting {
    notification: Notification,
    since: Instant,
}

impl Queue {
    pub(crate) fn new(sink: &str) -> Self {
        let stats = DeliveryStats { sink: sink.to_owned(), ..DeliveryStats::default() };
        let inner = Inner { stats, ..Inner::default() };
        Self {
            sink: sink.to_owned(),
            inner: Mutex::new(inner),
            changed: Notify::new(),
            closed: Notify::new(),
        }
    }

    /// Adds a notification, in place of one of the same rule that still waits.
    pub(crate) fn put(&self, mut notification: Notification) {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            inner.stats.dropped += 1;
            return;
        }
        let is_same = |older: &Waiting| older.notification.rule == notification.rule;
        let same = inner.waiting.iter().position(is_same);
        if let Some(older) = same.and_then(|at| inner.waiting.remove(at)) {
            notification.supersede(older.notification);
        } else if inner.waiting.len() >= MOST_WAITING {
            // The oldest: it is the most likely to be no longer so.
            let oldest = inner.waiting.pop_front();
            inner.lost.extend(oldest.map(|oldest| oldest.notification));
            inner.stats.dropped += 1;
        }
        inner.waiting.push_back(Waiting { notification, since: Instant::now() });
        drop(inner);
        self.changed.notify_one();
    }

    pub(crate) fn stats(&self) -> DeliveryStats {
        let inner = self.inner.lock();
        let waiting = inner.waiting.len() + usize::from(inner.in_flight.is_some());
        DeliveryStats { waiting, ..inner.stats.clone() }
    }

    /// Takes nothing any more, and has what waits tried at once.
    pub(crate) fn close(&self) {
        self.inner.lock().is_closed = true;
        self.changed.notify_one();
        self.closed.notify_one();
    }

    /// Takes an alert that is over out of what waits and of what will be tried again, for a sink that
    /// does not want to know: it would hear of it as if it were still so.
    pub(crate) fn forget(&self, alert: &Alert) {
        let mut inner = self.inner.lock();
        let Inner { waiting, in_flight, .. } = &mut *inner;
        for Waiting { notification, .. } in waiting.iter_mut().chain(in_flight) {
            if notification.rule == alert.rule {
                notification.alerts.retain(|it| it.pool != alert.pool);
            }
        }
        waiting.retain(|it| it.notification.has_alerts());
    }

    /// Takes away what was lost, to be told again later; nothing when closed, since there is no later.
    pub(crate) fn take_lost(&self) -> Vec<Notification> {
        let mut inner = self.inner.lock();
        if inner.is_closed { Vec::new() } else { std::mem::take(&mut inner.lost) }
    }

    /// Takes away what was not delivered.
    pub(crate) fn take_rest(&self) -> Vec<Notification> {
        let mut inner = self.inner.lock();
        let Inner { waiting, in_flight, lost, .. } = &mut *inner;
        let rest = in_flight.take().into_iter().chain(std::mem::take(waiting));
        let rest = std::mem::take(lost).into_iter().chain(rest.map(|it| it.notification));
        rest.filter(Notification::has_alerts).collect()
    }

    /// The next one, once there is one; none after the last, when closed.
    async fn next(&self) -> Option<Notification> {
        loop {
            {
                let mut inner = self.inner.lock();
                inner.in_flight = inner.waiting.pop_front();
                if inner.in_flight.is_some() || inner.is_closed {
                    return inner.in_flight.as_ref().map(|next| next.notification.clone());
                }
            }
            self.changed.notified().await;
        }
    }

    /// Counts the end of an attempt, and says what is worth it.
    fn finish(&self, outcome: &Outcome) {
        let remark = self.inner.lock().finish(outcome);
        if let Some(remark) = remark {
            remark.log(&self.sink);
        }
    }
}

impl Inner {
    /// What is to be tried again goes behind what waits, so that each rule has its turn, unless there
    /// is a newer one by now.
    fn finish<'a>(&mut self, outcome: &'a Outcome) -> Option<Remark<'a>> {
        // None if it was reported as not delivered while it was tried.
        let tried = self.in_flight.take()?;
        let Self { stats, waiting, lost, .. } = self;
        let error = outcome.as_ref().err().map(ToString::to_string);
        let before = std::mem::replace(&mut stats.last_error, error);
        let had_failed = before.is_some();
        let is_history = tried.since.elapsed() >= GIVE_UP_AFTER;
        match outcome {
            Ok(()) => {
                stats.delivered += 1;
                had_failed.then_some(Remark::Again)
            }
            Err(DeliveryError::Refused { why }) => {
                stats.failed += 1;
                lost.push(tried.notification);
                Some(Remark::Refused(why))
            }
            Err(DeliveryError::Partly { why, again }) if !again || is_history => {
                stats.delivered += 1;
                stats.partly += 1;
                // Once, and not for each notification: who is unknown stays unknown.
                (before.as_ref() != Some(why)).then_some(Remark::Partly(why))
            }
            Err(DeliveryError::Retry { why, .. }) if is_history => {
                stats.failed += 1;
                lost.push(tried.notification);
                Some(Remark::GivenUp(why))
            }
            Err(DeliveryError::Retry { why, .. } | DeliveryError::Partly { why, .. }) => {
                stats.retried += 1;
                let rule = &tried.notification.rule;
                match waiting.iter_mut().find(|newer| newer.notification.rule == *rule) {
                    Some(newer) => newer.notification.supersede(tried.notification),
                    None if tried.notification.has_alerts() => waiting.push_back(tried),
                    // It is over for all of them by now.
                    None => {}
                }
                // Once, and not for each attempt.
                (!had_failed).then_some(Remark::Fails(why))
            }
        }
    }
}

/// What the log is told of an attempt.
enum Remark<'a> {
    Again,
    Partly(&'a str),
    Refused(&'a str),
    GivenUp(&'a str),
    Fails(&'a str),
}

impl Remark<'_> {
    fn log(self, sink: &str) {
        match self {
            Self::Again => tracing::info!(sink, "alerts are delivered again"),
            Self::Partly(why) => {
                tracing::warn!(sink, error = why, "an alert did not reach everybody");
            }
            Self::Refused(why) => tracing::warn!(sink, error = why, "an alert was refused"),
            Self::GivenUp(why) => tracing::warn!(sink, error = why, "an alert was given up"),
            Self::Fails(why) => {
                tracing::warn!(sink, error = why, "alerts cannot be delivered for now");
            }
        }
    }
}

type Outcome = Result<(), DeliveryError>;

/// Delivers what is in `queue` until that is closed and empty, with a pause between two messages.
pub(crate) async fn deliver(queue: Arc<Queue>, sink: Arc<dyn Sink>, between: Duration) {
    let mut failures = 0;
    while let Some(notification) = queue.next().await {
        let outcome = attempt(&*sink, &notification).await;
        queue.finish(&outcome);
        let after = match outcome {
            Ok(())
            | Err(DeliveryError::Refused { .. } | DeliveryError::Partly { again: false, .. }) => {
                failures = 0;
                sleep(between).await;
                continue;
            }
            Err(DeliveryError::Retry { after, .. }) => after,
            Err(DeliveryError::Partly { again: true, .. }) => None,
        };
        failures += 1;
        let pause = pause(failures, after, fastrand::f64());
        // Whoever shuts down has no time for a pause.
        select(pin!(sleep(pause)), pin!(queue.closed.notified())).await;
    }
}

/// Tries once, for a bounded time. A sink that panics harms only the one notification.
async fn attempt(sink: &dyn Sink, notification: &Notification) -> Outcome {
    let delivery = AssertUnwindSafe(async { sink.deliver(notification).await });
    match timeout(ATTEMPT, delivery.catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(DeliveryError::Refused { why: "the sink panicked".to_owned() }),
        Err(_elapsed) => {
            let why = format!("no answer within {} s", ATTEMPT.as_secs());
            Err(DeliveryError::Retry { why, after: None })
        }
    }
}

/// The pause after so many failures in a row: exponential, and the upper half of it by chance
/// (0 to 1), so that those who failed together do not come back together. It is longer where a
/// receiver asks for that, never shorter: who says "at once" again and again would be asked without end.
fn pause(failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let longest = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    let own = longest.mul_f64(0.5 + chance / 2.0);
    let asked = asked.map(|asked| asked.min(LONGEST_RETRY_AFTER) + FIRST_PAUSE.mul_f64(chance));
    own.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests;
