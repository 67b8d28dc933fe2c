//! What is no pool, but what a pool can hardly be cheaper than: one lock around a list, and permits
//! without anything to hand out.

use std::future::Future;
use std::sync::Arc;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use super::{Connector, Contender, Patience};

/// Whoever finds the list empty looks again later: there is no queue and no fairness.
#[derive(Clone)]
pub(crate) struct BareMutex(Arc<Mutex<Vec<u64>>>);

struct Taken<'a> {
    from: &'a Mutex<Vec<u64>>,
    connection: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.from.lock().push(self.connection);
    }
}

impl Contender for BareMutex {
    async fn new(connections: usize, _: Connector, _: Patience) -> Self {
        Self(Arc::new(Mutex::new(vec![0; connections])))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let connection = loop {
            let taken = self.0.lock().pop();
            match taken {
                Some(connection) => break connection,
                None => yield_now().await,
            }
        };
        let taken = Taken { from: &self.0, connection };
        during.await;
        drop(taken);
        Ok(())
    }
}

/// A fair queue, and nothing more.
#[derive(Clone)]
pub(crate) struct BareSemaphore(Arc<Semaphore>);

impl Contender for BareSemaphore {
    async fn new(connections: usize, _: Connector, _: Patience) -> Self {
        Self(Arc::new(Semaphore::new(connections)))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let permit = self.0.acquire().await?;
        during.await;
        drop(permit);
        Ok(())
    }
}
