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

use pool_testkit::quietly;
use pool_testkit::seeds::{Seeds, broken, is_traced};

use self::step::Step;
use self::world::World;

/// Seeds when nobody says how many.
const SLICE: u64 = 300;

#[test]
fn whatever_happens_a_fleet_keeps_to_its_budget() {
    let taken = Seeds::asked_for_or(SLICE).run(run).unwrap_or_else(|failed| panic!("{failed}"));
    let hidden = taken.iter().filter(|taken| taken.has_hidden_tags).count();
    let over = taken.iter().filter(|taken| taken.has_run_over).count();
    println!(
        "tags were hidden in {hidden} of the seeds; in {over} of those, there were more sessions than there \
         may be, for no member could see those of members whose lease had run out"
    );
    let steps: usize = taken.iter().map(|taken| taken.steps).sum();
    println!("{} seeds, {steps} steps", taken.len());
}

/// What a seed was like.
struct Taken {
    steps: usize,
    has_hidden_tags: bool,
    /// For that reason, there were more sessions than there may be.
    has_run_over: bool,
}

/// Runs one seed.
fn run(seed: u64) -> Result<Taken, String> {
    let mut taken: Vec<Step> = Vec::new();
    let outcome = quietly(|| take_steps(seed, &mut taken));
    outcome.map_err(|fault| broken(seed, &fault, &taken, "cargo xtask sim fleet"))
}

fn take_steps(seed: u64, taken: &mut Vec<Step>) -> Taken {
    let trace = is_traced();
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
        steps: taken.len(),
        has_hidden_tags: world.database.hides_tags,
        has_run_over: world.audit.has_run_over,
    }
}
