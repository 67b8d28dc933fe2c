//! Random configurations: small, so that every limit is hit, and valid.

use std::num::NonZeroUsize;
use std::time::Duration;

use pool_core::{OpeningLease, PoolConfig, Steering};

use crate::rig::{MS, SEC};

pub(super) fn draw(rng: &mut fastrand::Rng) -> PoolConfig {
    let max_open = rng.usize(1..=5);
    let max_idle = if rng.bool() { PoolConfig::UNLIMITED } else { rng.usize(0..=max_open) };
    let most_idle = max_idle.min(max_open);
    let max_lifetime = pick(rng, &[None, None, Some(100 * MS), Some(SEC), Some(20 * SEC)]);
    let config = PoolConfig {
        max_open,
        max_idle,
        min_idle: if rng.u8(0..3) == 0 { rng.usize(0..=most_idle) } else { 0 },
        idle_grace: pick(rng, &[Duration::ZERO, 10 * MS, SEC, 5 * SEC]),
        max_lifetime,
        lifetime_jitter: pick(rng, &[0, 10, 100]),
        max_idle_time: pick(rng, &[None, None, Some(30 * MS), Some(SEC), Some(20 * SEC)]),
        acquire_timeout: pick(rng, &[10 * MS, 300 * MS, 2 * SEC, 10 * SEC]),
        connect_timeout: pick(rng, &[40 * MS, SEC, 5 * SEC]),
        check_timeout: pick(rng, &[20 * MS, 500 * MS, 2 * SEC]),
        check_after_idle: pick(rng, &[None, Some(Duration::ZERO), Some(20 * MS), Some(SEC / 2)]),
        keepalive: pick(rng, &[None, None, Some(90 * MS), Some(3 * SEC)]),
        max_waiters: pick(rng, &[1, 3, 10_000]),
        max_opening: rng.usize(1..=4),
        outage_grace: pick(rng, &[None, Some(MS), Some(200 * MS), Some(SEC)]),
        leak_after: pick(rng, &[None, None, Some(10 * MS), Some(SEC)]),
    };
    let keepalive = config.keepalive.filter(|every| max_lifetime.is_none_or(|life| *every < life));
    PoolConfig { keepalive, ..config }
}

/// Often none, so that it is lifted again.
pub(super) fn draw_steering(rng: &mut fastrand::Rng) -> Steering {
    if rng.bool() {
        return Steering::default();
    }
    let mut maybe = |most| rng.bool().then(|| rng.usize(0..=most));
    let [max_open, max_idle, min_idle, ceiling] = [4, 4, 2, 3].map(&mut maybe);
    Steering {
        max_open: max_open.map(|below| NonZeroUsize::MIN.saturating_add(below)),
        max_idle,
        min_idle,
        opening: ceiling.map(|ceiling| OpeningLease { ceiling, until: None }),
    }
}

pub(super) fn pick<T: Clone>(rng: &mut fastrand::Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())].clone()
}
