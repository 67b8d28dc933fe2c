//! A manager of the tests' own, and the server it connects to: a ledger in memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use pool_core::{ErrorClass, Metadata};
use pool_deadpool::{DeadpoolDriver, deadpool};

/// What the server knows.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) opened: u64,
    pub(crate) open: Vec<u64>,
    pub(crate) recycled: Vec<usize>,
    pub(crate) detached: Vec<u64>,
    pub(crate) notes: usize,
}

/// How a manager's connects go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connects {
    Well,
    Refused,
    Denied,
    Never,
}

/// Knows a password, and shows it to whoever prints it.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "the password is there to be printed")]
pub(crate) struct LedgerManager {
    pub(crate) server: Arc<Mutex<Ledger>>,
    pub(crate) connects: Connects,
    pub(crate) password: &'static str,
}

impl LedgerManager {
    pub(crate) fn new(server: &Arc<Mutex<Ledger>>, connects: Connects) -> Self {
        let server = Arc::clone(server);
        Self { server, connects, password: crate::rig::CANARY }
    }

    pub(crate) fn driver(self) -> DeadpoolDriver<Self> {
        let classes = |error: &LedgerError| match error {
            LedgerError::Denied => ErrorClass::Permanent,
            _ => ErrorClass::Transient,
        };
        DeadpoolDriver::new(self, Metadata::new("ledger")).with_classes(classes)
    }
}

#[derive(Debug)]
pub(crate) enum LedgerError {
    Refused,
    Denied,
    Gone,
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Gone => "the session is gone",
        })
    }
}

impl std::error::Error for LedgerError {}

/// A session with the ledger.
pub(crate) struct Session {
    server: Arc<Mutex<Ledger>>,
    pub(crate) id: u64,
    /// What it wrote in the transaction that is open, if one is.
    pub(crate) written: Option<usize>,
    /// What it asks the manager not to keep.
    pub(crate) spoilt: bool,
}

impl Session {
    pub(crate) fn server(&self) -> MutexGuard<'_, Ledger> {
        self.server.lock().expect("not poisoned")
    }

    pub(crate) fn is_known(&self) -> Result<(), LedgerError> {
        let known = self.server().open.contains(&self.id);
        if known { Ok(()) } else { Err(LedgerError::Gone) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let id = self.id;
        self.server().open.retain(|open| *open != id);
    }
}

impl Manager for LedgerManager {
    type Type = Session;
    type Error = LedgerError;

    async fn create(&self) -> Result<Session, LedgerError> {
        match self.connects {
            Connects::Well => {}
            Connects::Refused => return Err(LedgerError::Refused),
            Connects::Denied => return Err(LedgerError::Denied),
            Connects::Never => std::future::pending().await,
        }
        let id = {
            let mut ledger = self.server.lock().expect("not poisoned");
            ledger.opened += 1;
            let id = ledger.opened;
            ledger.open.push(id);
            id
        };
        Ok(Session { server: Arc::clone(&self.server), id, written: None, spoilt: false })
    }

    async fn recycle(
        &self,
        session: &mut Session,
        metrics: &Metrics,
    ) -> RecycleResult<LedgerError> {
        session.is_known()?;
        if session.spoilt {
            return Err(RecycleError::message("spoilt"));
        }
        session.written = None;
        session.server().recycled.push(metrics.recycle_count);
        Ok(())
    }

    fn detach(&self, session: &mut Session) {
        let id = session.id;
        session.server().detached.push(id);
    }
}
