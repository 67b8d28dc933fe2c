//! Who changes the settings of a pool in use, stops it, lets it go on and looks at it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pool_core::{AcquireFailed, Observer, Pool, PoolConfig, Steering};
use tokio::time::{sleep, timeout};

use crate::subject::Subject;
use crate::wrongs::Wrongs;

/// Connections of a pool at rest.
pub(crate) const CONNECTIONS: usize = 8;

/// Of any pool at any time.
pub(crate) const MOST_CONNECTIONS: usize = 2 * CONNECTIONS;

/// The settings of a pool at rest: every connection there is stays, and is looked at before its use.
pub(crate) fn at_rest() -> PoolConfig {
    PoolConfig {
        max_open: CONNECTIONS,
        max_idle: CONNECTIONS,
        min_idle: CONNECTIONS,
        max_lifetime: None,
        max_idle_time: None,
        acquire_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(2),
        check_timeout: Duration::from_secs(1),
        check_after_idle: Some(Duration::ZERO),
        outage_grace: None,
        ..PoolConfig::default()
    }
}

/// Settings for trouble, all valid.
pub(crate) fn any_config(random: &mut Rng) -> PoolConfig {
    let mut maybe = |least, most| {
        let time = Duration::from_millis(random.u64(least..most));
        random.bool().then_some(time)
    };
    let times = [
        maybe(1_000, 5_000),
        maybe(20, 2_000),
        maybe(0, 1_000),
        maybe(50, 900),
        maybe(100, 2_000),
        maybe(10, 500),
    ];
    let [max_lifetime, max_idle_time, check_after_idle, keepalive, outage_grace, leak_after] =
        times;
    let max_open = random.usize(1..=MOST_CONNECTIONS);
    let max_idle = random.usize(..=max_open);
    PoolConfig {
        max_open,
        max_idle,
        min_idle: random.usize(..=max_idle),
        idle_grace: Duration::from_millis(random.u64(..500)),
        max_lifetime,
        max_idle_time,
        check_after_idle,
        keepalive,
        outage_grace,
        leak_after,
        max_opening: random.usize(1..5),
        max_waiters: if random.u8(..4) == 0 { random.usize(1..10) } else { 1_000 },
        connect_timeout: Duration::from_millis(random.u64(100..2_000)),
        check_timeout: Duration::from_millis(random.u64(100..1_000)),
        ..at_rest()
    }
}

/// Listens, and forgets.
struct Deaf;

impl Observer for Deaf {
    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        // As a logger would: with all that is known of it.
        drop(format!("{event:?}"));
    }
}

/// Does something to the pool every now and then until told otherwise.
pub(crate) async fn serve<D: Subject>(
    pool: Pool<D>,
    mut random: Rng,
    wrongs: Arc<Wrongs>,
    has_ended: Arc<AtomicBool>,
) {
    let control = pool.control();
    let mut listening = None;
    while !has_ended.load(Ordering::Relaxed) {
        let bound = Duration::from_millis(random.u64(1..300));
        match random.u8(..12) {
            0..4 => {
                if let Err(error) = pool.reconfigure(any_config(&mut random)) {
                    wrongs.add(format!("valid settings are refused: {error}"));
                }
            }
            4 => drop(control.invalidate()),
            5 => {
                control.pause();
                sleep(bound).await;
                control.resume();
            }
            6 => {
                control.steer(Steering {
                    max_open: NonZeroUsize::new(random.usize(..CONNECTIONS)),
                    ..Steering::opening_up_to(random.usize(..CONNECTIONS))
                });
                sleep(bound).await;
                control.steer(Steering::default());
            }
            7 => {
                if let Ok(Ok(mut probe)) = timeout(bound, control.probe()).await {
                    let _asked = timeout(bound, probe.capacity()).await;
                }
            }
            8 => {
                let count = random.usize(..=CONNECTIONS);
                let _warmed = timeout(bound, pool.warm_up(count, bound * 2)).await;
            }
            9 => listening = random.bool().then(|| control.observe(Arc::new(Deaf))),
            10 => drop(format!("{:?}{:?}{:?}", pool.holders(), pool.stats(), pool.db_stats())),
            _ => drop(pool.try_acquire_owned()),
        }
        sleep(bound).await;
    }
    drop(listening);
}
