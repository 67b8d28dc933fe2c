//! Whether connections live as long as they should, and end one after the other.

use std::time::Duration;

use pool_core::{Brief, CloseReason};

use super::setting::Setting;
use super::{Finding, Seen};
use crate::window::Window;

/// In fewer cells of the history, deaths may have any cause: a restart of the server kills all at once.
const SOME_CELLS: usize = 3;
/// Nothing on the way gives up a connection that was silent for less.
const SHORTEST_SILENCE: Duration = Duration::from_secs(10);
/// No server ends connections that are younger.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);
/// Fewer replacements at once are no stampede.
const STAMPEDE: u64 = 5;

/// Idle connections are found dead time and again, before the pool would close them, though the server is
/// well.
pub(super) fn beyond_server(seen: &Seen<'_>) -> Option<Finding> {
    let has_deaths = |cell: &&Window| cell.closed.of(CloseReason::CheckFailed) > 0;
    let cells = seen.view.history.cells().filter(has_deaths).count();
    if cells < SOME_CELLS || seen.whole.open_failed > 0 {
        return None;
    }
    let config = &seen.view.config;
    let idle = seen.whole.died_idle?;
    // A check breaks the silence.
    let silence = config.keepalive.map_or(idle, |keepalive| idle.min(keepalive));
    if silence < SHORTEST_SILENCE {
        return beyond_age(seen);
    }
    let then = safely_below(silence).max(SHORTEST_SILENCE);
    // Where they are closed sooner and die all the same, min_idle keeps them.
    let (name, or, setting) = match config.max_idle_time {
        Some(now) if now <= then => ("keepalive", "", Setting::Keepalive(then)),
        _ => ("max_idle_time", ", or keepalive", Setting::MaxIdleTime(then)),
    };
    Some(Finding {
        evidence: format!(
            "{} idle connections were found dead, none idle for less than {}, while new ones open at once",
            seen.whole.closed.of(CloseReason::CheckFailed),
            Brief(idle)
        ),
        remedy: format!(
            "a balancer, a firewall or the server closes what is silent: set {name} below its limit, to {} \
             say{or}",
            Brief(then)
        ),
        setting: Some(setting),
    })
}

/// What died had just been used, and had reached a certain age.
fn beyond_age(seen: &Seen<'_>) -> Option<Finding> {
    let ages = seen.whole.died?;
    let then = safely_below(ages.youngest);
    if ages.youngest < SHORTEST_LIFE || ages.oldest > 2 * ages.youngest {
        return None;
    }
    Some(Finding {
        evidence: format!(
            "{} idle connections were found dead soon after use, the youngest {} old, while new ones open \
             at once",
            seen.whole.closed.of(CloseReason::CheckFailed),
            Brief(ages.youngest)
        ),
        remedy: format!(
            "the server or a balancer closes what is old: set max_lifetime below its limit, to {} say",
            Brief(then)
        ),
        setting: Some(Setting::MaxLifetime(then)),
    })
}

/// A limit of one's own that is reached before that of others.
fn safely_below(limit: Duration) -> Duration {
    Duration::from_secs(limit.as_secs() / 5 * 4)
}

/// Within one cell of the history, nearly all connections reached the end of their lifetime.
pub(super) fn stampede(seen: &Seen<'_>) -> Option<Finding> {
    let lifetime = seen.view.config.max_lifetime?;
    let at_once = |cell: &&Window| {
        let replaced = cell.closed.of(CloseReason::Lifetime);
        let open = (cell.in_use.mean(cell.span) + cell.idle.mean(cell.span)) as u64;
        // In a shorter life, a cell is long enough for all of them one after the other.
        replaced >= STAMPEDE && 5 * replaced >= 4 * open && lifetime >= 4 * cell.span
    };
    let cell = seen.view.history.cells().find(at_once)?;
    let jitter = seen.view.config.lifetime_jitter;
    let then = (2 * jitter).clamp(20, 50);
    if jitter >= then {
        return None;
    }
    Some(Finding {
        evidence: format!(
            "{} connections ended their lifetime of {} within {}",
            cell.closed.of(CloseReason::Lifetime),
            Brief(lifetime),
            Brief(cell.span)
        ),
        remedy: format!("raise lifetime_jitter from {jitter} % to {then} %"),
        setting: Some(Setting::LifetimeJitter(then)),
    })
}
