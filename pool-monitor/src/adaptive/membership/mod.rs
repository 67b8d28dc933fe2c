//! A pool's membership of a fleet: how it begins and ends.

mod admission;
mod budget;
mod counting;
mod demand;
mod orders;
mod report;
mod settler;
mod task;

use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::Runtime;

use self::admission::Admission;
use self::orders::Orders;
use self::settler::Settler;
use self::task::Task;
use super::governor::Governor;
use super::options::{AdaptiveError, FleetOptions};

/// Settles for a pool, until it is dropped or the pool is closed.
pub(super) struct Membership {
    governor: Arc<Governor>,
    orders: Arc<Orders>,
}

impl Membership {
    /// Joins in the background. The pool opens nothing from here on until it has been granted something.
    pub(super) fn start(
        governor: &Arc<Governor>,
        options: FleetOptions,
        runtime: &Arc<dyn Runtime>,
    ) -> Result<Self, AdaptiveError> {
        let admission = Admission::check(&**governor.pool(), options)?;
        let timer = runtime.timer()?;
        let orders = Arc::new(Orders::default());
        let settler = Settler::new(governor, admission, runtime.seed());
        // Before the task can be granted more.
        governor.hold();
        let task = Task::new(settler, &orders, runtime, timer);
        if let Err(missing) = runtime.spawn(Box::pin(task.run())) {
            governor.ungrant();
            governor.say_share(None);
            return Err(missing.into());
        }
        Ok(Self { governor: Arc::clone(governor), orders })
    }

    /// Has the task leave, and waits for that until `deadline`. Returns how many connections are held
    /// then.
    pub(super) async fn leave(self, deadline: Duration) -> usize {
        let until = self.governor.pool().now().after(deadline);
        self.orders.leave(until);
        self.orders.left().await
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.orders.end();
    }
}
