//! The task of a membership: looks at the pool, beats when it is time, and says how it stands.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use pool_core::runtime::{Instant, Runtime, Timer};
use pool_core::{FleetName, FleetShare, PoolState, PoolStats, ShareState};

use super::demand::Demand;
use super::orders::{Order, Orders};
use super::report::{Report, Said};
use super::settler::{Settler, held};
use crate::adaptive::governor::Governor;
use crate::fleet::Standing;

/// How often it looks at the pool: for a demand that comes and goes, for connections that came back to be
/// given up, for a pool that was closed. A look takes microseconds; between two early beats there are four
/// at least.
const LOOK: Duration = Duration::from_millis(250);
/// So long, at most, it waits for what a closed pool has lent.
const PATIENCE: Duration = Duration::from_mins(1);

const NOT_RENEWED: &str =
    "no member any more: opens nothing once its lease has run out, and keeps what it has";

pub(super) struct Task {
    settler: Settler,
    watch: Watch,
    orders: Arc<Orders>,
    runtime: Arc<dyn Runtime>,
    timer: Box<dyn Timer>,
    /// When it was found that the pool is closed.
    closed_at: Option<Instant>,
}

/// What goes on while a settlement is under way.
struct Watch {
    governor: Arc<Governor>,
    fleet: FleetName,
    demand: Demand,
    report: Report,
    said: Said,
}

impl Watch {
    fn look(&mut self) -> PoolStats {
        let (now, stats) = (self.governor.pool().now(), self.governor.pool().stats());
        self.demand.note(now, &stats);
        self.said.say(&self.governor, &self.fleet, &self.report, now);
        stats
    }

    /// Whether nobody is to wait any longer for what was ordered.
    fn is_over(&self, order: Order) -> bool {
        matches!(order, Order::Leave { until } if self.governor.pool().now() >= until)
    }

    /// How long until the next look.
    fn pause(&self, order: Order) -> Duration {
        match order {
            Order::Leave { until } if !self.is_over(order) => {
                LOOK.min(until.since(self.governor.pool().now()))
            }
            _ => LOOK,
        }
    }
}

impl Task {
    pub(super) fn new(
        settler: Settler,
        orders: &Arc<Orders>,
        runtime: &Arc<dyn Runtime>,
        timer: Box<dyn Timer>,
    ) -> Self {
        let governor = Arc::clone(settler.governor());
        let mut watch = Watch {
            demand: Demand::new(&governor.pool().stats()),
            governor,
            fleet: settler.fleet().clone(),
            report: settler.report(),
            said: Said::default(),
        };
        watch.look();
        let (orders, runtime) = (Arc::clone(orders), Arc::clone(runtime));
        Self { settler, watch, orders, runtime, timer, closed_at: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            // What logs are written to is foreign code; it does not end the membership.
            match AssertUnwindSafe(self.turn()).catch_unwind().await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(_) => {
                    self.settler.recover();
                    let pool = self.watch.governor.pool().name();
                    tracing::error!(target: "pool_monitor", pool, "a settlement panicked");
                }
            }
            self.rest().await;
        }
    }

    async fn turn(&mut self) -> ControlFlow<()> {
        let stats = self.watch.look();
        self.settler.look(&stats);
        self.watch.report = self.settler.report();
        self.obey(&stats)?;
        let demand = self.settler.claim(self.watch.demand.peak()).demand;
        if self.settler.next_beat(&stats, demand) <= self.watch.governor.pool().now() {
            self.beat().await?;
        }
        self.watch.report = self.settler.report();
        let stats = self.watch.look();
        self.obey(&stats)
    }

    /// Begins to leave if it is told to, and ends when it has left, or when there is no sense in going on.
    fn obey(&mut self, stats: &PoolStats) -> ControlFlow<()> {
        let now = self.watch.governor.pool().now();
        let order = self.orders.order();
        if stats.state == PoolState::Closed {
            self.closed_at.get_or_insert(now);
        }
        let is_to_leave = self.closed_at.is_some() || matches!(order, Order::Leave { .. });
        if is_to_leave && !self.settler.is_leaving() {
            self.settler.drain();
        }
        let held = self.settler.held(stats);
        if self.settler.has_left(stats) {
            return ControlFlow::Break(());
        }
        match order {
            // What it began to give back it does give back.
            Order::End if self.closed_at.is_none() => return ControlFlow::Break(()),
            Order::Leave { .. } if self.watch.is_over(order) => self.orders.tell(held),
            _ => {}
        }
        // Without a connection it cannot settle, and a closed pool opens none.
        let is_over = |at| now.since(at) >= PATIENCE || !self.settler.is_connected();
        if self.closed_at.is_some_and(is_over) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Settles; meanwhile it goes on looking, and gives up what has no sense any more.
    async fn beat(&mut self) -> ControlFlow<()> {
        let Self { settler, watch, orders, runtime, timer, closed_at } = self;
        let claim = settler.claim(watch.demand.peak());
        let (place, may_have_row) = (settler.place().clone(), settler.may_have_row());
        let mut known = orders.order();
        let mut beat = pin!(settler.beat(claim));
        timer.reset(runtime.now().after(watch.pause(known)));
        poll_fn(|cx| {
            let order = orders.register(cx);
            if order != known {
                match order {
                    Order::End if closed_at.is_none() => {
                        return Poll::Ready(ControlFlow::Break(()));
                    }
                    // What has not begun need not be ended.
                    Order::Leave { .. } if !may_have_row => {
                        return Poll::Ready(ControlFlow::Continue(()));
                    }
                    _ => timer.reset(runtime.now().after(watch.pause(order))),
                }
                known = order;
            }
            if beat.as_mut().poll(cx).is_ready() {
                return Poll::Ready(ControlFlow::Continue(()));
            }
            while timer.poll_expired(cx).is_ready() {
                let stats = watch.look();
                if watch.governor.pool().metadata() != place {
                    return Poll::Ready(ControlFlow::Continue(()));
                }
                if watch.is_over(order) {
                    orders.tell(held(&stats, 1));
                }
                timer.reset(runtime.now().after(watch.pause(order)));
            }
            Poll::Pending
        })
        .await
    }

    /// Until the next look, or an order.
    async fn rest(&mut self) {
        let Self { watch, orders, runtime, timer, .. } = self;
        let before = orders.order();
        timer.reset(runtime.now().after(watch.pause(before)));
        poll_fn(|cx| {
            if orders.register(cx) == before { timer.poll_expired(cx) } else { Poll::Ready(()) }
        })
        .await;
    }
}

/// Whatever ends it, also a runtime that is shut down: nobody waits for it, and it is known.
impl Drop for Task {
    fn drop(&mut self) {
        let governor = &self.watch.governor;
        let last = governor.pool().stats();
        let (state, granted, reason) = if self.settler.has_left(&last) {
            (ShareState::Draining, 0, Standing::Left.to_string())
        } else {
            (ShareState::Lapsed, governor.granted().unwrap_or(0), NOT_RENEWED.to_owned())
        };
        let fleet = self.watch.fleet.clone();
        governor.say_share(Some(FleetShare { fleet, granted, state, reason }));
        self.orders.tell(self.settler.held(&last));
    }
}
