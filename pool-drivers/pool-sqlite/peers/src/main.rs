//! What a call to an SQLite connection costs: `call` of pool-sqlite beside `interact` of
//! deadpool-sqlite.
//!
//! Each bring a closure to a thread that may block and its result back. The peer takes any thread
//! of the runtime's blocking pool and locks the connection there; ours has a thread for the
//! connection, and can cancel. It exits with 1 if a target is missed.
#![forbid(unsafe_code)]

use std::future::Future;
use std::process::ExitCode;
use std::time::Instant;

use pool_core::Pool;
use pool_sqlite::{SqliteDriver, SqliteOptions};
use pool_testkit::measure::{Figure, Report, Target};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 15;
const OPERATIONS: u32 = 20_000;

/// What the closure does.
#[derive(Clone, Copy)]
enum Work {
    /// Nothing: the way to the thread and back.
    Nothing,
    /// One statement, prepared once.
    SelectOne,
}

fn main() -> ExitCode {
    let mut report = Report::new(ROUNDS);
    let alone = || Builder::new_current_thread().enable_all().build().expect("a runtime");
    let several =
        || Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for (runtime, name) in [(alone as fn() -> Runtime, "one thread"), (several, "two threads")] {
        for (work, what) in [(Work::Nothing, "an empty closure"), (Work::SelectOne, "`SELECT 1`")] {
            let [mut ours, mut peer] = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                ours.push(call(&runtime(), work));
                peer.push(interact(&runtime(), work));
            }
            let [ours, peer] = [ours, peer].map(Figure::new);
            report.section(&format!(
                "{what}, a runtime of {name}, microseconds a call (lower is better)"
            ));
            let target = Target::AtMostTimes(1.0, "deadpool-sqlite", &peer);
            report.figure("pool-sqlite, call", &ours, target);
            report.figure("deadpool-sqlite, interact", &peer, Target::None);
        }
    }
    report.finish()
}

/// Microseconds for one call of ours.
fn call(runtime: &Runtime, work: Work) -> f64 {
    on(runtime, async move {
        let driver = SqliteDriver::new(SqliteOptions::private_memory());
        let config = driver.pool_config();
        let pool = Pool::open(driver, config);
        let pool = pool.await.expect("a database in memory opens");
        let mut connection = pool.acquire().await.expect("it is idle");
        let mut started = Instant::now();
        for operation in 0..OPERATIONS + OPERATIONS / 10 {
            if operation == OPERATIONS / 10 {
                started = Instant::now();
            }
            let one = connection.call(move |sqlite| match work {
                Work::Nothing => Ok(1),
                Work::SelectOne => {
                    sqlite.prepare_cached("SELECT 1")?.query_row([], |row| row.get(0))
                }
            });
            assert_eq!(one.await.expect("the closure succeeds"), 1_i64);
        }
        started.elapsed().as_secs_f64() * 1e6 / f64::from(OPERATIONS)
    })
}

/// Microseconds for one call of the peer.
fn interact(runtime: &Runtime, work: Work) -> f64 {
    on(runtime, async move {
        let config = deadpool_sqlite::Config::new(":memory:");
        let pool = config.create_pool(deadpool_sqlite::Runtime::Tokio1).expect("a pool");
        let connection = pool.get().await.expect("a database in memory opens");
        let mut started = Instant::now();
        for operation in 0..OPERATIONS + OPERATIONS / 10 {
            if operation == OPERATIONS / 10 {
                started = Instant::now();
            }
            let one = connection.interact(move |sqlite| match work {
                Work::Nothing => Ok::<_, deadpool_sqlite::rusqlite::Error>(1),
                Work::SelectOne => {
                    sqlite.prepare_cached("SELECT 1")?.query_row([], |row| row.get(0))
                }
            });
            assert_eq!(one.await.expect("no panic").expect("the closure succeeds"), 1_i64);
        }
        started.elapsed().as_secs_f64() * 1e6 / f64::from(OPERATIONS)
    })
}

/// Runs it as a task: where most programs make their calls.
fn on(runtime: &Runtime, measured: impl Future<Output = f64> + Send + 'static) -> f64 {
    runtime.block_on(runtime.spawn(measured)).expect("no panic")
}
