//! How many seeds the simulation is run with, and which.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use pool_testkit::seeds::Seeds;

/// The controller's constants were found with lower seeds than those that judge them.
const LEARNED_FROM: u64 = 1000;

fn all() -> Seeds {
    Seeds::asked_for_or(1).after(LEARNED_FROM)
}

/// Whether somebody said how many: then more cases are judged.
pub(super) fn are_asked_for() -> bool {
    all().are_asked_for()
}

/// Does `job` for each seed. What comes of it is in no order.
pub(super) fn for_each<T: Send>(job: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let seeds = all();
    let next = AtomicU64::new(seeds.range().start);
    let work = || {
        let claim = || next.fetch_add(1, Ordering::Relaxed);
        let claimed = std::iter::repeat_with(claim).take_while(|seed| seeds.range().contains(seed));
        claimed.map(&job).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..seeds.cores()).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("bug: it panicked")).collect()
    })
}
