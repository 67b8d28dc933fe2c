//! A connection for the work before and after a load, within bounded time.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use pool_core::{Pool, PoolGuard};
use tokio::time::{Instant, timeout_at};

use super::{Bound, Database, Ending, FirstRow};
use crate::bounds::{OutOfTime, limit};
use crate::workload::WorkloadError;

/// A connection that is used for one step and as long as one acquire may take.
pub(crate) struct Session<'a, D: Database> {
    pool: &'a Pool<D>,
    connection: PoolGuard<'a, D>,
    step: &'static str,
    limit: Duration,
    until: Instant,
}

impl<'a, D: Database> Session<'a, D> {
    /// Acquires a connection for `step`, as errors call it.
    pub(crate) async fn begin(
        pool: &'a Pool<D>,
        step: &'static str,
    ) -> Result<Self, WorkloadError> {
        Self::of(pool, step, limit(&pool.config())).await
    }

    /// The same for a step that takes so many times as long as others.
    pub(crate) async fn long(
        pool: &'a Pool<D>,
        step: &'static str,
        times: u32,
    ) -> Result<Self, WorkloadError> {
        Self::of(pool, step, limit(&pool.config()).saturating_mul(times)).await
    }

    async fn of(
        pool: &'a Pool<D>,
        step: &'static str,
        limit: Duration,
    ) -> Result<Self, WorkloadError> {
        let now = Instant::now();
        let connection = pool.acquire().await.map_err(WorkloadError::during(step))?;
        // An hour is long enough where there is no end.
        let until = now + limit.min(Duration::from_hours(1));
        Ok(Self { pool, connection, step, limit, until })
    }

    /// Runs statements as text.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), WorkloadError> {
        let Self { pool, connection, step, limit, until } = self;
        let work = D::script(connection, sql);
        within(pool, step, *limit, *until, work).await
    }

    /// Asks one question as text.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Option<FirstRow>, WorkloadError> {
        let Self { pool, connection, step, limit, until } = self;
        let work = D::ask(connection, sql);
        within(pool, step, *limit, *until, work).await
    }

    /// Runs statements and undoes them.
    pub(crate) async fn try_out(&mut self, statements: Vec<Bound>) -> Result<(), WorkloadError> {
        let Self { pool, connection, step, limit, until } = self;
        let work = D::run(connection, statements, Ending::RollBack);
        within(pool, step, *limit, *until, work).await.map(drop)
    }

    /// Asks a question whose answer is one row of whole numbers.
    pub(crate) async fn numbers<const N: usize>(
        &mut self,
        sql: &str,
    ) -> Result<[i64; N], WorkloadError> {
        let row = self.ask(sql).await?.unwrap_or_default();
        let number = |value: &Option<String>| value.as_deref()?.parse().ok();
        let numbers: Option<Vec<i64>> = row.iter().map(number).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.ok_or_else(|| WorkloadError::during(self.step)(NotNumbers { row }))
    }
}

/// Waits for work, but not beyond its time.
async fn within<D: Database, T, E: Error + Send + Sync + 'static>(
    pool: &Pool<D>,
    step: &'static str,
    limit: Duration,
    until: Instant,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, WorkloadError> {
    match timeout_at(until, work).await {
        Ok(done) => done.map_err(WorkloadError::during(step)),
        Err(_) => {
            let source = pool.driver().blocked_by().await;
            Err(WorkloadError::during(step)(OutOfTime { limit, source }))
        }
    }
}

/// The database answered with something else than numbers.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not the numbers that were asked for: {row:?}")]
struct NotNumbers {
    row: FirstRow,
}
