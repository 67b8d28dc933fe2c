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

use std::env;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

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

#[test]
fn whatever_happens_no_rule_is_broken() {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (from, seeds): (u64, Option<u64>) = (number(FROM).unwrap_or(0), number(SEEDS));
    let cores =
        if seeds.is_some() { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let seeds = from..from + seeds.unwrap_or(SLICE);
    let (next, steps) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let failures: Vec<String> = thread::scope(|scope| {
        let cores: Vec<_> =
            (0..cores).map(|_| scope.spawn(|| run_chunks(&seeds, &next, &steps))).collect();
        cores.into_iter().filter_map(|core| core.join().expect("contained").err()).collect()
    });
    let count = seeds.end - seeds.start;
    println!("{count} seeds, {} steps", steps.load(Ordering::Relaxed));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Runs seeds until none is left, or one has failed.
fn run_chunks(seeds: &Range<u64>, next: &AtomicU64, steps: &AtomicU64) -> Result<(), String> {
    let tenth = ((seeds.end - seeds.start) / 10).max(1);
    loop {
        let first = next.fetch_add(CHUNK, Ordering::Relaxed);
        if first >= seeds.end {
            return Ok(());
        }
        for seed in first..seeds.end.min(first + CHUNK) {
            let taken = run(seed).inspect_err(|_| next.store(seeds.end, Ordering::Relaxed))?;
            let all = steps.fetch_add(taken as u64, Ordering::Relaxed) + taken as u64;
            let done = seed + 1 - seeds.start;
            if done.is_multiple_of(tenth) {
                println!("{done} seeds, {all} steps so far");
            }
        }
    }
}

/// Runs one seed. Returns how many steps it took.
fn run(seed: u64) -> Result<usize, String> {
    let trace = env::var_os(TRACE).is_some();
    let mut taken: Vec<Step> = Vec::new();
    let mut world = World::new(seed);
    let outcome = quietly(|| {
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
    });
    let Err(fault) = outcome else { return Ok(taken.len()) };
    // What is broken may break on while it is dropped.
    let _ = quietly(|| drop(world));
    let first = taken.len().saturating_sub(SHOWN);
    let last = taken.iter().enumerate().skip(first);
    let last: Vec<_> = last.map(|(number, step)| format!("{number:4} {step:?}")).collect();
    Err(format!(
        "seed {seed}: {fault}\nthe last of its steps:\n{}\nreplay it: cargo xtask sim --seed {seed}",
        last.join("\n")
    ))
}
