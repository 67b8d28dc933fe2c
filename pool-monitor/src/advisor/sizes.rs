//! Whether a pool has the right size for its load and its database.

use std::cmp::Reverse;
use std::time::Duration;

use pool_core::{Brief, CloseReason, PoolConfig};

use super::adapted::{self, LimitedBy};
use super::setting::{Setting, lower_max_open, whole_seconds};
use super::{Finding, Seen, server, stuck};
use crate::history::Calm;
use crate::window::CALM;

/// Connects a minute below which churn costs nobody anything.
const MUCH_CHURN: f64 = 10.0;
/// Connections that are replaced at this pace cost their database nothing to speak of.
const SHORT_LIFE: Duration = Duration::from_mins(1);
/// A connection held this much longer than in calmer times is held up by the database.
const MUCH_SLOWER: f64 = 1.5;
/// A connection held no longer than this, compared with calmer times, is as fast as ever.
const AS_FAST: f64 = 1.25;
/// Acquires come irregularly: as many connections as serve their average rate would have a queue without
/// end.
const HEADROOM: f64 = 1.5;
/// A pool this many times larger than twice its peak is oversized.
const OVERSIZED: usize = 2;

/// Connects that a larger `max_idle`, a longer idle time or a longer life would have spared. Each reason is
/// judged by itself: one that is as it should be hides no other.
pub(super) fn churn(seen: &Seen<'_>) -> Option<Finding> {
    let mut reasons = [CloseReason::Surplus, CloseReason::Idle, CloseReason::Lifetime];
    reasons.sort_by_key(|reason| Reverse(seen.recent.closed.of(*reason)));
    reasons.into_iter().find_map(|reason| churn_by(reason, seen))
}

fn churn_by(reason: CloseReason, seen: &Seen<'_>) -> Option<Finding> {
    let (config, recent) = (&seen.view.config, &seen.recent);
    let a_minute = recent.per_minute(recent.closed.of(reason).min(recent.opened));
    if a_minute < MUCH_CHURN {
        return None;
    }
    let peak = recent.in_use.max;
    let evidence = format!("{a_minute:.0} connects/min while never more than {peak} in use");
    let (remedy, setting) = match reason {
        CloseReason::Idle => {
            let now = config.max_idle_time?;
            let then = whole_seconds(10 * now);
            let remedy = format!(
                "connections are closed after {} idle and opened again: raise max_idle_time to {}, \
                 or set min_idle to {peak}",
                Brief(now),
                Brief(then)
            );
            (remedy, Setting::MaxIdleTime(then))
        }
        CloseReason::Lifetime => {
            let now = config.max_lifetime.filter(|lifetime| *lifetime < SHORT_LIFE)?;
            let then = whole_seconds(10 * now);
            let remedy = format!(
                "connections are replaced after {}: raise max_lifetime to {}",
                Brief(now),
                Brief(then)
            );
            (remedy, Setting::MaxLifetime(then))
        }
        // Whoever steers it has lowered it: a larger one changes nothing.
        _ if seen.view.snapshot.stats.max_idle < config.effective_max_idle() => return None,
        _ => {
            let then = (peak + 1).min(config.max_open);
            let grace = if config.idle_grace.is_zero() { " or set idle_grace" } else { "" };
            (format!("raise max_idle to {then}{grace}"), Setting::MaxIdle(then))
        }
    };
    Some(Finding { evidence, remedy, setting: Some(setting) })
}

/// Acquires wait for connections that others use, and those are as fast as ever; or nobody knows how fast
/// they could be.
pub(super) fn too_small(seen: &Seen<'_>) -> Option<Finding> {
    let busy = busy(seen)?;
    // Connections that are not given back are missing, not too few.
    if stuck::leak(seen).is_some() || adapted::not_applied(seen).is_some() {
        return None;
    }
    match (adapted::limited_by(seen), busy.calm) {
        (_, Some(calm)) if busy.slowdown(calm) > AS_FAST => None,
        (Some(limited_by), _) => kept_small(seen, &busy, &limited_by),
        (None, Some(calm)) => too_small_surely(seen, &busy, calm),
        (None, None) => too_small_perhaps(seen, &busy),
    }
}

/// A pool that is not to be made larger by its configuration.
fn kept_small(seen: &Seen<'_>, busy: &Busy, limited_by: &LimitedBy<'_>) -> Option<Finding> {
    let (limit, configured) = (seen.limit(), seen.view.config.max_open);
    let who = match limited_by {
        // Its share is a rule of its own.
        LimitedBy::Fleet => return None,
        LimitedBy::Tuner(size) => format!("the tuner keeps max_open at {limit} ({})", size.reason),
        LimitedBy::Steering => format!("max_open is steered to {limit}"),
    };
    Some(Finding {
        evidence: busy.waits(seen),
        remedy: format!(
            "{who}, and a larger one than the {configured} configured changes nothing: make the \
             statements cheaper, or hold connections for less time"
        ),
        setting: None,
    })
}

