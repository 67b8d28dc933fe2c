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

use std::any::Any;
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
    /// Seeds in which tags were hidden, and those of them that ran over the limit for that reason.
    hidden: AtomicU64,
    over: AtomicU64,
}

#[test]
fn whatever_happens_a_fleet_keeps_to_its_budget() {
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (from, seeds): (u64, Option<u64>) = (number(FROM).unwrap_or(0), number(SEEDS));
    let cores =
        if seeds.is_some() { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let seeds = from..from + seeds.unwrap_or(SLICE);
    let count = seeds.end - seeds.start;
    let run = Run {
        next: AtomicU64::new(seeds.start),
        seeds,
        steps: AtomicU64::new(0),
        hidden: AtomicU64::new(0),
        over: AtomicU64::new(0),
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let cores: Vec<_> = (0..cores).map(|_| scope.spawn(|| run.take_seeds())).collect();
        cores.into_iter().filter_map(|core| core.join().expect("contained").err()).collect()
    });
    let counted = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "tags were hidden in {} of the seeds; in {} of those, there were more sessions than there may \
         be, for no member could see those of members whose lease had run out",
        counted(&run.hidden),
        counted(&run.over)
    );
    println!("{count} seeds, {} steps", counted(&run.steps));
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
            self.steps.fetch_add(taken.steps, Ordering::Relaxed);
            self.hidden.fetch_add(u64::from(taken.has_hidden_tags), Ordering::Relaxed);
            self.over.fetch_add(u64::from(taken.has_run_over), Ordering::Relaxed);
        }
    }
}

/// What a seed was like.
struct Taken {
    steps: u64,
    has_hidden_tags: bool,
    /// For that reason, there were more sessions than there may be.
    has_run_over: bool,
}

/// Runs one seed.
fn run(seed: u64) -> Result<Taken, String> {
    let mut taken: Vec<Step> = Vec::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| take_steps(seed, &mut taken)));
    outcome.map_err(|panic| tell(seed, panic.as_ref(), &taken))
}

/// What a seed failed with.
fn tell(seed: u64, panic: &(dyn Any + Send), taken: &[Step]) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let fault = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    let first = taken.len().saturating_sub(SHOWN);
    let last = taken.iter().enumerate().skip(first);
    let last: Vec<_> = last.map(|(number, step)| format!("{number:4} {step:?}")).collect();
    format!(
        "seed {seed}: {fault}\nthe last of its steps:\n{}\nreplay it: cargo xtask sim fleet \
         --seed {seed}",
        last.join("\n")
    )
}

fn take_steps(seed: u64, taken: &mut Vec<Step>) -> Taken {
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
    Taken {
        steps: taken.len() as u64,
        has_hidden_tags: world.database.hides_tags,
        has_run_over: world.audit.has_run_over,
    }
}
