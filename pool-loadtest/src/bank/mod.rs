//! A bank: reads of balances and transfers between accounts, whose sum must not change and of which
//! none may be lost or made twice.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod table;
mod teller;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use fastrand::Rng;
use pool_core::Pool;
use tokio::time::timeout;

use self::table::{ACCOUNTS, Found, OPENING_BALANCE, Table, Transfer};
pub use self::teller::Teller;
use crate::bounds::{OutOfTime, limit};
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// Transfers in a hundred operations; the others read one balance.
const TRANSFERS_PERCENT: u8 = 20;
const AMOUNTS: RangeInclusive<i64> = 1..=100;

/// One operation in five moves money, the others read a balance. Needs a database it may write to,
/// in which it makes a table of its own (`pool_loadtest_...`) and drops it afterwards.
///
/// Each transfer is counted twice: in the database, in its own transaction, and here, once the
/// database has said that it is done. The counts must agree but for transfers whose outcome nobody
/// knows, because they failed or were dropped.
#[derive(Debug)]
pub struct Bank<D> {
    table: Arc<Table>,
    /// Transfers asked for.
    begun: AtomicI64,
    /// Transfers the database has said to be done.
    done: AtomicI64,
    driver: PhantomData<fn() -> D>,
}

impl<D: Teller> Bank<D> {
    /// A bank with a table that no other bank uses.
    #[must_use]
    pub fn new() -> Self {
        let (begun, done) = (AtomicI64::new(0), AtomicI64::new(0));
        Self {
            table: Arc::new(Table::new(D::PARAMETERS, D::INTEGER)),
            begun,
            done,
            driver: PhantomData,
        }
    }

    /// Acquires a connection and works on the table, both within the time of one acquire.
    async fn bounded<T>(
        &self,
        pool: &Pool<D>,
        step: &'static str,
        work: impl AsyncFnOnce(&mut D::Connection, &Arc<Table>) -> Result<T, D::Error>,
    ) -> Result<T, WorkloadError> {
        let (started, limit) = (Instant::now(), limit(&pool.config()));
        let mut connection = pool.acquire().await.map_err(WorkloadError::during(step))?;
        let left = limit.saturating_sub(started.elapsed());
        match timeout(left, work(&mut connection, &self.table)).await {
            Ok(done) => done.map_err(WorkloadError::during(step)),
            Err(_) => {
                let source = pool.driver().blocked_by().await;
                Err(WorkloadError::during(step)(OutOfTime { limit, source }))
            }
        }
    }

    fn judge(&self, found: &Found) -> Checked {
        let (begun, done) = (self.begun.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed));
        let Found { accounts, sum, transfers } = *found;
        let balance = if (accounts, sum) == (ACCOUNTS, ACCOUNTS * OPENING_BALANCE) {
            format!("{accounts} accounts hold {sum}, as at the start")
        } else {
            let expected = format!("{ACCOUNTS} accounts held {}", ACCOUNTS * OPENING_BALANCE);
            return Checked::Broken(format!(
                "{accounts} accounts hold {sum}; at the start {expected}"
            ));
        };
        let reported = match begun - done {
            0 => format!("{done} were reported as done"),
            unknown => format!(
                "{done} were reported as done and {unknown} failed or were dropped, with an \
                 outcome nobody knows"
            ),
        };
        let words = format!("{balance}; the database counts {transfers} transfers, and {reported}");
        if (done..=begun).contains(&transfers) {
            Checked::Held(words)
        } else {
            Checked::Broken(words)
        }
    }
}

impl<D: Teller> Default for Bank<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Teller> Workload<D> for Bank<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.bounded(pool, "creating the accounts", D::create).await
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("bank")
    }

    fn kinds(&self) -> Vec<String> {
        vec!["read".to_owned(), "transfer".to_owned()]
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        usize::from(rng.u8(0..100) < TRANSFERS_PERCENT)
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let Step { kind, connection, rng, .. } = step;
        let from = rng.i64(0..ACCOUNTS);
        if kind == 0 {
            D::balance(connection, &self.table, from).await?;
            return Ok(());
        }
        // Another account than the first.
        let to = (from + rng.i64(1..ACCOUNTS)) % ACCOUNTS;
        let transfer = Transfer { from, to, amount: rng.i64(AMOUNTS) };
        self.begun.fetch_add(1, Ordering::Relaxed);
        D::transfer(connection, &self.table, transfer).await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        let found = self.bounded(pool, "adding up the accounts", D::add_up).await?;
        Ok(self.judge(&found))
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.bounded(pool, "dropping the accounts", D::drop_table).await
    }
}

#[cfg(test)]
mod tests {
    use pool_core::PoolConfig;
    use pool_sqlite::{SqliteDriver, SqliteOptions};
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    use pool_testkit::servers::{Family, shared};

    use super::*;

    /// A prepared bank on which a hundred operations were done.
    async fn used(name: &str) -> (Bank<SqliteDriver>, Pool<SqliteDriver>) {
        let driver = SqliteDriver::new(SqliteOptions::shared_memory(name));
        let pool = Pool::open(driver, PoolConfig::default()).await.expect("opened");
        let bank = Bank::new();
        bank.prepare(&pool).await.expect("prepared");
        let (mut connection, mut rng) = (pool.acquire().await.expect("idle"), Rng::with_seed(1));
        for _ in 0..100 {
            let kind = bank.draw(&mut rng);
            let (connection, rng) = (&mut *connection, &mut rng);
            bank.step(Step { kind, connection, pool: &pool, rng }).await.expect("done");
        }
        drop(connection);
        (bank, pool)
    }

