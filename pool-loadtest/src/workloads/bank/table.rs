//! The bank's table, and the text of every statement about it.

use std::sync::Arc;

use crate::database::{Bound, Dialect};
use crate::workloads::table::prefix;

pub(super) const ACCOUNTS: i64 = 1000;
pub(super) const OPENING_BALANCE: i64 = 1000;

/// Money that changes hands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) amount: i64,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// Without the accounts.
    pub(super) create: String,
    /// All accounts at once.
    pub(super) fill: String,
    /// Of the account that is the only parameter.
    pub(super) balance: Arc<str>,
    /// The amount, and the account it is taken from.
    withdraw: Arc<str>,
    /// The amount, and the account it goes to.
    deposit: Arc<str>,
    /// Accounts, their sum, and the transfers.
    pub(super) add_up: String,
}

impl Table {
    pub(super) fn new(dialect: Dialect) -> Self {
        let name = format!("{}_accounts", prefix());
        let [first, second] = [1, 2].map(|number| dialect.parameter(number));
        let accounts: Vec<_> =
            (0..ACCOUNTS).map(|id| format!("({id}, {OPENING_BALANCE})")).collect();
        Self {
            create: format!(
                "create table {name} (id integer primary key, balance bigint not null,
                                      transfers bigint not null default 0)"
            ),
            fill: format!("insert into {name} (id, balance) values {}", accounts.join(", ")),
            balance: format!("select balance from {name} where id = {first}").into(),
            // The payer counts the transfer, so that no row is written by all of them.
            withdraw: format!(
                "update {name} set balance = balance - {first}, transfers = transfers + 1 \
                 where id = {second}"
            )
            .into(),
            deposit: format!("update {name} set balance = balance + {first} where id = {second}")
                .into(),
            add_up: format!(
                "select count(*), coalesce(sum(balance), 0), coalesce(sum(transfers), 0)
                 from {name}"
            ),
            name,
        }
    }

    /// The statements of a transfer, each with its amount and account, those of the lower account
    /// first: two that lock the same rows do not wait for each other.
    pub(super) fn steps(&self, transfer: Transfer) -> Vec<Bound> {
        let Transfer { from, to, amount } = transfer;
        let mut steps = [(&self.withdraw, amount, from), (&self.deposit, amount, to)];
        steps.sort_by_key(|(.., account)| *account);
        steps.map(|(sql, amount, account)| Bound::to(sql, [amount, account])).into()
    }
}
