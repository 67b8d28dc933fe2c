//! How many connections a server allows and has, and whether it takes writes.

use async_trait::async_trait;
use pool_core::{Capacity, CapacityQuery, Quota, Role, RoleQuery};

use crate::connection::MysqlConnection;
use crate::driver::MysqlDriver;
use crate::error::MysqlError;

#[async_trait]
impl CapacityQuery<MysqlConnection, MysqlError> for MysqlDriver {
    /// `max_connections` and `Threads_connected`. Nothing of it is kept for administrators: theirs
    /// is one more (or a port of their own). Of this application are the sessions of the same
    /// account with the same `program_name`, where the server keeps such attributes: MariaDB does
    /// with `performance_schema=ON`, MySQL always.
    async fn capacity(&self, connection: &mut MysqlConnection) -> Result<Capacity, MysqlError> {
        let sql = "SELECT @@GLOBAL.max_connections";
        let max_connections: Vec<usize> = connection.ask(sql).await?;
        let sql = "SHOW GLOBAL STATUS LIKE 'Threads_connected'";
        let in_use: Vec<(String, usize)> = connection.ask(sql).await?;
        let mut capacity = Capacity::new(max_connections.first().copied().unwrap_or(0));
        capacity.in_use = in_use.first().map_or(0, |(_, threads)| *threads);
        capacity.in_use_here = in_use_here(connection, &self.options().program_name).await?;
        capacity.account = account(connection).await?;
        Ok(capacity)
    }
}

/// What the account may have; the session's value is the one that holds for it, and 0 is none.
async fn account(connection: &mut MysqlConnection) -> Result<Option<Quota>, MysqlError> {
    let limits: Vec<i64> = connection.ask("SELECT @@SESSION.max_user_connections").await?;
    let limit = limits.first().and_then(|limit| usize::try_from(*limit).ok());
    let Some(limit) = limit.filter(|limit| *limit > 0) else { return Ok(None) };
    // Sessions of its own account are shown to everybody.
    let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
               WHERE USER = SUBSTRING_INDEX(USER(), '@', 1)";
    let in_use: Vec<usize> = connection.ask(sql).await?;
    Ok(Some(Quota::new(limit, in_use.first().copied().unwrap_or(0))))
}

/// The sessions of this program; `None` where the server does not tell, not even of this one.
async fn in_use_here(
    connection: &mut MysqlConnection,
    program_name: &str,
) -> Result<Option<usize>, MysqlError> {
    let sql = "SELECT attr_value FROM performance_schema.session_account_connect_attrs \
               WHERE attr_name = 'program_name'";
    match connection.ask::<Option<String>>(sql).await {
        Ok(names) => {
            let count = names.iter().flatten().filter(|name| *name == program_name).count();
            Ok(Some(count).filter(|count| *count > 0))
        }
        // No such table, or not for this user.
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl RoleQuery<MysqlConnection, MysqlError> for MysqlDriver {
    /// Read-only is a server with `read_only`, `super_read_only` or `innodb_read_only` (a reader of
    /// Aurora), and one whose transactions are read-only unless they say otherwise.
    async fn role(&self, connection: &mut MysqlConnection) -> Result<Role, MysqlError> {
        // Not every server knows all of them, and naming an unknown one is an error.
        let sql = "SHOW VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', \
                   'innodb_read_only', 'transaction_read_only', 'tx_read_only')";
        let switches: Vec<(String, String)> = connection.ask(sql).await?;
        let read_only = switches.iter().any(|(_, value)| !value.eq_ignore_ascii_case("OFF"));
        Ok(if read_only { Role::ReadOnly } else { Role::ReadWrite })
    }
}
