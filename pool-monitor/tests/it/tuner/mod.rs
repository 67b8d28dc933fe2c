//! A server after the Universal Scalability Law, pools and clients, in virtual time: what our controller
//! is judged by, and others with it.

mod by_hand;
mod figures;
mod naive;
mod pool;
mod scenario;
mod seeds;
mod server;
mod spread;
mod traps;
mod world;

use pool_core::runtime::Instant;

use self::scenario::Scenario;
use self::world::{Outcome, World};
use pool_monitor::tuner::{Controller, Decision, Reading};

/// Who sizes a pool.
trait Sizing {
    /// The limit from now on, and what was decided, if something was.
    fn size(&mut self, now: Instant, reading: &Reading) -> (usize, Option<Decision>);
}

/// Who sizes a pool, for a seed of its own.
type Make<'a> = &'a (dyn Fn(u64) -> Box<dyn Sizing> + Sync);

/// A limit that stays.
struct Fixed(usize);

impl Sizing for Fixed {
    fn size(&mut self, _now: Instant, _reading: &Reading) -> (usize, Option<Decision>) {
        (self.0, None)
    }
}

/// Ours.
struct Ours(Controller);

impl Sizing for Ours {
    fn size(&mut self, now: Instant, reading: &Reading) -> (usize, Option<Decision>) {
        let decision = self.0.decide(now, reading);
        (self.0.sizes().max_open, decision)
    }
}

fn ours(seed: u64) -> Box<dyn Sizing> {
    Box::new(Ours(Controller::new(seed)))
}

fn run(scenario: &Scenario, seed: u64, make: Make<'_>) -> Outcome {
    let pools = scenario.pools as u64;
    let sizings = (0..pools).map(|pool| make(seed * pools + pool)).collect();
    World::new(scenario, seed, sizings).run()
}

/// With pools of this size.
fn run_fixed(scenario: &Scenario, seed: u64, size: usize) -> Outcome {
    let scenario = Scenario { start: size, ..scenario.clone() };
    run(&scenario, seed, &move |_| Box::new(Fixed(size)))
}
