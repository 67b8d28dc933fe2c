//! Users who work on a pool while something befalls its server, and what every one of them is owed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig};
use pool_postgres::{PostgresDriver, PostgresOptions};
use pool_testkit::servers::{Access, Family, Server, chosen};
use tokio::task::{JoinHandle, block_in_place};

use crate::rig::{LIMIT, connect, options_of, pid, within};

/// The deadline of the acquires that are to meet one.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// How much later than its deadline an acquire may return: the machine is busy.
const SLACK: Duration = Duration::from_secs(1);

/// How soon after a server answers again a user is served: between two attempts to connect passes half
/// a second at most, and the machine is busy. Benchmarks measure it; this tells soon from never.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A server of a test's own, to be harmed.
pub(crate) fn own_server() -> Server {
    let product = chosen(Family::Postgres).expect("a product");
    block_in_place(|| Server::start(product)).expect("started")
}

/// Does something that blocks to a server.
#[track_caller]
pub(crate) fn befall<T, E: std::fmt::Display>(what: impl FnOnce() -> Result<T, E>) -> T {
    block_in_place(what).unwrap_or_else(|error| panic!("{error}"))
}

/// The first database of a server.
pub(crate) fn options(access: &Access) -> PostgresOptions {
    options_of(access, &access.first_database)
}

/// A pool of four, whose acquires wait for their deadline whatever happens.
pub(crate) fn pool(options: PostgresOptions) -> Pool<PostgresDriver> {
    let config = PoolConfig {
        max_open: 4,
        acquire_timeout: DEADLINE,
        connect_timeout: DEADLINE / 2,
        check_timeout: DEADLINE / 4,
        outage_grace: None,
        ..PoolConfig::default()
    };
    Pool::new(PostgresDriver::new(options), config).expect("valid")
}

/// The same for tests of what is no matter of time.
pub(crate) fn patient_pool(options: PostgresOptions) -> Pool<PostgresDriver> {
    let pool = pool(options);
    let (acquire_timeout, connect_timeout) = (LIMIT, LIMIT);
    let config = PoolConfig { acquire_timeout, connect_timeout, ..pool.config() };
    pool.control().reconfigure(config).expect("valid");
    pool
}

/// Waits until `holds`, but not for ever.
#[track_caller]
pub(crate) fn until(holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < LIMIT, "{caller}: takes too long");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What became of the users' turns.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    served: AtomicU64,
    turned_away: AtomicU64,
    failed: AtomicU64,
}

/// More users than connections.
pub(crate) struct Load {
    pub(crate) tally: Arc<Tally>,
    has_ended: Arc<AtomicBool>,
    users: Vec<JoinHandle<()>>,
}

impl Tally {
    /// Turns in which the user's own answer came back.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Acquires that failed.
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Statements that failed or were given up.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Starts eight users, and waits until they are at work.
    pub(crate) async fn start(pool: &Pool<PostgresDriver>) -> Self {
        let (tally, has_ended) = (Arc::<Tally>::default(), Arc::<AtomicBool>::default());
        let user = |user: i64| {
            let (pool, tally, has_ended) = (pool.clone(), tally.clone(), has_ended.clone());
            tokio::spawn(async move {
                let mut turn = 0;
                while !has_ended.load(Ordering::Relaxed) {
                    turn += 1;
                    take_a_turn(&pool, user << 32 | turn, &tally).await;
                }
            })
        };
        let users = (0..8).map(user).collect();
        let load = Self { tally, has_ended, users };
        load.is_served().await;
        load
    }

    /// Waits until users have been served from now on; how long that took.
    pub(crate) async fn is_served(&self) -> Duration {
        let (begun, before) = (Instant::now(), self.tally.served());
        let tally = Arc::clone(&self.tally);
        until(move || tally.served() > before + 50).await;
        begun.elapsed()
    }

    /// Waits until one user is served from now on; how long that took.
    pub(crate) async fn first_success(&self) -> Duration {
        let (begun, before) = (Instant::now(), self.tally.served());
        let tally = Arc::clone(&self.tally);
        until(move || tally.served() > before).await;
        begun.elapsed()
    }

    /// Ends the users' work. Fails if one of them was wronged.
    pub(crate) async fn end(self) {
        self.has_ended.store(true, Ordering::Relaxed);
        for user in self.users {
            within(user).await.expect("no user was wronged");
        }
    }
}

async fn take_a_turn(pool: &Pool<PostgresDriver>, mine: i64, tally: &Tally) {
    let deadline = pool.config().acquire_timeout;
    let begun = Instant::now();
    let acquired = pool.acquire().await;
    let waited = begun.elapsed();
    assert!(waited < deadline + SLACK, "an acquire took {waited:?}: {acquired:?}");
    let Ok(connection) = acquired else {
        tally.turned_away.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let asked = async { connection.query_one("SELECT $1::bigint", &[&mine]).await };
    match tokio::time::timeout(deadline / 2, asked).await {
        Ok(Ok(row)) => {
            assert_eq!(row.get::<_, i64>(0), mine, "another user's answer");
            tally.served.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Err(_)) | Err(_) => {
            tally.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// That all of a pool's connections can be had and work, each a session of its own, and that the server
/// knows no other of this database and program.
pub(crate) async fn is_whole(pool: &Pool<PostgresDriver>) {
    let config = PoolConfig { acquire_timeout: LIMIT, outage_grace: None, ..pool.config() };
    let most = config.max_open;
    pool.control().reconfigure(config).expect("valid");
    let mut guards = Vec::new();
    let mut sessions = Vec::new();
    for _ in 0..most {
        let guard = within(pool.acquire()).await.expect("a turn");
        sessions.push(pid(&guard).await);
        guards.push(guard);
    }
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), most, "each a session of its own");
    let options = pool.driver().options().clone();
    let application_name = format!("{} observed", options.application_name);
    let onlooker = connect(PostgresOptions { application_name, ..options.clone() }).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = $2";
    let database = options.database.expect("named");
    within(async {
        loop {
            let row = onlooker.query_one(sql, &[&database, &options.application_name]).await;
            let known = row.expect("counted").get::<_, i64>(0);
            if usize::try_from(known) == Ok(sessions.len()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
