//! What the fake server knows: its sockets and sessions, and what it was asked.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use pool_core::runtime::Runtime;
use pool_core::{Activity, PoolStats, ReplicationLag, Role, Storage};

use super::leases::Leases;
use super::script::{Answer, Call, Script};

/// The fake server. Clones are handles to the same one.
#[derive(Clone)]
pub struct FakeServer {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
}

/// A session as the server sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// Whether a transaction is open.
    pub in_transaction: bool,
    /// Whether a setting was changed.
    pub altered: bool,
    /// Replies sent or about to be sent that nobody has read, by the request's number; also those
    /// that [nobody asked for](FakeServer::push_unasked).
    pub owed: Vec<u64>,
    /// Whether the server has hung up.
    pub severed: bool,
    /// What it calls itself.
    pub application: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    scripts: [Script; Call::COUNT],
    started: [u64; Call::COUNT],
    /// Calls that wait at a gate, oldest first.
    gates: Vec<Gate>,
    next_gate: u64,
    /// Sessions whose socket is open, by the connection's number.
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) next_session: u64,
    pub(super) next_request: u64,
    /// Most sockets open at once.
    most_sockets: usize,
    /// Sockets beyond which the server refuses.
    pub(super) max_sockets: Option<usize>,
    pub(super) refused: u64,
    /// When each connect was started.
    connects_at: Vec<pool_core::runtime::Instant>,
    /// What it says of itself.
    pub(super) said: Said,
    /// What fleets keep there.
    pub(super) leases: Leases,
}

/// What it answers to questions about itself.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) role: Role,
    pub(super) lag: ReplicationLag,
    pub(super) activity: Activity,
    pub(super) storage: Storage,
    pub(super) findings: Vec<String>,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            role: Role::ReadWrite,
            lag: ReplicationLag::Primary,
            activity: Activity::default(),
            storage: Storage::new(0),
            findings: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct Gate {
    id: u64,
    call: Call,
    opened: Option<Answer>,
    waker: Option<Waker>,
}

