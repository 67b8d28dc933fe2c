//! The three load shapes that no peer wins all of, in real time: a spike, a ramp, and a crowd that
//! stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::{Sample, Windows, millis, percentile, two_threads};
use crate::contender::{Connector, Contender, Patience, caller, filled};

pub(super) const MS: Duration = Duration::from_millis(1);
const CONNECT: Duration = Duration::from_millis(150);
/// Whoever has not opened all by then does not get there.
const RAMP_ENDS: Duration = Duration::from_secs(5);

/// Holds a connection for as long as a query takes. Tokio's own timer is too coarse for that.
pub(super) async fn query(takes: Duration) {
    // Cancelled, where the runtime ends first.
    let _ = spawn_blocking(move || std::thread::sleep(takes)).await;
}

async fn five_of_fifty_open<C: Contender>() -> (Connector, C) {
    let connector = Connector::after(CONNECT);
    let pool = C::new(50, connector.clone(), Patience::USUAL).await;
    pool.warm_up(5).await;
    (connector, pool)
}

pub(crate) fn spike<C: Contender>() -> Sample {
    two_threads().block_on(async {
        let (connector, pool) = five_of_fifty_open::<C>().await;
        let opened_before = connector.started();
        let started = Instant::now();
        let callers = (0..50).map(|_| {
            let pool = pool.clone();
            caller::<C, _>(async move { pool.with(query(2 * MS)).await.expect("served") })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no panic");
        }
        let took = millis(started.elapsed());
        let opened = connector.started() - opened_before;
        Sample::from([("millis", took), ("opened", opened as f64)])
    })
}

pub(crate) fn ramp<C: Contender>() -> Sample {
    two_threads().block_on(async {
        let (connector, pool) = five_of_fifty_open::<C>().await;
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        for _ in 0..100 {
            let (pool, stop) = (pool.clone(), Arc::clone(&stop));
            drop(caller::<C, _>(async move {
                while !stop.load(Ordering::Relaxed) {
                    pool.with(query(20 * MS)).await.expect("served");
                }
            }));
        }
        while connector.ended() < 50 && started.elapsed() < RAMP_ENDS {
            tokio::time::sleep(MS).await;
        }
        stop.store(true, Ordering::Relaxed);
        Sample::from([("millis", millis(started.elapsed()))])
    })
}

pub(crate) fn fairness<C: Contender>(windows: Windows) -> Sample {
    two_threads().block_on(async {
        let pool = filled::<C>(4).await;
        let until = Instant::now() + windows.crowd;
        let callers: Vec<_> = (0..32)
            .map(|_| {
                let pool = pool.clone();
                caller::<C, _>(async move {
                    let mut waits = Vec::new();
                    while Instant::now() < until {
                        let (asked, mut waited) = (Instant::now(), Duration::ZERO);
                        let timed = async {
                            waited = asked.elapsed();
                            query(5 * MS).await;
                        };
                        pool.with(timed).await.expect("served");
                        waits.push(millis(waited));
                    }
                    waits
                })
            })
            .collect();
        let (mut waits, mut fewest, mut most) = (Vec::new(), usize::MAX, 0);
        for caller in callers {
            let its = caller.await.expect("no panic");
            (fewest, most) = (fewest.min(its.len()), most.max(its.len()));
            waits.extend(its);
        }
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| percentile(&mut waits, share));
        let fairness = fewest as f64 / most as f64;
        Sample::from([("p50", p50), ("p99", p99), ("max", max), ("fairness", fairness)])
    })
}
