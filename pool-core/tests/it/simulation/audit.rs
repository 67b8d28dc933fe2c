//! The rules that hold after every step, as far as they can be told from outside. Their numbers are
//! those of docs/museum.md.

use std::num::NonZeroUsize;
use std::time::Duration;

use pool_core::runtime::Instant;
use pool_core::{Circuit, PoolConfig, PoolState, PoolStats};

use super::asking::Tally;
use super::step::Trouble;
use super::world::World;
use crate::rig::MS;

/// After a first failed connect the next one waits this long.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// The longest pause between connects in an outage.
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// One look at everything.
struct Look {
    stats: PoolStats,
    tally: Tally,
    config: PoolConfig,
    /// What the configuration and what is laid over it allow.
    most_open: usize,
    min_idle: usize,
    /// Where no connect may start, and from when on none at all.
    ceiling: usize,
    lease_ends: Instant,
    connects: u64,
    /// Acquires that entered and are neither served nor failed nor dropped.
    pending: usize,
    oldest: Option<u64>,
    soonest_deadline: Instant,
}

impl World {
    /// Checks every rule; more of them if nothing is under way but what takes time.
    pub(super) fn audit(&mut self, settled: bool) {
        let look = self.look();
        self.check_counts(&look);
        self.check_growth(&look);
        self.check_gate(&look);
        self.check_connects(&look);
        self.witness.assert_no_fault();
        if settled {
            self.check_rest(&look);
            self.check_stuck(&look);
        } else {
            self.last.stuck_since = None;
        }
        self.last.had_demand = self.has_demand(&look);
        self.made_demand = false;
        if settled && look.stats.opening == 0 && !self.stale_unknown {
            self.renewing &= !self.stale.is_disjoint(&self.witness.open_ids());
        }
        self.last.stats = look.stats;
        self.last.tally = look.tally;
        self.last.connects = look.connects;
        self.last.was_settled = settled;
    }

    fn look(&self) -> Look {
        let (config, steering) = (self.control.config(), self.control.steering());
        let mut look = Look {
            stats: self.control.stats(),
            tally: self.tally.lock().clone(),
            most_open: steering.max_open.map_or(usize::MAX, NonZeroUsize::get).min(config.max_open),
            min_idle: steering.min_idle.unwrap_or(config.min_idle),
            ceiling: steering.opening.map_or(usize::MAX, |opening| opening.ceiling),
            lease_ends: steering
                .opening
                .and_then(|opening| opening.until)
                .unwrap_or(Instant::NEVER),
            config,
            connects: self.server.started(pool_testkit::Call::Connect),
            pending: 0,
            oldest: None,
            soonest_deadline: Instant::NEVER,
        };
        for waiter in &self.waiters {
            let asked = waiter.asked.lock();
            let (Some(place), None, false) = (asked.place, &asked.outcome, asked.is_dropped) else {
                continue;
            };
            look.pending += 1;
            look.oldest = Some(look.oldest.map_or(place, |oldest| oldest.min(place)));
            look.soonest_deadline = look.soonest_deadline.min(asked.deadline);
        }
        look
    }

