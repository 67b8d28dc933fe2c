//! Waiting within a task of the checker's, which ends with it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

use futures_util::task::AtomicWaker;
use pool_core::runtime::Timer;

use super::Inner;

/// How work with a bound came to its end.
pub(super) enum Bounded {
    Done,
    TimedOut,
    Ended,
}

/// Runs `work` until the timer, or until the checker ends, which wakes `task`.
pub(super) async fn within(
    inner: &Inner,
    task: &AtomicWaker,
    timer: &mut dyn Timer,
    work: impl Future<Output = ()>,
) -> Bounded {
    let mut work = pin!(work);
    poll_fn(|cx| {
        task.register(cx.waker());
        if inner.has_ended.load(Ordering::Acquire) {
            return Poll::Ready(Bounded::Ended);
        }
        if work.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Bounded::Done);
        }
        timer.poll_expired(cx).map(|()| Bounded::TimedOut)
    })
    .await
}
