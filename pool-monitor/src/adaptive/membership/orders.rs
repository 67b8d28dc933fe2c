//! What a membership's task is told, and what it answers.

use std::future::poll_fn;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use pool_core::runtime::Instant;

/// What the task is to do. Each replaces only those above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    #[default]
    Stay,
    /// Give everything back. Who asked for it waits until then, at most.
    Leave { until: Instant },
    /// Settle no more.
    End,
}

#[derive(Default)]
pub(super) struct Orders {
    order: Mutex<Order>,
    task: AtomicWaker,
    /// How many connections were held when nobody was to wait any longer.
    held: Mutex<Option<usize>>,
    waiter: AtomicWaker,
}

impl Orders {
    pub(super) fn leave(&self, until: Instant) {
        *self.order.lock() = Order::Leave { until };
        self.task.wake();
    }

    /// Unless it is leaving: then it goes on with that.
    pub(super) fn end(&self) {
        let mut order = self.order.lock();
        if *order == Order::Stay {
            *order = Order::End;
        }
        drop(order);
        self.task.wake();
    }

    /// Waits until it has left, or its time is up.
    pub(super) async fn left(&self) -> usize {
        poll_fn(|cx| {
            self.waiter.register(cx.waker());
            self.held.lock().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The order in force; another one wakes the task.
    pub(super) fn register(&self, cx: &Context<'_>) -> Order {
        self.task.register(cx.waker());
        self.order()
    }

    pub(super) fn order(&self) -> Order {
        *self.order.lock()
    }

    /// Nobody is to wait any longer. What is said first counts.
    pub(super) fn tell(&self, held: usize) {
        self.held.lock().get_or_insert(held);
        self.waiter.wake();
    }
}
