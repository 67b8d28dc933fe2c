//! A pool, its server and its users, and what each step does to them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{
    CloseReport, ControlHandle, Guard, OpenError, OpeningLease, Pool, PoolConfig, PoolOptions,
    PoolStats, Probe, Steering, Subscription,
};
use pool_testkit::{FakeConnection, FakeDriver, FakeServer, Hand, Sim};

use super::asking::{Asked, Asking, Tally};
use super::settings;
use super::step::{Mood, Step, Usage};
use super::witness::Witness;
use crate::rig::{FakePool, OwnedGuard};

const ROUNDS: usize = 10_000;

pub(super) struct World {
    pub(super) sim: Sim,
    pub(super) server: FakeServer,
    /// Absent once the last handle is dropped.
    pub(super) pool: Option<FakePool>,
    pub(super) control: ControlHandle,
    pub(super) witness: Arc<Witness>,
    _subscription: Subscription,
    pub(super) rng: fastrand::Rng,
    pub(super) mood: Mood,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) guards: Vec<OwnedGuard>,
    pub(super) detached: Vec<FakeConnection>,
    pub(super) warm_ups: Vec<Bounded<Result<(), OpenError>>>,
    pub(super) probes: Vec<Bounded<Result<Box<dyn Probe>, OpenError>>>,
    pub(super) closers: Vec<Bounded<CloseReport>>,
    /// Whether a warm-up began, or other sizes were laid over the configuration, since the last audit.
    pub(super) made_demand: bool,
    /// Whether the pool may still be replacing connections.
    pub(super) renewing: bool,
    /// Connections that were there when a renewal was asked for.
    pub(super) stale: BTreeSet<u64>,
    /// Whether others were being opened then, whose numbers nobody knows.
    pub(super) stale_unknown: bool,
    /// The longest bounds of all configurations so far.
    pub(super) longest: Longest,
    pub(super) last: LastAudit,
}

pub(super) struct Waiter {
    pub(super) asked: Arc<Mutex<Asked>>,
    /// Absent if it is a task.
    hand: Option<Hand<'static, ()>>,
}

impl Waiter {
    pub(super) fn is_task(&self) -> bool {
        self.hand.is_none()
    }
}

/// A future that must be done by its deadline.
pub(super) struct Bounded<T> {
    hand: Hand<'static, T>,
    pub(super) deadline: Instant,
}

