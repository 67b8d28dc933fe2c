//! What MySQL and MariaDB count for the whole server.

use std::sync::Arc;

use pool_core::SharedError;
use pool_mysql::{MysqlConnection, MysqlError};

use super::Counted;
use super::tally::{Figure, Tally};
use crate::words::{counted, time};

const LOCK_WAITS: Figure = ("row lock waits", "waits");
const LOCK_TIME: Figure = ("time waiting for row locks", "ms");
const COUNTED: [(&str, Figure); 9] = [
    ("Questions", ("statements", "statements")),
    ("Com_commit", ("commits", "commits")),
    ("Com_rollback", ("rollbacks", "rollbacks")),
    ("Innodb_rows_read", ("rows read", "rows")),
    ("Innodb_row_lock_waits", LOCK_WAITS),
    ("Innodb_row_lock_time", LOCK_TIME),
    ("Slow_queries", ("slow statements", "statements")),
    ("Created_tmp_disk_tables", ("temporary tables on disk", "tables")),
    ("Aborted_connects", ("connects that failed", "connects")),
];
const AT_WORK: Figure = ("sessions at work", "sessions");
const SEEN: [(&str, Figure); 2] = [
    ("Threads_running", AT_WORK),
    ("Innodb_row_lock_current_waits", ("sessions waiting for row locks", "sessions")),
];

/// Row locks that were waited for this share of the time, in sum over all sessions, are worth a word.
const RELEVANT: f64 = 0.1;

impl Counted for MysqlConnection {
    const COUNTS_LATE: bool = false;

    async fn count(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        if tally.version.is_none() {
            let version: Option<String> =
                self.query_first("SELECT VERSION()").await.map_err(shared)?;
            tally.version = version.as_deref().map(product);
        }
        for (figure, value) in status(self, &COUNTED).await.map_err(shared)? {
            tally.count(figure, value);
        }
        Ok(())
    }

    async fn look(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        for (figure, value) in status(self, &SEEN).await.map_err(shared)? {
            // The one that asks is at work, too.
            tally.look(figure, if figure == AT_WORK { value - 1.0 } else { value });
        }
        Ok(())
    }

    fn findings(tally: &Tally, seconds: f64) -> Vec<String> {
        let (waits, millis) = (tally.growth(LOCK_WAITS), tally.growth(LOCK_TIME));
        if waits <= 0.0 || millis / 1e3 < seconds * RELEVANT {
            return Vec::new();
        }
        let waits = counted(waits as u64, "wait");
        vec![format!("operations wait for row locks: {waits}, {} in sum", time(millis * 1e3))]
    }
}

/// The server's figures of these names. One that it does not have is left out.
async fn status(
    connection: &mut MysqlConnection,
    figures: &[(&str, Figure)],
) -> Result<Vec<(Figure, f64)>, MysqlError> {
    let names: Vec<_> = figures.iter().map(|(name, _)| format!("'{name}'")).collect();
    let sql = format!("SHOW GLOBAL STATUS WHERE Variable_name IN ({})", names.join(", "));
    let rows: Vec<(String, String)> = connection.query(&sql).await?;
    let found = figures.iter().filter_map(|(name, figure)| {
        let (_, value) = rows.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some((*figure, value.parse().ok()?))
    });
    Ok(found.collect())
}

/// `10.11.6-MariaDB-log` as `MariaDB 10.11.6`.
fn product(version: &str) -> String {
    let number = version.split('-').next().unwrap_or(version);
    let name = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    format!("{name} {number}")
}

fn shared(error: MysqlError) -> SharedError {
    Arc::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_its_product() {
        let named = ["10.11.6-MariaDB-0+deb12u1", "8.4.3", "11.4.2-MariaDB"].map(product);
        assert_eq!(named, ["MariaDB 10.11.6", "MySQL 8.4.3", "MariaDB 11.4.2"]);
    }

    #[test]
    fn row_locks_waited_for_are_a_finding_and_a_moment_is_not() {
        let found = |millis| {
            let mut tally = Tally::default();
            for (waits, time) in [(5.0, 100.0), (1_239.0, 100.0 + millis)] {
                tally.count(LOCK_WAITS, waits);
                tally.count(LOCK_TIME, time);
            }
            MysqlConnection::findings(&tally, 10.0)
        };
        assert_eq!(found(999.0), Vec::<String>::new());
        assert_eq!(found(2_100.0), ["operations wait for row locks: 1 234 waits, 2.10 s in sum"]);
    }
}
