//! A bank: reads of balances and transfers between accounts, whose sum must not change and of which
//! none may be lost or made twice.

mod table;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use fastrand::Rng;
use pool_core::Pool;

use self::table::{ACCOUNTS, OPENING_BALANCE, Table, Transfer};
use super::ledger::Ledger;
use super::table::{MissingRow, drop_all};
use crate::database::{Bound, Database, Ending, Session};
use crate::words::signed;
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
    table: Table,
    transfers: Ledger,
    driver: PhantomData<fn() -> D>,
}

impl<D: Database> Bank<D> {
    /// A bank with a table that no other bank uses.
    #[must_use]
    pub fn new() -> Self {
        let transfers = Ledger::default();
        Self { table: Table::new(D::DIALECT), transfers, driver: PhantomData }
    }

    async fn balance(&self, connection: &mut D::Connection, account: i64) -> Result<(), StepError> {
        let read = vec![Bound::to(&self.table.balance, [account])];
        match D::run(connection, read, Ending::Commit).await? {
            0 => Err(MissingRow { table: self.table.name.clone() }.into()),
            _ => Ok(()),
        }
    }
}

impl<D: Database> Default for Bank<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Database> Workload<D> for Bank<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        let mut session = Session::begin(pool, "creating the accounts").await?;
        session.script(&self.table.create).await?;
        session.script(&self.table.fill).await
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
            return self.balance(connection, from).await;
        }
        // Another account than the first.
        let to = (from + rng.i64(1..ACCOUNTS)) % ACCOUNTS;
        let transfer = Transfer { from, to, amount: rng.i64(AMOUNTS) };
        let moved = D::run(connection, self.table.steps(transfer), Ending::Commit);
        self.transfers.write(moved).await?;
        Ok(())
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        let mut session = Session::begin(pool, "adding up the accounts").await?;
        let [accounts, sum, transfers] = session.numbers(&self.table.add_up).await?;
        let found = format!("{} accounts hold {}", signed(accounts), signed(sum));
        let opening = ACCOUNTS * OPENING_BALANCE;
        if (accounts, sum) != (ACCOUNTS, opening) {
            let expected = format!("{} accounts held {}", signed(ACCOUNTS), signed(opening));
            return Ok(Checked::Broken(format!("{found}; at the start {expected}")));
        }
        let state = format!("{found}, as at the start");
        Ok(self.transfers.judge(&state, transfers, "transfers"))
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        drop_all(pool, "dropping the accounts", [&*self.table.name].into_iter()).await
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
        let done = bank.transfers.done();
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
        let expected = "1 000 accounts hold 999 999; at the start 1 000 accounts held 1 000 000";
        assert_eq!(checked, Checked::Broken(expected.to_owned()));
    }

    /// What reading the balance of an account says that somebody else has deleted.
    async fn balance_of_a_missing_account<D: Database>(driver: D) -> String {
        let pool = Pool::open(driver, PoolConfig::default()).await.expect("opened");
        let bank = Bank::new();
        bank.prepare(&pool).await.expect("prepared");
        let mut connection = pool.acquire().await.expect("idle");
        let error = bank.balance(&mut connection, ACCOUNTS).await.expect_err("gone");
        drop(connection);
        bank.clean_up(&pool).await.expect("dropped");
        error.to_string().replace(&bank.table.name, "TABLE")
    }

    const GONE: &str = "a row of TABLE is not there any more";

    #[tokio::test]
    async fn an_account_that_is_gone_is_an_error() {
        let driver = SqliteDriver::new(SqliteOptions::shared_memory("gone"));
        assert_eq!(balance_of_a_missing_account(driver).await, GONE);
    }

    #[cfg(feature = "mysql")]
    #[tokio::test]
    async fn an_account_that_is_gone_is_an_error_in_mysql() {
        let server = shared(Family::MySql).expect("a server");
        let database = server.database("bank").expect("a database");
        let driver = pool_mysql::MysqlDriver::from_url(&database.url()).expect("right");
        assert_eq!(balance_of_a_missing_account(driver).await, GONE);
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn an_account_that_is_gone_is_an_error_in_postgresql() {
        let server = shared(Family::Postgres).expect("a server");
        let database = server.database("bank").expect("a database");
        let driver = pool_postgres::PostgresDriver::from_url(&database.url()).expect("right");
        assert_eq!(balance_of_a_missing_account(driver).await, GONE);
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
