//! What the driver can ask its server. Nothing is prepared for it, so that it works through any
//! pooler.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use pool_core::{Capacity, CapacityQuery, ReplicationLag, ReplicationLagQuery, Role, RoleQuery};

use crate::connection::PostgresConnection;
use crate::driver::PostgresDriver;
use crate::error::PostgresError;

/// Without the privilege to see other users' sessions their kind is hidden: what has a database is
/// counted then. `reserved_connections` came with release 16.
const CAPACITY: &str = "\
    SELECT pg_catalog.current_setting('max_connections'), \
           pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4 \
               + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::pg_catalog.int4, \
           pg_catalog.count(*), \
           pg_catalog.count(*) FILTER (WHERE application_name \
               = pg_catalog.current_setting('application_name')) \
    FROM pg_catalog.pg_stat_activity \
    WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)";

/// What was received and replayed is up to date whatever its age; what is behind is as old as the
/// last transaction replayed. Nothing is received without a receiver.
const LAG: &str = "\
    SELECT pg_catalog.pg_is_in_recovery(), \
           EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver), \
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN \
               CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() \
               THEN 0 ELSE greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() \
                   - pg_catalog.pg_last_xact_replay_timestamp())) END END";

fn number<T: FromStr>(answer: &[Option<String>], column: usize) -> Result<T, PostgresError> {
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
    async fn replication_lag(
        &self,
        connection: &mut PostgresConnection,
    ) -> Result<ReplicationLag, PostgresError> {
        let answer = connection.session().ask(LAG).await?;
        let is =
            |column: usize| answer.get(column).is_some_and(|flag| flag.as_deref() == Some("t"));
        if !is(0) {
            return Ok(ReplicationLag::Primary);
        }
        let seconds = number(&answer, 2).ok().filter(|_| is(1));
        let lag = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(lag.map_or(ReplicationLag::Unknown, |lag| ReplicationLag::Behind {
            time: Some(lag),
            bytes: None,
        }))
    }
}
