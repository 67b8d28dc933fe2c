//! How one sink gets its notifications: one at a time, each rule in its turn, and again where that helps.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

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
    /// Those of them that did not reach everybody they were for, such as all recipients of a mail, be it
    /// after an hour of trying. They are not told again in minutes, as those that failed are: most have
    /// them.
    pub partly: u64,
    /// Notifications that it refused, or that were given up after an hour of trying. What is still so,
    /// or was to say that it is over, is told again five minutes later, if a pool is looked at by then:
    /// a word lost when the last pool is gone is told again, or reported, by
    /// [`AlertManager::shutdown`](super::AlertManager::shutdown) only.
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
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Waiting>,
    in_flight: Option<Waiting>,
    /// What the sink will not get, until that is taken note of.
    lost: Vec<Notification>,
    is_closed: bool,
    /// Attempts in a row that found the receiver away or busy; none if it is there.
    failures: u32,
    /// Until when it is left alone after the last of them.
    away_until: Option<Instant>,
    /// The last of what went wrong for some only that was said; none if all went well since.
    said: Option<String>,
    stats: DeliveryStats,
}

#[derive(Debug)]
struct Waiting {
    notification: Notification,
    since: Instant,
    /// Not before that; and who has waited longer for its turn goes first.
    turn: Instant,
    /// Whether some of those it is for have it.
    is_with_some: bool,
}

impl Waiting {
    /// How long it has to wait after that, apart from all others; none if it is not tried again.
    fn pause_before_next(&self, error: &DeliveryError) -> Option<Duration> {
        let age = self.since.elapsed();
        let pause = match error {
            // All wait then.
            DeliveryError::Retry { .. } => Some(Duration::ZERO),
            // As long as it has been tried already, so that the pauses double.
            DeliveryError::Partly { again: true, .. } => {
                Some(age.clamp(FIRST_PAUSE, LONGEST_PAUSE))
            }
            DeliveryError::Partly { .. } | DeliveryError::Refused { .. } => None,
        };
        pause.filter(|_| age < GIVE_UP_AFTER)
    }
}

impl Queue {
    pub(crate) fn new(sink: &str) -> Self {
        let stats = DeliveryStats { sink: sink.to_owned(), ..DeliveryStats::default() };
        let inner = Inner { stats, ..Inner::default() };
        Self { sink: sink.to_owned(), inner: Mutex::new(inner), changed: Notify::new() }
    }

    /// Adds a notification, in place of one of the same rule that still waits, or is lost and has not
    /// been taken note of.
    pub(crate) fn put(&self, mut notification: Notification) {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            inner.stats.dropped += 1;
            return;
        }
        let rule = Arc::clone(&notification.rule);
        for lost in inner.lost.extract_if(.., |lost| lost.rule == rule) {
            notification.supersede(lost);
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
        let now = Instant::now();
        let waiting = Waiting { notification, since: now, turn: now, is_with_some: false };
        inner.waiting.push_back(waiting);
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
        let mut inner = self.inner.lock();
        inner.is_closed = true;
        inner.away_until = None;
        let now = Instant::now();
        inner.waiting.iter_mut().for_each(|it| it.turn = it.turn.min(now));
        drop(inner);
        self.changed.notify_one();
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

    /// The next one, once it is its turn; none after the last, when closed.
    pub(crate) async fn next(&self) -> Option<Notification> {
        loop {
            let turn = {
                let mut inner = self.inner.lock();
                match inner.next_turn() {
                    Some((turn, at)) if turn <= Instant::now() => {
                        inner.in_flight = inner.waiting.remove(at);
                        return inner.in_flight.as_ref().map(|next| next.notification.clone());
                    }
                    Some((turn, _)) => Some(turn),
                    None if inner.is_closed => return None,
                    None => None,
                }
            };
            let changed = self.changed.notified();
            match turn {
                // Over or not: it looks again.
                Some(turn) => drop(timeout_at(turn, changed).await),
                None => changed.await,
            }
        }
    }

    /// Counts the end of an attempt, and says what is worth it.
    pub(crate) fn finish(&self, outcome: &Outcome) {
        let remarks = self.inner.lock().finish(outcome);
        remarks.into_iter().flatten().for_each(|remark| remark.log(&self.sink));
    }
}

impl Inner {
    /// When something may be tried, and which of those that wait.
    fn next_turn(&self) -> Option<(Instant, usize)> {
        let turns = self.waiting.iter().enumerate().map(|(at, it)| (it.turn, at));
        let (turn, at) = turns.min()?;
        Some((self.away_until.map_or(turn, |until| turn.max(until)), at))
    }

