//! A bank: reads of balances and transfers between accounts, whose sum must not change.

pub(crate) mod blocked;

use std::ops::RangeInclusive;
use std::time::Instant;

use fastrand::Rng;
use pool_core::Pool;
use pool_sqlite::rusqlite::{self, Connection, TransactionBehavior, params};
use pool_sqlite::{SqliteConnection, SqliteDriver, SqliteError};
use tokio::time::timeout;

use crate::bounds::{OutOfTime, limit};
use crate::workload::{Checked, Workload, WorkloadError};

const ACCOUNTS: i64 = 1000;
const OPENING_BALANCE: i64 = 1000;
/// Transfers in a hundred operations; the others read one balance.
const TRANSFERS_PERCENT: u8 = 20;
const AMOUNTS: RangeInclusive<i64> = 1..=100;

/// One read in five moves money. Needs a database it may write to, in which it makes the table
/// `pool_loadtest_accounts` and drops it afterwards.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bank(());

impl Workload<SqliteDriver> for Bank {
    async fn prepare(&self, pool: &Pool<SqliteDriver>) -> Result<(), WorkloadError> {
        bounded(pool, "creating the accounts", create).await
    }

    async fn step(
        &self,
        connection: &mut SqliteConnection,
        rng: &mut Rng,
    ) -> Result<(), SqliteError> {
        let from = rng.i64(0..ACCOUNTS);
        if rng.u8(0..100) < TRANSFERS_PERCENT {
            // Another account than the first.
            let to = (from + rng.i64(1..ACCOUNTS)) % ACCOUNTS;
            let amount = rng.i64(AMOUNTS);
            connection.call(move |database| transfer(database, from, to, amount)).await
        } else {
            connection.call(move |database| balance(database, from)).await.map(drop)
        }
    }

    async fn verify(&self, pool: &Pool<SqliteDriver>) -> Result<Checked, WorkloadError> {
        let (accounts, sum) = bounded(pool, "adding up the accounts", add_up).await?;
        let found = format!("{accounts} accounts hold {sum}");
        Ok(if (accounts, sum) == (ACCOUNTS, ACCOUNTS * OPENING_BALANCE) {
            Checked::Held(format!("{found}, as at the start"))
        } else {
            let expected = format!("{ACCOUNTS} accounts held {}", ACCOUNTS * OPENING_BALANCE);
            Checked::Broken(format!("{found}; at the start {expected}"))
        })
    }
}

/// Acquires a connection and works on it, both within the time of one acquire.
async fn bounded<T: Send + 'static>(
    pool: &Pool<SqliteDriver>,
    step: &'static str,
    work: fn(&mut Connection) -> rusqlite::Result<T>,
) -> Result<T, WorkloadError> {
    let (started, limit) = (Instant::now(), limit(&pool.config()));
    let mut connection = pool.acquire().await.map_err(WorkloadError::during(step))?;
    let left = limit.saturating_sub(started.elapsed());
    match timeout(left, connection.call(work)).await {
        Ok(done) => done.map_err(WorkloadError::during(step)),
        Err(_) => {
            let source = blocked::reason(pool.driver().options()).await;
            Err(WorkloadError::during(step)(OutOfTime { limit, source }))
        }
    }
}

fn create(database: &mut Connection) -> rusqlite::Result<()> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "drop table if exists pool_loadtest_accounts;
         create table pool_loadtest_accounts (id integer primary key, balance integer not null);",
    )?;
    {
        let insert = "insert into pool_loadtest_accounts (id, balance) values (?1, ?2)";
        let mut insert = transaction.prepare(insert)?;
        for id in 0..ACCOUNTS {
            insert.execute(params![id, OPENING_BALANCE])?;
        }
    }
    transaction.commit()
}

fn balance(database: &mut Connection, id: i64) -> rusqlite::Result<i64> {
    let select = "select balance from pool_loadtest_accounts where id = ?1";
    database.prepare_cached(select)?.query_row([id], |row| row.get(0))
}

/// Immediate: a transaction that reads first and writes later may find, too late to wait, that
/// somebody else has written.
fn transfer(database: &mut Connection, from: i64, to: i64, amount: i64) -> rusqlite::Result<()> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let update = "update pool_loadtest_accounts set balance = balance + ?2 where id = ?1";
        let mut update = transaction.prepare_cached(update)?;
        update.execute(params![from, -amount])?;
        update.execute(params![to, amount])?;
    }
    transaction.commit()
}

fn add_up(database: &mut Connection) -> rusqlite::Result<(i64, i64)> {
    let select = "select count(*), coalesce(sum(balance), 0) from pool_loadtest_accounts";
    let found = database.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    database.execute_batch("drop table pool_loadtest_accounts")?;
    Ok(found)
}
