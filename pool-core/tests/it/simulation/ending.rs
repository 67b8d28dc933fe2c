//! How a run ends: whatever has happened, everything comes to rest and nothing is left.

use std::time::Duration;

use pool_core::{PoolState, Steering};
use pool_testkit::Call;

use super::settings;
use super::world::{Waiter, World};
use crate::rig::{MS, SEC};

/// Beyond every deadline that a run draws.
const LONGEST: Duration = Duration::from_secs(12);

impl World {
    /// Ends the run in one of three ways.
    pub(super) fn end(&mut self) {
        self.settle();
        self.audit(true);
        match self.rng.u8(0..4) {
            0 => self.close_as_it_is(),
            1 => self.drop_the_last_handle(),
            _ => self.heal_and_close(),
        }
        let stats = self.control.stats();
        self.detached.clear();
        assert_eq!(self.server.sockets(), 0, "I6: the ledger is not empty: {stats:?}");
        assert_eq!(self.witness.open(), 0, "I6: not every connection was closed: {stats:?}");
        let left = stats.open + stats.closing + stats.probes + stats.waiting;
        assert_eq!((left, stats.opened - stats.closed.total()), (0, 0), "{stats:?}");
        assert_eq!(stats.state, PoolState::Closed);
    }

    /// The faults are over: whoever waits is served or has failed by his deadline, the next one is
    /// served, and closing finds everything back.
    fn heal_and_close(&mut self) {
        self.recover();
        let closed = self.control.state() == PoolState::Closed;
        self.outlast(|world| world.waiters.is_empty());
        // A connect that hangs has failed by then, and the pause after it is over.
        self.pass(self.longest.connect + 3 * SEC);
        let before = self.tally.lock().clone();
        self.ask(Some(LONGEST), true);
        self.outlast(|world| world.waiters.is_empty());
        let after = self.tally.lock().clone();
        let ended = (after.succeeded - before.succeeded, after.closed - before.closed);
        assert_eq!(ended, if closed { (0, 1) } else { (1, 0) }, "{:?}", self.control.stats());
        self.warm_ups.clear();
        self.detached.clear();
        // Where the runtime was gone, a renewal begins with the acquire above: about four a second.
        let renewal = SEC / 4 * (self.stale.len() as u32 + 1);
        self.pass(self.longest.connect.max(self.longest.check).max(renewal) + MS);
        assert!(self.probes.is_empty(), "I7: a probe that does not end");
        let left: Vec<_> = self.witness.open_ids().intersection(&self.stale).copied().collect();
        assert!(left.is_empty(), "not renewed: {left:?}: {:?}", self.control.stats());
        let stats = self.control.stats();
        self.server.audit(&stats, 0);
        let coming = stats.checking + stats.resetting + stats.opening + stats.closing;
        let churns = self.control.config().max_lifetime.is_some_and(|life| life <= SEC);
        assert!(coming == 0 || churns, "it does not come to rest: {stats:?}");
        self.close(LONGEST);
        self.pass(LONGEST);
        assert!(self.closers.is_empty(), "close does not resolve");
    }

    /// Closed in the midst of it all, with the faults there are.
    fn close_as_it_is(&mut self) {
        let patience = settings::pick(&mut self.rng, &[Duration::ZERO, 30 * MS, SEC]);
        self.close(patience);
        self.settle();
        self.sim.advance(patience);
        self.settle();
        let now = self.sim.now();
        assert!(self.closers.iter().all(|closer| closer.deadline > now), "close does not resolve");
        self.give_back_all();
        self.probes.clear();
        self.settle();
        // The last goodbyes are cut short.
        self.sim.advance(self.longest.check + MS);
        self.settle();
        assert!(self.waiters.iter().all(|waiter| waiter.asked.lock().place.is_none()));
    }

    /// Every handle is dropped, and with the last one the pool is closed.
    fn drop_the_last_handle(&mut self) {
        self.pool = None;
        self.give_back_all();
        self.probes.clear();
        self.warm_ups.clear();
        self.closers.clear();
        self.waiters.retain(Waiter::is_task);
        self.outlast(|world| world.waiters.is_empty());
        self.sim.advance(self.longest.check + MS);
    }

    fn recover(&mut self) {
        self.sim.restart();
        self.tally.lock().is_down = false;
        self.server.heal();
        self.control.resume();
        self.steer(Steering::default());
        // What is at a gate would stay there until its timeout.
        for call in [Call::Connect, Call::Check, Call::Reset, Call::Close] {
            while self.server.waiting(call) > 0 {
                self.server.open_gate(call, pool_testkit::Answer::Ok);
            }
        }
        self.waiters.retain(|waiter| waiter.is_task() || waiter.asked.lock().place.is_some());
        self.settle();
        self.audit(true);
    }

    /// Lets time pass until `done`, with every connection given back at once.
    fn outlast(&mut self, done: impl Fn(&Self) -> bool) {
        for _ in 0..LONGEST.as_millis() / 250 + 2 {
            self.settle();
            self.give_back_all();
            self.settle();
            if done(self) && self.guards.is_empty() {
                return;
            }
            self.sim.advance(SEC / 4);
        }
        panic!("I7: it is not over after {LONGEST:?}: {:?}", self.control.stats());
    }

    fn pass(&mut self, duration: Duration) {
        self.settle();
        self.sim.advance(duration);
        self.outlast(|_| true);
        self.audit(true);
    }
}
