//! The pool against a reference that is too naive to be wrong: after each of any operations both
//! have served the same acquires with the same connections, and count the same.
//!
//! The driver does all it is asked at once, so what is compared is the pool's own: who is served,
//! in what order, who times out and when, and what is closed.

mod reference;

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use pool_core::{AcquireError, AcquireErrorKind, CloseReason, Guard, PoolConfig};
use pool_testkit::{Hand, hostile, quietly};
use proptest::prelude::*;

use self::reference::{Counts, End, Reference, Settings};
use crate::rig::{OwnedGuard, Rig};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Acquire {
        timeout: u64,
    },
    TryAcquire,
    /// The index is into those that wait; what holds for none does nothing.
    Cancel(usize),
    /// The index is into those that hold a connection.
    Release(usize),
    ReleaseDirty(usize),
    Discard(usize),
    Detach(usize),
    Invalidate,
    Pause,
    Resume,
    Resize {
        max_open: usize,
        max_idle: usize,
    },
    Advance {
        millis: u64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = 0..8_usize;
    prop_oneof![
        8 => prop_oneof![Just(0), 1..40_u64, Just(1000)]
            .prop_map(|timeout| Operation::Acquire { timeout }),
        1 => Just(Operation::TryAcquire),
        2 => index.clone().prop_map(Operation::Cancel),
        6 => index.clone().prop_map(Operation::Release),
        2 => index.clone().prop_map(Operation::ReleaseDirty),
        1 => index.clone().prop_map(Operation::Discard),
        1 => index.prop_map(Operation::Detach),
        1 => Just(Operation::Invalidate),
        1 => Just(Operation::Pause),
        2 => Just(Operation::Resume),
        1 => (1..5_usize, 0..5_usize)
            .prop_map(|(max_open, max_idle)| Operation::Resize { max_open, max_idle }),
        5 => prop_oneof![0..6_u64, 0..60_u64].prop_map(|millis| Operation::Advance { millis }),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let max_open = 1..5_usize;
    let max_idle = prop_oneof![0..5_usize, Just(usize::MAX)];
    let idle_grace = prop_oneof![Just(0), Just(12_u64)];
    let max_idle_time = prop_oneof![Just(None), Just(Some(30_u64))];
    let check_after_idle = prop_oneof![Just(None), Just(Some(0)), Just(Some(5_u64))];
    let max_waiters = prop_oneof![1..4_usize, Just(1000)];
    let all = (max_open, max_idle, idle_grace, max_idle_time, check_after_idle, max_waiters);
    all.prop_map(
        |(max_open, max_idle, idle_grace, max_idle_time, check_after_idle, max_waiters)| {
            let max_idle = max_idle.min(max_open);
            Settings {
                max_open,
                max_idle,
                idle_grace,
                max_idle_time,
                check_after_idle,
                max_waiters,
            }
        },
    )
}

proptest! {
    // Twice as many as of texts: 512, where no variable says how many.
    #![proptest_config(ProptestConfig {
        cases: 2 * hostile::settings().cases,
        max_shrink_iters: 20_000,
        ..hostile::settings()
    })]

    #[test]
    fn after_any_operations_the_pool_is_where_a_naive_one_is(
        settings in settings(),
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        let compared = quietly(|| {
            let mut both = Both::new(settings);
            for operation in operations {
                both.take(operation);
            }
        });
        compared.map_err(TestCaseError::fail)?;
    }
}

/// The pool and its reference.
struct Both {
    rig: Rig,
    reference: Reference,
    next: usize,
    waiting: BTreeMap<usize, Hand<'static, Result<OwnedGuard, AcquireError>>>,
    held: BTreeMap<usize, OwnedGuard>,
}

