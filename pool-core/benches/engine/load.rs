//! The three load shapes that no peer wins all of, in real time, on the scripted driver. The
//! figures to meet are those of the design, taken from the best peer at each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pool_core::runtime::TokioRuntime;
use pool_core::{Pool, PoolConfig};
use pool_testkit::measure::{Figure, Report, Target};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer};
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;

pub(crate) type FakePool = Pool<FakeDriver>;

pub(crate) const MS: Duration = Duration::from_millis(1);
const CONNECT: Duration = Duration::from_millis(150);

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

pub(crate) fn pool(config: PoolConfig) -> (FakeServer, FakePool) {
    let server = FakeServer::new(Arc::new(TokioRuntime::new()));
    (server.clone(), Pool::new(FakeDriver::new(&server), config).expect("valid"))
}

/// Holds a connection for as long as a query takes. Tokio's own timer is too coarse for that.
pub(crate) async fn query(takes: Duration) {
    // Cancelled, where the runtime ends first.
    let _ = spawn_blocking(move || std::thread::sleep(takes)).await;
}

pub(crate) fn shapes(report: &mut Report) {
    spikes(report);
    ramps(report);
    fairness(report);
}

async fn five_open() -> (FakeServer, FakePool) {
    let (server, pool) = pool(PoolConfig { max_open: 50, ..PoolConfig::default() });
    server.always(Call::Connect, Answer::Late(CONNECT));
    pool.warm_up(5, Duration::from_secs(5)).await.expect("opened");
    (server, pool)
}

fn spikes(report: &mut Report) {
    let [mut took, mut opened] = [Vec::new(), Vec::new()];
    for _ in 0..9 {
        let (spike, connects) = runtime().block_on(async {
            let (server, pool) = five_open().await;
            let started = Instant::now();
            let callers: Vec<_> = (0..50)
                .map(|_| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        let guard = pool.acquire_owned().await.expect("served");
                        query(2 * MS).await;
                        drop(guard);
                    })
                })
                .collect();
            for caller in callers {
                caller.await.expect("no panic");
            }
            (millis(started.elapsed()), server.started(Call::Connect) - 5)
        });
        took.push(spike);
        opened.push(connects as f64);
    }
    report.section("spike: 50 callers at once, connect 150 ms, query 2 ms, 5 of 50 open");
    report.figure("all served, ms", &Figure::new(took), Target::AtMost(25.0));
    report.figure("connections opened", &Figure::new(opened), Target::AtMost(2.0));
}

fn ramps(report: &mut Report) {
    let rounds = (0..5).map(|_| {
        runtime().block_on(async {
            let (_server, pool) = five_open().await;
            let stop = Arc::new(AtomicBool::new(false));
            let started = Instant::now();
            for _ in 0..100 {
                let (pool, stop) = (pool.clone(), Arc::clone(&stop));
                drop(tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let guard = pool.acquire_owned().await.expect("served");
                        query(20 * MS).await;
                        drop(guard);
                    }
                }));
            }
            while pool.stats().opened < 50 {
                tokio::time::sleep(MS).await;
            }
            stop.store(true, Ordering::Relaxed);
            millis(started.elapsed())
        })
    });
    let took = Figure::new(rounds.collect());
    report.section("ramp: 100 callers that ask again and again, query 20 ms, from 5 to 50 open");
    report.figure("all open, ms", &took, Target::AtMost(1200.0));
}

fn fairness(report: &mut Report) {
    let rounds = (0..3).map(|_| {
        runtime().block_on(async {
            let (_server, pool) = pool(PoolConfig { max_open: 4, ..PoolConfig::default() });
            let until = Instant::now() + Duration::from_secs(3);
            let callers: Vec<_> = (0..32)
                .map(|_| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        let mut waits = Vec::new();
                        while Instant::now() < until {
                            let asked = Instant::now();
                            let guard = pool.acquire_owned().await.expect("served");
                            waits.push(millis(asked.elapsed()));
                            query(5 * MS).await;
                            drop(guard);
                        }
                        waits
                    })
                })
                .collect();
            let mut waits = Vec::new();
            for caller in callers {
                waits.extend(caller.await.expect("no panic"));
            }
            percentile(&mut waits, 0.99)
        })
    });
    let p99 = Figure::new(rounds.collect());
    report.section("fairness: 32 callers, 4 connections, hold 5 ms, 35 ms of waiting at best");
    report.figure("wait p99, ms", &p99, Target::AtMost(52.0));
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}