    /// I1, I2, I6, I8: what the pool says is what its users, its server and its observers saw.
    fn check_counts(&self, look: &Look) {
        let Look { stats, tally, pending, .. } = look;
        assert_eq!(stats.open, stats.idle + stats.in_use + stats.opening, "I1: {stats:?}");
        let over_cap = stats.open > stats.max_open;
        assert!(!over_cap || stats.idle == 0, "I1: idle surplus beyond the cap: {stats:?}");
        let alive = (stats.opened - stats.closed.total()) as usize;
        assert_eq!(alive, stats.idle + stats.in_use, "I8: opened less closed: {stats:?}");
        assert_eq!(self.witness.open(), alive, "I6: opened and not closed: {stats:?}");
        let known = stats.open + stats.closing + stats.probes + self.detached.len();
        let sockets = self.server.sockets();
        assert!(sockets <= known, "I1: {sockets} sockets: {stats:?}");
        let acquires = stats.acquires;
        let counted = [
            acquires.started,
            acquires.succeeded(),
            acquires.cancelled,
            acquires.timed_out,
            acquires.queue_full,
            acquires.closed,
            acquires.connect_failed,
            acquires.no_runtime,
        ];
        let seen = [
            tally.entered + tally.tried,
            tally.succeeded,
            tally.cancelled,
            tally.timed_out,
            tally.queue_full,
            tally.closed,
            tally.connect_failed,
            tally.no_runtime,
        ];
        assert_eq!(counted, seen, "I8: acquires: {stats:?}");
        let out = stats.in_use - stats.checking - stats.resetting;
        let held = tally.held.len();
        assert!((held..=held + pending).contains(&out), "I2: {held} held: {stats:?}");
        assert!(stats.waiting <= *pending, "I8: {pending} pending: {stats:?}");
        assert!(stats.peak_in_use >= out, "I8: {stats:?}");
    }

    /// I1, I8, I10: counters only grow, and limits are passed only by what was there before.
    fn check_growth(&self, look: &Look) {
        let (stats, last) = (&look.stats, &self.last.stats);
        let before_after = counters(last).into_iter().zip(counters(stats));
        for (index, (before, after)) in before_after.enumerate() {
            assert!(before <= after, "I8: counter {index} fell: {last:?} then {stats:?}");
        }
        // A lease may have ended since the last look: what was opened before stays within it.
        let limit = look.most_open.min(look.ceiling);
        let within = [
            ("open", last.open, stats.open, limit),
            ("opening", last.opening, stats.opening, look.config.max_opening),
            ("closing", last.closing, stats.closing, look.most_open),
            ("waiting", last.waiting, stats.waiting, look.config.max_waiters),
        ];
        let under_lease = [(
            "open or closing under a lease",
            last.open + last.closing,
            stats.open + stats.closing,
            look.ceiling,
        )];
        for (what, before, after, limit) in within.into_iter().chain(under_lease) {
            assert!(after <= before.max(limit), "I1: {what} beyond {limit}: {last:?} {stats:?}");
        }
        let one_outage = last.circuit != Circuit::Closed
            && stats.circuit != Circuit::Closed
            && last.opened == stats.opened;
        assert!(!one_outage || stats.opening <= last.opening.max(1), "I10: a storm: {stats:?}");
    }

    /// A closed pool serves nobody and stays closed; a paused one serves nobody.
    fn check_gate(&self, look: &Look) {
        let (stats, last) = (&look.stats, &self.last);
        if last.stats.state == PoolState::Closed {
            assert_eq!(stats.state, PoolState::Closed, "closed for good");
        }
        if stats.state == PoolState::Closed {
            assert_eq!((stats.idle, stats.waiting), (0, 0), "closed: {stats:?}");
        }
        let both = [last.stats.state, stats.state];
        if both == [PoolState::Paused; 2] && last.was_settled {
            assert_eq!(last.tally.succeeded, look.tally.succeeded, "served while paused");
        }
    }

    /// I10: connects start for a reason, and not right after the first that failed.
    fn check_connects(&self, look: &Look) {
        if look.connects == self.last.connects {
            return;
        }
        let demand = self.last.had_demand || self.has_demand(look);
        assert!(demand, "I10: a connect that nobody asked for: {:?}", look.stats);
        if self.mood.knows(Trouble::Probes) {
            // Probes connect when they are asked to.
            return;
        }
        let outages = self.witness.outages();
        let connects = self.server.connects_at();
        for start in &connects[self.last.connects as usize..] {
            assert!(
                *start < look.lease_ends,
                "a connect at {start:?}, after {:?}",
                look.lease_ends
            );
            let soon = outages.iter().find(|outage| {
                outage.first < *start
                    && *start < outage.first.after(FIRST_RETRY)
                    && *start < outage.until
            });
            assert!(soon.is_none(), "I10: a connect at {start:?}, too soon in {soon:?}");
        }
    }

