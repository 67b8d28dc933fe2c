//! The bank's table, and every statement about it.

use pool_sqlite::rusqlite::{Connection, Result, TransactionBehavior, params};

pub(super) const ACCOUNTS: i64 = 1000;
pub(super) const OPENING_BALANCE: i64 = 1000;

/// Money that changes hands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) amount: i64,
}

/// What all accounts together hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) accounts: i64,
    pub(super) sum: i64,
    /// Transfers made, counted in their own transactions.
    pub(super) transfers: i64,
}

/// A table with a name of its own, so that several load tests may run on one database.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    select_balance: String,
    withdraw: String,
    deposit: String,
}

impl Default for Table {
    fn default() -> Self {
        let name = format!("pool_loadtest_{}_{:08x}", std::process::id(), fastrand::u32(..));
        Self {
            select_balance: format!("select balance from {name} where id = ?1"),
            // The payer counts the transfer, so that no row is written by all of them.
            withdraw: format!(
                "update {name} set balance = balance - ?2, transfers = transfers + 1 where id = ?1"
            ),
            deposit: format!("update {name} set balance = balance + ?2 where id = ?1"),
            name,
        }
    }
}

impl Table {
    #[cfg(test)]
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn create(&self, database: &mut Connection) -> Result<()> {
        let name = &self.name;
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(&format!(
            "create table {name} (id integer primary key, balance integer not null,
                                  transfers integer not null default 0)"
        ))?;
        {
            let insert = format!("insert into {name} (id, balance) values (?1, ?2)");
            let mut insert = transaction.prepare(&insert)?;
            for id in 0..ACCOUNTS {
                insert.execute(params![id, OPENING_BALANCE])?;
            }
        }
        transaction.commit()
    }

    pub(super) fn balance(&self, database: &mut Connection, id: i64) -> Result<i64> {
        database.prepare_cached(&self.select_balance)?.query_row([id], |row| row.get(0))
    }

    /// Immediate: a transaction that reads first and writes later may find, too late to wait, that
    /// somebody else has written.
    pub(super) fn transfer(&self, database: &mut Connection, transfer: Transfer) -> Result<()> {
        let Transfer { from, to, amount } = transfer;
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.prepare_cached(&self.withdraw)?.execute(params![from, amount])?;
        transaction.prepare_cached(&self.deposit)?.execute(params![to, amount])?;
        transaction.commit()
    }

    pub(super) fn add_up(&self, database: &mut Connection) -> Result<Found> {
        let sums = "count(*), coalesce(sum(balance), 0), coalesce(sum(transfers), 0)";
        database.query_row(&format!("select {sums} from {}", self.name), [], |row| {
            Ok(Found { accounts: row.get(0)?, sum: row.get(1)?, transfers: row.get(2)? })
        })
    }

    pub(super) fn drop_it(&self, database: &mut Connection) -> Result<()> {
        database.execute_batch(&format!("drop table if exists {}", self.name))
    }
}
