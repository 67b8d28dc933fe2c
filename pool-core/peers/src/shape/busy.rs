//! Loads that are nothing but acquire and release: one caller, many, and callers who give up.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{Sample, Windows, percentile, single_threaded, two_threads};
use crate::contender::{Connector, Contender, Patience, caller, filled, hold_at_once};

/// Between two looks at the clock.
const BATCH: u32 = 1_000;

/// One caller.
pub(crate) fn uncontended<C: Contender>(windows: Windows) -> Sample {
    single_threaded().block_on(async {
        let pool = C::new(8, Connector::at_once(), Patience::USUAL).await;
        nanos_of_one(&pool, windows.warm_up).await;
        Sample::from([("nanos", nanos_of_one(&pool, windows.measured).await)])
    })
}

/// Nanoseconds of an acquire with its release.
pub(crate) async fn nanos_of_one<C: Contender>(pool: &C, window: Duration) -> f64 {
    let started = Instant::now();
    let mut operations = 0_u32;
    while started.elapsed() < window {
        for _ in 0..BATCH {
            pool.with(async {
                black_box(());
            })
            .await
            .expect("served");
        }
        operations += BATCH;
    }
    started.elapsed().as_nanos() as f64 / f64::from(operations)
}

/// How many callers share how many connections, on two threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    pub(crate) callers: usize,
    pub(crate) connections: usize,
    /// Whether a connection is held for one yield.
    pub(crate) held: bool,
}

/// What the callers are to do; they look at it each time.
const WARM_UP: u8 = 0;
const COUNT: u8 = 1;
const TIME: u8 = 2;
const STOP: u8 = 3;

/// What one caller did.
struct Did {
    counted: u64,
    /// Nanoseconds from asking to being served.
    waits: Vec<u32>,
}

/// Callers that ask again at once. First they are counted, then their waits are timed: two looks at
/// the clock are much of what an operation costs.
pub(crate) fn shared<C: Contender>(shared: Shared, windows: Windows) -> Sample {
    let runtime = two_threads();
    let phase = Arc::new(AtomicU8::new(WARM_UP));
    let callers: Vec<_> = runtime.block_on(async {
        let pool = filled::<C>(shared.connections).await;
        // For as many as the quickest could do; one that needs more gets it.
        let room = 4_000_000 / shared.callers;
        (0..shared.callers)
            .map(|_| caller::<C, _>(call(pool.clone(), shared.held, Arc::clone(&phase), room)))
            .collect()
    });
    thread::sleep(windows.warm_up);
    phase.store(COUNT, Ordering::Relaxed);
    let began = Instant::now();
    thread::sleep(windows.measured);
    phase.store(TIME, Ordering::Relaxed);
    let counted_for = began.elapsed();
    thread::sleep(windows.measured);
    phase.store(STOP, Ordering::Relaxed);
    let did = callers.into_iter().map(|caller| runtime.block_on(caller).expect("no panic"));
    let did: Vec<Did> = did.collect();
    let counts = did.iter().map(|did| did.counted as f64);
    let [least, most] =
        [counts.clone().fold(f64::INFINITY, f64::min), counts.clone().fold(0.0, f64::max)];
    let mut waits: Vec<f64> =
        did.iter().flat_map(|did| &did.waits).map(|nanos| f64::from(*nanos) / 1e3).collect();
    let mut sample = Sample::from([
        ("mops", counts.sum::<f64>() / counted_for.as_secs_f64() / 1e6),
        ("fairness", least / most),
    ]);
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)]
    {
        sample.insert(name, percentile(&mut waits, share));
    }
    sample
}

async fn call<C: Contender>(pool: C, yields: bool, phase: Arc<AtomicU8>, room: usize) -> Did {
    let mut did = Did { counted: 0, waits: Vec::with_capacity(room) };
    let hold = || async move {
        if yields {
            yield_now().await;
        }
    };
    loop {
        match phase.load(Ordering::Relaxed) {
            WARM_UP => pool.with(hold()).await.expect("served"),
            COUNT => {
                pool.with(hold()).await.expect("served");
                did.counted += 1;
            }
            TIME => {
                let (asked, mut waited) = (Instant::now(), Duration::ZERO);
                let timed = async {
                    waited = asked.elapsed();
                    hold().await;
                };
                pool.with(timed).await.expect("served");
                did.waits.push(waited.as_nanos().try_into().unwrap_or(u32::MAX));
            }
            _ => return did,
        }
    }
}

const STORM: Shared = Shared { callers: 64, connections: 8, held: true };

/// Callers who give up every other attempt unless it is served within one yield.
pub(crate) fn cancel_storm<C: Contender>(windows: Windows) -> Sample {
    let runtime = two_threads();
    runtime.block_on(async {
        let pool = filled::<C>(STORM.connections).await;
        let phase = Arc::new(AtomicU8::new(WARM_UP));
        let callers: Vec<_> = (0..STORM.callers)
            .map(|_| caller::<C, _>(call_impatiently(pool.clone(), Arc::clone(&phase))))
            .collect();
        tokio::time::sleep(windows.warm_up).await;
        phase.store(COUNT, Ordering::Relaxed);
        let began = Instant::now();
        tokio::time::sleep(windows.measured).await;
        phase.store(STOP, Ordering::Relaxed);
        let counted_for = began.elapsed();
        let [mut served, mut given_up] = [0, 0];
        for caller in callers {
            let did = caller.await.expect("no panic");
            served += did.0;
            given_up += did.1;
        }
        let millions = |count: u64| count as f64 / counted_for.as_secs_f64() / 1e6;
        Sample::from([
            ("mops", millions(served)),
            ("given_up", millions(given_up)),
            ("lost", lost(&pool, STORM.connections).await),
        ])
    })
}

/// How many attempts were served, and how many given up.
async fn call_impatiently<C: Contender>(pool: C, phase: Arc<AtomicU8>) -> (u64, u64) {
    let [mut served, mut given_up] = [0, 0];
    loop {
        let counts = match phase.load(Ordering::Relaxed) {
            WARM_UP => 0,
            COUNT => 1,
            _ => return (served, given_up),
        };
        if !is_served_within_a_yield(&pool).await {
            given_up += counts;
            pool.with(yield_now()).await.expect("served");
        }
        served += counts;
    }
}

/// An attempt that is given up if it still waits then.
async fn is_served_within_a_yield<C: Contender>(pool: &C) -> bool {
    let is_served = AtomicBool::new(false);
    let mut attempt = pin!(pool.with(async {
        is_served.store(true, Ordering::Relaxed);
        yield_now().await;
    }));
    let served = match select(attempt.as_mut(), pin!(yield_now())).await {
        Either::Left((served, _)) => served,
        Either::Right(_) if is_served.load(Ordering::Relaxed) => attempt.await,
        Either::Right(_) => return false,
    };
    served.expect("served");
    true
}

/// How many of the connections cannot be had any more.
async fn lost<C: Contender>(pool: &C, connections: usize) -> f64 {
    let all = timeout(Duration::from_secs(2), hold_at_once(pool, connections)).await;
    if all.is_ok() {
        return 0.0;
    }
    for fewer in (1..connections).rev() {
        if timeout(Duration::from_secs(1), hold_at_once(pool, fewer)).await.is_ok() {
            return (connections - fewer) as f64;
        }
    }
    connections as f64
}
