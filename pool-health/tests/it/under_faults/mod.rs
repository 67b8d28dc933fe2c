//! Real faults on real servers: for each, what `ready` says and when, what acquirers see, and that
//! nothing is lost. `cargo xtask itest --suite health` runs them, and prints what each has told.
//!
//! Here is what they have in common; faults are in the other files, by what they befall.

mod crowd;
mod disk;
mod failover;
mod ledger;
mod live;
mod machine;
mod network;
mod outage;
mod replication;
mod subject;
mod watch;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig, PoolOptions};
use pool_health::{HealthChecker, HealthOptions, Probes};
use pool_testkit::servers::{Access, Server, Setup, chosen};
use tokio::task::block_in_place;

use self::ledger::{Fate, Load};
use self::subject::{Served, Subject, run};
use self::watch::Watch;

/// Longer than anything takes that works, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(30);

/// How much later than the bound of its configuration something may be: the machine is busy.
const LATE: Duration = Duration::from_secs(1);

/// How soon after a server is found to be back its users are served: between two attempts to connect
/// passes half a second at most.
const SOON: Duration = Duration::from_secs(1);

/// The deadline of an acquire.
const DEADLINE: Duration = Duration::from_secs(1);

/// That of a statement: shorter, so that who waits for a lost connection is still served by another.
const STATEMENT: Duration = Duration::from_millis(500);

/// No row is there twice.
const TABLE: &str = "CREATE TABLE ledger (number BIGINT PRIMARY KEY);";

/// Requests a second during an outage.
const RATE: u32 = 100;

fn health_options() -> HealthOptions {
    HealthOptions {
        interval: Duration::from_millis(400),
        doubt_interval: Duration::from_millis(200),
        timeout: Duration::from_millis(400),
        rise: 2,
        fall: 3,
        ..HealthOptions::default()
    }
}

fn pool_config() -> PoolConfig {
    PoolConfig {
        max_open: 8,
        acquire_timeout: DEADLINE,
        connect_timeout: DEADLINE / 2,
        check_timeout: DEADLINE / 4,
        ..PoolConfig::default()
    }
}

/// That a database is down is known within this.
#[track_caller]
fn expect_detected(after: Duration) {
    let HealthOptions { interval, fall, timeout, .. } = health_options();
    let bound = interval * fall + timeout;
    assert!(after <= bound + LATE, "detected after {after:?}, allowed are {bound:?} and {LATE:?}");
}

/// That it is back is known within this.
#[track_caller]
fn expect_recovered(after: Duration) {
    let HealthOptions { interval, rise, .. } = health_options();
    let bound = interval * rise;
    assert!(after <= bound + LATE, "recovered after {after:?}, allowed are {bound:?} and {LATE:?}");
}

/// What one probe is enough for is known within this.
#[track_caller]
fn expect_noticed(after: Duration) {
    let HealthOptions { interval, timeout, .. } = health_options();
    let bound = interval + timeout;
    assert!(after <= bound + LATE, "noticed after {after:?}, allowed are {bound:?} and {LATE:?}");
}

/// Does something that blocks to a server.
#[track_caller]
fn befall<T, E: Display>(what: impl FnOnce() -> Result<T, E>) -> T {
    block_in_place(what).unwrap_or_else(|error| panic!("{error}"))
}

/// A server of a test's own, which another can follow.
fn start<S: Served>() -> Server {
    befall(|| Server::start_as(Setup::followed(chosen(S::FAMILY)?)))
}

/// Fails the test rather than let it hang.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("takes too long")
}

/// Looks again and again until it is so.
async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !block_in_place(&is_so) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A program with one required pool, ready.
struct Program<S: Subject> {
    pool: Pool<S>,
    checker: Arc<HealthChecker>,
    probes: Probes,
    /// What `ready` says.
    ready: Watch<bool>,
}

/// A pool on a server's first database.
fn pool_on<S: Served>(access: &Access) -> Pool<S> {
    let driver = S::over(&access.url(&access.first_database));
    let options =
        PoolOptions { name: Some(access.port.to_string().into()), ..pool_config().into() };
    Pool::new(driver, options).expect("valid")
}

/// Has a server's first database the table that is written to.
fn prepare(access: &Access) {
    run(access, TABLE);
}

/// The numbers of the rows that are there.
fn rows(access: &Access) -> Vec<i64> {
    let rows = run(access, "SELECT number FROM ledger;");
    rows.lines().map(|row| row.parse().expect("a number")).collect()
}

impl<S: Subject> Program<S> {
    async fn start(pool: Pool<S>, options: HealthOptions) -> Self {
        let checker = Arc::new(HealthChecker::start(&pool.control(), options).expect("started"));
        let probes = Probes::new();
        probes.require(Arc::clone(&checker));
        until(|| probes.ready().is_ready).await;
        let asked = probes.clone();
        let ready = Watch::start(move || asked.ready().is_ready);
        Self { pool, checker, probes, ready }
    }

    /// So many requests a second, each of which writes a row.
    async fn load(&self, rate: u32) -> Load {
        let pool = self.pool.clone();
        let load = Load::start(rate, move |number| {
            let pool = pool.clone();
            async move { write_once(&pool, number).await }
        });
        load.is_served(50).await;
        load
    }
}

/// A request: it has a deadline for its acquire, and one for its statement.
async fn write_once<S: Subject>(pool: &Pool<S>, number: i64) -> Fate {
    let deadline = pool.config().acquire_timeout;
    let begun = Instant::now();
    let acquired = pool.acquire().await;
    let waited = begun.elapsed();
    if waited > deadline + LATE {
        return Fate::Overdue;
    }
    let mut guard = match acquired {
        Ok(guard) => guard,
        Err(error) => return Fate::Refused(error.kind()),
    };
    match tokio::time::timeout(STATEMENT, S::write(&mut guard, number)).await {
        Ok(Ok(())) => Fate::Acknowledged,
        Ok(Err(error)) if pool.driver().has_rejected(&error) => Fate::Rejected,
        Ok(Err(_)) | Err(_) => Fate::InDoubt,
    }
}
