//! What PostgreSQL counts for a database, and what its sessions wait for.

use pool_core::SharedError;
use pool_postgres::PostgresConnection;

use super::Counted;
use super::tally::{Figure, Tally};
use crate::words::{counted, percent};

/// Nothing is prepared for them, so that they work through any pooler.
const COUNTERS: &str = "\
    SELECT 'PostgreSQL ' || pg_catalog.current_setting('server_version'), \
           xact_commit::pg_catalog.float8, xact_rollback::pg_catalog.float8, deadlocks::pg_catalog.float8, blks_read::pg_catalog.float8, \
           blks_hit::pg_catalog.float8, tup_returned::pg_catalog.float8, tup_fetched::pg_catalog.float8, temp_bytes::pg_catalog.float8 \
    FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()";

const DEADLOCKS: Figure = ("deadlocks", "deadlocks");
const COUNTED: [Figure; 8] = [
    ("transactions committed", "transactions"),
    ("transactions rolled back", "transactions"),
    DEADLOCKS,
    ("blocks read", "blocks"),
    ("blocks found in memory", "blocks"),
    ("rows read", "rows"),
    ("rows fetched by an index", "rows"),
    ("temporary files", "bytes"),
];

/// The sessions of this program but for the one that asks.
const LEVELS: &str = "\
    SELECT (pg_catalog.count(*) FILTER (WHERE state = 'active'))::pg_catalog.float8, \
           (pg_catalog.count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'Lock'))::pg_catalog.float8, \
           (pg_catalog.count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'IO'))::pg_catalog.float8, \
           (pg_catalog.count(*) FILTER (WHERE state = 'active' AND wait_event_type = 'LWLock'))::pg_catalog.float8, \
           (pg_catalog.count(*) FILTER (WHERE state LIKE 'idle in transaction%'))::pg_catalog.float8 \
    FROM pg_catalog.pg_stat_activity \
    WHERE datname = pg_catalog.current_database() AND usename = session_user \
      AND application_name = pg_catalog.current_setting('application_name') \
      AND pid <> pg_catalog.pg_backend_pid()";

const AT_WORK: Figure = ("sessions at work", "sessions");
const LOCKED: Figure = ("sessions waiting for locks", "sessions");
const READING: Figure = ("sessions waiting for the disk", "sessions");
const CONTENDING: Figure = ("sessions waiting inside the server", "sessions");
const IDLE: Figure = ("sessions in a transaction, waiting for the client", "sessions");
const SEEN: [Figure; 5] = [AT_WORK, LOCKED, READING, CONTENDING, IDLE];

/// Fewer sessions seen at work, in sum, say nothing of their shares.
const ENOUGH: f64 = 10.0;
/// This share of the sessions at work that waits for the same is worth a word.
const RELEVANT: f64 = 0.1;

impl Counted for PostgresConnection {
    /// A session tells what it has counted a second later at most while it works, and when it ends.
    const COUNTS_LATE: bool = true;

    async fn count(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        for row in self.query_typed(COUNTERS, &[]).await.map_err(shared)? {
            tally.version = Some(row.get(0));
            for (number, figure) in COUNTED.into_iter().enumerate() {
                tally.count(figure, row.get(number + 1));
            }
        }
        Ok(())
    }

    async fn look(&mut self, tally: &mut Tally) -> Result<(), SharedError> {
        for row in self.query_typed(LEVELS, &[]).await.map_err(shared)? {
            for (number, figure) in SEEN.into_iter().enumerate() {
                tally.look(figure, row.get(number));
            }
        }
        Ok(())
    }

    fn findings(tally: &Tally, _: f64) -> Vec<String> {
        let at_work = tally.seen(AT_WORK).max(ENOUGH);
        let waiting = [
            (LOCKED, "operations wait for each other's locks", "waited for one"),
            (READING, "operations wait for the disk", "waited for it"),
            (CONTENDING, "operations wait for each other inside the server", "did"),
        ];
        let mut findings: Vec<_> = waiting
            .into_iter()
            .map(|(figure, what, did)| (tally.seen(figure) / at_work, what, did))
            .filter(|(share, ..)| *share >= RELEVANT)
            .map(|(share, what, did)| {
                format!(
                    "{what}: looked at four times a second, {} of the sessions at work {did}",
                    percent(share)
                )
            })
            .collect();
        let deadlocks = tally.growth(DEADLOCKS);
        if deadlocks > 0.0 {
            findings.push(format!("it resolved {}", counted(deadlocks as u64, "deadlock")));
        }
        findings
    }
}

fn shared(error: pool_postgres::PostgresError) -> SharedError {
    std::sync::Arc::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_wait_for_locks_are_a_finding_and_few_are_not() {
        let found = |locked, deadlocks| {
            let mut tally = Tally::default();
            tally.look(AT_WORK, 10.0);
            tally.look(LOCKED, locked);
            tally.count(DEADLOCKS, 0.0);
            tally.count(DEADLOCKS, deadlocks);
            PostgresConnection::findings(&tally, 10.0)
        };
        assert_eq!(found(0.9, 0.0), Vec::<String>::new());
        let locks = "operations wait for each other's locks: looked at four times a second, 40 % of the \
                     sessions at work waited for one";
        assert_eq!(found(4.0, 0.0), [locks]);
        assert_eq!(found(4.0, 1.0), [locks, "it resolved 1 deadlock"]);
    }
}
