//! What can be known of an SQLite database: it has no server that counts, but its driver counts how
//! long connections wait for each other's locks.

use std::sync::Arc;
use std::time::Duration;

use pool_core::SharedError;
use pool_sqlite::{SqliteConnection, SqliteError};

use super::Counted;
use super::tally::{Figure, Tally};
use crate::report::ServerReport;
use crate::words::{counted, time};

const SIZE: Figure = ("database", "bytes");
const LOCK_WAITS: Figure = ("waits for the write lock", "waits");
const LOCK_TIME: Figure = ("time waiting for the write lock", "ms");

/// A lock that was waited for this share of the time, in sum over all connections, is worth a word.
const RELEVANT: f64 = 0.1;

impl Counted for SqliteConnection {
    const COUNTS_LATE: bool = false;

    async fn count(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        if tally.version.is_none() {
            let sql = "SELECT sqlite_version()";
            let version =
                self.query_row(sql, (), |row| row.get::<_, String>(0)).await.map_err(shared)?;
            tally.version = Some(format!("SQLite {version}"));
        }
        let waits = self.lock_waits();
        tally.count(LOCK_WAITS, waits.count as f64);
        tally.count(LOCK_TIME, waits.time.as_secs_f64() * 1e3);
        Ok(())
    }

    async fn look(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let bytes = self.query_row(sql, (), |row| row.get::<_, i64>(0)).await.map_err(shared)?;
        tally.look(SIZE, bytes as f64);
        Ok(())
    }

    fn findings(tally: &Tally, seconds: f64) -> Vec<String> {
        let (waits, millis) = (tally.growth(LOCK_WAITS), tally.growth(LOCK_TIME));
        if waits <= 0.0 || millis / 1e3 < seconds * RELEVANT {
            return Vec::new();
        }
        let waits = counted(waits as u64, "wait");
        vec![format!("operations wait for the write lock: {waits}, {} in sum", time(millis * 1e3))]
    }
}

/// How often and for how long operations waited for SQLite's write lock, if they did.
pub(crate) fn write_lock(report: &ServerReport) -> Option<(u64, Duration)> {
    let grown = |(name, _): Figure| {
        let counter = report.counters.iter().find(|counter| counter.name == name)?;
        Some(counter.value).filter(|value| *value > 0.0)
    };
    Some((grown(LOCK_WAITS)? as u64, Duration::from_secs_f64(grown(LOCK_TIME)? / 1e3)))
}

fn shared(error: SqliteError) -> SharedError {
    Arc::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_write_lock_are_a_finding_and_a_moment_is_not() {
        let waited = |millis| {
            let mut tally = Tally::default();
            for (waits, time) in [(5.0, 100.0), (1_239.0, 100.0 + millis)] {
                tally.count(LOCK_WAITS, waits);
                tally.count(LOCK_TIME, time);
            }
            tally
        };
        let found = |millis| SqliteConnection::findings(&waited(millis), 10.0);
        assert_eq!(found(999.0), Vec::<String>::new());
        let expected = "operations wait for the write lock: 1 234 waits, 2.10 s in sum";
        assert_eq!(found(2_100.0), [expected]);
        let mut report = ServerReport {
            version: None,
            counters: waited(2_100.0).figures(),
            findings: Vec::new(),
            missing: Vec::new(),
        };
        assert_eq!(write_lock(&report), Some((1_234, Duration::from_millis(2_100))));
        report.counters.clear();
        assert_eq!(write_lock(&report), None);
    }
}