impl<T> Bounded<T> {
    fn new(future: impl Future<Output = T> + Send + 'static, deadline: Instant) -> Self {
        Self { hand: Hand::new(future), deadline }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Longest {
    pub(super) connect: Duration,
    pub(super) check: Duration,
}

/// What the audit before found.
pub(super) struct LastAudit {
    pub(super) stats: PoolStats,
    pub(super) tally: Tally,
    pub(super) was_settled: bool,
    pub(super) connects: u64,
    pub(super) had_demand: bool,
    /// Since when those who wait seem to be waiting for nothing.
    pub(super) stuck_since: Option<Instant>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let sim = Sim::new(seed);
        // Not the stream of the task order.
        let mut rng = fastrand::Rng::with_seed(!seed);
        let server = FakeServer::new(sim.runtime());
        let config = settings::draw(&mut rng);
        let longest = Longest { connect: config.connect_timeout, check: config.check_timeout };
        let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        let control = pool.control();
        let witness = Arc::new(Witness::new(&sim, Arc::clone(&control)));
        let last = LastAudit {
            stats: pool.stats(),
            tally: Tally::default(),
            was_settled: true,
            connects: 0,
            had_demand: false,
            stuck_since: None,
        };
        Self {
            _subscription: control.observe(Arc::clone(&witness) as _),
            mood: Mood::draw(&mut rng),
            pool: Some(pool),
            tally: Arc::default(),
            waiters: Vec::new(),
            guards: Vec::new(),
            detached: Vec::new(),
            warm_ups: Vec::new(),
            probes: Vec::new(),
            closers: Vec::new(),
            made_demand: false,
            renewing: false,
            stale: BTreeSet::new(),
            stale_unknown: false,
            sim,
            server,
            control,
            witness,
            rng,
            longest,
            last,
        }
    }

    pub(super) fn pool(&self) -> FakePool {
        self.pool.clone().expect("dropped only at the end")
    }

    pub(super) fn take(&mut self, step: &Step) {
        match *step {
            Step::Ask { timeout, poll } => self.ask(timeout, poll),
            Step::Spawn { timeout } => {
                let asking = Asking::new(&self.pool(), &self.sim, &self.tally, timeout, true);
                drop(self.sim.spawn(asking.0));
                self.waiters.push(Waiter { asked: asking.1, hand: None });
            }
            Step::TryAcquire => {
                let waiting = self.control.stats().waiting;
                if let Ok(guard) = self.pool().try_acquire_owned() {
                    assert_eq!(waiting, 0, "I4: served ahead of those who wait");
                    let mut tally = self.tally.lock();
                    tally.tried += 1;
                    tally.hand_out(&guard);
                    self.guards.push(guard);
                }
            }
            Step::Poll(waiter) => {
                let Waiter { asked, hand } = &mut self.waiters[waiter];
                if let Some(hand) = hand
                    && asked.lock().outcome.is_none()
                {
                    let _ = hand.poll();
                }
            }
            Step::Cancel(waiter) => {
                // A task's is nobody's to cancel but the runtime's.
                if self.waiters[waiter].hand.is_some() {
                    self.waiters.swap_remove(waiter).hand = None;
                }
            }
            Step::Use(..)
            | Step::Release(_)
            | Step::Discard(_)
            | Step::Panic(_)
            | Step::Detach(_)
            | Step::DropDetached => self.user(step),
            Step::SeverAll
            | Step::Script(..)
            | Step::ScriptNext(..)
            | Step::OpenGate(..)
            | Step::Heal
            | Step::Room(_) => self.server(step),
            Step::RunOne => drop(self.sim.run_one()),
            Step::Settle => self.settle(),
            Step::Advance(duration) => self.sim.advance(duration),
            Step::ShutDown => {
                self.tally.lock().is_down = true;
                self.sim.shut_down();
            }
            Step::Restart => {
                self.tally.lock().is_down = false;
                self.sim.restart();
            }
            _ => self.operate(step),
        }
    }

    pub(super) fn ask(&mut self, timeout: Option<Duration>, poll: bool) {
        let (asking, asked) = Asking::new(&self.pool(), &self.sim, &self.tally, timeout, false);
        let mut hand = Hand::new(asking);
        if poll {
            let _ = hand.poll();
        }
        self.waiters.push(Waiter { asked, hand: Some(hand) });
    }

    fn user(&mut self, step: &Step) {
        match *step {
            Step::Use(guard, usage) => make_use(&mut self.guards[guard], usage),
            Step::Release(guard) => drop(self.give_back(guard)),
            Step::Discard(guard) => Guard::discard(self.give_back(guard)),
            Step::Panic(guard) => {
                let guard = self.give_back(guard);
                let user = catch_unwind(AssertUnwindSafe(|| {
                    let _guard = guard;
                    resume_unwind(Box::new("a user"));
                }));
                let payload = user.expect_err("the user's panic");
                assert_eq!(payload.downcast_ref(), Some(&"a user"), "I9: another panic");
            }
            Step::Detach(guard) => {
                let connection = Guard::detach(self.give_back(guard));
                self.detached.push(connection);
            }
            _ => self.detached.clear(),
        }
    }

    fn give_back(&mut self, guard: usize) -> OwnedGuard {
        let guard = self.guards.swap_remove(guard);
        self.tally.lock().held.remove(&guard.id());
        guard
    }

    pub(super) fn give_back_all(&mut self) {
        while !self.guards.is_empty() {
            drop(self.give_back(0));
        }
    }

    fn server(&mut self, step: &Step) {
        match *step {
            Step::Script(call, answer) => self.server.always(call, answer),
            Step::ScriptNext(call, answer) => self.server.next(call, &[answer]),
            Step::OpenGate(call, answer) if self.server.waiting(call) > 0 => {
                self.server.open_gate(call, answer);
            }
            Step::Heal => self.server.heal(),
            Step::Room(sockets) => self.server.set_max_sockets(sockets),
            Step::SeverAll => self.server.sever_all(),
            _ => {}
        }
    }

    fn operate(&mut self, step: &Step) {
        let now = self.sim.now();
        match step {
            Step::Reconfigure(config) => self.reconfigure(PoolConfig::clone(config)),
            Step::Invalidate => drop(self.control.invalidate()),
            Step::Renew => {
                let stats = self.control.stats();
                self.renewing = true;
                self.stale = self.witness.open_ids();
                self.stale_unknown |= stats.opening > 0;
                let renewed = self.control.renew();
                assert!(renewed <= stats.open, "{renewed} of {stats:?}");
            }
            Step::Pause => self.control.pause(),
            Step::Resume => self.control.resume(),
            Step::Steer(steering, lease) => {
                let until = lease.map(|lease| now.after(lease));
                let opening = steering.opening.map(|opening| OpeningLease { until, ..opening });
                self.steer(Steering { opening, ..*steering });
            }
            Step::WarmUp(count, patience) => {
                self.made_demand = true;
                let (pool, count, patience) = (self.pool(), *count, *patience);
                let warm_up = async move { pool.warm_up(count, patience).await };
                self.warm_ups.push(Bounded::new(warm_up, now.after(patience)));
                poll(&mut self.warm_ups, false);
            }
            Step::DropWarmUp(warm_up) => drop(self.warm_ups.swap_remove(*warm_up)),
            Step::Probe => {
                let control = Arc::clone(&self.control);
                let probe = async move {
                    let mut probe = control.probe().await?;
                    // A probe that is lost meanwhile is as good as any.
                    let _ = probe.ping().await;
                    Ok(probe)
                };
                // Each of its two calls has a bound of its own, from when it is polled.
                self.probes.push(Bounded::new(probe, Instant::NEVER));
                poll(&mut self.probes, false);
            }
            Step::DropProbe(probe) => drop(self.probes.swap_remove(*probe)),
            Step::Close(patience) => self.close(*patience),
            _ => unreachable!("taken elsewhere: {step:?}"),
        }
    }

    pub(super) fn steer(&mut self, steering: Steering) {
        self.made_demand = true;
        self.control.steer(steering);
        assert_eq!(self.control.steering(), steering);
    }

    pub(super) fn reconfigure(&mut self, config: PoolConfig) {
        self.longest.connect = self.longest.connect.max(config.connect_timeout);
        self.longest.check = self.longest.check.max(config.check_timeout);
        let outcome = self.control.reconfigure(config).expect("valid");
        assert_eq!(outcome.generation, self.last.stats.generation + 1);
    }

    pub(super) fn close(&mut self, patience: Duration) {
        let deadline = self.sim.now().after(patience);
        self.closers.push(Bounded::new(self.control.close(patience), deadline));
        poll(&mut self.closers, false);
    }

    /// Runs everything that follows from what has happened, without letting time pass.
    pub(super) fn settle(&mut self) {
        for _ in 0..ROUNDS {
            self.sim.run();
            let mut polled = false;
            for waiter in &mut self.waiters {
                if let Some(hand) = &mut waiter.hand
                    && waiter.asked.lock().outcome.is_none()
                {
                    polled |= hand.poll_if_woken().is_ready();
                }
            }
            polled |= poll(&mut self.warm_ups, true) > 0;
            polled |= poll(&mut self.probes, true) > 0;
            polled |= self.look_at_closers();
            self.collect();
            if !polled && !self.sim.run_one() {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.control.stats());
    }

    /// Takes over what acquires have come to.
    pub(super) fn collect(&mut self) {
        let guards = &mut self.guards;
        self.waiters.retain(|waiter| {
            let mut asked = waiter.asked.lock();
            match asked.outcome.take() {
                Some(outcome) => guards.extend(outcome),
                None => return !asked.is_dropped,
            }
            false
        });
    }

    fn look_at_closers(&mut self) -> bool {
        let Tally { held, is_down, .. } = self.tally.lock().clone();
        let held = held.len();
        let now = self.sim.now();
        let mut any = false;
        self.closers.retain_mut(|closer| {
            let Poll::Ready(report) = closer.hand.poll_if_woken() else { return true };
            any = true;
            assert_eq!(report.drained, held == 0, "{held} out: {report:?}");
            let is_early = now < closer.deadline && !report.drained;
            assert!(!is_early || is_down, "gave up before its deadline: {report:?}");
            false
        });
        any
    }
}

/// Polls those that were woken, or all, and lets go of those that are done. How many were.
fn poll<T>(futures: &mut Vec<Bounded<T>>, if_woken: bool) -> usize {
    let before = futures.len();
    futures.retain_mut(|future| {
        let hand = &mut future.hand;
        if if_woken { hand.poll_if_woken() } else { hand.poll() }.is_pending()
    });
    before - futures.len()
}

fn make_use(guard: &mut OwnedGuard, usage: Usage) {
    match usage {
        // With an answer owed it would read that one.
        Usage::Query if guard.session().owed.is_empty() => {
            let answered = guard.query("select 1");
            assert_eq!(answered.is_err(), guard.session().severed);
        }
        Usage::Query => {}
        Usage::Begin => guard.begin(),
        Usage::Alter => guard.alter(),
        Usage::LeaveReplyUnread => drop(guard.send()),
        Usage::Sever => guard.sever(),
    }
}
