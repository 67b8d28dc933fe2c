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
        let lags =
            sources.iter().map(|row| lag(|name| column(row, name))).collect::<Option<Vec<_>>>();
        Ok(match lags {
            None => ReplicationLag::Unknown,
            Some(lags) => lags.into_iter().max().map_or(ReplicationLag::Primary, |lag| {
                ReplicationLag::Behind { time: Some(lag), bytes: None }
            }),
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

/// A column of a row by its name; nothing for NULL, too.
fn column(row: &Row, name: &str) -> Option<String> {
    row.get_opt::<Option<String>, _>(name)?.ok()?
}

/// The lag behind one source, if both of its threads run and the server can tell. Columns have a new
/// name in MySQL since 8.0.22, and the old one in MariaDB.
fn lag(column: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let either = |new, old| column(new).or_else(|| column(old));
    let states = [
        either("Replica_IO_Running", "Slave_IO_Running"),
        either("Replica_SQL_Running", "Slave_SQL_Running"),
    ];
    let seconds = either("Seconds_Behind_Source", "Seconds_Behind_Master")?.parse().ok()?;
    states.iter().all(|state| state.as_deref() == Some("Yes")).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// In the order of the names: the receiving thread, the applying one, the seconds.
    const MARIADB: [&str; 3] = ["Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"];
    const MYSQL: [&str; 3] = ["Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source"];

    #[test]
    fn a_lag_is_told_while_both_threads_run_and_the_server_can_tell() {
        for (row, expected) in [
            ([Some("Yes"), Some("Yes"), Some("0")], Some(0)),
            ([Some("Yes"), Some("Yes"), Some("86400")], Some(86_400)),
            ([Some("Yes"), Some("Yes"), None], None),
            // The primary is away; the last estimate may stand there still.
            ([Some("Connecting"), Some("Yes"), Some("0")], None),
            ([Some("Preparing"), Some("Yes"), None], None),
            ([Some("Yes"), Some("No"), None], None),
            ([Some("No"), Some("No"), None], None),
        ] {
            for names in [MARIADB, MYSQL] {
                let column = |name: &str| {
                    let index = names.iter().position(|known| *known == name)?;
                    row[index].map(str::to_owned)
                };
                let expected = expected.map(Duration::from_secs);
                assert_eq!(lag(column), expected, "{names:?}: {row:?}");
            }
        }
    }
}
