//! Pools that are soon gone again, in one way or another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use pool_core::Pool;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::audit::Audit;
use crate::place::Place;
use crate::steward::any_config;
use crate::user::{Shared, User};

/// One such pool after the other until told otherwise.
pub(crate) async fn live<P: Place>(
    place: Arc<P>,
    mut random: Rng,
    shared: Shared,
    has_ended: Arc<AtomicBool>,
) {
    while !has_ended.load(Ordering::Relaxed) {
        let driver = match place.other_driver(&mut random) {
            Ok(driver) => driver,
            Err(error) => return shared.wrongs.add(format!("no driver: {error:#}")),
        };
        let config = any_config(&mut random);
        let bound = Duration::from_millis(random.u64(1..500));
        let pool = if random.u8(..4) == 0 {
            match timeout(bound, Pool::open(driver, config)).await {
                Ok(Ok(pool)) => pool,
                Ok(Err(_)) | Err(_) => continue,
            }
        } else {
            Pool::new(driver, config).expect("valid settings")
        };
        be_used_and_end(pool, &mut random, bound, &shared).await;
    }
}

async fn be_used_and_end<D: crate::subject::Subject>(
    pool: Pool<D>,
    random: &mut Rng,
    bound: Duration,
    shared: &Shared,
) {
    let (control, mut audit) = (pool.control(), Audit::of("a pool that is soon gone"));
    let mut users = JoinSet::new();
    for _ in 0..random.u8(..6) {
        let (random, shared) = (random.fork(), shared.clone());
        let mut user = User { pool: pool.clone(), random, shared, is_strict: false };
        users.spawn(async move {
            for _ in 0..10 {
                user.turn().await;
            }
        });
    }
    sleep(bound).await;
    let mut look =
        || audit.look(control.stats()).into_iter().for_each(|wrong| shared.wrongs.add(wrong));
    look();
    match random.u8(..6) {
        0 => drop(pool.close(bound).await),
        1 => drop(timeout(bound / 10, pool.close(bound)).await),
        // Its users have the last handles.
        2 => drop(pool),
        3 => users.abort_all(),
        4 => {
            users.abort_all();
            while users.join_next().await.is_some() {}
            drop(thread::spawn(move || drop(pool)));
        }
        _ => {
            let other = control.close(bound);
            drop(tokio::join!(other, pool.close(bound * 2)));
        }
    }
    look();
    while let Some(ended) = users.join_next().await {
        if ended.is_err_and(|error| error.is_panic()) {
            shared.wrongs.add("a user's task panicked");
        }
    }
    look();
}