    fn has_demand(&self, look: &Look) -> bool {
        let config = &look.config;
        look.stats.waiting > 0
            || look.tally.entered > self.last.tally.entered
            || look.min_idle > 0
            || config.max_lifetime.is_some()
            || self.made_demand
            || self.renewing
            || !self.warm_ups.is_empty()
            || self.mood.knows(Trouble::Probes)
            || self.last.stats.generation < look.stats.generation
    }

    /// I2, I4, I7: what holds once everybody who was woken has looked.
    fn check_rest(&self, look: &Look) {
        let Look { stats, tally, pending, .. } = look;
        let now = self.sim.now();
        assert_eq!(stats.waiting, *pending, "I2: woken and not told: {stats:?}");
        let out = stats.in_use - stats.checking - stats.resetting;
        assert_eq!(out, tally.held.len(), "I2: in use but held by nobody: {stats:?}");
        assert!(look.soonest_deadline > now, "I7: waits at {now:?} past its deadline: {stats:?}");
        let bounded = [
            self.warm_ups.iter().map(|future| future.deadline).min(),
            self.closers.iter().map(|future| future.deadline).min(),
        ];
        let soonest = bounded.into_iter().flatten().min();
        assert!(soonest.is_none_or(|at| at > now), "I7: a bounded wait at {now:?}: {bounded:?}");
        if let Some(oldest) = look.oldest {
            let last = tally.last_served;
            assert!(oldest > last, "I4: {oldest} still waits, {last} was served");
        }
        assert!(!tally.is_down || *pending == 0, "a wait without a runtime: {stats:?}");
        if stats.checking + stats.resetting + stats.opening + stats.closing == 0 {
            let known = stats.idle + stats.in_use;
            let sockets = self.server.sockets();
            let most = known + stats.probes + self.detached.len();
            assert!((known..=most).contains(&sockets), "I2: {sockets} sockets: {stats:?}");
        }
    }

    /// I3: nobody waits for nothing.
    fn check_stuck(&mut self, look: &Look) {
        let stats = &look.stats;
        let waits = stats.state == PoolState::Open && stats.waiting > 0;
        assert!(!waits || stats.idle == 0 || stats.checking > 0, "I3: beside idle ones: {stats:?}");
        let is_over = look.lease_ends <= self.sim.now();
        // Under a lease, what says goodbye still takes its place.
        let going = if look.ceiling == usize::MAX { 0 } else { stats.closing };
        let may_open = stats.open + going < look.most_open.min(look.ceiling) && !is_over;
        let coming = stats.opening + stats.checking + stats.resetting;
        if !waits || !may_open || coming > 0 || look.connects != self.last.connects {
            self.last.stuck_since = None;
            return;
        }
        // Half a connect's time, as far as that is known, is what a queue may have to stand.
        let step = self.longest.connect.max(20 * MS) / 2 + MS;
        let pause = if stats.circuit == Circuit::Closed { Duration::ZERO } else { LONGEST_RETRY };
        let now = self.sim.now();
        let since = *self.last.stuck_since.get_or_insert(now);
        let stuck = now.since(since);
        assert!(stuck <= step + pause, "I3: no connect for {stuck:?}: {stats:?}");
    }
}

/// Everything that only grows.
fn counters(stats: &PoolStats) -> [u128; 17] {
    let acquires = stats.acquires;
    [
        acquires.started.into(),
        acquires.immediate.into(),
        acquires.waited.into(),
        acquires.opened.into(),
        acquires.timed_out.into(),
        acquires.queue_full.into(),
        acquires.closed.into(),
        acquires.connect_failed.into(),
        acquires.no_runtime.into(),
        acquires.cancelled.into(),
        stats.wait_count.into(),
        stats.wait_time.as_nanos(),
        stats.hold_time.as_nanos(),
        stats.opened.into(),
        stats.open_failed.into(),
        stats.closed.total().into(),
        stats.generation.into(),
    ]
}
