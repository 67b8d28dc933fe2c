//! Tables with names of their own, so that several load tests may run on one database.

use std::ops::Range;

use pool_core::Pool;

use crate::database::{Database, Session};
use crate::workload::WorkloadError;

/// Rows that are made by one statement.
const BATCH: i64 = 2000;

/// What the names of a workload's tables begin with.
pub(super) fn prefix() -> String {
    format!("pool_loadtest_{}_{:08x}", std::process::id(), fastrand::u32(..))
}

/// A row that was to be there is not.
#[derive(Debug, thiserror::Error)]
#[error("a row of {table} is not there any more")]
pub(super) struct MissingRow {
    /// What the table is called.
    pub(super) table: String,
}

/// Fills columns of a table with a row for each number, in batches each of which takes bounded time.
pub(super) async fn fill<D: Database>(
    pool: &Pool<D>,
    step: &'static str,
    into: &str,
    rows: Range<i64>,
    row: impl Fn(i64) -> String,
) -> Result<(), WorkloadError> {
    let mut next = rows.start;
    while next < rows.end {
        let batch = next..rows.end.min(next + BATCH);
        next = batch.end;
        let values: Vec<_> = batch.map(&row).collect();
        let insert = format!("insert into {into} values {}", values.join(", "));
        Session::begin(pool, step).await?.script(&insert).await?;
    }
    Ok(())
}

/// Drops tables that may be there.
pub(super) async fn drop_all<D: Database>(
    pool: &Pool<D>,
    step: &'static str,
    names: impl Iterator<Item = &str>,
) -> Result<(), WorkloadError> {
    for name in names {
        let drop = format!("drop table if exists {name}");
        Session::begin(pool, step).await?.script(&drop).await?;
    }
    Ok(())
}