    fn finish<'a>(&mut self, outcome: &'a Outcome) -> [Option<Remark<'a>>; 2] {
        // None if it was reported as not delivered while it was tried.
        let Some(tried) = self.in_flight.take() else { return [None, None] };
        self.stats.last_error = outcome.as_ref().err().map(ToString::to_string);
        [self.judge_receiver(outcome), self.settle(tried, outcome)]
    }

    /// Takes note of whether the receiver is there. What it refuses says nothing of that.
    fn judge_receiver<'a>(&mut self, outcome: &'a Outcome) -> Option<Remark<'a>> {
        let was_away = self.failures > 0;
        match outcome {
            Ok(()) | Err(DeliveryError::Partly { .. }) => {
                self.failures = 0;
                was_away.then_some(Remark::Again)
            }
            Err(DeliveryError::Refused { .. }) => None,
            Err(DeliveryError::Retry { why, after }) => {
                self.failures += 1;
                // Whoever shuts down has no time for long pauses.
                let failures = if self.is_closed { 1 } else { self.failures };
                let pause = pause(failures, *after, fastrand::f64());
                self.away_until = Some(Instant::now() + pause);
                // Once, and not for each attempt.
                (!was_away).then_some(Remark::Fails(why))
            }
        }
    }

    /// Decides what becomes of what was tried.
    fn settle<'a>(&mut self, mut tried: Waiting, outcome: &'a Outcome) -> Option<Remark<'a>> {
        let Err(error) = outcome else {
            self.stats.delivered += 1;
            self.said = None;
            return None;
        };
        let (DeliveryError::Retry { why, .. }
        | DeliveryError::Partly { why, .. }
        | DeliveryError::Refused { why }) = error;
        let is_partly = matches!(error, DeliveryError::Partly { .. });
        tried.is_with_some |= is_partly;
        if let Some(pause) = tried.pause_before_next(error) {
            self.stats.retried += 1;
            // Behind what waits, so that each rule has its turn.
            tried.turn = Instant::now() + pause;
            let tried = self.unless_newer(tried);
            // If it is over for all of them by now, there is nothing to try.
            self.waiting.extend(tried.filter(|it| it.notification.has_alerts()));
            is_partly.then(|| self.say_partly(why)).flatten()
        } else if tried.is_with_some {
            self.stats.delivered += 1;
            self.stats.partly += 1;
            self.say_partly(why)
        } else if tried.notification.has_alerts() {
            self.stats.failed += 1;
            let lost = self.unless_newer(tried);
            self.lost.extend(lost.map(|it| it.notification));
            let is_refused = matches!(error, DeliveryError::Refused { .. });
            Some(if is_refused { Remark::Refused(why) } else { Remark::GivenUp(why) })
        } else {
            None
        }
    }

    /// Once, and not for each notification: who is unknown stays unknown.
    fn say_partly<'a>(&mut self, why: &'a str) -> Option<Remark<'a>> {
        let is_new = self.said.as_deref() != Some(why);
        self.said = Some(why.to_owned());
        is_new.then_some(Remark::Partly(why))
    }

    /// Has a newer one of the same rule that waits tell what this one would have; returns it if there is
    /// none.
    fn unless_newer(&mut self, tried: Waiting) -> Option<Waiting> {
        let is_newer = |it: &&mut Waiting| it.notification.rule == tried.notification.rule;
        let Some(newer) = self.waiting.iter_mut().find(is_newer) else { return Some(tried) };
        newer.notification.supersede(tried.notification);
        None
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
                tracing::warn!(sink, error = why, "an alert has not reached everybody");
            }
            Self::Refused(why) => tracing::warn!(sink, error = why, "an alert was refused"),
            Self::GivenUp(why) => tracing::warn!(sink, error = why, "an alert was given up"),
            Self::Fails(why) => {
                tracing::warn!(sink, error = why, "alerts cannot be delivered for now");
            }
        }
    }
}

pub(crate) type Outcome = Result<(), DeliveryError>;

/// Delivers what is in `queue` until that is closed and empty, with a pause between two messages.
pub(crate) async fn deliver(queue: Arc<Queue>, sink: Arc<dyn Sink>, between: Duration) {
    while let Some(notification) = queue.next().await {
        let outcome = attempt(&*sink, &notification).await;
        queue.finish(&outcome);
        sleep(between).await;
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
