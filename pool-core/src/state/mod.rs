//! The pool's state and every transition of it, as synchronous methods.
//!
//! Nothing here awaits, reads a clock, calls a driver or wakes a task: time is an argument, and what
//! is to be done outside is returned as [`Effects`] or queued as a [`Command`] for the worker. All
//! of it lives under one mutex (see `shared.rs`).
//!
//! | file | transitions |
//! |---|---|
//! | `acquire` | take an idle connection; wait, collect, give up |
//! | `release` | where a connection goes next |
//! | `demand` | when those who wait are worth another connection |
//! | `opening` | connects and what becomes of them |
//! | `outage` | connects that keep failing |
//! | `work` | what the worker does and reports |
//! | `expiry` | idle time, surplus, lifetime and replacement, keep-alive, leaks |
//! | `renewal` | connections that are to be replaced when that can be done |
//! | `lifecycle` | pause, close, invalidate, warm up |
//! | `reconfigure` | a new configuration |
//! | `report` | statistics, holders, failures |

mod acquire;
mod chain;
mod command;
mod demand;
mod effects;
mod expiry;
mod lifecycle;
mod opening;
mod outage;
mod reconfigure;
mod release;
mod renewal;
mod report;
mod schedule;
mod slots;
mod timer_queue;
mod waiters;
mod work;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

pub(crate) use self::acquire::{Checkout, Collected, Entry};
pub(crate) use self::command::{Command, Failure, Finished};
use self::demand::{SlowStart, Smoothed};
pub(crate) use self::effects::{Effects, Event, Rest};
pub(crate) use self::lifecycle::WatchOutcome;
use self::lifecycle::Watcher;
use self::outage::Outage;
pub(crate) use self::release::Left;
use self::schedule::Schedule;
use self::slots::Slots;
use self::timer_queue::TimerQueue;
pub(crate) use self::waiters::Moment;
use self::waiters::Waiters;
use crate::config::PoolConfig;
use crate::error::Holder;
use crate::runtime::{Instant, saturating_nanos};
use crate::stats::{AcquireCounts, Circuit, ClosedCounts, PoolState};
use crate::steering::{Sizes, Steering};

/// Everything a pool knows.
///
/// In C's order, hot fields first: an acquire and its release touch few cache lines, which matters
/// most when threads take turns at them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct State<C> {
    /// Whether an idle connection may be handed out without looking further: open, with a worker.
    serving: bool,
    gate: PoolState,
    /// Whether the last check found a dead connection: then opening is surer than checking.
    idle_suspect: bool,
    slots: Slots<C>,
    waiters: Waiters<C>,
    /// Since when more than `max_idle` connections have been idle, if they are.
    surplus_since: Instant,
    /// When a connection last came back.
    last_release: Instant,
    /// How long a connection is held.
    hold: Smoothed,
    counters: Counters,
    /// Derived from `config`, for the hot path.
    limits: Limits,
    worker: WorkerSeat,
    /// When to look for leaks next.
    leak_scan_at: Instant,
    /// What is laid over the configuration.
    steering: Steering,
    outage: Outage,
    /// What observers were told of it.
    told_circuit: Circuit,
    /// Connects allowed in flight after an outage: one, and one more with each success.
    recovery: usize,
    /// How long a connect takes.
    connect: Smoothed,
    slow_start: SlowStart,
    /// Until when each call of the driver may take, by slot.
    calls: TimerQueue,
    /// The slot whose connection is being checked to keep it alive.
    keeping_alive: Option<u32>,
    /// When each connection is to be replaced for its age.
    lifetimes: Schedule,
    /// What the worker is to start next.
    commands: Vec<Command<C>>,
    /// Closers and warm-ups that wait.
    watchers: Vec<Watcher>,
    next_watcher: u64,
    name: Arc<str>,
    config: PoolConfig,
    generation: u64,
    next_connection: u64,
    next_seat: u64,
    /// Whose worker was dropped before it was done, last.
    lost_seat: u64,
    rng: fastrand::Rng,
    /// The longest holders, as of when; computed for failures and shared between them.
    holders: Option<(Instant, Arc<[Holder]>)>,
}

/// Settings that the hot path reads, in the form it reads them.
#[derive(Debug)]
struct Limits {
    max_open: usize,
    max_idle: usize,
    min_idle: usize,
    /// The shortest idle time that calls for a check, in nanoseconds; `u64::MAX` if none does.
    check_after_idle: u64,
    /// In nanoseconds; `u64::MAX` if leaks are not looked for.
    leak_after: u64,
    /// The shortest rest after which something may be due for an idle connection, in nanoseconds.
    shortest_rest: u64,
    /// Whether no surplus is kept, not even for a moment.
    no_grace: bool,
}

