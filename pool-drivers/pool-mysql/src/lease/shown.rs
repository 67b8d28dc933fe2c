//! Which members of a fleet have sessions, as far as the server shows it.
//!
//! A tag is a session's attribute `program_name`. The one table that shows it of everybody's sessions is
//! `performance_schema.session_connect_attrs`, for which an account needs the right to `SELECT`; its
//! sister for all accounts (`session_account_connect_attrs`) leaves out sessions from other machines, and
//! a live member that is left out looks dead. A server may also keep no attributes, as MariaDB by
//! default. So the table is believed only where this very session is in it, as one of the fleet's.
//!
//! Else the members' control sessions are looked for, by what each has written of its own into its row.
//! `PROCESSLIST` shows an account all of its own sessions, wherever they come from. One is told by its
//! number, its user, its host and port: numbers begin anew with each start of a server. A member whose
//! control session would not be shown, as that of another user, is judged by its lease alone.
//!
//! Behind a proxy that shares its sessions among clients none of this says anything: there the session's
//! number is not the one that the connection was told when it was opened, and all is hidden.
//!
//! Sessions of other servers are never seen: members that use several nodes of one cluster (Galera, say)
//! are a fleet for each node.

use std::iter;

use mysql_async::Row;
use pool_core::{FleetName, MemberId, MemberRow, Sessions};

use super::column;
use crate::connection::MysqlConnection;
use crate::error::MysqlError;

/// The fleet's tags, how many sessions have each, and whether this one is among them. Of the letters of
/// a name, `_` stands for any: the rest is sorted out later.
pub(super) fn by_tag(fleet: &FleetName) -> String {
    format!(
        "SELECT ATTR_VALUE, COUNT(*), MAX(PROCESSLIST_ID = CONNECTION_ID()) \
         FROM performance_schema.session_connect_attrs \
         WHERE ATTR_NAME = 'program_name' AND ATTR_VALUE LIKE '{fleet}.%' GROUP BY ATTR_VALUE"
    )
}

/// This session, and all that a row names and the server shows.
pub(super) fn controls(fleet: &FleetName) -> String {
    format!(
        "SELECT ID, USER, HOST FROM information_schema.PROCESSLIST \
         WHERE ID = CONNECTION_ID() \
             OR ID IN (SELECT control_id FROM pool_fleet_member WHERE fleet = '{fleet}')"
    )
}

/// How many sessions have each member's tag, by the last of several answers. Nothing if this session is
/// not shown as a member's, or if the server refuses it all, for want of a right or of the table.
pub(super) fn tagged(
    fleet: &FleetName,
    answers: &[Vec<Row>],
    asked: Result<(), MysqlError>,
) -> Result<Option<Vec<(MemberId, usize)>>, MysqlError> {
    match asked {
        Err(error) if error.code().is_none() => return Err(error),
        Err(_) => return Ok(None),
        Ok(()) => {}
    }
    let (mut shown, mut is_own_shown) = (Vec::new(), false);
    for row in answers.last().into_iter().flatten() {
        // Others may call themselves whatever they like.
        let tag = column::<String>(row, 0).ok();
        if let Some(member) = tag.and_then(|tag| fleet.member_of(&tag)) {
            shown.push((member, column(row, 1)?));
            is_own_shown |= column::<bool>(row, 2)?;
        }
    }
    Ok(is_own_shown.then_some(shown))
}

/// The session of a member's control connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) id: u64,
    pub(super) user: String,
    /// With the port.
    pub(super) host: String,
}

impl Control {
    /// From three columns, of which the first is this; nothing if one of them is missing.
    pub(super) fn read(row: &Row, at: usize) -> Result<Option<Self>, MysqlError> {
        let (user, host) = (column::<Option<String>>(row, at + 1)?, column(row, at + 2)?);
        let told = column::<Option<u64>>(row, at)?.zip(user.zip(host));
        Ok(told.map(|(id, (user, host))| Self { id, user, host }))
    }
}

/// What a connection is shown.
pub(super) struct Seen {
    own: Option<Control>,
    is_direct: bool,
    controls: Vec<Control>,
}

impl Seen {
    /// `id` is the number of the session that answered, and `rows` are the control sessions there are.
    pub(super) fn read(
        connection: &MysqlConnection,
        id: u64,
        rows: &[Row],
    ) -> Result<Self, MysqlError> {
        let read = rows.iter().filter_map(|row| Control::read(row, 0).transpose());
        let controls = read.collect::<Result<Vec<_>, _>>()?;
        let is_direct = is_direct(connection, id);
        let own = controls.iter().find(|control| is_direct && control.id == id).cloned();
        Ok(Self { own, is_direct, controls })
    }

    /// By which others recognise this session.
    pub(super) fn into_own(self) -> Option<Control> {
        self.own
    }

    /// By tags if they can be seen, else by control sessions.
    pub(super) fn sessions(
        &self,
        own: MemberId,
        tagged: Option<Vec<(MemberId, usize)>>,
        rows: &[(MemberRow, Option<Control>)],
    ) -> Sessions {
        let shown = tagged.filter(|_| self.is_direct).or_else(|| self.controlled(own, rows));
        shown.map_or(Sessions::Hidden, Sessions::Shown)
    }

