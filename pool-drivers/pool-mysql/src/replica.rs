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
    /// The server's own estimate, in whole seconds, and what it has received and not applied, where both
    /// ends are in one file of the log; of several servers that it replicates, the largest and the
    /// sum. Unknown while one of its threads is stopped or has no connection. Needs the privilege
    /// `REPLICATION CLIENT`, in MariaDB `SLAVE MONITOR`; without it the server's error 1227 says so.
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
        let Some(lags) = lags else { return Ok(ReplicationLag::Unknown) };
        Ok(lags.into_iter().reduce(Lag::and).map_or(ReplicationLag::Primary, |lag| {
            ReplicationLag::Behind { time: Some(lag.time), bytes: lag.bytes }
        }))
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

/// The lag behind one source, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lag {
    time: Duration,
    /// What is received and not applied.
    bytes: Option<u64>,
}

impl Lag {
    fn and(self, other: Self) -> Self {
        let bytes = self.bytes.zip(other.bytes);
        Self {
            time: self.time.max(other.time),
            bytes: bytes.map(|(one, another)| one.saturating_add(another)),
        }
    }
}

/// The lag behind one source, if both of its threads run and the server can tell. Columns have a new
/// name in MySQL since 8.0.22, and the old one in MariaDB.
fn lag(column: impl Fn(&str) -> Option<String>) -> Option<Lag> {
    let either = |new, old| column(new).or_else(|| column(old));
    let states = [
        either("Replica_IO_Running", "Slave_IO_Running"),
        either("Replica_SQL_Running", "Slave_SQL_Running"),
    ];
    let seconds = either("Seconds_Behind_Source", "Seconds_Behind_Master")?.parse().ok()?;
    let received = place(
        either("Source_Log_File", "Master_Log_File"),
        either("Read_Source_Log_Pos", "Read_Master_Log_Pos"),
    );
    let applied = place(
        either("Relay_Source_Log_File", "Relay_Master_Log_File"),
        either("Exec_Source_Log_Pos", "Exec_Master_Log_Pos"),
    );
    let bytes = received.zip(applied).and_then(|((file, received), (also, applied))| {
        // Nobody here knows how long the files between are.
        (file == also).then(|| received.saturating_sub(applied))
    });
    let is_running = states.iter().all(|state| state.as_deref() == Some("Yes"));
    is_running.then(|| Lag { time: Duration::from_secs(seconds), bytes })
}

/// A place in the source's log: a file and a position in it.
fn place(file: Option<String>, position: Option<String>) -> Option<(String, u64)> {
    Some((file.filter(|file| !file.is_empty())?, position?.parse().ok()?))
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
                let time = lag(column).map(|lag| lag.time);
                assert_eq!(time, expected.map(Duration::from_secs), "{names:?}: {row:?}");
            }
        }
    }

    #[test]
    fn bytes_are_told_within_one_file() {
        for (places, expected) in [
            (["binlog.000002", "900", "binlog.000002", "600"], Some(300)),
            (["binlog.000002", "900", "binlog.000002", "900"], Some(0)),
            // What was received is told a little later than what was applied.
            (["binlog.000002", "900", "binlog.000002", "901"], Some(0)),
            (["binlog.000003", "200", "binlog.000002", "600"], None),
            (["", "4", "", "0"], None),
        ] {
            for end in ["Source", "Master"] {
                let columns = [
                    format!("{end}_Log_File"),
                    format!("Read_{end}_Log_Pos"),
                    format!("Relay_{end}_Log_File"),
                    format!("Exec_{end}_Log_Pos"),
                ];
                let column = |name: &str| match columns.iter().position(|known| known == name) {
                    Some(index) => Some(places[index].to_owned()),
                    None if name.ends_with("_Running") => Some("Yes".to_owned()),
                    None => name.starts_with("Seconds").then(|| "0".to_owned()),
                };
                let bytes = lag(column).expect("running").bytes;
                assert_eq!(bytes, expected, "{end}: {places:?}");
            }
        }
    }

    #[test]
    fn several_sources_have_the_longest_time_and_all_of_the_bytes() {
        let lag = |seconds, bytes| Lag { time: Duration::from_secs(seconds), bytes };
        assert_eq!(lag(3, Some(10)).and(lag(2, Some(5))), lag(3, Some(15)));
        assert_eq!(lag(0, Some(10)).and(lag(2, None)), lag(2, None));
    }
}
