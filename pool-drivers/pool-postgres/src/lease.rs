//! Where a fleet keeps its ledger: two tables, and a short transaction for each settlement.
//!
//! Nothing is prepared and no lock outlives the transaction, so that it works through any pooler. The
//! tables are made in the first schema of the search path, by whoever comes first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pool_core::{
    Budget, Changes, Decide, FleetName, LEASE_PROTOCOL, LeaseError, LeaseStore, Ledger, MemberId,
    MemberRow, ServerTime, Sessions, Settlement, Share, SharedError,
};

use crate::connection::PostgresConnection;
use crate::driver::PostgresDriver;
use crate::error::PostgresError;

const ARE_THERE: &str = "\
    SELECT pg_catalog.to_regclass('pool_fleet') IS NOT NULL \
        AND pg_catalog.to_regclass('pool_fleet_member') IS NOT NULL";

/// Of both, the whole is one transaction.
const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS pool_fleet (\
        fleet pg_catalog.text PRIMARY KEY, protocol pg_catalog.int4 NOT NULL, \
        serial pg_catalog.int8 NOT NULL, total pg_catalog.int8, reserve pg_catalog.int8); \
    CREATE TABLE IF NOT EXISTS pool_fleet_member (\
        fleet pg_catalog.text NOT NULL, member pg_catalog.text NOT NULL, \
        joined pg_catalog.int8 NOT NULL, renewed_at pg_catalog.timestamptz NOT NULL, \
        lease_ms pg_catalog.int8 NOT NULL, granted pg_catalog.int8 NOT NULL, \
        held pg_catalog.int8 NOT NULL, demand pg_catalog.int8 NOT NULL, \
        least pg_catalog.int8 NOT NULL, most pg_catalog.int8 NOT NULL, \
        draining pg_catalog.bool NOT NULL, PRIMARY KEY (fleet, member))";

/// A member that stops in the middle is disconnected, which ends its transaction and its lock: others
/// would stand still with it.
const PATIENCE: &str = "1s";

/// The server does not notice that somebody who waits for a lock has given up.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '2s'";

/// `insufficient_privilege`, `invalid_schema_name`: of the search path there is no schema that the account
/// may use.
const NO_RIGHT: [&str; 2] = ["42501", "3F000"];
/// `read_only_sql_transaction`.
const READ_ONLY: &str = "25006";
/// What two who create the same table at once may be told: `duplicate_table`, `duplicate_object`,
/// `unique_violation`.
const CREATED_MEANWHILE: [&str; 3] = ["42P07", "42710", "23505"];

impl PostgresDriver {
    /// Whose sessions the server shows. Behind a pooler they bear the names of whoever used them last, so
    /// none are shown then: the server sees another port than this connection has.
    fn shown(fleet: &FleetName, rows: &[Vec<Option<String>>], is_direct: bool) -> Sessions {
        if !is_direct {
            return Sessions::Hidden;
        }
        let of = |row: &Vec<Option<String>>| {
            let member = fleet.member_of(row.first()?.as_deref()?)?;
            Some((member, row.get(1)?.as_deref()?.parse().ok()?))
        };
        Sessions::Shown(rows.iter().filter_map(of).collect())
    }
}

/// The sessions of a fleet's members by their tags, and the session that answers. Each database has
/// fleets of its own. A parallel query's workers have the tag of the session they work for; of other
/// users' sessions the server does not say what they are.
fn sessions_of(fleet: &FleetName) -> String {
    format!(
        "SELECT application_name, pg_catalog.count(*) FROM pg_catalog.pg_stat_activity \
         WHERE application_name LIKE '{fleet}.%' AND datname = pg_catalog.current_database() \
             AND backend_type IS DISTINCT FROM 'parallel worker' GROUP BY application_name; \
         SELECT pg_catalog.pg_backend_pid()"
    )
}

/// Whether the session that answers is the one that the connection was given. A pooler gives numbers of
/// its own.
fn is_direct(connection: &PostgresConnection, answers: &[Vec<Option<String>>]) -> bool {
    let session = answers.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
    session.is_some_and(|session: u32| session == connection.session().wire.backend())
}

