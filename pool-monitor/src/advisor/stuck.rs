//! What keeps connections from those who wait for them.

use std::time::Duration;

use pool_core::Brief;

use super::setting::{Setting, whole_seconds};
use super::{Finding, Seen};

/// Where no `leak_after` says so, a connection held this many times longer than nearly all others...
const FAR_LONGER: u32 = 20;
/// ...and at least this long may be one that is never given back.
const VERY_LONG: Duration = Duration::from_mins(2);

/// A connect takes longer than acquires wait at most.
pub(super) fn deadline_before_connect(seen: &Seen<'_>) -> Option<Finding> {
    let config = &seen.view.config;
    let connect = seen.whole.connect.quantile(0.5)?;
    if connect < config.acquire_timeout || seen.whole.acquires.timed_out == 0 {
        return None;
    }
    let then = whole_seconds(2 * seen.whole.connect.quantile(0.99)?);
    Some(Finding {
        evidence: format!(
            "half of all connects take {} and more, acquires give up after {}; {} did",
            Brief(connect),
            Brief(config.acquire_timeout),
            seen.whole.acquires.timed_out
        ),
        remedy: format!(
            "an acquire that needs a new connection cannot succeed: raise acquire_timeout to {}, or keep \
             connections at hand with min_idle",
            Brief(then)
        ),
        setting: Some(Setting::AcquireTimeout(then)),
    })
}

/// Connections were held for longer than `leak_after`, or far longer than nearly all others.
pub(super) fn leak(seen: &Seen<'_>) -> Option<Finding> {
    let snapshot = &seen.view.snapshot;
    let longest = snapshot.holders.first();
    if seen.whole.leaks_suspected > 0 {
        let (leak, leak_after) = (snapshot.last_leak?, seen.view.config.leak_after?);
        let now = longest.map_or_else(String::new, |holder| format!("; now {holder}"));
        return Some(Finding {
            evidence: format!(
                "{} connections were held for longer than leak_after ({}), the last acquired at {}:{}{now}",
                seen.whole.leaks_suspected,
                Brief(leak_after),
                leak.site.file(),
                leak.site.line(),
            ),
            remedy: "give it back there: drop the guard before waiting for anything else"
                .to_owned(),
            setting: None,
        });
    }
    let (longest, usual) = (longest?, seen.whole.held.quantile(0.99)?);
    if longest.longest < VERY_LONG || longest.longest < FAR_LONGER * usual {
        return None;
    }
    let then = whole_seconds(10 * usual.max(Duration::from_secs(1)));
    Some(Finding {
        evidence: format!("{longest}, while 99 of 100 are given back within {}", Brief(usual)),
        remedy: format!(
            "look whether it is ever given back there, and set leak_after to {} to be told of others",
            Brief(then)
        ),
        setting: Some(Setting::LeakAfter(then)),
    })
}

/// How many connections were held on average by users who have them far longer than nearly all others.
pub(super) fn not_given_back(seen: &Seen<'_>) -> f64 {
    let Some(usual) = seen.whole.held.quantile(0.99) else { return 0.0 };
    let holders = seen.view.snapshot.holders.iter();
    let far_longer = holders.filter(|holder| holder.longest >= FAR_LONGER * usual);
    let held: usize = far_longer.map(|holder| holder.count).sum();
    // Others acquire at the same place: of these, all but those that come back.
    let recent = &seen.recent;
    let come_back = recent.hold_time.as_secs_f64() / recent.span.as_secs_f64();
    (recent.in_use.mean(recent.span) - come_back).clamp(0.0, held as f64)
}
