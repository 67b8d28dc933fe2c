//! Futures polled by hand, with a waker that counts.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future in the hands of a test: polled when the test says so, dropped when the test says so.
pub struct Hand<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    waker: CountingWaker,
}

impl<'a, T> Hand<'a, T> {
    /// Takes a future, without polling it.
    pub fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self { future: Box::pin(future), waker: CountingWaker::new() }
    }

    /// Polls once.
    pub fn poll(&mut self) -> Poll<T> {
        self.waker.poll(self.future.as_mut())
    }

    /// Polls once.
    ///
    /// # Panics
    ///
    /// If the future is still pending.
    #[track_caller]
    pub fn ready(&mut self) -> T {
        match self.poll() {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("still pending"),
        }
    }

    /// Polls once.
    ///
    /// # Panics
    ///
    /// If the future is done.
    #[track_caller]
    pub fn pending(&mut self) {
        assert!(self.poll().is_pending(), "done already");
    }

    /// Polls once more if it was woken since the last poll: what a task would do.
    pub fn poll_if_woken(&mut self) -> Poll<T> {
        if self.waker.take_woken() { self.poll() } else { Poll::Pending }
    }

    /// How often it has been woken.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.waker.0.wakes.load(Ordering::SeqCst)
    }
}

impl<T> fmt::Debug for Hand<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hand").field("wakes", &self.wakes()).finish_non_exhaustive()
    }
}

pub(super) struct CountingWaker(Arc<Count>);

struct Count {
    wakes: AtomicUsize,
    seen: AtomicUsize,
}

impl CountingWaker {
    pub(super) fn new() -> Self {
        Self(Arc::new(Count { wakes: AtomicUsize::new(0), seen: AtomicUsize::new(0) }))
    }

    pub(super) fn poll<T>(
        &mut self,
        future: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    ) -> Poll<T> {
        let waker = Waker::from(Arc::clone(&self.0));
        future.poll(&mut Context::from_waker(&waker))
    }

    /// Whether it was woken since the last call.
    pub(super) fn take_woken(&mut self) -> bool {
        let wakes = self.0.wakes.load(Ordering::SeqCst);
        self.0.seen.swap(wakes, Ordering::SeqCst) != wakes
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }
}
