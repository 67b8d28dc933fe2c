//! What a settlement reads and writes, as statements and as rows.

use std::fmt::Write as _;
use std::time::Duration;

use mysql_async::Row;
use pool_core::{
    Budget, Changes, FleetName, LeaseError, Ledger, MemberId, MemberRow, ServerTime, Settlement,
    Share,
};

use super::shown::{self, Control, Seen};
use super::{PATIENCE, as_before, column, limits, only, trouble};
use crate::connection::MysqlConnection;
use crate::error::MysqlError;

/// Up to where it is decided. What a session that does not commit by itself may have open is ended; last
/// is what may fail for want of a right.
pub(super) fn reading(fleet: &FleetName) -> Vec<String> {
    let transaction = [
        "ROLLBACK".to_owned(),
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        "START TRANSACTION".to_owned(),
        format!(
            "SELECT protocol, serial, total, reserve FROM pool_fleet WHERE fleet = '{fleet}' \
             FOR UPDATE"
        ),
        format!("SELECT CONNECTION_ID(), {}", micros("UTC_TIMESTAMP(6)")),
        format!(
            "SELECT member, joined, {}, lease_ms, granted, held, demand, least, most, draining, \
                 control_id, control_user, control_host \
             FROM pool_fleet_member WHERE fleet = '{fleet}'",
            micros("renewed_at")
        ),
        shown::controls(fleet),
        format!("SET SESSION wait_timeout = {PATIENCE}"),
        shown::by_tag(fleet),
    ];
    limits().into_iter().chain(transaction).collect()
}

/// What is known when it is decided.
pub(super) struct Read {
    pub(super) ledger: Ledger,
    /// This session, for others to recognise it.
    pub(super) control: Option<Control>,
    /// A statement that has the session's limits be as before.
    pub(super) before: String,
}

pub(super) fn read(
    connection: &MysqlConnection,
    fleet: &FleetName,
    member: MemberId,
    answers: &[Vec<Row>],
    asked: Result<(), MysqlError>,
) -> Result<Read, LeaseError> {
    let [_, _, _, _, _, fleets, now, rows, controls, _, tags @ ..] = answers else {
        return Err(trouble(asked.err().unwrap_or(MysqlError::Unexpected("a ledger"))));
    };
    let tagged = shown::tagged(fleet, tags, asked).map_err(trouble)?;
    let row = only(fleets, "a fleet").map_err(trouble)?;
    LeaseError::check_protocol(column(row, 0).map_err(trouble)?)?;
    let ledger = || {
        let rows = rows.iter().map(|row| Ok((member_row(row)?, Control::read(row, 10)?)));
        let rows = rows.collect::<Result<Vec<_>, MysqlError>>()?;
        let now = only(now, "a time")?;
        let seen = Seen::read(connection, column(now, 0)?, controls)?;
        let budget = column::<Option<usize>>(row, 2)?.zip(column(row, 3)?);
        let ledger = Ledger {
            serial: column(row, 1)?,
            now: ServerTime::from_unix_micros(column(now, 1)?),
            budget: budget.map(|(total, reserve)| Budget { total, reserve }),
            sessions: seen.sessions(member, tagged, &rows),
            rows: rows.into_iter().map(|(row, _)| row).collect(),
        };
        Ok(Read { ledger, control: seen.into_own(), before: as_before(answers)? })
    };
    ledger().map_err(trouble)
}

/// What a settlement writes, but for its commit.
pub(super) fn written(
    fleet: &FleetName,
    own: MemberId,
    ledger: &Ledger,
    control: Option<&Control>,
    settlement: Settlement,
) -> Vec<String> {
    let Changes { share, budget, gone } = ledger.changes(own, settlement);
    let mut statements = Vec::new();
    if let Some(share) = share {
        statements.push(upsert(fleet, own, ledger.serial + 1, &share, control));
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
    statements
}

fn upsert(
    fleet: &FleetName,
    own: MemberId,
    serial: u64,
    share: &Share,
    control: Option<&Control>,
) -> String {
    let Share { granted, held, demand, floor, most, draining, lease } = *share;
    let lease_ms = lease.as_millis();
    let [id, user, host] = control.map_or_else(
        || [(); 3].map(|()| "NULL".to_owned()),
        |control| [control.id.to_string(), quoted(&control.user), quoted(&control.host)],
    );
    let values = format!(
        "renewed_at = UTC_TIMESTAMP(6), lease_ms = {lease_ms}, granted = {granted}, held = {held}, \
         demand = {demand}, least = {floor}, most = {most}, draining = {draining}, \
         control_id = {id}, control_user = {user}, control_host = {host}"
    );
    format!(
        "INSERT INTO pool_fleet_member SET fleet = '{fleet}', member = '{own}', joined = {serial}, \
             {values} \
         ON DUPLICATE KEY UPDATE {values}"
    )
}

/// A text in digits: what a backslash means in quotes is a setting.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("_utf8mb4 X'");
    for byte in text.bytes() {
        write!(quoted, "{byte:02X}").expect("bug: a string takes all");
    }
    quoted + "'"
}

/// A time in UTC as whole microseconds since 1970.
fn micros(time: &str) -> String {
    format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {time})")
}

fn member_row(row: &Row) -> Result<MemberRow, MysqlError> {
    let unexpected = |_| MysqlError::Unexpected("a member");
    let member = u64::from_str_radix(&column::<String>(row, 0)?, 16).map_err(unexpected)?;
    Ok(MemberRow {
        member: MemberId::new(member),
        joined: column(row, 1)?,
        renewed_at: ServerTime::from_unix_micros(column(row, 2)?),
        share: Share {
            lease: Duration::from_millis(column(row, 3)?),
            granted: column(row, 4)?,
            held: column(row, 5)?,
            demand: column(row, 6)?,
            floor: column(row, 7)?,
            most: column(row, 8)?,
            draining: column(row, 9)?,
        },
    })
}
