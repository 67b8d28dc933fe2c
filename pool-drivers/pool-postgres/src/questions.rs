//! What the driver can ask its server. Nothing is prepared for it, so that it works through any
//! pooler.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use pool_core::{
    Activity, ActivityQuery, Capacity, CapacityQuery, Quota, ReplicationLag, ReplicationLagQuery,
    Role, RoleQuery,
};

use crate::connection::PostgresConnection;
use crate::driver::PostgresDriver;
use crate::error::PostgresError;

/// Without the privilege to see other users' sessions their kind is hidden: what has a database is
/// counted then. `reserved_connections` came with release 16. The limits of a role and of a database are
/// -1 where there is none, and no superuser is held to them.
const CAPACITY: &str = "\
    SELECT pg_catalog.current_setting('max_connections'), \
           pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4 \
               + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::pg_catalog.int4, \
           pg_catalog.count(*), \
           pg_catalog.count(*) FILTER (WHERE application_name \
               = pg_catalog.current_setting('application_name')), \
           (SELECT rolconnlimit FROM pg_catalog.pg_roles \
               WHERE rolname = session_user AND NOT rolsuper), \
           pg_catalog.count(*) FILTER (WHERE usename = session_user), \
           (SELECT datconnlimit FROM pg_catalog.pg_database, pg_catalog.pg_roles \
               WHERE datname = pg_catalog.current_database() \
               AND rolname = session_user AND NOT rolsuper), \
           pg_catalog.count(*) FILTER (WHERE datname = pg_catalog.current_database()) \
    FROM pg_catalog.pg_stat_activity \
    WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)";

/// Bytes of the log: known of, and replayed. What the primary said it has is shown only to those who may
/// see everybody's statistics; what was received, to all. Nothing is received without a receiver.
const LAG: &str = "\
    SELECT pg_catalog.pg_is_in_recovery(), \
           EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver), \
           greatest((SELECT latest_end_lsn FROM pg_catalog.pg_stat_wal_receiver), \
               pg_catalog.pg_last_wal_receive_lsn()) - '0/0'::pg_catalog.pg_lsn, \
           pg_catalog.pg_last_wal_replay_lsn() - '0/0'::pg_catalog.pg_lsn, \
           extract(epoch FROM pg_catalog.clock_timestamp()), \
           extract(epoch FROM pg_catalog.clock_timestamp() \
               - pg_catalog.pg_last_xact_replay_timestamp())";

/// Clients' sessions but for the one that asks. What those of others do is hidden from those who may
/// not see it.
const ACTIVITY: &str = "\
    SELECT extract(epoch FROM pg_catalog.max(pg_catalog.clock_timestamp() - xact_start)), \
           extract(epoch FROM pg_catalog.max(pg_catalog.clock_timestamp() - state_change) \
               FILTER (WHERE state IN ('idle in transaction', 'idle in transaction (aborted)'))) \
    FROM pg_catalog.pg_stat_activity \
    WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()";

/// What a standby says of itself at one moment.
struct Replay {
    is_replica: bool,
    has_receiver: bool,
    /// End of what it knows of, in bytes of the log; nothing before the first was received.
    known: Option<u64>,
    /// End of what it has replayed.
    replayed: Option<u64>,
    /// Its clock, in seconds.
    now: f64,
    /// Seconds since the last transaction it has replayed was committed on the primary.
    age: Option<f64>,
}

impl Replay {
    async fn ask(connection: &PostgresConnection) -> Result<Self, PostgresError> {
        let answer = connection.session().ask(LAG).await?;
        let is =
            |column: usize| answer.get(column).is_some_and(|flag| flag.as_deref() == Some("t"));
        Ok(Self {
            is_replica: is(0),
            has_receiver: is(1),
            known: number(&answer, 2).ok(),
            replayed: number(&answer, 3).ok(),
            now: number(&answer, 4)?,
            age: number(&answer, 5).ok(),
        })
    }

    /// What is left to replay; nothing if it cannot be told.
    fn bytes(&self) -> Option<u64> {
        let known = self.known.filter(|_| self.has_receiver)?;
        Some(known.saturating_sub(self.replayed?))
    }

    /// For how long it has been behind at most, if it is.
    ///
    /// After a pause of the primary's, the age of the last transaction is that of the pause: a
    /// standby that has replayed by now what it knew of `earlier` is no older than that.
    fn time(&self, earlier: &Self) -> Option<Duration> {
        let seconds = if self.bytes()? == 0 {
            Some(0.0)
        } else if self.replayed? >= earlier.known? {
            let between = self.now - earlier.now;
            Some(self.age.map_or(between, |age| age.min(between)))
        } else {
            self.age
        };
        seconds.and_then(duration)
    }
}

/// Seconds as the server says them. A clock that was set back makes less than none.
fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}

pub(crate) fn number<T: FromStr>(
    answer: &[Option<String>],
    column: usize,
) -> Result<T, PostgresError> {
    answer
        .get(column)
        .and_then(|text| text.as_deref()?.parse().ok())
        .ok_or(PostgresError::Unexpected("a number"))
}

