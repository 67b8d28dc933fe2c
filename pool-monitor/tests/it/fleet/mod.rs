//! A fleet under whatever can happen, in virtual time, with every rule checked after every event.
//!
//! A seed is a run: a database, some members, some hundred steps, an end without trouble.
//! `cargo xtask sim fleet` runs as many as asked for; here, without being told otherwise, a few hundred.

mod audit;
mod database;
mod ending;
mod pool;
mod process;
mod settling;
mod step;
mod world;

use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use self::step::Step;
use self::world::World;

/// The first seed, by default 0.
const FROM: &str = "POOL_SIM_FROM";
/// How many seeds; all cores take part then.
const SEEDS: &str = "POOL_SIM_SEEDS";
/// Whether to print every step and how all stand after it.
const TRACE: &str = "POOL_SIM_TRACE";
/// Seeds when nobody says how many.
const SLICE: u64 = 300;
/// Steps shown of a run that failed.
const SHOWN: usize = 25;

/// What the cores share.
struct Run {
    seeds: Range<u64>,
    /// The first that no core has taken.
    next: AtomicU64,
    steps: AtomicU64,
}

#[test]
fn whatever_happens_a_fleet_keeps_to_its_budget() {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (from, seeds): (u64, Option<u64>) = (number(FROM).unwrap_or(0), number(SEEDS));
    let cores =
        if seeds.is_some() { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let seeds = from..from + seeds.unwrap_or(SLICE);
    let count = seeds.end - seeds.start;
    let run = Run { next: AtomicU64::new(seeds.start), seeds, steps: AtomicU64::new(0) };
    let failures: Vec<String> = thread::scope(|scope| {
        let cores: Vec<_> = (0..cores).map(|_| scope.spawn(|| run.take_seeds())).collect();
        cores.into_iter().filter_map(|core| core.join().expect("contained").err()).collect()
    });
    println!("{count} seeds, {} steps", run.steps.load(Ordering::Relaxed));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

impl Run {
    /// Runs seeds until none is left, or one has failed.
    fn take_seeds(&self) -> Result<(), String> {
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.seeds.end {
                return Ok(());
            }
            let end = self.seeds.end;
            let taken = run(seed).inspect_err(|_| self.next.store(end, Ordering::Relaxed))?;
            self.steps.fetch_add(taken as u64, Ordering::Relaxed);
        }
    }
}

/// Runs one seed. Returns how many steps it took.
fn run(seed: u64) -> Result<usize, String> {
    let mut taken: Vec<Step> = Vec::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| take_steps(seed, &mut taken)));
    let Err(panic) = outcome else { return Ok(taken.len()) };
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let fault = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    let first = taken.len().saturating_sub(SHOWN);
    let last = taken.iter().enumerate().skip(first);
    let last: Vec<_> = last.map(|(number, step)| format!("{number:4} {step:?}")).collect();
    Err(format!(
        "seed {seed}: {fault}\nthe last of its steps:\n{}\nreplay it: cargo xtask sim fleet \
         --seed {seed}",
        last.join("\n")
    ))
}

fn take_steps(seed: u64, taken: &mut Vec<Step>) {
    let trace = env::var_os(TRACE).is_some();
    let mut world = World::new(seed, trace);
    let steps = world.rng.usize(50..250);
    for number in 0..steps {
        let step = world.draw_step();
        taken.push(step);
        if trace {
            println!("{number:4} {step:?}");
        }
        world.take(step);
        if trace {
            println!("{world}");
        }
    }
    world.end();
}