fn too_small_surely(seen: &Seen<'_>, busy: &Busy, calm: Calm) -> Option<Finding> {
    let max_open = seen.limit();
    let waiting = seen.recent.mean_waiting();
    // Those who wait would be served, but no more than twice as many connections are tried at once.
    let then = (max_open + waiting.ceil() as usize).clamp(max_open + 1, 2 * max_open);
    let then = within_room(seen, then)?;
    let waits = busy.waits(seen);
    let when_calm = Brief(calm.held);
    Some(Finding {
        evidence: format!("{waits}, as in calmer times ({when_calm})"),
        remedy: format!("the pool is too small, the database has time: raise max_open to {then}"),
        setting: Some(Setting::MaxOpen(then)),
    })
}

/// From inside a pool that was always full, too small and saturated look alike: trying tells them apart.
fn too_small_perhaps(seen: &Seen<'_>, busy: &Busy) -> Option<Finding> {
    let max_open = seen.limit();
    let then = within_room(seen, max_open + max_open.div_ceil(4))?;
    let waits = busy.waits(seen);
    Some(Finding {
        evidence: format!("{waits}, and no calmer time is known to compare with"),
        remedy: format!(
            "the pool is too small, or the database saturated: try a max_open of {then}, which helps if \
             connections are held no longer then, or compare sizes by pool-loadtest run"
        ),
        setting: Some(Setting::MaxOpen(then)),
    })
}

/// `then`, or as many as the server has room for, if those are more than now.
fn within_room(seen: &Seen<'_>, then: usize) -> Option<usize> {
    let then = server::room(seen).map_or(then, |room| room.min(then));
    (then > seen.limit()).then_some(then)
}

/// Connections are held the longer the more of them are in use.
pub(super) fn database_saturated(seen: &Seen<'_>) -> Option<Finding> {
    let busy = busy(seen)?;
    let calm = busy.calm?;
    if busy.slowdown(calm) < MUCH_SLOWER {
        return None;
    }
    // By Little's law, as many as serve the present rate at the speed of calmer times, and some to spare.
    let rate = seen.recent.per_second(seen.recent.held.count());
    let needed = rate * calm.held.as_secs_f64();
    let then = ((HEADROOM * needed).ceil() as usize).max(1);
    if then >= seen.limit() || adapted::not_applied(seen).is_some() {
        return None;
    }
    let (lower, setting) = lower_max_open(&seen.view.config, then);
    Some(Finding {
        evidence: format!(
            "connections are held for {} with {:.0} in use, and were for {} with {:.0}",
            Brief(busy.held),
            busy.in_use,
            Brief(calm.held),
            calm.in_use,
        ),
        remedy: format!(
            "the database is saturated, more connections will not help: {lower} ({needed:.0} \
             serve the present {rate:.0} acquires/s), or make the statements cheaper"
        ),
        setting,
    })
}

/// Most of what may be open is never used.
pub(super) fn oversized(seen: &Seen<'_>) -> Option<Finding> {
    let max_open = seen.limit();
    // What it is used for by day counts at night, too.
    let peak = seen.view.snapshot.stats.peak_in_use.max(1);
    let then = (2 * peak).max(seen.view.config.min_idle);
    let is_long = seen.whole.span >= crate::history::HISTORY_SPAN;
    let is_used = seen.whole.acquires.succeeded() > 0;
    let is_oversized = max_open != PoolConfig::UNLIMITED && max_open >= OVERSIZED * then;
    if !is_oversized || !is_long || !is_used || adapted::not_applied(seen).is_some() {
        return None;
    }
    Some(Finding {
        evidence: format!(
            "never more than {peak} of {max_open} connections in use, and that for longer than {}",
            Brief(seen.whole.span)
        ),
        remedy: format!("lower max_open to {then}, and leave the server's connections to others"),
        setting: Some(Setting::MaxOpen(then)),
    })
}

/// A pool at its limit, and what it was in calmer times, if it ever was calm.
struct Busy {
    wait_p99: Duration,
    held: Duration,
    in_use: f64,
    calm: Option<Calm>,
}

impl Busy {
    fn slowdown(&self, calm: Calm) -> f64 {
        self.held.as_secs_f64() / calm.held.as_secs_f64()
    }

    fn waits(&self, seen: &Seen<'_>) -> String {
        let refused = match seen.recent.acquires.queue_full {
            0 => String::new(),
            refused => format!(", and the queue was full for {refused} others"),
        };
        format!(
            "{:.0} acquires waited on average, up to {} each (p99){refused}, for {} connections that are \
             held for {}",
            seen.recent.mean_waiting(),
            Brief(self.wait_p99),
            seen.limit(),
            Brief(self.held),
        )
    }
}

/// `None` if the pool is not at its limit, or only by connections that are not given back, or if waiting is
/// a small part of what its users spend.
fn busy(seen: &Seen<'_>) -> Option<Busy> {
    let recent = &seen.recent;
    let wait_p50 = recent.wait.quantile(0.5)?;
    let held = recent.mean_hold()?;
    // A short queue that turns people away keeps the waits of the others short.
    let is_felt = (!wait_p50.is_zero() && wait_p50 >= held / 4) || recent.acquires.queue_full > 0;
    if !seen.is_mostly_full() || !is_felt {
        return None;
    }
    let max_open = seen.limit() as f64;
    if max_open - stuck::not_given_back(seen) <= CALM * max_open {
        return None;
    }
    Some(Busy {
        wait_p99: recent.wait.quantile(0.99)?,
        held,
        in_use: recent.mean_in_use(),
        calm: seen.view.history.calm(),
    })
}