impl FakeServer {
    /// A server whose calls all succeed at once, with the time of `runtime`.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, ledger: Arc::default() }
    }

    /// From now on, calls of this kind answer so, but for those scripted with [`next`](Self::next).
    pub fn always(&self, call: Call, answer: Answer) {
        self.ledger.lock().scripts[call as usize].otherwise = answer;
    }

    /// The next calls of this kind answer so, in order.
    pub fn next(&self, call: Call, answers: &[Answer]) {
        self.ledger.lock().scripts[call as usize].push(answers);
    }

    /// From now on all calls succeed at once, whatever was scripted, and there is room for every
    /// socket. Calls under way end as they would have.
    pub fn heal(&self) {
        let mut ledger = self.ledger.lock();
        ledger.scripts = Default::default();
        ledger.max_sockets = None;
    }

    /// Refuses connects beyond this many open sockets.
    pub fn set_max_sockets(&self, max: usize) {
        self.ledger.lock().max_sockets = Some(max);
    }

    /// Answers role queries with read-only from now on, or no longer.
    pub fn set_read_only(&self, read_only: bool) {
        let role = if read_only { Role::ReadOnly } else { Role::ReadWrite };
        self.ledger.lock().said.role = role;
    }

    /// Answers lag queries so from now on; before, as a server that replicates no other.
    pub fn set_lag(&self, lag: ReplicationLag) {
        self.ledger.lock().said.lag = lag;
    }

    /// Answers activity queries so from now on; before, as a server without open transactions.
    pub fn set_activity(&self, activity: Activity) {
        self.ledger.lock().said.activity = activity;
    }

    /// Answers storage queries so from now on; before, as a database without a log.
    pub fn set_storage(&self, storage: Storage) {
        self.ledger.lock().said.storage = storage;
    }

    /// Has a verification find this from now on; before, nothing.
    pub fn set_findings(&self, findings: Vec<String>) {
        self.ledger.lock().said.findings = findings;
    }

    /// Opens the gate of the call of this kind that has waited longest.
    ///
    /// # Panics
    ///
    /// If none waits.
    #[track_caller]
    pub fn open_gate(&self, call: Call, answer: Answer) {
        let mut ledger = self.ledger.lock();
        let waiting = |gate: &&mut Gate| gate.call == call && gate.opened.is_none();
        let gate = ledger.gates.iter_mut().find(waiting);
        let gate = gate.unwrap_or_else(|| panic!("no {call:?} waits at a gate"));
        gate.opened = Some(answer);
        let waker = gate.waker.take();
        drop(ledger);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Calls of this kind that wait at a gate.
    #[must_use]
    pub fn waiting(&self, call: Call) -> usize {
        let ledger = self.ledger.lock();
        ledger.gates.iter().filter(|gate| gate.call == call && gate.opened.is_none()).count()
    }

    /// Calls of this kind started so far.
    #[must_use]
    pub fn started(&self, call: Call) -> u64 {
        self.ledger.lock().started[call as usize]
    }

    /// When each connect was started.
    #[must_use]
    pub fn connects_at(&self) -> Vec<pool_core::runtime::Instant> {
        self.ledger.lock().connects_at.clone()
    }

    /// Open sockets.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.ledger.lock().sessions.len()
    }

    /// Most sockets that were ever open at once.
    #[must_use]
    pub fn most_sockets(&self) -> usize {
        self.ledger.lock().most_sockets
    }

    /// Connects refused because of [`set_max_sockets`](Self::set_max_sockets).
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.ledger.lock().refused
    }

    /// A session as the server sees it; `None` if its socket is closed.
    #[must_use]
    pub fn session(&self, id: u64) -> Option<Session> {
        self.ledger.lock().sessions.get(&id).cloned()
    }

    /// Sends a reply that answers no request, to a session in use or idle.
    ///
    /// # Panics
    ///
    /// If its socket is closed.
    pub fn push_unasked(&self, id: u64) {
        let mut ledger = self.ledger.lock();
        // A number that no request has or will have.
        ledger.next_request += 1;
        let reply = ledger.next_request;
        let session = ledger.sessions.get_mut(&id).expect("an open socket");
        session.owed.push(reply);
    }

    /// Hangs up on every session.
    pub fn sever_all(&self) {
        for session in self.ledger.lock().sessions.values_mut() {
            session.severed = true;
        }
    }

    /// Compares what the pool believes with what the server knows, when nothing is under way.
    ///
    /// # Panics
    ///
    /// If they disagree.
    #[track_caller]
    pub fn audit(&self, stats: &PoolStats, guards: usize) {
        assert_eq!(stats.open, stats.idle + stats.in_use + stats.opening, "{stats:?}");
        let alive = stats.opened - stats.closed.total();
        assert_eq!(alive as usize, stats.idle + stats.in_use, "opened less closed: {stats:?}");
        let acquires = stats.acquires;
        let ended = acquires.succeeded() + acquires.failed() + acquires.cancelled;
        assert!(acquires.started >= ended + stats.waiting as u64, "{stats:?}");
        let sockets = self.sockets();
        let known = stats.open + stats.closing + stats.probes;
        assert!(sockets <= known, "{sockets} sockets, but the pool knows of {known}: {stats:?}");
        assert_eq!(stats.in_use - stats.checking - stats.resetting, guards, "guards: {stats:?}");
        let stuck = stats.waiting > 0
            && stats.idle > 0
            && stats.state == pool_core::PoolState::Open
            && stats.checking == 0;
        assert!(!stuck, "someone waits while a connection is idle: {stats:?}");
    }

    /// Counts a call in and says how it answers.
    pub(super) fn start(&self, call: Call) -> Answer {
        let now = self.runtime.now();
        let mut ledger = self.ledger.lock();
        ledger.started[call as usize] += 1;
        if call == Call::Connect {
            ledger.connects_at.push(now);
        }
        ledger.scripts[call as usize].answer()
    }

    /// Opens a socket; `None` if the server has no room.
    pub(super) fn open_socket(&self, application: Option<String>) -> Option<u64> {
        let mut ledger = self.ledger.lock();
        if ledger.max_sockets.is_some_and(|max| ledger.sessions.len() >= max) {
            ledger.refused += 1;
            return None;
        }
        ledger.next_session += 1;
        let id = ledger.next_session;
        ledger.sessions.insert(id, Session { application, ..Session::default() });
        ledger.most_sockets = ledger.most_sockets.max(ledger.sessions.len());
        Some(id)
    }

    /// Waits at a gate until the test opens it.
    pub(super) async fn wait_at_gate(&self, call: Call) -> Answer {
        let id = {
            let mut ledger = self.ledger.lock();
            ledger.next_gate += 1;
            let id = ledger.next_gate;
            ledger.gates.push(Gate { id, call, opened: None, waker: None });
            id
        };
        let leave = LeaveGate { server: self, id };
        poll_fn(|cx| {
            let mut ledger = leave.server.ledger.lock();
            let gate = ledger.gates.iter_mut().find(|gate| gate.id == leave.id);
            let gate = gate.expect("bug: a gate left while it is waited at");
            match gate.opened {
                Some(answer) => Poll::Ready(answer),
                None => {
                    gate.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Removes a gate when the call is done or dropped.
struct LeaveGate<'a> {
    server: &'a FakeServer,
    id: u64,
}

impl Drop for LeaveGate<'_> {
    fn drop(&mut self) {
        self.server.ledger.lock().gates.retain(|gate| gate.id != self.id);
    }
}

impl std::fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeServer").field("sockets", &self.sockets()).finish_non_exhaustive()
    }
}
