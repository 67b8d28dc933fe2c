//! Connections that are still out when the last operation is over.

use std::time::Duration;

use pool_core::{Driver, Pool, PoolStats};
use tokio::time::sleep;

/// How often one looks again before it is said that they do not come back, and how long apart.
const LOOKS: (u32, Duration) = (25, Duration::from_millis(10));

/// Connections that did not come back, and who holds them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leftover {
    pub(crate) connections: usize,
    pub(crate) holders: Vec<String>,
}

impl Leftover {
    /// Looks for them once the operations are over. Whoever is about to give one back has a quarter of
    /// a second for it.
    pub(crate) async fn find<D: Driver>(pool: &Pool<D>) -> Self {
        for _ in 0..LOOKS.0 {
            if held(&pool.stats()) == 0 {
                return Self::default();
            }
            sleep(LOOKS.1).await;
        }
        let holders = pool.control().holders().iter().map(ToString::to_string).collect();
        Self { connections: held(&pool.stats()), holders }
    }
}

/// Connections in the hands of users.
fn held(stats: &PoolStats) -> usize {
    stats.in_use - stats.checking - stats.resetting
}
