//! Whether an acquire costs more in a large pool or in a long queue.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::busy::nanos_of_one;
use super::{Sample, Windows, is_ready, single_threaded};
use crate::contender::{Contender, filled};

pub(crate) const CONNECTIONS: [(usize, &str); 3] = [(8, "8"), (300, "300"), (10_000, "10000")];
pub(crate) const WAITERS: [(usize, &str, &str); 3] = [
    (10, "join_10", "hand_10"),
    (1_000, "join_1000", "hand_1000"),
    (100_000, "join_100000", "hand_100000"),
];

/// Between two looks at the clock.
const BATCH: u32 = 100;

/// An acquire and release beside so many idle connections.
pub(crate) fn connections<C: Contender>(windows: Windows) -> Sample {
    let mut sample: Sample = CONNECTIONS
        .into_iter()
        .map(|(connections, name)| {
            let nanos = single_threaded().block_on(async {
                let pool = filled::<C>(connections).await;
                nanos_of_one(&pool, windows.warm_up).await;
                nanos_of_one(&pool, windows.measured / 2).await
            });
            (name, nanos)
        })
        .collect();
    sample.insert("ratio", sample["10000"] / sample["8"]);
    sample
}

/// Behind so many who wait: to queue up and give up again, and to be next.
pub(crate) fn waiters<C: Contender>(windows: Windows) -> Sample {
    let mut sample = Sample::new();
    for (waiters, join, hand) in WAITERS {
        let (joined, handed) = behind::<C>(waiters, windows);
        sample.insert(join, joined);
        sample.insert(hand, handed);
    }
    sample.insert("join_ratio", sample["join_100000"] / sample["join_10"]);
    sample.insert("hand_ratio", sample["hand_100000"] / sample["hand_10"]);
    sample
}

/// Nanoseconds of each. Everything is polled by hand, on one thread.
fn behind<C: Contender>(waiters: usize, windows: Windows) -> (f64, f64) {
    let runtime = single_threaded();
    let pool = runtime.block_on(filled::<C>(1));
    let _inside = runtime.enter();
    let served = AtomicUsize::new(0);
    let attempt = || {
        pool.with(async {
            served.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
        })
    };
    // Reused, so that the allocator is not what is measured.
    let mut queue: VecDeque<_> = (0..=waiters).map(|_| Box::pin(Some(attempt()))).collect();
    for waiter in &mut queue {
        let waiter = waiter.as_mut().as_pin_mut().expect("bug: it is there");
        assert!(!is_ready(waiter));
    }
    assert_eq!(served.load(Ordering::Relaxed), 1, "the first has the connection, the others wait");

    let join = || {
        let waiter = pin!(attempt());
        assert!(!is_ready(waiter));
    };
    let mut hand = || {
        let before = served.load(Ordering::Relaxed);
        let mut last = queue.pop_front().expect("bug: never empty");
        last.as_mut().set(None);
        let next = queue.front_mut().expect("bug: never empty");
        assert!(!is_ready(next.as_mut().as_pin_mut().expect("bug: it is there")));
        assert_eq!(served.load(Ordering::Relaxed), before + 1, "the first in the queue is next");
        last.as_mut().set(Some(attempt()));
        assert!(!is_ready(last.as_mut().as_pin_mut().expect("bug: it is there")));
        queue.push_back(last);
    };
    let measured = windows.measured / 2;
    nanos(join, windows.warm_up);
    let joined = nanos(join, measured);
    nanos(&mut hand, windows.warm_up);
    (joined, nanos(&mut hand, measured))
}

fn nanos(mut operation: impl FnMut(), window: Duration) -> f64 {
    let started = Instant::now();
    let mut operations = 0_u32;
    while started.elapsed() < window {
        (0..BATCH).for_each(|_| operation());
        operations += BATCH;
    }
    started.elapsed().as_nanos() as f64 / f64::from(operations)
}
