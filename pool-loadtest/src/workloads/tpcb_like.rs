//! The transaction of `pgbench`, which is like that of TPC-B: a teller of a branch changes an account.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use pool_core::Pool;

use super::ledger::Ledger;
use super::table::{drop_all, fill, prefix};
use crate::database::{Bound, Database, Ending, Session};
use crate::words::signed;
use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// As many branches as there may be: a hundred million accounts.
pub(crate) const MOST_SCALE: u32 = 1000;
/// As pgbench has them.
const TELLERS: i64 = 10;
/// As pgbench has them.
const ACCOUNTS: i64 = 100_000;
/// As pgbench draws them.
const MOST_DELTA: i64 = 5000;

/// Every operation is the transaction of `pgbench`: it adds an amount to an account and reads it, adds
/// it to a teller and a branch, and writes it to the history. The sums of all four must be the same, and
/// the history as long as the database said that transactions were done.
#[derive(Debug)]
pub(crate) struct TpcbLike<D> {
    scale: i64,
    tables: Tables,
    transactions: Ledger,
    driver: PhantomData<fn() -> D>,
}

#[derive(Debug)]
struct Tables {
    branches: String,
    tellers: String,
    accounts: String,
    history: String,
    /// The amount, and the account.
    update_account: Arc<str>,
    /// The account.
    read_account: Arc<str>,
    /// The amount, and the teller.
    update_teller: Arc<str>,
    /// The amount, and the branch.
    update_branch: Arc<str>,
    /// The teller, the branch, the account, and the amount.
    record: Arc<str>,
}

impl Tables {
    fn new<D: Database>() -> Self {
        let prefix = prefix();
        let [branches, tellers, accounts, history] =
            ["branches", "tellers", "accounts", "history"].map(|table| format!("{prefix}_{table}"));
        let [first, second, third, fourth] =
            [1, 2, 3, 4].map(|number| D::DIALECT.parameter(number));
        let update = |table: &str| {
            format!("update {table} set balance = balance + {first} where id = {second}").into()
        };
        Self {
            update_account: update(&accounts),
            read_account: format!("select balance from {accounts} where id = {first}").into(),
            update_teller: update(&tellers),
            update_branch: update(&branches),
            record: format!(
                "insert into {history} (teller, branch, account, delta, at) \
                 values ({first}, {second}, {third}, {fourth}, current_timestamp)"
            )
            .into(),
            branches,
            tellers,
            accounts,
            history,
        }
    }

    /// What makes them, without rows. The filler is that of pgbench, where databases pad it.
    fn create(&self) -> [String; 4] {
        let Self { branches, tellers, accounts, history, .. } = self;
        let with_balance = |table: &str, columns: &str| {
            format!(
                "create table {table} (id integer primary key, {columns}balance bigint not null \
                 default 0, filler char(84) not null default '')"
            )
        };
        [
            with_balance(branches, ""),
            with_balance(tellers, "branch integer not null, "),
            with_balance(accounts, "branch integer not null, "),
            format!(
                "create table {history} (teller integer not null, branch integer not null, \
                 account integer not null, delta bigint not null, at timestamp not null)"
            ),
        ]
    }

    /// The sums of all four at one moment, and the length of the history.
    fn add_up(&self) -> String {
        let sum =
            |column: &str, table: &str| format!("(select coalesce(sum({column}), 0) from {table})");
        format!(
            "select {}, {}, {}, {}, (select count(*) from {})",
            sum("balance", &self.branches),
            sum("balance", &self.tellers),
            sum("balance", &self.accounts),
            sum("delta", &self.history),
            self.history
        )
    }
}

impl<D: Database> TpcbLike<D> {
    /// With so many branches, each with 10 tellers and 100 000 accounts.
    pub(crate) fn new(scale: u32) -> Self {
        let (tables, transactions) = (Tables::new::<D>(), Ledger::default());
        Self { scale: scale.into(), tables, transactions, driver: PhantomData }
    }
}

impl<D: Database> Workload<D> for TpcbLike<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        let (step, Tables { branches, tellers, accounts, .. }) =
            ("creating the accounts", &self.tables);
        for create in self.tables.create() {
            Session::begin(pool, step).await?.script(&create).await?;
        }
        let id = |id| format!("({id})");
        fill(pool, step, &format!("{branches} (id)"), 0..self.scale, id).await?;
        for (table, each) in [(tellers, TELLERS), (accounts, ACCOUNTS)] {
            let row = |id| format!("({id}, {})", id / each);
            fill(pool, step, &format!("{table} (id, branch)"), 0..self.scale * each, row).await?;
        }
        Ok(())
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("tpcb-like --scale {}", self.scale))
    }

    fn kinds(&self) -> Vec<String> {
        vec!["transaction".to_owned()]
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        let Step { connection, rng, .. } = step;
        let tables = &self.tables;
        let account = rng.i64(0..self.scale * ACCOUNTS);
        let teller = rng.i64(0..self.scale * TELLERS);
        // As in pgbench, not the one that the teller is of.
        let branch = rng.i64(0..self.scale);
        let delta = rng.i64(-MOST_DELTA..=MOST_DELTA);
        let statements = vec![
            Bound::to(&tables.update_account, [delta, account]),
            Bound::to(&tables.read_account, [account]),
            Bound::to(&tables.update_teller, [delta, teller]),
            Bound::to(&tables.update_branch, [delta, branch]),
            Bound::to(&tables.record, [teller, branch, account, delta]),
        ];
        self.transactions.write(D::run(connection, statements, Ending::Commit)).await?;
        Ok(())
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        let times = u32::try_from(self.scale).unwrap_or(MOST_SCALE);
        let mut session = Session::long(pool, "adding up the accounts", times).await?;
        let [branches, tellers, accounts, history, transactions] =
            session.numbers(&self.tables.add_up()).await?;
        if [branches, tellers, accounts].iter().any(|sum| *sum != history) {
            let [branches, tellers, accounts, history] =
                [branches, tellers, accounts, history].map(signed);
            return Ok(Checked::Broken(format!(
                "branches hold {branches}, tellers {tellers}, accounts {accounts} and the history \
                 {history}, which must be the same"
            )));
        }
        let state =
            format!("branches, tellers, accounts and history hold {} each", signed(history));
        Ok(self.transactions.judge(&state, transactions, "transactions"))
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        let Tables { branches, tellers, accounts, history, .. } = &self.tables;
        let names = [branches, tellers, accounts, history];
        drop_all(pool, "dropping the accounts", names.into_iter().map(String::as_str)).await
    }
}
