//! What observers are told, held against itself: each connection is opened once and closed once.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{
    AcquireFailed, AcquireStarted, AcquireSucceeded, CircuitChanged, ConnectionClosed,
    ConnectionOpened, ConnectionReleased, ControlHandle, Observer, OpenFailed,
};
use pool_testkit::Sim;

pub(super) struct Witness {
    sim: Sim,
    /// Asked at each event: a deadlock if an observer were told under the lock.
    control: ControlHandle,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    open: BTreeSet<u64>,
    ever_opened: BTreeSet<u64>,
    outages: Vec<Outage>,
    /// The first thing that may not be. Kept: a panic of an observer is contained.
    fault: Option<String>,
}

/// From its first failed connect to the next success.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) first: Instant,
    pub(super) until: Instant,
}

impl Witness {
    pub(super) fn new(sim: &Sim, control: ControlHandle) -> Self {
        Self { sim: sim.clone(), control, seen: Mutex::default() }
    }

    /// Connections that were opened and not closed.
    pub(super) fn open(&self) -> usize {
        self.seen.lock().open.len()
    }

    /// Their numbers.
    pub(super) fn open_ids(&self) -> BTreeSet<u64> {
        self.seen.lock().open.clone()
    }

    pub(super) fn outages(&self) -> Vec<Outage> {
        self.seen.lock().outages.clone()
    }

    pub(super) fn assert_no_fault(&self) {
        let fault = self.seen.lock().fault.clone();
        assert_eq!(fault, None, "what observers are told");
    }

    fn see(&self, what: impl FnOnce(&mut Seen) -> Option<String>) {
        let stats = self.control.stats();
        let mut seen = self.seen.lock();
        let fault = what(&mut seen);
        let is_whole = stats.open == stats.idle + stats.in_use + stats.opening;
        let torn = (!is_whole).then(|| format!("I8: torn inside an event: {stats:?}"));
        seen.fault = seen.fault.take().or(fault).or(torn);
    }
}

impl Observer for Witness {
    fn opened(&self, event: &ConnectionOpened<'_>) {
        let (id, now) = (event.connection_id, self.sim.now());
        self.see(|seen| {
            if let Some(outage) = seen.outages.last_mut() {
                outage.until = outage.until.min(now);
            }
            let is_new = seen.ever_opened.insert(id) && seen.open.insert(id);
            (!is_new).then(|| format!("I6: connection {id} was opened twice"))
        });
    }

    fn closed(&self, event: &ConnectionClosed<'_>) {
        let (id, reason) = (event.connection_id, event.reason);
        self.see(|seen| {
            let was_open = seen.open.remove(&id);
            (!was_open).then(|| format!("I6: connection {id} was closed ({reason}) but not open"))
        });
    }

    fn open_failed(&self, event: &OpenFailed<'_>) {
        let (first, attempts) = (self.sim.now(), event.attempts);
        self.see(|seen| {
            if attempts == 1 {
                seen.outages.push(Outage { first, until: Instant::NEVER });
            }
            None
        });
    }

    fn acquire_started(&self, _: &AcquireStarted<'_>) {
        self.see(|_| None);
    }

    fn acquire_succeeded(&self, _: &AcquireSucceeded<'_>) {
        self.see(|_| None);
    }

    fn acquire_failed(&self, _: &AcquireFailed<'_>) {
        self.see(|_| None);
    }

    fn released(&self, _: &ConnectionReleased<'_>) {
        self.see(|_| None);
    }

    fn circuit_changed(&self, _: &CircuitChanged<'_>) {
        self.see(|_| None);
    }
}