impl Limits {
    fn new(config: &PoolConfig, steering: &Steering) -> Self {
        let Sizes { max_open, max_idle, min_idle } = steering.sizes(config);
        let grace = if max_idle < max_open { config.idle_grace } else { Duration::MAX };
        let nanos = |time: Option<Duration>| time.map_or(u64::MAX, saturating_nanos);
        let rests = [Some(grace), config.max_idle_time, config.keepalive];
        Self {
            max_open,
            max_idle,
            min_idle,
            // Zero checks always, also within one tick of the cheap clock.
            check_after_idle: config.check_after_idle.map_or(u64::MAX, |after| {
                saturating_nanos(after).saturating_add(u64::from(!after.is_zero()))
            }),
            leak_after: nanos(config.leak_after),
            shortest_rest: rests.into_iter().map(nanos).fold(u64::MAX, u64::min),
            no_grace: max_idle == 0 || config.idle_grace.is_zero(),
        }
    }
}

/// Where the worker sits.
#[derive(Debug)]
enum WorkerSeat {
    /// No worker: the next acquire that has to wait starts one.
    Empty,
    /// A worker was spawned.
    Taken {
        /// Number of the seat: a worker that was evicted finds another one.
        seat: u64,
        /// The runtime it runs on, if that has to be driven; see [`Runtime::driven`].
        ///
        /// [`Runtime::driven`]: crate::runtime::Runtime::driven
        driven: Option<u64>,
        /// Rounds it has done.
        rounds: u64,
        /// Present while the worker sleeps.
        waker: Option<Waker>,
        /// When it wakes by itself; the epoch if it has been woken already.
        wakes_at: Instant,
    },
}

/// Times in nanoseconds. They are sums over all users, which 64 bits do not hold for long: a thousand
/// connections in use fill them in seven months.
#[derive(Debug, Default)]
#[repr(C)]
struct Counters {
    hold_time: u128,
    wait_count: u64,
    wait_time: u128,
    peak_in_use: usize,
    /// Without `started`, which is derived.
    acquires: AcquireCounts,
    opened: u64,
    open_failed: u64,
    closed: ClosedCounts,
    /// Probe connections open outside the pool.
    probes: usize,
}

impl<C> State<C> {
    /// A pool without connections. `config` has been validated.
    pub(crate) fn new(name: Arc<str>, config: PoolConfig, seed: u64) -> Self {
        Self {
            serving: false,
            gate: PoolState::Open,
            limits: Limits::new(&config, &Steering::default()),
            slots: Slots::new(),
            waiters: Waiters::new(),
            worker: WorkerSeat::Empty,
            calls: TimerQueue::default(),
            lifetimes: Schedule::default(),
            keeping_alive: None,
            commands: Vec::new(),
            outage: Outage::default(),
            told_circuit: Circuit::Closed,
            recovery: usize::MAX,
            hold: Smoothed::default(),
            connect: Smoothed::default(),
            slow_start: SlowStart::new(Instant::EPOCH),
            idle_suspect: false,
            steering: Steering::default(),
            watchers: Vec::new(),
            next_watcher: 0,
            last_release: Instant::EPOCH,
            surplus_since: Instant::EPOCH,
            leak_scan_at: Instant::NEVER,
            name,
            config,
            generation: 1,
            next_connection: 1,
            next_seat: 1,
            lost_seat: 0,
            rng: fastrand::Rng::with_seed(seed),
            counters: Counters::default(),
            holders: None,
        }
    }

    pub(crate) fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Idle connections kept at rest: as configured and steered.
    pub(crate) fn max_idle(&self) -> usize {
        self.limits.max_idle
    }

    pub(crate) fn steering(&self) -> Steering {
        self.steering
    }

    pub(crate) fn gate(&self) -> PoolState {
        self.gate
    }

    fn set_gate(&mut self, gate: PoolState) {
        self.gate = gate;
        self.update_serving();
    }

    #[inline]
    pub(crate) fn has_idle(&self) -> bool {
        self.slots.idle() > 0
    }

    /// Whether there is nobody to do the pool's own work.
    pub(crate) fn needs_worker(&self) -> bool {
        matches!(self.worker, WorkerSeat::Empty)
    }

    fn update_serving(&mut self) {
        self.serving = self.gate == PoolState::Open && !self.needs_worker();
    }

    /// Wakes the worker unless it wakes by itself at `at` or before.
    #[inline]
    fn wake_worker_by(&mut self, at: Instant, effects: &mut Effects<C>) {
        if let WorkerSeat::Taken { waker, wakes_at, .. } = &mut self.worker
            && at < *wakes_at
        {
            *wakes_at = Instant::EPOCH;
            if let Some(waker) = waker.take() {
                effects.wake_worker = Some(waker);
            }
        }
    }

    fn wake_worker(&mut self, effects: &mut Effects<C>) {
        self.wake_worker_by(Instant::from_nanos(1), effects);
    }
}
