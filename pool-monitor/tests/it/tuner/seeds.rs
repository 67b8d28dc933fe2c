//! How many seeds the simulation is run with, and which.

use std::env;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The first seed, by default 0.
const FROM: &str = "POOL_SIM_FROM";
/// How many seeds; all cores take part then, and more cases are judged.
const SEEDS: &str = "POOL_SIM_SEEDS";
/// The controller's constants were found with lower seeds than those that judge them.
const LEARNED_FROM: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Whether somebody said how many: by default it has to be quick.
pub(super) fn are_asked_for() -> bool {
    number(SEEDS).is_some()
}

pub(super) fn all() -> Range<u64> {
    let from = LEARNED_FROM + number(FROM).unwrap_or(0);
    from..from + number(SEEDS).unwrap_or(1)
}

/// Does `job` for each seed. What comes of it is in no order.
pub(super) fn for_each<T: Send>(job: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let seeds = all();
    let cores =
        if are_asked_for() { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let claim = || next.fetch_add(1, Ordering::Relaxed);
        let claimed = std::iter::repeat_with(claim).take_while(|seed| *seed < seeds.end);
        claimed.map(&job).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("bug: it panicked")).collect()
    })
}
