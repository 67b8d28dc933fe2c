//! One session with a server: how its calls are made, and what of it is known.
//!
//! What becomes of it between two users is in `release.rs`.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use futures_channel::oneshot;
use futures_util::future::{BoxFuture, join};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

use crate::cache::StatementCache;
use crate::cancel::Canceller;
use crate::error::PostgresError;
use crate::notifications::Inbox;
use crate::options::{Hygiene, PostgresOptions, TargetSession};
use crate::wire::Wire;

/// The reply to something that was sent ahead and is not read yet.
pub(crate) type Reply = BoxFuture<'static, Result<(), tokio_postgres::Error>>;

/// The rows of an answer, as text.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// What was sent ahead.
pub(crate) struct Queued {
    pub(crate) reply: Reply,
    /// Whether it is all that the policy asks for between two users.
    pub(crate) is_reset: bool,
}

/// One session with a server.
pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) cache: Mutex<StatementCache>,
    /// What was sent ahead. Whoever makes the next call reads its reply first.
    pub(crate) queued: Mutex<Option<Queued>>,
    /// A call of ours was begun whose end nobody saw: its request may be anywhere between here and
    /// the server.
    pub(crate) cut_short: AtomicBool,
    /// The client was lent out: requests may be under way that nobody here knows of.
    pub(crate) lent: AtomicBool,
    /// Not to be used again: a reset failed, or the server has changed its role.
    pub(crate) broken: AtomicBool,
    /// What it keeps of its last user. Its own: the driver may have taken over another meanwhile.
    pub(crate) hygiene: Hygiene,
    /// Whether the server was chosen because it takes writes.
    is_to_write: bool,
    /// Statements that were prepared, or begun to be, on our account.
    prepared: AtomicU64,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) canceller: Canceller,
    pub(crate) task: Option<JoinHandle<()>>,
    /// Dropped with the session, which tells the task.
    _line: oneshot::Sender<()>,
}

impl Session {
    pub(crate) fn new(
        client: Client,
        wire: Arc<Wire>,
        inbox: Arc<Inbox>,
        canceller: Canceller,
        options: &PostgresOptions,
        task: JoinHandle<()>,
        line: oneshot::Sender<()>,
    ) -> Self {
        Self {
            client: Arc::new(client),
            wire,
            cache: Mutex::new(StatementCache::new(options.statement_cache)),
            queued: Mutex::new(None),
            cut_short: AtomicBool::new(false),
            lent: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            hygiene: options.hygiene,
            is_to_write: matches!(
                options.target_session_attrs,
                TargetSession::ReadWrite | TargetSession::Primary
            ),
            prepared: AtomicU64::new(0),
            inbox,
            canceller,
            task: Some(task),
            _line: line,
        }
    }

    /// Makes a call. What it sends first goes out behind a reset that was sent ahead, in the same
    /// round trip; the reset's reply is read before the call's is trusted.
    ///
    /// The call stays pinned where it was made: moved in here, all of its state would be copied.
    pub(crate) async fn call<T>(
        &self,
        work: Pin<&mut impl Future<Output = Result<T, PostgresError>>>,
    ) -> Result<T, PostgresError> {
        let call = self.begin();
        let queued = self.queued.lock().take();
        let result = match queued {
            None => work.await,
            Some(queued) => {
                let (result, reply) = join(work, queued.reply).await;
                match reply {
                    Ok(()) => result,
                    Err(error) => {
                        self.broken.store(true, Ordering::Release);
                        Err(PostgresError::Reset(error))
                    }
                }
            }
        };
        call.finish(result.as_ref().err());
        result
    }

