//! Whether connections live as long as they should, and end one after the other.

use std::time::Duration;

use pool_core::{Brief, CloseReason};

use super::sizes::duration;
use super::{Finding, Seen};

/// Fewer deaths may have any cause.
const SOME_DEATHS: u64 = 3;
/// Fewer replacements at once are no stampede.
const STAMPEDE: u64 = 5;

/// Idle connections are found dead long before the pool would close them, though the server is well.
pub(super) fn beyond_server(seen: &Seen<'_>) -> Option<Finding> {
    let whole = &seen.whole;
    let deaths = whole.closed.of(CloseReason::CheckFailed);
    if deaths < SOME_DEATHS || whole.open_failed > 0 {
        return None;
    }
    let ages = whole.died?;
    let config = &seen.view.config;
    let limits = [config.max_lifetime, config.max_idle_time, config.keepalive];
    let limit = limits.into_iter().flatten().min();
    if limit.is_some_and(|limit| limit <= ages.youngest) {
        return None;
    }
    let then = (ages.youngest / 5 * 4).max(Duration::from_secs(1));
    let kept = limit.map_or_else(|| "for ever".to_owned(), |limit| format!("for {}", Brief(limit)));
    Some(Finding {
        evidence: format!(
            "{deaths} idle connections were found dead, the youngest {} old, while new ones open at once; \
             the pool would keep them {kept}",
            Brief(ages.youngest)
        ),
        remedy: format!(
            "the server, a balancer or a firewall closes them earlier: set max_idle_time below its \
             limit, to {} say, or keepalive",
            Brief(then)
        ),
        setting: Some(("max_idle_time", duration(then))),
    })
}

/// Within one cell of the history, nearly all connections reached the end of their lifetime.
pub(super) fn stampede(seen: &Seen<'_>) -> Option<Finding> {
    let lifetime = seen.view.config.max_lifetime?;
    let at_once = |cell: &&crate::window::Window| {
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
        setting: Some(("lifetime_jitter", format!("{then}%"))),
    })
}
