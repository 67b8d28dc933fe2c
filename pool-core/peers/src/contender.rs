//! The pools that are compared, behind one trait, and what their connections are made of.

mod floors;
mod ours;
mod peers;
mod sqlx;

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

pub(crate) use self::floors::{BareMutex, BareSemaphore};
pub(crate) use self::ours::{Ours, OursOwned};
pub(crate) use self::peers::{Asyncband, Bb8, Deadpool, R2d2};
pub(crate) use self::sqlx::Sqlx;

/// A pool under measurement.
pub(crate) trait Contender: Clone + Send + Sync + 'static {
    /// Its acquire blocks the thread, so that each caller needs one.
    const BLOCKS: bool = false;

    /// Its connections bring a thread each, so that nobody opens thousands.
    const HAS_THREADS: bool = false;

    /// An empty pool of at most so many connections.
    fn new(
        connections: usize,
        connector: Connector,
        patience: Patience,
    ) -> impl Future<Output = Self> + Send;

    /// Acquires, runs `during`, and releases.
    ///
    /// # Errors
    ///
    /// The acquire failed, and `during` did not run.
    fn with<F: Future<Output = ()> + Send>(
        &self,
        during: F,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Opens so many connections, which are idle then.
    fn warm_up(&self, connections: usize) -> impl Future<Output = ()> + Send {
        hold_at_once(self, connections)
    }
}

/// How long a pool tries. One without timeouts tries on and on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// In an acquire; for pools with several timeouts, in each of its steps.
    pub(crate) acquire: Duration,
    /// Until an outage is one, and acquires fail at once. Only ours tells.
    pub(crate) outage: Duration,
}

impl Patience {
    /// Longer than anything takes where nothing fails.
    pub(crate) const USUAL: Self =
        Self { acquire: Duration::from_secs(30), outage: Duration::from_secs(1) };
}

/// Who is measured, by the name on the command line and in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Who {
    Ours,
    OursOwned,
    Asyncband,
    Deadpool,
    DeadpoolTimeouts,
    Bb8,
    Sqlx,
    R2d2,
    Semaphore,
    Mutex,
}

impl Who {
    /// Whether we are to be ahead of it: neither ours nor a floor, which is no pool.
    pub(crate) fn is_peer(self) -> bool {
        !matches!(self, Self::Ours | Self::OursOwned | Self::Semaphore | Self::Mutex)
    }

    /// The crate it is from, as Cargo.lock names it.
    pub(crate) fn package(self) -> Option<&'static str> {
        match self {
            Self::Asyncband => Some("asyncband"),
            Self::Deadpool | Self::DeadpoolTimeouts => Some("deadpool"),
            Self::Bb8 => Some("bb8"),
            Self::Sqlx => Some("sqlx"),
            Self::R2d2 => Some("r2d2"),
            Self::Semaphore => Some("tokio"),
            Self::Ours | Self::OursOwned | Self::Mutex => None,
        }
    }

    pub(crate) fn key(self) -> String {
        self.to_possible_value().expect("bug: no contender is hidden").get_name().to_owned()
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "pool-core",
            Self::OursOwned => "pool-core, owned guard",
            Self::Asyncband => "asyncband",
            Self::Deadpool => "deadpool",
            Self::DeadpoolTimeouts => "deadpool, timeouts on",
            Self::Bb8 => "bb8",
            Self::Sqlx => "sqlx, SQLite",
            Self::R2d2 => "r2d2, threads",
            Self::Semaphore => "floor: tokio's Semaphore",
            Self::Mutex => "floor: mutex and Vec",
        })
    }
}

/// Makes connections that cost nothing, each after a delay, and counts them; its clones lead to the
/// same server. A connection is the life of the server in which it was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connector {
    delay: Duration,
    server: Arc<Server>,
}

#[derive(Debug, Default)]
struct Server {
    answer: Mutex<Answer>,
    life: AtomicU64,
    started: AtomicUsize,
    ended: AtomicUsize,
}

/// What the server says to who connects, or asks whether a connection is alive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Answer {
    #[default]
    Yes,
    No,
    Never,
}

/// The server said no.
#[derive(Debug)]
pub(crate) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl Connector {
    pub(crate) fn at_once() -> Self {
        Self::default()
    }

    pub(crate) fn after(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    pub(crate) fn started(&self) -> usize {
        self.server.started.load(Ordering::Relaxed)
    }

    pub(crate) fn ended(&self) -> usize {
        self.server.ended.load(Ordering::Relaxed)
    }

    /// From now on; the connections that are open stay alive.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.server.answer.lock() = answer;
    }

    /// Has every open connection die.
    pub(crate) fn sever_all(&self) {
        self.server.life.fetch_add(1, Ordering::Relaxed);
    }

    /// What a connection knows of itself, without asking the server.
    fn is_alive(&self, connection: u64) -> bool {
        connection == self.server.life.load(Ordering::Relaxed)
    }

    fn alive(&self, connection: u64) -> Result<(), Refused> {
        if self.is_alive(connection) { Ok(()) } else { Err(Refused) }
    }

    async fn answered(&self) -> Result<(), Refused> {
        let answer = *self.server.answer.lock();
        match answer {
            Answer::Yes => Ok(()),
            Answer::No => Err(Refused),
            Answer::Never => pending().await,
        }
    }

    async fn connect(&self) -> Result<u64, Refused> {
        self.server.started.fetch_add(1, Ordering::Relaxed);
        let life = self.server.life.load(Ordering::Relaxed);
        self.answered().await?;
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        // One under way when the server fails is cut like those that are open.
        self.alive(life)?;
        self.server.ended.fetch_add(1, Ordering::Relaxed);
        Ok(life)
    }

    /// For a thread, of a server that always says yes.
    fn connect_blocking(&self) -> u64 {
        self.server.started.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.delay);
        self.server.ended.fetch_add(1, Ordering::Relaxed);
        0
    }
}

/// Runs what a caller does: as a task, or on a thread of its own where the pool blocks it.
pub(crate) fn caller<C: Contender, T: Send + 'static>(
    run: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let runtime = Handle::current();
    if C::BLOCKS {
        runtime.clone().spawn_blocking(move || runtime.block_on(run))
    } else {
        runtime.spawn(run)
    }
}

/// A pool with so many connections, which are idle.
pub(crate) async fn filled<C: Contender>(connections: usize) -> C {
    let pool = C::new(connections, Connector::at_once(), Patience::USUAL).await;
    pool.warm_up(connections).await;
    pool
}

/// Has so many connections held at one moment.
pub(crate) async fn hold_at_once<C: Contender>(pool: &C, connections: usize) {
    let all = Arc::new(Barrier::new(connections));
    let held = (0..connections).map(|_| {
        let (pool, all) = (pool.clone(), Arc::clone(&all));
        async move {
            let until_all_are = async {
                all.wait().await;
            };
            pool.with(until_all_are).await.expect("served");
        }
    });
    if C::BLOCKS {
        join_all(held.map(caller::<C, _>)).await;
    } else {
        // No tasks, whose queue would keep its memory.
        join_all(held).await;
    }
}
