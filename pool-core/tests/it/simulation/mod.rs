//! A pool under whatever can happen, in virtual time, with every rule checked after every step.
//!
//! A seed is a run: a configuration, some hundred steps, an end. `cargo xtask sim` runs as many as
//! asked for; here, without being told otherwise, a few hundred.

mod asking;
mod audit;
mod ending;
mod settings;
mod step;
mod witness;
mod world;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::env;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use self::step::Step;
use self::world::World;
use crate::quiet::quietly;

/// The first seed, by default 0.
const FROM: &str = "POOL_SIM_FROM";
/// How many seeds; all cores take part then.
const SEEDS: &str = "POOL_SIM_SEEDS";
/// Whether to print every step and what the pool says after it.
const TRACE: &str = "POOL_SIM_TRACE";
/// Seeds when nobody says how many.
const SLICE: u64 = 300;
/// Seeds that a core takes at once.
const CHUNK: u64 = 64;
/// Steps shown of a run that failed.
const SHOWN: usize = 25;

/// How long a seed may take, which needs a few milliseconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the cores share.
struct Run {
    seeds: Range<u64>,
    /// The first that no core has taken.
    next: AtomicU64,
    /// Steps so far.
    steps: AtomicU64,
    /// What each core is on that has not ended.
    under_way: Mutex<BTreeSet<u64>>,
}

#[test]
fn whatever_happens_no_rule_is_broken() {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (from, seeds): (u64, Option<u64>) = (number(FROM).unwrap_or(0), number(SEEDS));
    let cores =
        if seeds.is_some() { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let seeds = from..from + seeds.unwrap_or(SLICE);
    let count = seeds.end - seeds.start;
    let next = AtomicU64::new(seeds.start);
    let run = Arc::new(Run { seeds, next, steps: AtomicU64::new(0), under_way: Mutex::default() });
    let failures = run.on(cores);
    println!("{count} seeds, {} steps", run.steps.load(Ordering::Relaxed));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

impl Run {
    /// Runs all seeds, on threads that are left behind if one of them hangs. Returns what failed.
    fn on(self: &Arc<Self>, cores: usize) -> Vec<String> {
        // Nothing is sent: it is closed when the last of them has ended.
        let (working, all_ended) = channel::<Infallible>();
        let start = |_| {
            let (run, working) = (Arc::clone(self), working.clone());
            thread::spawn(move || {
                let _working = working;
                run.take_chunks()
            })
        };
        let cores: Vec<_> = (0..cores).map(start).collect();
        drop(working);
        let mut before = BTreeSet::new();
        while let Err(RecvTimeoutError::Timeout) = all_ended.recv_timeout(PATIENCE) {
            let under_way = self.under_way.lock().clone();
            if let Some(seed) = before.intersection(&under_way).next() {
                panic!("seed {seed} hangs: a deadlock, or it spins\n{}", how_to_replay(*seed));
            }
            before = under_way;
        }
        cores.into_iter().filter_map(|core| core.join().expect("contained").err()).collect()
    }

    /// Runs seeds until none is left, or one has failed.
    fn take_chunks(&self) -> Result<(), String> {
        let Range { start, end } = self.seeds;
        let tenth = ((end - start) / 10).max(1);
        loop {
            let first = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= end {
                return Ok(());
            }
            for seed in first..end.min(first + CHUNK) {
                self.under_way.lock().insert(seed);
                let taken = run(seed).inspect_err(|_| self.next.store(end, Ordering::Relaxed));
                self.under_way.lock().remove(&seed);
                let taken = taken? as u64;
                let all = self.steps.fetch_add(taken, Ordering::Relaxed) + taken;
                let done = seed + 1 - start;
                if done.is_multiple_of(tenth) {
                    println!("{done} seeds, {all} steps so far");
                }
            }
        }
    }
}

/// Runs one seed. Returns how many steps it took.
fn run(seed: u64) -> Result<usize, String> {
    let mut taken: Vec<Step> = Vec::new();
    let mut world = None;
    let outcome = quietly(|| take_steps(world.insert(World::new(seed)), &mut taken));
    // Apart from it: what is broken may break on, and a second panic while one unwinds is an abort.
    let dropped = quietly(|| drop(world));
    let Err(fault) = outcome.and(dropped) else { return Ok(taken.len()) };
    let first = taken.len().saturating_sub(SHOWN);
    let last = taken.iter().enumerate().skip(first);
    let last: Vec<_> = last.map(|(number, step)| format!("{number:4} {step:?}")).collect();
    Err(format!(
        "seed {seed}: {fault}\nthe last of its steps:\n{}\n{}",
        last.join("\n"),
        how_to_replay(seed)
    ))
}

fn take_steps(world: &mut World, taken: &mut Vec<Step>) {
    let trace = env::var_os(TRACE).is_some();
    let steps = world.rng.usize(20..200);
    for number in 0..steps {
        let step = world.draw_step();
        taken.push(step.clone());
        if trace {
            println!("{number:4} {step:?}");
        }
        world.take(&step);
        let settled = world.rng.u8(0..100) < world.mood.settling;
        if settled {
            world.settle();
        }
        world.collect();
        world.audit(settled);
        if trace {
            println!("     {:?}", world.control.stats());
        }
    }
    world.end();
}

fn how_to_replay(seed: u64) -> String {
    format!("replay it: cargo xtask sim --seed {seed}")
}
