//! cold-start: the pool has no connection when the load begins.

use std::time::Duration;

use pool_core::{Driver, Pool};
use tokio::time::sleep;

/// How often it is looked whether the connections are gone.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// Looks after which the load begins all the same: whoever holds a connection by then keeps it.
const LOOKS: u32 = 1000;

/// Has every connection closed that is open from the preparation.
pub(super) async fn cool_down<D: Driver>(pool: &Pool<D>) {
    let control = pool.control();
    control.invalidate();
    for _ in 0..LOOKS {
        if pool.stats().open == 0 {
            return;
        }
        sleep(BETWEEN_LOOKS).await;
    }
}