#[async_trait]
impl LeaseStore<PostgresConnection> for PostgresDriver {
    async fn prepare(
        &self,
        connection: &mut PostgresConnection,
        fleet: &FleetName,
    ) -> Result<(), LeaseError> {
        let session = connection.session();
        if !session.ask_flag(ARE_THERE).await.map_err(trouble)? {
            match session.ask_all(&format!("{LOCK_WAIT}; {TABLES}")).await {
                Err(error) if !was_created_meanwhile(&error) => return Err(trouble(error)),
                _ => {}
            }
        }
        let protocol =
            format!("{LOCK_WAIT}; SELECT protocol FROM pool_fleet WHERE fleet = '{fleet}'");
        let found = session.ask_all(&protocol).await.map_err(trouble)?;
        match found.last().and_then(|rows| rows.first()) {
            Some(row) => LeaseError::check_protocol(number(row, 0)?),
            None => {
                let insert = format!(
                    "{LOCK_WAIT}; INSERT INTO pool_fleet (fleet, protocol, serial) \
                     VALUES ('{fleet}', {LEASE_PROTOCOL}, 0) ON CONFLICT DO NOTHING"
                );
                session.ask_all(&insert).await.map(drop).map_err(trouble)
            }
        }
    }

    async fn settle(
        &self,
        connection: &mut PostgresConnection,
        fleet: &FleetName,
        member: MemberId,
        decide: &mut Decide<'_>,
    ) -> Result<(), LeaseError> {
        let read = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; {LOCK_WAIT}; \
             SET LOCAL idle_in_transaction_session_timeout = '{PATIENCE}'; \
             SELECT protocol, serial, total, reserve FROM pool_fleet \
                 WHERE fleet = '{fleet}' FOR UPDATE; \
             SELECT {NOW}; \
             SELECT member, joined, {RENEWED}, lease_ms, granted, held, demand, least, most, draining \
                 FROM pool_fleet_member WHERE fleet = '{fleet}'; \
             {sessions}",
            NOW = micros("pg_catalog.clock_timestamp()"),
            RENEWED = micros("renewed_at"),
            sessions = sessions_of(fleet),
        );
        let read = connection.session().ask_all(&read).await.map_err(trouble)?;
        let [_, _, _, fleets, now, rows, sessions, session] = &read[..] else {
            return Err(trouble(PostgresError::Unexpected("a ledger")));
        };
        let row = fleets.first().ok_or_else(|| trouble(PostgresError::Unexpected("a fleet")))?;
        LeaseError::check_protocol(number(row, 0)?)?;
        let budget = match (number(row, 2), number(row, 3)) {
            (Ok(total), Ok(reserve)) => Some(Budget { total, reserve }),
            _ => None,
        };
        let now = now.first().ok_or_else(|| trouble(PostgresError::Unexpected("a time")))?;
        let ledger = Ledger {
            serial: number(row, 1)?,
            now: ServerTime::from_unix_micros(number(now, 0)?),
            budget,
            rows: rows.iter().map(|row| member_row(row)).collect::<Result<_, _>>()?,
            sessions: Self::shown(fleet, sessions, is_direct(connection, session)),
        };
        let write = written(fleet, member, &ledger, decide(&ledger));
        let write = connection.session().ask_all(&write).await;
        write.map(drop).map_err(|error| {
            let is_refused = error.code().is_some_and(|code| is_refusal(code.code()));
            if is_refused { trouble(error) } else { LeaseError::OutcomeUnknown(Arc::new(error)) }
        })
    }

    async fn sessions(
        &self,
        connection: &mut PostgresConnection,
        fleet: &FleetName,
    ) -> Result<Sessions, LeaseError> {
        let read = connection.session().ask_all(&sessions_of(fleet)).await.map_err(trouble)?;
        let [sessions, session] = &read[..] else {
            return Err(trouble(PostgresError::Unexpected("sessions")));
        };
        Ok(Self::shown(fleet, sessions, is_direct(connection, session)))
    }
}