#[async_trait]
impl CapacityQuery<PostgresConnection, PostgresError> for PostgresDriver {
    async fn capacity(
        &self,
        connection: &mut PostgresConnection,
    ) -> Result<Capacity, PostgresError> {
        let answer = connection.session().ask(CAPACITY).await?;
        let mut capacity = Capacity::new(number(&answer, 0)?);
        capacity.reserved = number(&answer, 1)?;
        capacity.in_use = number(&answer, 2)?;
        capacity.in_use_here = Some(number(&answer, 3)?);
        // A limit of -1 is no number of connections.
        let quota = |column| {
            Some(Quota::new(number(&answer, column).ok()?, number(&answer, column + 1).ok()?))
        };
        capacity.account = quota(4);
        capacity.database = quota(6);
        Ok(capacity)
    }
}

#[async_trait]
impl RoleQuery<PostgresConnection, PostgresError> for PostgresDriver {
    async fn role(&self, connection: &mut PostgresConnection) -> Result<Role, PostgresError> {
        let read_only = connection.session().is_read_only().await?;
        Ok(if read_only { Role::ReadOnly } else { Role::ReadWrite })
    }
}

#[async_trait]
impl ReplicationLagQuery<PostgresConnection, PostgresError> for PostgresDriver {
    /// What the standby has not replayed, and the age of the last transaction that it has; asked
    /// twice where it is behind. Unknown without a receiver: the primary is away, or the log comes from
    /// an archive. A primary that has gone silent is missed after `wal_receiver_timeout`.
    async fn replication_lag(
        &self,
        connection: &mut PostgresConnection,
    ) -> Result<ReplicationLag, PostgresError> {
        let first = Replay::ask(connection).await?;
        if !first.is_replica {
            return Ok(ReplicationLag::Primary);
        }
        let then = match first.bytes() {
            Some(1..) => &Replay::ask(connection).await?,
            _ => &first,
        };
        Ok(match then.bytes() {
            None => ReplicationLag::Unknown,
            bytes => ReplicationLag::Behind { time: then.time(&first), bytes },
        })
    }
}

#[async_trait]
impl ActivityQuery<PostgresConnection, PostgresError> for PostgresDriver {
    /// Of all databases. Those without the privileges of `pg_read_all_stats` are told of sessions of
    /// their own user only.
    async fn activity(
        &self,
        connection: &mut PostgresConnection,
    ) -> Result<Activity, PostgresError> {
        let answer = connection.session().ask(ACTIVITY).await?;
        let age = |column| number(&answer, column).ok().and_then(duration);
        let mut activity = Activity::default();
        activity.oldest_transaction = age(0);
        activity.oldest_idle_in_transaction = age(1);
        Ok(activity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A standby that knows of `known` bytes at the second `now`, and last replayed a transaction an
    /// hour before.
    fn replay(known: u64, replayed: u64, now: f64) -> Replay {
        Replay {
            is_replica: true,
            has_receiver: true,
            known: Some(known),
            replayed: Some(replayed),
            now,
            age: Some(3600.0),
        }
    }

    #[test]
    fn a_standby_that_keeps_up_is_not_as_old_as_its_last_transaction() {
        let (hour, between) = (Duration::from_hours(1), Duration::from_millis(500));
        for (first, then, expected) in [
            ((100, 100), (100, 100), Duration::ZERO),
            // Told more than was received: at its start it receives from an earlier point on.
            ((90, 100), (90, 100), Duration::ZERO),
            ((200, 100), (200, 200), Duration::ZERO),
            ((200, 100), (300, 200), between),
            ((200, 100), (300, 199), hour),
            ((200, 100), (200, 100), hour),
        ] {
            let [earlier, later] = [(first, 1000.0), (then, 1000.5)]
                .map(|((known, replayed), now)| replay(known, replayed, now));
            assert_eq!(later.time(&earlier), Some(expected), "{first:?}, {then:?}");
        }
    }

    #[test]
    fn a_transaction_younger_than_the_question_is_told_by_its_own_age() {
        let recent = Replay { age: Some(0.25), ..replay(300, 200, 1000.5) };
        assert_eq!(recent.time(&replay(200, 100, 1000.0)), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        let whole = || replay(200, 100, 1000.0);
        let deaf = Replay { has_receiver: false, ..whole() };
        let new = Replay { known: None, ..whole() };
        for unknown in [deaf, new] {
            assert_eq!((unknown.bytes(), unknown.time(&unknown)), (None, None));
        }
        let without_transactions = Replay { age: None, ..whole() };
        assert_eq!(without_transactions.bytes(), Some(100));
        assert_eq!(without_transactions.time(&without_transactions), None);
        let set_back = Replay { age: Some(-2.0), ..whole() };
        assert_eq!(set_back.time(&set_back), Some(Duration::ZERO));
    }
}
