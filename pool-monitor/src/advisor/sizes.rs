//! Whether a pool has the right size for its load and its database.

use std::time::Duration;

use pool_core::{Brief, CloseReason, PoolConfig};

use super::setting::{Setting, lower_max_open, whole_seconds};
use super::{Finding, Seen, server, stuck};
use crate::window::Window;

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
/// Above this part of the span full, a pool is said to be full.
const MOSTLY: f64 = 0.5;
/// At most so much of it in use, a pool was calm.
const CALM: f64 = 0.7;
/// A pool this many times larger than twice its peak is oversized.
const OVERSIZED: usize = 2;

/// Connects that a larger `max_idle`, a longer idle time or a longer life would have spared.
pub(super) fn churn(seen: &Seen<'_>) -> Option<Finding> {
    let recent = &seen.recent;
    let a_minute = recent.per_minute(recent.churned());
    if a_minute < MUCH_CHURN {
        return None;
    }
    let config = &seen.view.config;
    let reasons = [CloseReason::Surplus, CloseReason::Idle, CloseReason::Lifetime];
    let most = reasons.into_iter().max_by_key(|reason| recent.closed.of(*reason))?;
    let peak = recent.in_use.max;
    let evidence = format!("{a_minute:.0} connects/min while never more than {peak} in use");
    let (remedy, setting) = match most {
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
        _ => {
            let then = (peak + 1).min(config.max_open);
            let grace = if config.idle_grace.is_zero() { " or set idle_grace" } else { "" };
            (format!("raise max_idle to {then}{grace}"), Setting::MaxIdle(then))
        }
    };
    Some(Finding { evidence, remedy, setting: Some(setting) })
}

/// Acquires wait for connections that others use, and those are as fast as ever.
pub(super) fn too_small(seen: &Seen<'_>) -> Option<Finding> {
    let busy = busy(seen)?;
    // Connections that are not given back are missing, not too few.
    if busy.slowdown() > AS_FAST || stuck::leak(seen).is_some() {
        return None;
    }
    let max_open = seen.view.config.max_open;
    let waiting = seen.recent.mean_waiting();
    let refused = match seen.recent.acquires.queue_full {
        0 => String::new(),
        refused => format!(", and the queue was full for {refused} others"),
    };
    // Those who wait would be served, but no more than twice as many connections are tried at once.
    let then = (max_open + waiting.ceil() as usize).clamp(max_open + 1, 2 * max_open);
    let then = then.min(server::room(seen).unwrap_or(usize::MAX));
    if then <= max_open {
        return None;
    }
    Some(Finding {
        evidence: format!(
            "{:.0} acquires waited on average, up to {} each (p99){refused}, for {max_open} connections that \
             are held for {}, as in calmer times ({})",
            waiting,
            Brief(busy.wait_p99),
            Brief(busy.held),
            Brief(busy.held_when_calm),
        ),
        remedy: format!("the pool is too small, the database has time: raise max_open to {then}"),
        setting: Some(Setting::MaxOpen(then)),
    })
}

/// Connections are held the longer the more of them are in use.
pub(super) fn database_saturated(seen: &Seen<'_>) -> Option<Finding> {
    let busy = busy(seen)?;
    if busy.slowdown() < MUCH_SLOWER {
        return None;
    }
    // By Little's law, as many as serve the present rate at the speed of calmer times, and some to spare.
    let rate = seen.recent.per_second(seen.recent.held.count());
    let needed = rate * busy.held_when_calm.as_secs_f64();
    let then = ((HEADROOM * needed).ceil() as usize).max(1);
    let max_open = seen.view.config.max_open;
    if then >= max_open {
        return None;
    }
    let (lower, setting) = lower_max_open(&seen.view.config, then);
    Some(Finding {
        evidence: format!(
            "connections are held for {} with {:.0} in use, and were for {} with {:.0}",
            Brief(busy.held),
            busy.in_use,
            Brief(busy.held_when_calm),
            busy.in_use_when_calm,
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
    let max_open = seen.view.config.max_open;
    // What it is used for by day counts at night, too.
    let peak = seen.view.snapshot.stats.peak_in_use.max(1);
    let then = (2 * peak).max(seen.view.config.min_idle);
    let is_long = seen.whole.span >= crate::history::HISTORY_SPAN;
    let is_used = seen.whole.acquires.succeeded() > 0;
    if max_open == PoolConfig::UNLIMITED || max_open < OVERSIZED * then || !is_long || !is_used {
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

/// A pool at its limit, compared with what it was in calmer times.
struct Busy {
    wait_p99: Duration,
    held: Duration,
    in_use: f64,
    held_when_calm: Duration,
    in_use_when_calm: f64,
}

impl Busy {
    fn slowdown(&self) -> f64 {
        self.held.as_secs_f64() / self.held_when_calm.as_secs_f64()
    }
}

/// `None` if the pool is not at its limit, or only by connections that are not given back, if waiting is a small part of what its users spend, or if it
/// was never calm.
fn busy(seen: &Seen<'_>) -> Option<Busy> {
    let recent = &seen.recent;
    let wait_p50 = recent.wait.quantile(0.5)?;
    let held = recent.mean_hold()?;
    let is_full = recent.full.as_secs_f64() >= MOSTLY * recent.span.as_secs_f64();
    // A short queue that turns people away keeps the waits of the others short.
    let is_felt = wait_p50 >= held / 4 || recent.acquires.queue_full > 0;
    if !is_full || !is_felt {
        return None;
    }
    let max_open = seen.view.config.max_open as f64;
    if max_open - stuck::not_given_back(seen) <= CALM * max_open {
        return None;
    }
    let is_calm = |cell: &&Window| cell.full.is_zero() && cell.mean_in_use() <= CALM * max_open;
    let cells = seen.view.history.cells();
    let calm = Window::merge(cells.filter(is_calm));
    Some(Busy {
        wait_p99: recent.wait.quantile(0.99)?,
        held,
        in_use: recent.mean_in_use(),
        held_when_calm: calm.mean_hold().filter(|held| !held.is_zero())?,
        in_use_when_calm: calm.mean_in_use(),
    })
}