/// What a settlement writes, up to its commit.
fn written(fleet: &FleetName, own: MemberId, ledger: &Ledger, settlement: Settlement) -> String {
    let Changes { share, budget, gone } = ledger.changes(own, settlement);
    let mut statements = Vec::new();
    if let Some(share) = share {
        statements.push(upsert(fleet, own, ledger.serial + 1, &share));
    }
    if !gone.is_empty() {
        let members: Vec<_> = gone.iter().map(|member| format!("'{member}'")).collect();
        let members = members.join(", ");
        statements.push(format!(
            "DELETE FROM pool_fleet_member WHERE fleet = '{fleet}' AND member IN ({members})"
        ));
    }
    let budget = budget.map_or_else(String::new, |Budget { total, reserve }| {
        format!(", total = {total}, reserve = {reserve}")
    });
    statements
        .push(format!("UPDATE pool_fleet SET serial = serial + 1{budget} WHERE fleet = '{fleet}'"));
    statements.push("COMMIT".to_owned());
    statements.join("; ")
}

fn upsert(fleet: &FleetName, own: MemberId, serial: u64, share: &Share) -> String {
    let Share { granted, held, demand, floor, most, draining, lease } = *share;
    let lease_ms = lease.as_millis();
    format!(
        "INSERT INTO pool_fleet_member (fleet, member, joined, renewed_at, lease_ms, granted, held, \
             demand, least, most, draining) \
         VALUES ('{fleet}', '{own}', {serial}, pg_catalog.clock_timestamp(), {lease_ms}, {granted}, \
             {held}, {demand}, {floor}, {most}, {draining}) \
         ON CONFLICT (fleet, member) DO UPDATE SET renewed_at = EXCLUDED.renewed_at, \
             lease_ms = EXCLUDED.lease_ms, granted = EXCLUDED.granted, held = EXCLUDED.held, \
             demand = EXCLUDED.demand, least = EXCLUDED.least, most = EXCLUDED.most, \
             draining = EXCLUDED.draining"
    )
}

/// A time as whole microseconds since 1970.
fn micros(time: &str) -> String {
    format!("(extract(epoch FROM {time}) * 1000000)::pg_catalog.int8")
}

fn member_row(row: &[Option<String>]) -> Result<MemberRow, LeaseError> {
    let unexpected = || trouble(PostgresError::Unexpected("a member"));
    let text = |column: usize| row.get(column).and_then(Option::as_deref).ok_or_else(unexpected);
    let member = u64::from_str_radix(text(0)?, 16).map_err(|_| unexpected())?;
    Ok(MemberRow {
        member: MemberId::new(member),
        joined: number(row, 1)?,
        renewed_at: ServerTime::from_unix_micros(number(row, 2)?),
        share: Share {
            lease: Duration::from_millis(number(row, 3)?),
            granted: number(row, 4)?,
            held: number(row, 5)?,
            demand: number(row, 6)?,
            floor: number(row, 7)?,
            most: number(row, 8)?,
            draining: text(9)? == "t",
        },
    })
}

fn number<T: std::str::FromStr>(row: &[Option<String>], column: usize) -> Result<T, LeaseError> {
    crate::questions::number(row, column).map_err(trouble)
}

/// Whether that is said of a statement, not of the commit: data, integrity, state of the transaction,
/// conflict, right.
fn is_refusal(code: &str) -> bool {
    ["22", "23", "25", "40", "42"].iter().any(|class| code.starts_with(class))
}

fn was_created_meanwhile(error: &PostgresError) -> bool {
    error.code().is_some_and(|code| CREATED_MEANWHILE.contains(&code.code()))
}

fn trouble(error: PostgresError) -> LeaseError {
    let code = error.code().map(|code| code.code().to_owned());
    let source: SharedError = Arc::new(error);
    match code.as_deref() {
        Some(code) if NO_RIGHT.contains(&code) => LeaseError::NoRight(source),
        Some(READ_ONLY) => LeaseError::ReadOnly(source),
        _ => LeaseError::Other(source),
    }
}
