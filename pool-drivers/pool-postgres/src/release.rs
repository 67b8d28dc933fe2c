//! Between two users: in what state a session was left, and how it is made clean.
//!
//! The server's word decides. Where it is known that every request was answered and no transaction
//! is open, nothing need be done. Where a transaction is open, its rollback is sent ahead of whatever
//! comes next. Where something may be under way, the pool's worker finds out, stops it and rolls
//! back.

use std::pin::pin;
use std::task::Poll;

use futures_util::future::{join, ready};
use pool_core::Released;
use tokio_postgres::error::SqlState;

use crate::error::PostgresError;
use crate::options::Hygiene;
use crate::session::{Reply, Session, poll_now};
use crate::wire::Status;

/// Rolls back, whether or not a transaction is open, without the warning that the server would log
/// for a rollback alone.
const ROLLBACK_IF_OPEN: &str = "BEGIN; ROLLBACK";

/// What `DISCARD ALL` does (PostgreSQL's documentation of `DISCARD`), without `DEALLOCATE ALL` and
/// `DISCARD PLANS`.
const CLEAN: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
                     SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

/// Must be sent alone: it refuses to run together with other statements.
const DISCARD_ALL: &str = "DISCARD ALL";

impl Session {
    /// In what state a user left the session; sends its reset, if that can be sent ahead. Does not
    /// wait.
    pub(crate) fn release(&mut self) -> Released {
        let hygiene = self.hygiene;
        if *self.broken.get_mut() || self.client.is_closed() || self.wire.is_lost() {
            return Released::Discard;
        }
        self.inbox.clear();
        if hygiene == Hygiene::Trust {
            return Released::Clean;
        }
        if hygiene == Hygiene::DiscardAll && self.knows_types() {
            return Released::Discard;
        }
        if *self.cut_short.get_mut() {
            return Released::Dirty;
        }
        let lent = *self.lent.get_mut();
        if let Some(queued) = self.queued.get_mut() {
            match poll_now(&mut queued.reply) {
                Poll::Ready(Ok(())) => *self.queued.get_mut() = None,
                Poll::Ready(Err(_)) => return Released::Discard,
                Poll::Pending if lent => return Released::Dirty,
                // Nobody has made a call since it was sent.
                Poll::Pending if queued.is_reset => return Released::ResetQueued,
                // The end of a transaction that was dropped.
                Poll::Pending => return self.send_reset(None, hygiene),
            }
        }
        let Some(status) = self.wire.settled() else { return Released::Dirty };
        *self.lent.get_mut() = false;
        let rollback = match (status, lent) {
            (Status::Idle, false) => None,
            // What was sent last by the client may not be on the wire yet.
            (Status::Idle, true) => Some(ROLLBACK_IF_OPEN),
            (Status::InTransaction | Status::Failed, _) => Some("ROLLBACK"),
        };
        if hygiene == Hygiene::Rollback && rollback.is_none() {
            return Released::Clean;
        }
        self.send_reset(rollback, hygiene)
    }

    /// Sends what is to be undone ahead of whatever comes next.
    fn send_reset(&mut self, rollback: Option<&'static str>, hygiene: Hygiene) -> Released {
        rollback.into_iter().chain(cleaning(hygiene)).for_each(|sql| self.queue(sql));
        self.forget_statements(hygiene);
        if let Some(queued) = self.queued.get_mut() {
            queued.is_reset = true;
        }
        if *self.broken.get_mut() { Released::Discard } else { Released::ResetQueued }
    }

    /// Finds out what is under way, stops it, and makes the session clean. Where everything is trusted,
    /// that is after a panic, which nobody asked to trust: the transaction is rolled back.
    pub(crate) async fn clean(&mut self) -> Result<(), PostgresError> {
        let hygiene = self.hygiene;
        self.settle().await?;
        if self.wire.is_lost() {
            return Err(PostgresError::Unclean);
        }
        if self.wire.is_in_transaction() {
            self.client.batch_execute("ROLLBACK").await?;
        }
        if hygiene == Hygiene::DiscardAll && self.knows_types() {
            return Err(PostgresError::Unclean);
        }
        if let Some(sql) = cleaning(hygiene) {
            self.client.batch_execute(sql).await?;
            self.forget_statements(hygiene);
        }
        self.expect_idle()?;
        *self.cut_short.get_mut() = false;
        *self.lent.get_mut() = false;
        Ok(())
    }

    /// Waits until every request is answered, stopping what runs.
    async fn settle(&mut self) -> Result<(), PostgresError> {
        let is_busy = *self.cut_short.get_mut() || self.wire.settled().is_none();
        let queued = self.queued.get_mut().take();
        let queued = queued.map_or_else(|| Box::pin(ready(Ok(()))) as Reply, |queued| queued.reply);
        // An empty query, answered once everything before it is.
        let empty = self.client.batch_execute("");
        let answered = pin!(async { join(queued, empty).await });
        if !is_busy {
            return both(answered.await);
        }
        let canceller = self.canceller.clone();
        let ((queued, empty), asked) = canceller.stop_until(answered).await?;
        not_cancelled(queued)?;
        not_cancelled(empty)?;
        // A cancel that found nothing to stop hits this.
        if asked { not_cancelled(self.client.batch_execute("").await) } else { Ok(()) }
    }

    /// Whether the server answers and, unless everything is trusted, has no transaction open.
    pub(crate) async fn check(&self) -> Result<(), PostgresError> {
        self.call(pin!(async { Ok(self.client.batch_execute("").await?) })).await?;
        if self.hygiene == Hygiene::Trust { Ok(()) } else { self.expect_idle() }
    }

    fn expect_idle(&self) -> Result<(), PostgresError> {
        match self.wire.settled() {
            Some(Status::Idle) => Ok(()),
            _ => Err(PostgresError::Unclean),
        }
    }

    fn forget_statements(&mut self, hygiene: Hygiene) {
        if hygiene == Hygiene::DiscardAll {
            self.cache.get_mut().clear();
        }
    }
}

/// What a policy runs beyond a rollback.
fn cleaning(hygiene: Hygiene) -> Option<&'static str> {
    match hygiene {
        Hygiene::Rollback | Hygiene::Trust => None,
        Hygiene::Clean => Some(CLEAN),
        Hygiene::DiscardAll => Some(DISCARD_ALL),
    }
}

type Answer = Result<(), tokio_postgres::Error>;

fn both((queued, empty): (Answer, Answer)) -> Result<(), PostgresError> {
    queued.map_err(PostgresError::Reset)?;
    Ok(empty?)
}

/// A cancel may hit what was sent behind the statement that it was meant for.
fn not_cancelled(answer: Answer) -> Result<(), PostgresError> {
    match answer {
        Err(error) if error.code() != Some(&SqlState::QUERY_CANCELED) => Err(error.into()),
        _ => Ok(()),
    }
}
