//! Simulations: which seeds they are run with, on how many cores, and what is said of those that fail.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::env;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// The first seed, by default 0.
const FROM: &str = "POOL_SIM_FROM";
/// How many seeds; all cores take part then.
const SEEDS: &str = "POOL_SIM_SEEDS";
/// Whether to print every step and what comes of it.
const TRACE: &str = "POOL_SIM_TRACE";
/// Seeds that a core takes at once.
const CHUNK: u64 = 64;
/// Steps shown of a run that failed.
const SHOWN: usize = 25;
/// How long a seed may take, which needs a few milliseconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// The seeds that a simulation is run with: each is a run of its own. `cargo xtask sim` says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds {
    range: Range<u64>,
    are_asked_for: bool,
}

impl Seeds {
    /// Those that were asked for; `otherwise` so many from 0 on.
    ///
    /// # Panics
    ///
    /// What was said is no number.
    #[must_use]
    pub fn asked_for_or(otherwise: u64) -> Self {
        let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
        Self::new(number(FROM), number(SEEDS), otherwise)
    }

    fn new(from: Option<u64>, count: Option<u64>, otherwise: u64) -> Self {
        let from = from.unwrap_or(0);
        let range = from..from + count.unwrap_or(otherwise);
        Self { range, are_asked_for: count.is_some() }
    }

    /// As many, each later by `first`.
    #[must_use]
    pub fn after(self, first: u64) -> Self {
        Self { range: self.range.start + first..self.range.end + first, ..self }
    }

    /// Which they are.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Whether somebody said how many: by default it has to be quick.
    #[must_use]
    pub fn are_asked_for(&self) -> bool {
        self.are_asked_for
    }

    /// On how many cores they are run.
    #[must_use]
    pub fn cores(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, usize::from);
        if self.are_asked_for { all() } else { 1 }
    }

    /// Runs each of them, on threads that are left behind if one hangs, until one has failed. What comes
    /// of them is in no order.
    ///
    /// # Errors
    ///
    /// What was said of those that failed.
    ///
    /// # Panics
    ///
    /// One takes longer than a minute, or `run` panics.
    pub fn run<T: Send + 'static>(
        &self,
        run: impl Fn(u64) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Vec<T>, String> {
        let next = AtomicU64::new(self.range.start);
        let under_way = Mutex::default();
        let shared = Arc::new(Runs { seeds: self.range(), run, next, under_way });
        // Nothing is sent: it is closed when the last of them has ended.
        let (working, all_ended) = channel::<Infallible>();
        let start = |_| {
            let (shared, working) = (Arc::clone(&shared), working.clone());
            thread::spawn(move || {
                let _working = working;
                shared.take_chunks()
            })
        };
        let cores: Vec<_> = (0..self.cores()).map(start).collect();
        drop(working);
        let mut before = BTreeSet::new();
        while let Err(RecvTimeoutError::Timeout) = all_ended.recv_timeout(PATIENCE) {
            let under_way = shared.under_way.lock().clone();
            if let Some(seed) = before.intersection(&under_way).next() {
                panic!("seed {seed} hangs: a deadlock, or it spins; replay it with --seed {seed}");
            }
            before = under_way;
        }
        let ended = cores.into_iter().map(|core| core.join().expect("bug: a seed panicked"));
        let (taken, failed): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
        match failed.into_iter().filter_map(Result::err).collect::<Vec<_>>() {
            failed if failed.is_empty() => Ok(taken.into_iter().flatten().flatten().collect()),
            failed => Err(failed.join("\n\n")),
        }
    }
}

/// What the cores share.
struct Runs<R> {
    seeds: Range<u64>,
    run: R,
    /// The first that no core has taken.
    next: AtomicU64,
    /// What each core is on that has not ended.
    under_way: Mutex<BTreeSet<u64>>,
}

impl<R> Runs<R> {
    /// Runs seeds until none is left, or one has failed.
    fn take_chunks<T>(&self) -> Result<Vec<T>, String>
    where
        R: Fn(u64) -> Result<T, String>,
    {
        let Range { start, end } = self.seeds;
        let tenth = ((end - start) / 10).max(1);
        let mut all = Vec::new();
        loop {
            let first = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= end {
                return Ok(all);
            }
            for seed in first..end.min(first + CHUNK) {
                self.under_way.lock().insert(seed);
                let taken =
                    (self.run)(seed).inspect_err(|_| self.next.store(end, Ordering::Relaxed));
                self.under_way.lock().remove(&seed);
                all.push(taken?);
                let done = seed + 1 - start;
                if done.is_multiple_of(tenth) {
                    println!("{done} of {} seeds so far", end - start);
                }
            }
        }
    }
}

/// Whether each step is to be printed, since somebody replays a seed.
#[must_use]
pub fn is_traced() -> bool {
    env::var_os(TRACE).is_some()
}

/// What is said of a seed that broke a rule: what it was, the last of its steps, and the `command` that
/// replays it.
#[must_use]
pub fn broken(seed: u64, fault: &str, steps: &[impl Debug], command: &str) -> String {
    let first = steps.len().saturating_sub(SHOWN);
    let last = steps.iter().enumerate().skip(first);
    let last: Vec<_> = last.map(|(number, step)| format!("{number:4} {step:?}")).collect();
    format!(
        "seed {seed}: {fault}\nthe last of its steps:\n{}\nreplay it: {command} --seed {seed}",
        last.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(from: u64, count: u64) -> Seeds {
        Seeds::new(Some(from), Some(count), 1)
    }

    #[test]
    fn each_seed_is_run_once() {
        let mut seeds = many(5, 200).after(1000).run(Ok).expect("none fails");
        seeds.sort_unstable();
        assert_eq!(seeds, (1005..1205).collect::<Vec<_>>());
        let few = Seeds::new(None, None, 3);
        assert_eq!((few.range(), few.cores(), few.are_asked_for()), (0..3, 1, false));
    }

    #[test]
    fn one_that_fails_ends_them_and_is_told() {
        let fail = |seed| if seed == 130 { Err(format!("{seed} is bad")) } else { Ok(()) };
        let failed = many(0, u64::MAX / 2).run(fail).expect_err("one fails");
        assert_eq!(failed, "130 is bad");
    }

    #[test]
    fn what_is_said_of_a_broken_rule_has_the_last_steps_and_how_to_replay_them() {
        let steps: Vec<_> = (0..40).collect();
        let said = broken(7, "two at once", &steps, "cargo xtask sim");
        assert!(
            said.starts_with("seed 7: two at once\nthe last of its steps:\n  15 15\n"),
            "{said}"
        );
        assert!(said.ends_with("  39 39\nreplay it: cargo xtask sim --seed 7"), "{said}");
    }
}
