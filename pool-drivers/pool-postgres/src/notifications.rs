//! What the server says unasked: notifications of channels that a connection listens to.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio_postgres::Notification;

/// Notifications kept for a connection that does not fetch them.
const CAPACITY: usize = 1024;

/// Between a connection's task and its user. Bounded: of too many the oldest are lost, and counted.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Notification>,
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(crate) fn push(&self, notification: Notification) {
        let mut state = self.0.lock();
        if state.waiting.len() == CAPACITY {
            state.waiting.pop_front();
            state.missed += 1;
        }
        state.waiting.push_back(notification);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The connection has ended.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What one user did not fetch is not for the next.
    pub(crate) fn clear(&self) {
        let mut state = self.0.lock();
        state.missed = 0;
        let forgotten = std::mem::take(&mut state.waiting);
        drop(state);
        drop(forgotten);
    }

    pub(crate) fn missed(&self) -> u64 {
        self.0.lock().missed
    }

    pub(crate) async fn next(&self) -> Option<Notification> {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if let Some(notification) = state.waiting.pop_front() {
                return Poll::Ready(Some(notification));
            }
            if state.closed {
                return Poll::Ready(None);
            }
            let former = state.waker.replace(cx.waker().clone());
            drop(state);
            drop(former);
            Poll::Pending
        })
        .await
    }
}
