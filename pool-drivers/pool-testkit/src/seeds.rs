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

    /// Whether somebody said how many: by default it has to be quick.
    #[must_use]
    pub fn are_asked_for(&self) -> bool {
        self.are_asked_for
    }

    fn cores(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, usize::from);
        if self.are_asked_for { all() } else { 1 }
    }

    /// What comes of `job` for each of them, in no order.
    ///
    /// # Panics
    ///
    /// `job` does.
    pub fn map<T: Send>(&self, job: impl Fn(u64) -> T + Sync) -> Vec<T> {
        let next = AtomicU64::new(self.range.start);
        let work = || {
            let claim = || next.fetch_add(1, Ordering::Relaxed);
            let claimed = std::iter::repeat_with(claim).take_while(|seed| *seed < self.range.end);
            claimed.map(&job).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.cores()).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|it| it.join().expect("bug: a seed panicked")).collect()
        })
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
    /// One takes longer than a minute or two, or `run` panics.
    pub fn run<T: Send + 'static>(
        &self,
        run: impl Fn(u64) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Vec<T>, String> {
        self.run_within(PATIENCE, run)
    }

    fn run_within<T: Send + 'static>(
        &self,
        patience: Duration,
        run: impl Fn(u64) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Vec<T>, String> {
        let next = AtomicU64::new(self.range.start);
        let seeds = self.range.clone();
        let shared = Arc::new(Runs { seeds, run, next, under_way: Mutex::default() });
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
        while let Err(RecvTimeoutError::Timeout) = all_ended.recv_timeout(patience) {
            let under_way = shared.under_way.lock().clone();
            if let Some(seed) = before.intersection(&under_way).next() {
                panic!("seed {seed} hangs: a deadlock, or it spins");
            }
            before = under_way;
        }
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for core in cores {
            match core.join().expect("bug: a seed panicked") {
                Ok(core) => taken.extend(core),
                Err(failure) => failed.push(failure),
            }
        }
        if failed.is_empty() { Ok(taken) } else { Err(failed.join("\n\n")) }
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

/// A seed that is run. Whatever comes of it, it is not under way any more afterwards.
struct UnderWay<'a> {
    all: &'a Mutex<BTreeSet<u64>>,
    seed: u64,
}

impl<'a> UnderWay<'a> {
    fn new(all: &'a Mutex<BTreeSet<u64>>, seed: u64) -> Self {
        all.lock().insert(seed);
        Self { all, seed }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.seed);
    }
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
                let under_way = UnderWay::new(&self.under_way, seed);
                let taken = (self.run)(seed);
                drop(under_way);
                all.push(taken.inspect_err(|_| self.next.store(end, Ordering::Relaxed))?);
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
    use crate::quietly;

    fn many(from: u64, count: u64) -> Seeds {
        Seeds::new(Some(from), Some(count), 1)
    }

    #[test]
    fn each_seed_is_run_once() {
        let seeds = many(5, 200).after(1000);
        for mut run in [seeds.run(Ok).expect("none fails"), seeds.map(|seed| seed)] {
            run.sort_unstable();
            assert_eq!(run, (1005..1205).collect::<Vec<_>>());
        }
        let few = Seeds::new(None, None, 3);
        assert_eq!((few.map(|seed| seed), few.are_asked_for()), (vec![0, 1, 2], false));
    }

    #[test]
    #[should_panic(expected = "seed 70 hangs: a deadlock, or it spins")]
    fn one_that_hangs_is_named() {
        // Nobody ever sends.
        let (_never, silence) = channel::<Infallible>();
        let silence = Mutex::new(silence);
        let hang = move |seed| match seed {
            70 => silence.lock().recv().map_or_else(|_| Ok(()), |never| match never {}),
            _ => Ok(()),
        };
        let _hangs = many(0, 100).run_within(Duration::from_millis(100), hang);
    }

    #[test]
    fn one_that_panics_does_not_hang() {
        let all = Mutex::default();
        let panicked = quietly(|| {
            let _under_way = UnderWay::new(&all, 3);
            panic!("seed 3");
        });
        assert!(panicked.is_err_and(|said: String| said.contains("seed 3")));
        assert_eq!(*all.lock(), BTreeSet::new());
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
