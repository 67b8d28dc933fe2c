//! A driver without a server, and the ledger of what is open.
//!
//! It counts with the standard library's atomics: they are no steps that a tool would interleave,
//! and a count is right whatever the order.

use std::convert::Infallible;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use pool_core::{ConnectContext, Driver, Metadata, Released, async_trait};

/// What is open, as the server would know.
#[derive(Debug, Default)]
pub(crate) struct Ledger(AtomicUsize);

impl Ledger {
    pub(crate) fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct ModelDriver {
    pub(crate) ledger: Arc<Ledger>,
}

pub(crate) struct ModelConnection {
    ledger: Arc<Ledger>,
    /// What its user leaves behind.
    pub(crate) dirty: bool,
}

impl ModelConnection {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.0.fetch_add(1, Ordering::Relaxed);
        Self { ledger: Arc::clone(ledger), dirty: false }
    }
}

impl Drop for ModelConnection {
    fn drop(&mut self) {
        self.ledger.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call takes two looks, so that others can come between.
async fn take_time() {
    let mut looked = false;
    poll_fn(|cx| {
        if mem::replace(&mut looked, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl Driver for ModelDriver {
    type Connection = ModelConnection;
    type Error = Infallible;

    async fn connect(&self, _: ConnectContext) -> Result<ModelConnection, Infallible> {
        let connection = ModelConnection::new(&self.ledger);
        take_time().await;
        Ok(connection)
    }

    async fn check(&self, connection: ModelConnection) -> Result<ModelConnection, Infallible> {
        take_time().await;
        Ok(connection)
    }

    async fn reset(&self, mut connection: ModelConnection) -> Result<ModelConnection, Infallible> {
        take_time().await;
        connection.dirty = false;
        Ok(connection)
    }

    async fn close(&self, _: ModelConnection) -> Result<(), Infallible> {
        Ok(())
    }

    fn released(&self, connection: &mut ModelConnection) -> Released {
        if connection.dirty { Released::Dirty } else { Released::Clean }
    }

    fn metadata(&self) -> Metadata {
        Metadata::new("model")
    }
}
