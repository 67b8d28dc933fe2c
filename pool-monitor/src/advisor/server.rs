//! Whether the server has room for all that may connect to it.

use pool_core::PoolConfig;

use super::setting::lower_max_open;
use super::{Finding, Seen};

/// All replicas together could open more connections than the server allows.
pub(super) fn limit_near(seen: &Seen<'_>) -> Option<Finding> {
    let capacity = seen.deployment.capacity?;
    let (max_open, replicas) = (seen.view.config.max_open, seen.deployment.replicas.max(1));
    let room = capacity.max_connections.saturating_sub(capacity.reserved);
    let wanted = max_open.saturating_mul(replicas);
    if wanted <= room {
        return None;
    }
    let then = (room / replicas).max(1);
    let wanted = match max_open {
        PoolConfig::UNLIMITED => "the pool is unlimited".to_owned(),
        _ => format!("{replicas} replicas of up to {max_open} connections are {wanted}"),
    };
    let (lower, setting) = lower_max_open(&seen.view.config, then);
    Some(Finding {
        evidence: format!(
            "{wanted}, and the server allows {room} (max_connections {} less {} reserved), of which \
             {} are taken now",
            capacity.max_connections, capacity.reserved, capacity.in_use
        ),
        remedy: format!("{lower}, or raise the server's limit"),
        setting,
    })
}
