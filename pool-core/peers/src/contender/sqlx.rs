//! sqlx on SQLite in memory, without its test before each acquire. Its pool is tied to its
//! databases, so each connection is a real one, with a thread; nothing is asked of it.

use std::future::Future;

use anyhow::Result;
use sqlx::Error;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use super::{Connector, Contender, Patience};

#[derive(Clone)]
pub(crate) struct Sqlx(SqlitePool);

impl Contender for Sqlx {
    const HAS_THREADS: bool = true;

    async fn new(connections: usize, connector: Connector, patience: Patience) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections.try_into().expect("few"))
            .acquire_timeout(patience.acquire)
            .test_before_acquire(false)
            .after_connect(move |_, _| {
                let connector = connector.clone();
                Box::pin(async move {
                    let connected = connector.connect().await;
                    connected.map(drop).map_err(|refused| Error::Configuration(refused.into()))
                })
            });
        Self(pool.connect_lazy("sqlite::memory:").expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) -> Result<()> {
        let guard = self.0.acquire().await?;
        during.await;
        drop(guard);
        Ok(())
    }
}
