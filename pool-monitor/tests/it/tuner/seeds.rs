//! How many seeds the simulation is run with, and which.

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
    all().map(job)
}