    /// The members whose control session is there; nothing if not even this one's can be told.
    fn controlled(
        &self,
        own: MemberId,
        rows: &[(MemberRow, Option<Control>)],
    ) -> Option<Vec<(MemberId, usize)>> {
        let is_there = |(row, control): &&(MemberRow, Option<Control>)| {
            let is_seen = control.as_ref().is_some_and(|control| self.controls.contains(control));
            is_seen && row.member != own
        };
        let others = rows.iter().filter(is_there).map(|(row, _)| row.member);
        self.own
            .is_some()
            .then(|| iter::once(own).chain(others).map(|member| (member, 1)).collect())
    }
}

/// What is shown to those who have no ledger.
pub(super) async fn without_ledger(
    connection: &mut MysqlConnection,
    fleet: &FleetName,
) -> Result<Sessions, MysqlError> {
    let ask = ["SELECT CONNECTION_ID()".to_owned(), by_tag(fleet)];
    let (answers, asked) = connection.ask_each(&ask).await;
    let tagged = tagged(fleet, &answers, asked)?;
    let id = answers.first().and_then(|rows| rows.first()).map(|row| column(row, 0)).transpose()?;
    let is_direct = id.is_some_and(|id| is_direct(connection, id));
    let shown = tagged.filter(|_| is_direct);
    Ok(shown.map_or(Sessions::Hidden, Sessions::Shown))
}

/// Whether the session that answered is the one that the connection opened. What a client is told of its
/// number has four bytes.
fn is_direct(connection: &MysqlConnection, id: u64) -> bool {
    id & u64::from(u32::MAX) == u64::from(connection.server_id())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pool_core::{ServerTime, Share};

    use super::*;

    fn control(id: u64, user: &str, host: &str) -> Control {
        Control { id, user: user.to_owned(), host: host.to_owned() }
    }

    fn row(number: u64, control: Option<Control>) -> (MemberRow, Option<Control>) {
        let lease = Duration::ZERO;
        let (granted, held, demand, floor, most, draining) = (1, 1, 1, 1, 1, false);
        let share = Share { granted, held, demand, floor, most, draining, lease };
        let (member, renewed_at) = (MemberId::new(number), ServerTime::from_unix_micros(0));
        (MemberRow { member, joined: 1, renewed_at, share }, control)
    }

    /// What member 1, as whom session 10 asks, is shown of another.
    fn shown_beside(
        is_direct: bool,
        seen: Option<&Control>,
        other: Option<Control>,
    ) -> Option<Vec<(u64, usize)>> {
        let own = control(10, "app", "web:1000");
        let controls = seen.into_iter().chain([&own]).cloned().collect();
        let seen = Seen { own: is_direct.then_some(own), is_direct, controls };
        numbers(seen.sessions(MemberId::new(1), None, &[row(1, None), row(2, other)]))
    }

    fn numbers(sessions: Sessions) -> Option<Vec<(u64, usize)>> {
        let Sessions::Shown(shown) = sessions else { return None };
        Some(shown.iter().map(|(member, count)| (member.number(), *count)).collect())
    }

    #[test]
    fn a_control_session_is_told_by_all_that_is_known_of_it() {
        let other = control(7, "app", "till:2000");
        let alive = Some(vec![(1, 1), (2, 1)]);
        assert_eq!(shown_beside(true, Some(&other), Some(other.clone())), alive);
        // A server that was started anew has given its number to another.
        for seen in [control(7, "app", "till:2001"), control(7, "web", "till:2000")] {
            assert_eq!(shown_beside(true, Some(&seen), Some(other.clone())), Some(vec![(1, 1)]));
        }
    }

    #[test]
    fn who_might_not_be_shown_keeps_nobody_else_from_being_seen() {
        let [alive, hidden] = [control(7, "app", "till:2000"), control(8, "other", "till:3000")];
        let rows = [row(1, None), row(2, Some(alive.clone())), row(3, Some(hidden)), row(4, None)];
        let own = control(10, "app", "web:1000");
        let controls = vec![own.clone(), alive];
        let seen = Seen { own: Some(own), is_direct: true, controls };
        let sessions = seen.sessions(MemberId::new(1), None, &rows);
        assert_eq!(numbers(sessions), Some(vec![(1, 1), (2, 1)]));
    }

    #[test]
    fn a_member_of_another_user_is_seen_by_those_who_may() {
        let other = control(7, "other", "till:2000");
        let alive = Some(vec![(1, 1), (2, 1)]);
        assert_eq!(shown_beside(true, Some(&other), Some(other.clone())), alive);
    }

    #[test]
    fn behind_a_proxy_all_is_hidden() {
        let other = control(7, "app", "till:2000");
        assert_eq!(shown_beside(false, Some(&other), Some(other.clone())), None);
        let tagged = vec![(MemberId::new(1), 4), (MemberId::new(2), 3)];
        for (is_direct, shown) in [(true, Some(vec![(1, 4), (2, 3)])), (false, None)] {
            let seen = Seen { own: None, is_direct, controls: Vec::new() };
            let sessions = seen.sessions(MemberId::new(1), Some(tagged.clone()), &[row(2, None)]);
            assert_eq!(numbers(sessions), shown);
        }
    }
}