impl Both {
    fn new(settings: Settings) -> Self {
        let millis = |time: Option<u64>| time.map(Duration::from_millis);
        let config = PoolConfig {
            max_open: settings.max_open,
            max_idle: settings.max_idle,
            idle_grace: Duration::from_millis(settings.idle_grace),
            max_idle_time: millis(settings.max_idle_time),
            check_after_idle: millis(settings.check_after_idle),
            max_waiters: settings.max_waiters,
            max_lifetime: None,
            ..PoolConfig::default()
        };
        Self {
            rig: Rig::new(config),
            reference: Reference::new(settings),
            next: 0,
            waiting: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    fn take(&mut self, operation: Operation) {
        let mut ended = self.apply(operation);
        for _ in 0..2 {
            self.rig.sim.run();
            self.waiting.retain(|acquire, hand| {
                let Poll::Ready(outcome) = hand.poll_if_woken() else { return true };
                ended.push((*acquire, outcome));
                false
            });
        }
        let mut ended: Vec<_> = ended
            .into_iter()
            .map(|(acquire, outcome)| (acquire, self.end(acquire, outcome)))
            .collect();
        ended.sort_unstable();
        let mut expected = self.reference.take_ended();
        expected.sort_unstable();
        assert_eq!(ended, expected, "who ended how after {operation:?}");
        assert_eq!(self.counts(), self.reference.counts(), "the counts after {operation:?}");
    }

    fn end(&mut self, acquire: usize, outcome: Result<OwnedGuard, AcquireError>) -> End {
        match outcome {
            Ok(guard) => {
                let session = guard.id();
                self.held.insert(acquire, guard);
                End::Served(session)
            }
            Err(error) if error.kind() == AcquireErrorKind::Timeout => End::TimedOut,
            Err(error) if error.kind() == AcquireErrorKind::QueueFull => End::QueueFull,
            Err(error) => panic!("nothing fails here: {error}"),
        }
    }

    /// Does it to both. Returns the acquires that ended at once.
    fn apply(&mut self, operation: Operation) -> Vec<(usize, Result<OwnedGuard, AcquireError>)> {
        let Self { rig, reference, .. } = self;
        match operation {
            Operation::Acquire { timeout } => {
                let acquire = self.next;
                self.next += 1;
                reference.acquire(acquire, timeout);
                let timeout = Duration::from_millis(timeout);
                let mut hand = Hand::new(rig.pool.acquire_owned_within(timeout));
                match hand.poll() {
                    Poll::Ready(outcome) => return vec![(acquire, outcome)],
                    Poll::Pending => self.waiting.insert(acquire, hand),
                };
            }
            Operation::TryAcquire => {
                let acquire = self.next;
                self.next += 1;
                reference.try_acquire(acquire);
                if let Ok(guard) = rig.pool.try_acquire_owned() {
                    return vec![(acquire, Ok(guard))];
                }
            }
            Operation::Cancel(index) => {
                if let Some(acquire) = pick(&reference.waiting(), index) {
                    reference.cancel(acquire);
                    drop(self.waiting.remove(&acquire).expect("the pool has it wait, too"));
                }
            }
            Operation::Release(index)
            | Operation::ReleaseDirty(index)
            | Operation::Discard(index)
            | Operation::Detach(index) => self.give_back(operation, index),
            Operation::Invalidate => {
                reference.invalidate();
                rig.pool.control().invalidate();
            }
            Operation::Pause => {
                reference.pause();
                rig.pool.control().pause();
            }
            Operation::Resume => {
                reference.resume();
                rig.pool.control().resume();
            }
            Operation::Resize { max_open, max_idle } => {
                reference.resize(max_open, max_idle);
                let config = PoolConfig { max_open, max_idle, ..rig.pool.config() };
                rig.pool.reconfigure(config).expect("valid");
            }
            Operation::Advance { millis } => {
                reference.advance(millis);
                rig.sim.advance(Duration::from_millis(millis));
            }
        }
        Vec::new()
    }

    fn give_back(&mut self, operation: Operation, index: usize) {
        let Some(acquire) = pick(&self.reference.holding(), index) else { return };
        let mut guard = self.held.remove(&acquire).expect("the pool has it held, too");
        let gone = match operation {
            Operation::Discard(_) => Some(CloseReason::Broken),
            Operation::Detach(_) => Some(CloseReason::Detached),
            _ => None,
        };
        self.reference.release(acquire, gone);
        match operation {
            Operation::Discard(_) => Guard::discard(guard),
            Operation::Detach(_) => drop(Guard::detach(guard)),
            Operation::ReleaseDirty(_) => guard.begin(),
            _ => {}
        }
    }

    fn counts(&self) -> Counts {
        let stats = self.rig.pool.stats();
        let under_way = stats.opening + stats.checking + stats.resetting + stats.closing;
        assert_eq!(under_way, 0, "everything is done at once: {stats:?}");
        assert_eq!(self.rig.server.sockets(), stats.open, "{stats:?}");
        let millis = |time: Duration| time.as_millis() as u64;
        Counts {
            open: stats.open,
            idle: stats.idle,
            in_use: stats.in_use,
            waiting: stats.waiting,
            peak_in_use: stats.peak_in_use,
            started: stats.acquires.started,
            immediate: stats.acquires.immediate,
            waited: stats.acquires.waited,
            served_opened: stats.acquires.opened,
            timed_out: stats.acquires.timed_out,
            queue_full: stats.acquires.queue_full,
            cancelled: stats.acquires.cancelled,
            wait_count: stats.wait_count,
            wait_time: millis(stats.wait_time),
            hold_time: millis(stats.hold_time),
            oldest_wait: millis(stats.oldest_wait),
            opened: stats.opened,
            closed: CloseReason::ALL.map(|reason| stats.closed.of(reason)),
        }
    }
}

fn pick(from: &[usize], index: usize) -> Option<usize> {
    let mut sorted = from.to_vec();
    sorted.sort_unstable();
    (!sorted.is_empty()).then(|| sorted[index % sorted.len()])
}
