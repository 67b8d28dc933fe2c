//! Whether the server has room for all that may connect to it.

use pool_core::{Capacity, PoolConfig};

use super::setting::lower_max_open;
use super::{Finding, Seen, adapted};

/// How many connections the server has for each replica; `None` if its limit is not known.
pub(super) fn room(seen: &Seen<'_>) -> Option<usize> {
    let capacity = seen.deployment.capacity?;
    let allowed = capacity.max_connections.saturating_sub(capacity.reserved);
    let ours = allowed.saturating_sub(others(&capacity).unwrap_or(0));
    Some(ours / seen.deployment.replicas.max(1))
}

/// Connections of other applications, where the server can tell.
fn others(capacity: &Capacity) -> Option<usize> {
    Some(capacity.in_use.saturating_sub(capacity.in_use_here?))
}

/// All replicas together could open more connections than the server allows.
pub(super) fn limit_near(seen: &Seen<'_>) -> Option<Finding> {
    let (capacity, room) = (seen.deployment.capacity?, room(seen)?);
    let (max_open, replicas) = (seen.limit(), seen.deployment.replicas.max(1));
    // A fleet's members never have more than its total, whatever each of them may have.
    if max_open <= room || adapted::share(seen).is_some() {
        return None;
    }
    let wanted = match max_open {
        PoolConfig::UNLIMITED => "the pool is unlimited".to_owned(),
        _ => {
            let all = max_open.saturating_mul(replicas);
            format!("{replicas} replicas of up to {max_open} connections are {all}")
        }
    };
    let taken = match others(&capacity) {
        Some(others) => format!("{others} are taken by others"),
        None => format!("{} are taken now", capacity.in_use),
    };
    let (lower, setting) = lower_max_open(&seen.view.config, room.max(1));
    Some(Finding {
        evidence: format!(
            "{wanted}, and the server allows {} (max_connections {} less {} reserved), of which {taken}",
            capacity.max_connections.saturating_sub(capacity.reserved),
            capacity.max_connections,
            capacity.reserved,
        ),
        remedy: format!("{lower}, or raise the server's limit"),
        setting,
    })
}