    /// Notes that a call is under way.
    pub(crate) fn begin(&self) -> CallGuard<'_> {
        CallGuard { session: self }
    }

    /// Looks at an error for what it says of the session.
    fn note(&self, error: &PostgresError) {
        // The server is not any more what it was chosen for; the next connect chooses anew.
        let is_demoted = self.is_to_write && error.is_read_only();
        // Outside a transaction no statement of the cache, which would have been prepared anew: one by
        // which the client looks up types, and it will never prepare that anew.
        let is_crippled = error.code().is_some_and(|code| code.code() == NO_SUCH_STATEMENT);
        if is_demoted || is_crippled {
            self.broken.store(true, Ordering::Release);
        }
    }

    /// Whether the client has looked up types of the database's own, for which it keeps prepared
    /// statements that nobody here can renew; or may have, while it was lent out.
    pub(crate) fn knows_types(&self) -> bool {
        self.wire.prepared() > self.prepared.load(Ordering::Relaxed)
    }

    /// Sends a statement ahead, without waiting; its reply is read with the next call's.
    pub(crate) fn queue(&self, sql: &'static str) {
        let client = Arc::clone(&self.client);
        let mut reply: Reply = Box::pin(async move { client.batch_execute(sql).await });
        // The first poll sends.
        match poll_now(&mut reply) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => return,
            Poll::Ready(Err(_)) => return self.broken.store(true, Ordering::Release),
        }
        let mut queued = self.queued.lock();
        let reply = match queued.take() {
            None => reply,
            Some(earlier) => Box::pin(async move {
                let earlier = earlier.reply.await;
                reply.await.and(earlier)
            }),
        };
        *queued = Some(Queued { reply, is_reset: false });
    }

    /// The prepared statement for a text, and whether it came from the cache.
    pub(crate) async fn prepared(&self, sql: &str) -> Result<(Statement, bool), PostgresError> {
        let cached = self.cache.lock().get(sql);
        match cached {
            Some(statement) => Ok((statement, true)),
            None => self.prepare(sql).await.map(|statement| (statement, false)),
        }
    }

    pub(crate) async fn prepare(&self, sql: &str) -> Result<Statement, PostgresError> {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        let statement = self.client.prepare(sql).await.inspect_err(|error| {
            // The client's own word, for example on a NUL in the text: nothing was sent.
            if error.code().is_none() && !error.is_closed() {
                self.prepared.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        self.cache.lock().put(sql, statement.clone());
        Ok(statement)
    }

    /// The statement prepared anew, if that is what it failed for: the schema has changed under it,
    /// or somebody deallocated it.
    ///
    /// In a transaction the error stands, because it has failed the transaction.
    pub(crate) async fn renewed(
        &self,
        sql: &str,
        was_cached: bool,
        error: tokio_postgres::Error,
    ) -> Result<Statement, PostgresError> {
        let code = error.code().map_or("", |code| code.code());
        let is_stale = code == NO_SUCH_STATEMENT
            || (code == FEATURE_NOT_SUPPORTED
                && error.as_db_error().is_some_and(|said| said.routine() == Some(REVALIDATE)));
        if !was_cached || !is_stale {
            return Err(error.into());
        }
        self.cache.lock().remove(sql);
        // The status of before the call, or of after it; both tell.
        if self.wire.is_in_transaction() {
            return Err(error.into());
        }
        self.prepare(sql).await
    }

    /// Asks a question of the driver's own, of which nobody is told and for which nothing is
    /// prepared; one row is the answer.
    pub(crate) async fn ask(&self, sql: &str) -> Result<Vec<Option<String>>, PostgresError> {
        let messages = self.call(pin!(async { Ok(self.client.simple_query(sql).await?) })).await?;
        messages
            .iter()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .ok_or(PostgresError::Unexpected("what it was asked for"))
    }

    /// Asks several at once, in one round trip; the rows of each are the answer.
    pub(crate) async fn ask_all(&self, sql: &str) -> Result<Vec<Rows>, PostgresError> {
        let messages = self.call(pin!(async { Ok(self.client.simple_query(sql).await?) })).await?;
        let (mut answers, mut rows) = (Vec::new(), Vec::new());
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
                }
                SimpleQueryMessage::CommandComplete(_) => answers.push(std::mem::take(&mut rows)),
                _ => {}
            }
        }
        Ok(answers)
    }

    pub(crate) async fn ask_flag(&self, sql: &str) -> Result<bool, PostgresError> {
        match self.ask(sql).await?.first() {
            Some(Some(flag)) => Ok(flag == "t"),
            _ => Err(PostgresError::Unexpected("yes or no")),
        }
    }

    pub(crate) async fn is_read_only(&self) -> Result<bool, PostgresError> {
        self.ask_flag(
            "SELECT pg_catalog.pg_is_in_recovery() \
             OR pg_catalog.current_setting('transaction_read_only') = 'on'",
        )
        .await
    }
}

/// `invalid_sql_statement_name`: there is no prepared statement of this name.
const NO_SUCH_STATEMENT: &str = "26000";
/// `feature_not_supported`; from this function of the server's it says "cached plan must not change
/// result type", in whatever language.
const FEATURE_NOT_SUPPORTED: &str = "0A000";
const REVALIDATE: &str = "RevalidateCachedQuery";

/// A call under way. Dropped before its end, it leaves a session that is not trusted.
pub(crate) struct CallGuard<'a> {
    session: &'a Session,
}

impl CallGuard<'_> {
    pub(crate) fn finish(self, error: Option<&PostgresError>) {
        error.inspect(|error| self.session.note(error));
        // Holds a reference only; what is left of it is the note of a call cut short.
        std::mem::forget(self);
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.session.cut_short.store(true, Ordering::Release);
    }
}

/// Polls once, for what the first poll does or for a reply that may be there already.
pub(crate) fn poll_now(reply: &mut Reply) -> Poll<Result<(), tokio_postgres::Error>> {
    Pin::new(reply).poll(&mut Context::from_waker(Waker::noop()))
}
