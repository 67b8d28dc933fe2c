//! The bank's table, and the text of every statement about it.

pub(super) const ACCOUNTS: i64 = 1000;
pub(super) const OPENING_BALANCE: i64 = 1000;

/// Money that changes hands.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) amount: i64,
}

/// What all accounts together hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub(super) accounts: i64,
    pub(super) sum: i64,
    /// Transfers made, counted in their own transactions.
    pub(super) transfers: i64,
}

/// A table with a name of its own, so that several load tests may run on one database.
#[derive(Debug)]
pub struct Table {
    #[cfg(test)]
    pub(super) name: String,
    /// Without the accounts.
    pub(super) create: String,
    /// All accounts at once.
    pub(super) fill: String,
    /// Of the account that is the only parameter.
    pub(super) balance: String,
    /// The amount, and the account it is taken from.
    pub(super) withdraw: String,
    /// The amount, and the account it goes to.
    pub(super) deposit: String,
    /// Accounts, their sum, and the transfers.
    pub(super) add_up: String,
    pub(super) drop: String,
}

impl Table {
    /// With statements whose first and second parameter, and whose widest integer, are written so.
    pub(super) fn new([first, second]: [&str; 2], integer: &str) -> Self {
        let name = format!("pool_loadtest_{}_{:08x}", std::process::id(), fastrand::u32(..));
        let accounts: Vec<_> =
            (0..ACCOUNTS).map(|id| format!("({id}, {OPENING_BALANCE})")).collect();
        Self {
            create: format!(
                "create table {name} (id integer primary key, balance bigint not null,
                                      transfers bigint not null default 0)"
            ),
            fill: format!("insert into {name} (id, balance) values {}", accounts.join(", ")),
            balance: format!("select balance from {name} where id = {first}"),
            // The payer counts the transfer, so that no row is written by all of them.
            withdraw: format!(
                "update {name} set balance = balance - {first}, transfers = transfers + 1 \
                 where id = {second}"
            ),
            deposit: format!("update {name} set balance = balance + {first} where id = {second}"),
            // The sum of integers is wider than they are, unless it is told not to be.
            add_up: format!(
                "select count(*), cast(coalesce(sum(balance), 0) as {integer}),
                        cast(coalesce(sum(transfers), 0) as {integer}) from {name}"
            ),
            drop: format!("drop table if exists {name}"),
            #[cfg(test)]
            name,
        }
    }

    /// The statements of a transfer, each with its amount and account, those of the lower account
    /// first: two that lock the same rows do not wait for each other.
    pub(super) fn steps(&self, transfer: Transfer) -> [(&str, i64, i64); 2] {
        let Transfer { from, to, amount } = transfer;
        let mut steps = [(&*self.withdraw, amount, from), (&*self.deposit, amount, to)];
        steps.sort_by_key(|(.., account)| *account);
        steps
    }
}
