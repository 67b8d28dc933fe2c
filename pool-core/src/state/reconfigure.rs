//! A new configuration, applied as a whole, and what is laid over it.

use super::{Effects, Limits, State};
use crate::config::{Change, PoolConfig, Reconfigured};
use crate::runtime::Instant;
use crate::stats::{CloseReason, PoolState};
use crate::steering::Steering;

impl<C> State<C> {
    /// Applies a validated configuration. Surplus that is idle is closed now, unused longest first;
    /// surplus in use when it comes back.
    pub(crate) fn reconfigure(
        &mut self,
        config: PoolConfig,
        now: Instant,
        effects: &mut Effects<C>,
    ) -> Reconfigured {
        let changes = Change::between(&self.config, &config);
        self.limits = Limits::new(&config, &self.steering);
        self.config = config;
        self.generation += 1;
        let slots: Vec<_> = self.slots.occupied().map(|(slot, _)| slot).collect();
        for slot in slots {
            if self.slots.phase(slot).is_established() {
                self.set_lifetime(slot, now);
            }
        }
        let closed = self.close_surplus(now, effects);
        self.leak_scan_at = now;
        self.wake_worker(effects);
        Reconfigured {
            generation: self.generation,
            changes,
            closed,
            awaiting_return: self.slots.open().saturating_sub(self.limits.max_open),
        }
    }

    /// Lays other sizes over the configuration. What is surplus then goes as above; where no size
    /// changes, surplus keeps its grace.
    pub(crate) fn steer(&mut self, steering: Steering, now: Instant, effects: &mut Effects<C>) {
        let are_other_sizes = steering.sizes(&self.config) != self.steering.sizes(&self.config);
        self.limits = Limits::new(&self.config, &steering);
        self.steering = steering;
        if are_other_sizes {
            self.close_surplus(now, effects);
        }
        self.wake_worker(effects);
    }

    /// Closes idle connections beyond the limits, unused longest first. How many.
    fn close_surplus(&mut self, now: Instant, effects: &mut Effects<C>) -> usize {
        let mut closed = 0;
        let is_surplus = |state: &Self| {
            state.slots.open() > state.limits.max_open || state.slots.idle() > state.limits.max_idle
        };
        while self.gate != PoolState::Closed && is_surplus(self) {
            let Some(slot) = self.slots.oldest_idle() else { break };
            self.retire_idle(slot, CloseReason::Surplus, now, effects);
            closed += 1;
        }
        closed
    }
}