    /// Runs a statement about the bank's table, with the account that made most transfers as `?1`.
    async fn tamper(bank: &Bank<SqliteDriver>, pool: &Pool<SqliteDriver>, statement: &str) {
        let busiest = format!("select id from {} order by transfers desc limit 1", bank.table.name);
        let statement = statement.replace("TABLE", &bank.table.name);
        let mut connection = pool.acquire().await.expect("idle");
        let id: i64 = connection.query_row(&busiest, (), |row| row.get(0)).await.expect("read");
        assert_eq!(connection.execute(&statement, [id]).await.expect("written"), 1);
    }

    async fn checked(bank: &Bank<SqliteDriver>, pool: &Pool<SqliteDriver>) -> Checked {
        bank.verify(pool).await.expect("checked")
    }

    #[tokio::test]
    async fn a_bank_whose_transfers_were_all_made_once_holds() {
        let (bank, pool) = used("holds").await;
        let done = bank.done.load(Ordering::Relaxed);
        assert!(done > 0);
        let expected =
            format!("the database counts {done} transfers, and {done} were reported as done");
        let checked = checked(&bank, &pool).await;
        assert!(
            matches!(&checked, Checked::Held(words) if words.ends_with(&expected)),
            "{checked:?}"
        );
    }

    #[tokio::test]
    async fn a_transfer_that_was_lost_whole_or_made_twice_breaks_the_invariant() {
        for (change, name) in [("- 1", "lost"), ("+ 1", "twice")] {
            let (bank, pool) = used(name).await;
            // The sum of the balances is the same with it and without it.
            let count = format!("update TABLE set transfers = transfers {change} where id = ?1");
            tamper(&bank, &pool, &count).await;
            let checked = checked(&bank, &pool).await;
            assert!(matches!(checked, Checked::Broken(_)), "{name}: {checked:?}");
        }
    }

    #[tokio::test]
    async fn money_that_vanishes_breaks_the_invariant() {
        let (bank, pool) = used("vanishes").await;
        tamper(&bank, &pool, "update TABLE set balance = balance - 1 where id = ?1").await;
        let checked = checked(&bank, &pool).await;
        let expected = "1000 accounts hold 999999; at the start 1000 accounts held 1000000";
        assert_eq!(checked, Checked::Broken(expected.to_owned()));
    }

    #[tokio::test]
    async fn a_transfer_of_unknown_outcome_may_have_been_made_or_not() {
        for (change, name) in [("+ 0", "unmade"), ("+ 1", "made")] {
            let (bank, pool) = used(name).await;
            bank.begun.fetch_add(1, Ordering::Relaxed);
            let count = format!("update TABLE set transfers = transfers {change} where id = ?1");
            tamper(&bank, &pool, &count).await;
            let checked = checked(&bank, &pool).await;
            let Checked::Held(words) = checked else { panic!("{name}: {checked:?}") };
            assert!(words.contains("and 1 failed or were dropped"), "{words}");
        }
    }

    /// The balance of an account that somebody else has deleted.
    async fn balance_of_a_missing_account<D: Teller>(driver: D) -> Result<i64, D::Error> {
        let pool = Pool::open(driver, PoolConfig::default()).await.expect("opened");
        let bank = Bank::new();
        bank.prepare(&pool).await.expect("prepared");
        let mut connection = pool.acquire().await.expect("idle");
        let balance = D::balance(&mut connection, &bank.table, ACCOUNTS).await;
        drop(connection);
        bank.clean_up(&pool).await.expect("dropped");
        balance
    }

    #[tokio::test]
    async fn an_account_that_is_gone_is_an_error() {
        let driver = SqliteDriver::new(SqliteOptions::shared_memory("gone"));
        balance_of_a_missing_account(driver).await.expect_err("gone");
    }

    #[cfg(feature = "mysql")]
    #[tokio::test]
    async fn an_account_that_is_gone_is_an_error_in_mysql() {
        let server = shared(Family::MySql).expect("a server");
        let database = server.database("bank").expect("a database");
        let driver = pool_mysql::MysqlDriver::from_url(&database.url()).expect("right");
        let error = balance_of_a_missing_account(driver).await.expect_err("gone");
        assert_eq!(error.to_string(), "an account of the bank is not there any more");
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn an_account_that_is_gone_is_an_error_in_postgresql() {
        let server = shared(Family::Postgres).expect("a server");
        let database = server.database("bank").expect("a database");
        let driver = pool_postgres::PostgresDriver::from_url(&database.url()).expect("right");
        balance_of_a_missing_account(driver).await.expect_err("gone");
    }

    #[tokio::test]
    async fn cleaning_up_leaves_nothing_of_this_bank_and_everything_of_another() {
        let (bank, pool) = used("cleaned").await;
        let other = Bank::new();
        other.prepare(&pool).await.expect("prepared");
        bank.clean_up(&pool).await.expect("dropped");
        let mut connection = pool.acquire().await.expect("idle");
        let tables = "select group_concat(name) from sqlite_schema where type = 'table'";
        let tables: String =
            connection.query_row(tables, (), |row| row.get(0)).await.expect("read");
        assert_eq!(tables, other.table.name);
        drop(connection);
        bank.clean_up(&pool).await.expect("there is nothing left to drop");
    }
}
