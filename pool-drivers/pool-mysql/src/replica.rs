//! How far a server is behind the one it replicates.

use std::time::Duration;

use async_trait::async_trait;
use mysql_async::Row;
use pool_core::{ReplicationLag, ReplicationLagQuery};

use crate::connection::MysqlConnection;
use crate::driver::MysqlDriver;
use crate::error::MysqlError;

#[async_trait]
impl ReplicationLagQuery<MysqlConnection, MysqlError> for MysqlDriver {
    /// The server's own estimate, in whole seconds; the largest, if it replicates several servers.
    /// Needs the privilege `REPLICATION CLIENT`, in MariaDB `SLAVE MONITOR`.
    async fn replication_lag(
        &self,
        connection: &mut MysqlConnection,
    ) -> Result<ReplicationLag, MysqlError> {
        let version: Vec<String> = connection.ask("SELECT VERSION()").await?;
        let is_mariadb = version.first().is_some_and(|version| version.contains("MariaDB"));
        let sql = statement(is_mariadb, connection.server_version());
        let sources: Vec<Row> = connection.ask(sql).await?;
        let lags = sources.iter().map(lag).collect::<Option<Vec<_>>>();
        Ok(match lags {
            None => ReplicationLag::Unknown,
            Some(lags) => {
                lags.into_iter().max().map_or(ReplicationLag::Primary, ReplicationLag::Behind)
            }
        })
    }
}

fn statement(is_mariadb: bool, version: (u16, u16, u16)) -> &'static str {
    match (is_mariadb, version) {
        (true, _) => "SHOW ALL SLAVES STATUS",
        // The old words were removed in 8.4.
        (false, (8, 0, 22..) | (8, 1.., _) | (9.., ..)) => "SHOW REPLICA STATUS",
        (false, _) => "SHOW SLAVE STATUS",
    }
}

/// The lag behind one source, if both of its threads run and the server can tell.
fn lag(source: &Row) -> Option<Duration> {
    let running = ["IO_Running", "SQL_Running"].iter().all(|thread| {
        let state: Option<String> =
            named(source, &format!("Replica_{thread}"), &format!("Slave_{thread}"));
        state.as_deref() == Some("Yes")
    });
    let seconds = named(source, "Seconds_Behind_Source", "Seconds_Behind_Master");
    seconds.filter(|_| running).map(Duration::from_secs)
}

/// A column by its new or its old name.
fn named<T: mysql_async::prelude::FromValue>(row: &Row, new: &str, old: &str) -> Option<T> {
    let value = row.get_opt::<Option<T>, _>(new).or_else(|| row.get_opt(old))?;
    value.ok()?
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn each_server_is_asked_in_its_own_words() {
        assert_eq!(statement(true, (10, 11, 19)), "SHOW ALL SLAVES STATUS");
        for version in [(8, 0, 22), (8, 0, 40), (8, 4, 0), (9, 7, 4)] {
            assert_eq!(statement(false, version), "SHOW REPLICA STATUS", "{version:?}");
        }
        for version in [(5, 7, 44), (8, 0, 21)] {
            assert_eq!(statement(false, version), "SHOW SLAVE STATUS", "{version:?}");
        }
    }
}
