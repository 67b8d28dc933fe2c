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

use pool_testkit::quietly;
use pool_testkit::seeds::{Seeds, broken, is_traced};

use self::step::Step;
use self::world::World;

/// Seeds when nobody says how many.
const SLICE: u64 = 300;

#[test]
fn whatever_happens_no_rule_is_broken() {
    let steps = Seeds::asked_for_or(SLICE).run(run).unwrap_or_else(|failed| panic!("{failed}"));
    println!("{} seeds, {} steps", steps.len(), steps.iter().sum::<usize>());
}

/// Runs one seed. Returns how many steps it took.
fn run(seed: u64) -> Result<usize, String> {
    let mut taken: Vec<Step> = Vec::new();
    let mut world = None;
    let outcome = quietly(|| take_steps(world.insert(World::new(seed)), &mut taken));
    // Apart from it: what is broken may break on, and a second panic while one unwinds is an abort.
    let dropped = quietly(|| drop(world));
    outcome.and(dropped).map_err(|fault| broken(seed, &fault, &taken, "cargo xtask sim"))?;
    Ok(taken.len())
}

fn take_steps(world: &mut World, taken: &mut Vec<Step>) {
    let trace = is_traced();
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
