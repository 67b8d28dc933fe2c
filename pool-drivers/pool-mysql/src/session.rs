//! What is known of a session, and what it takes to make it clean.

use mysql_async::prelude::Queryable as _;
use pool_core::{ErrorClass, Released};

use crate::error::MysqlError;
use crate::options::{Hygiene, MysqlOptions};
use crate::wire::{Status, Wire};

/// What is known of a session beyond what the server said last.
#[derive(Debug)]
pub(crate) struct Session {
    /// What it keeps of its last user. Its own: the driver may have taken over another meanwhile.
    hygiene: Hygiene,
    /// Whether it committed by itself at first.
    autocommit: bool,
    /// The database that was current at first.
    database: Option<Box<str>>,
    /// What a reset by the server does to the character set; known after the first.
    text: Option<Text>,
    /// What was done since it was clean.
    used: Use,
    pub(crate) guard: Guard,
}

/// What a reset by the server does to the character set that was agreed upon when the connection was
/// opened. MariaDB keeps it; MySQL takes the server's own, which need not be the one that the client
/// goes on writing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Kept,
    Lost,
}

/// What the client library agrees upon with every server.
const COLLATION: &str = "utf8mb4_general_ci";

/// What was done with a session, the worst of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Nothing,
    /// Statements that leave the current database as it is.
    Staying,
    /// Statements that may have changed the current database.
    Moving,
    /// Somebody had the library's connection. Its preparations of statements leave a last answer
    /// that looks like one about the session, and is none.
    Unseen,
    /// A statement that failed because the server is not what it was: it only reads. Nothing makes
    /// that clean but another connection, which may lead to another server.
    Outdated,
}

/// What became of the last [`Transaction`](crate::Transaction).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Ended, or there was none.
    Ended,
    /// Alive.
    Alive,
    /// Dropped, and still to be rolled back.
    Dropped,
}

impl Session {
    /// Of a connection just opened.
    pub(crate) fn new(wire: &Wire, options: &MysqlOptions) -> Self {
        Self {
            autocommit: wire.status().is_none_or(|status| status.autocommit),
            hygiene: options.hygiene,
            database: options.database.as_deref().map(Box::from),
            text: None,
            used: Use::Nothing,
            guard: Guard::Ended,
        }
    }

    /// Notes a statement before it is sent.
    pub(crate) fn note(&mut self, sql: &str) {
        if self.used < Use::Moving {
            self.used = if may_move(sql) { Use::Moving } else { Use::Staying };
        }
    }

    /// Notes what is done without its seeing.
    pub(crate) fn note_unseen(&mut self) {
        self.used = self.used.max(Use::Unseen);
    }

    /// Notes what kind of error a statement failed with.
    pub(crate) fn note_failure(&mut self, class: ErrorClass) {
        if class == ErrorClass::RoleChanged {
            self.used = Use::Outdated;
        }
    }

    /// In what state a user left it.
    pub(crate) fn released(&self, wire: &mut Wire) -> Released {
        if self.used == Use::Outdated || !wire.is_in_step() {
            return Released::Discard;
        }
        let clean = self.guard == Guard::Ended
            && match self.hygiene {
                Hygiene::Trust => true,
                Hygiene::Rollback => self.used < Use::Unseen && self.is_at_rest(wire),
                Hygiene::Clean | Hygiene::DiscardAll => self.used == Use::Nothing,
            };
        if clean { Released::Clean } else { Released::Dirty }
    }

    /// Makes it clean for the next user.
    pub(crate) async fn reset(&mut self, wire: &mut Wire) -> Result<(), MysqlError> {
        match self.hygiene {
            Hygiene::Clean | Hygiene::DiscardAll => self.renew(wire).await?,
            Hygiene::Rollback | Hygiene::Trust => self.roll_back(wire).await?,
        }
        if !wire.is_in_step() || !self.is_at_rest(wire) {
            return Err(MysqlError::Unclean);
        }
        self.used = Use::Nothing;
        Ok(())
    }

