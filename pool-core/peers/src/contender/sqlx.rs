//! sqlx on SQLite in memory, without its test before each acquire. Its pool is tied to its
//! databases, so each connection is a real one, with a thread; nothing is asked of it.

use std::future::Future;
use std::time::Duration;

use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use super::{Connector, Contender};

#[derive(Clone)]
pub(crate) struct Sqlx(SqlitePool);

impl Contender for Sqlx {
    async fn new(connections: usize, connector: Connector) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections.try_into().expect("few"))
            .acquire_timeout(Duration::from_secs(30))
            .test_before_acquire(false)
            .after_connect(move |_, _| {
                let connector = connector.clone();
                Box::pin(async move {
                    connector.connect().await;
                    Ok(())
                })
            });
        Self(pool.connect_lazy("sqlite::memory:").expect("valid"))
    }

    async fn with<F: Future<Output = ()> + Send>(&self, during: F) {
        let guard = self.0.acquire().await.expect("served");
        during.await;
        drop(guard);
    }
}