    /// Whether the server's last answer says that no transaction is open and that the session
    /// commits as it did at first.
    fn is_at_rest(&self, wire: &Wire) -> bool {
        wire.status() == Some(Status { in_transaction: false, autocommit: self.autocommit })
    }

    pub(crate) async fn roll_back(&mut self, wire: &mut Wire) -> Result<(), MysqlError> {
        wire.query_drop("ROLLBACK").await?;
        self.guard = Guard::Ended;
        if wire.status().is_some_and(|status| status.autocommit != self.autocommit) {
            let sql = if self.autocommit { "SET autocommit = 1" } else { "SET autocommit = 0" };
            wire.query_drop(sql).await?;
        }
        Ok(())
    }

    /// Whether the session has a database and had none at first: no statement undoes that.
    async fn has_strayed(&self, wire: &mut Wire) -> Result<bool, MysqlError> {
        if self.database.is_some() || self.used < Use::Moving {
            return Ok(false);
        }
        let current: Option<Option<String>> = wire.query_first("SELECT DATABASE()").await?;
        Ok(current.flatten().is_some())
    }

    /// `COM_RESET_CONNECTION`, and what it leaves out.
    async fn renew(&mut self, wire: &mut Wire) -> Result<(), MysqlError> {
        // None before MySQL 5.7.3 and MariaDB 10.2.4.
        let is_reset = wire.reset().await?;
        let text = if !is_reset || self.has_strayed(wire).await? {
            log_in_anew(wire).await?;
            Text::Kept
        } else {
            match self.text {
                Some(text) => text,
                None => *self.text.insert(text_after_reset(wire).await?),
            }
        };
        self.guard = Guard::Ended;
        let mut left_out = Vec::new();
        if text == Text::Lost {
            left_out.push(format!("SET NAMES utf8mb4 COLLATE {COLLATION}"));
        }
        if let Some(database) = self.database.as_deref().filter(|_| self.used >= Use::Moving) {
            left_out.push(format!("USE `{}`", database.replace('`', "``")));
        }
        if !left_out.is_empty() {
            wire.query_drop(left_out.join("; ")).await?;
        }
        Ok(())
    }
}

/// Takes the session back to where it began. Each server then has the character set that the client
/// names, and the database that was current at first, or none.
async fn log_in_anew(wire: &mut Wire) -> Result<(), MysqlError> {
    Ok(wire.change_user(mysql_async::ChangeUserOpts::default()).await?)
}

async fn text_after_reset(wire: &mut Wire) -> Result<Text, MysqlError> {
    let sql = "SELECT @@collation_connection, @@character_set_client, @@character_set_results";
    let now: Option<[Option<String>; 3]> = wire
        .query_first::<(Option<String>, Option<String>, Option<String>), _>(sql)
        .await?
        .map(Into::into);
    let agreed = [COLLATION, "utf8mb4", "utf8mb4"].map(|name| Some(name.to_owned()));
    Ok(if now == Some(agreed) { Text::Kept } else { Text::Lost })
}

/// Whether a statement may change which database is current. One that only looks like it costs a
/// round trip at the reset; a stored routine cannot do it.
fn may_move(sql: &str) -> bool {
    let sql = sql.as_bytes();
    // One pass: statements may be long.
    sql.iter().enumerate().any(|(at, letter)| {
        // `USE` itself, the end of the current database, and text that is run as a statement.
        let word: &[u8] = match letter.to_ascii_lowercase() {
            b'u' => b"use",
            b'd' => b"drop",
            b'e' => b"execute",
            _ => return false,
        };
        sql[at..].get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::may_move;

    #[test]
    fn statements_that_may_change_the_database_are_seen() {
        for sql in ["USE x", "select 1;\nuse`x`", "EXECUTE IMMEDIATE @a", "drop database x"] {
            assert!(may_move(sql), "{sql}");
        }
        for sql in ["", "SELECT 1", "INSERT INTO notes VALUES ('x')", "UPDATE t SET a = 1"] {
            assert!(!may_move(sql), "{sql}");
        }
    }
}
