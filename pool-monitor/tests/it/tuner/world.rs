//! Clients, pools and one server in virtual time.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;
use pool_core::runtime::Instant;

use super::Sizing;
use super::pool::Pool;
use super::scenario::{Arrivals, Change, Scenario};
use super::server::Server;
use pool_monitor::tuner::Decision;

/// A control period.
const PERIOD: f64 = 1.0;
/// Beyond it, acquires fail at once.
const MAX_WAITERS: usize = 1000;
/// The server's pace wanders as often as this, and forgets within `PACE_KEPT`.
const PACE_STEP: f64 = 0.25;
const PACE_KEPT: f64 = 2.0;
/// A connect that was refused is tried again after this.
const BACK_OFF: f64 = 0.25;

#[derive(Clone, Copy)]
enum Event {
    Arrival { pool: usize },
    Opened { pool: usize, began: f64 },
    Refused { pool: usize },
    Thought { checkout: usize },
    Period { pool: usize },
    Pace,
    Change { index: usize },
}

struct Due {
    at: f64,
    serial: u64,
    event: Event,
}

struct Checkout {
    pool: usize,
    arrived: f64,
    acquired: f64,
    statement_began: f64,
    busy: f64,
    statements_left: u32,
    has_lock: bool,
}

/// What came of it.
pub(super) struct Outcome {
    /// Transactions a second, in the part that is measured.
    pub(super) throughput: f64,
    /// From arrival to release, including the wait.
    pub(super) p99: f64,
    /// Of each pool, its limit at the end of each period, by time.
    limits: Vec<Vec<(f64, usize)>>,
    /// What the first pool's controller decided, by time.
    pub(super) decisions: Vec<(f64, Decision)>,
    /// What was done in each second.
    seconds: Vec<u32>,
}

impl Outcome {
    /// Transactions a second from one second to another.
    pub(super) fn rate(&self, from: usize, until: usize) -> f64 {
        let done: u32 = self.seconds[from..until].iter().sum();
        f64::from(done) / (until - from) as f64
    }

    /// The limits that the first pool had from one second on.
    pub(super) fn limits_since(&self, from: f64) -> Vec<usize> {
        let since = self.limits[0].iter().filter(|(at, _)| *at >= from);
        since.map(|(_, limit)| *limit).collect()
    }
}

pub(super) struct World<'a> {
    scenario: &'a Scenario,
    now: f64,
    random: Rng,
    server: Server,
    pools: Vec<Pool>,
    sizings: Vec<Box<dyn Sizing>>,
    events: BinaryHeap<Reverse<Due>>,
    serial: u64,
    checkouts: Vec<Checkout>,
    free: Vec<usize>,
    /// Who waits for the row that everybody wants.
    lock: VecDeque<usize>,
    is_locked: bool,
    work: f64,
    inner_think: f64,
    /// Transactions a second that are asked for at first.
    offered: f64,
    intensity: f64,
    most: usize,
    /// Clients that are to leave.
    leaving: Vec<usize>,
    clients: Vec<usize>,
    latencies: Vec<f32>,
    done: u64,
    seconds: Vec<u32>,
    limits: Vec<Vec<(f64, usize)>>,
    decisions: Vec<(f64, Decision)>,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, seed: u64, sizings: Vec<Box<dyn Sizing>>) -> Self {
        let pools = sizings.len();
        let mut world = Self {
            scenario,
            now: 0.0,
            random: Rng::with_seed(seed),
            server: Server::new(scenario.law),
            pools: (0..pools).map(|_| Pool::new(scenario.start)).collect(),
            sizings,
            events: BinaryHeap::new(),
            serial: 0,
            checkouts: Vec::new(),
            free: Vec::new(),
            lock: VecDeque::new(),
            is_locked: false,
            work: 1.0,
            inner_think: scenario.inner_think,
            offered: scenario.load * scenario.law.peak(),
            intensity: 1.0,
            most: scenario.most,
            leaving: vec![0; pools],
            clients: vec![0; pools],
            latencies: Vec::new(),
            done: 0,
            seconds: vec![0; scenario.until as usize + 1],
            limits: vec![Vec::new(); pools],
            decisions: Vec::new(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for pool in 0..self.pools.len() {
            let phase = self.random.f64() * PERIOD;
            self.schedule(phase + 0.2, Event::Period { pool });
            if let Arrivals::Open = self.scenario.arrivals {
                self.schedule_arrival(pool);
            }
        }
        self.settle_clients();
        self.schedule(0.0, Event::Pace);
        for (index, (at, _)) in self.scenario.changes.iter().enumerate() {
            self.schedule(*at, Event::Change { index });
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        while self.now < self.scenario.until {
            let event_at = self.events.peek().map_or(f64::INFINITY, |Reverse(due)| due.at);
            let finish_at = self.server.next();
            if finish_at <= event_at {
                self.now = finish_at;
                let checkout = self.server.finish(finish_at);
                self.statement_finished(checkout);
            } else {
                let Reverse(due) = self.events.pop().expect("bug: nothing happens any more");
                self.now = due.at;
                self.handle(due.event);
            }
        }
        self.outcome()
    }

    fn outcome(mut self) -> Outcome {
        let span = self.scenario.until - self.scenario.measured_from;
        let p99 = match self.latencies.len() {
            0 => f32::INFINITY,
            count => {
                let index = count * 99 / 100;
                *self.latencies.select_nth_unstable_by(index, f32::total_cmp).1
            }
        };
        Outcome {
            throughput: self.done as f64 / span,
            p99: f64::from(p99),
            limits: self.limits,
            decisions: self.decisions,
            seconds: self.seconds,
        }
    }

    fn schedule(&mut self, at: f64, event: Event) {
        self.serial += 1;
        self.events.push(Reverse(Due { at, serial: self.serial, event }));
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.random.f64()).ln()
    }

    /// As many acquires a second as are offered to one pool.
    fn rate(&self) -> f64 {
        self.offered * self.intensity / self.pools.len() as f64
    }

    fn schedule_arrival(&mut self, pool: usize) {
        let after = self.exponential(1.0 / self.rate());
        self.schedule(self.now + after, Event::Arrival { pool });
    }

    /// In a closed loop, as many clients as the load asks for.
    fn settle_clients(&mut self) {
        let Arrivals::Closed { think } = self.scenario.arrivals else { return };
        let law = self.scenario.law;
        let each = self.rate() * (think + 1.0 / law.lambda);
        for pool in 0..self.pools.len() {
            let wanted = each.round() as usize;
            self.leaving[pool] = self.clients[pool].saturating_sub(wanted);
            for _ in self.clients[pool]..wanted {
                let after = self.exponential(think);
                self.clients[pool] += 1;
                self.schedule(self.now + after, Event::Arrival { pool });
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival { pool } => {
                if let Arrivals::Open = self.scenario.arrivals {
                    self.schedule_arrival(pool);
                }
                if self.pools[pool].waiting.len() < MAX_WAITERS {
                    self.pools[pool].waiting.push_back(self.now);
                    self.serve(pool);
                }
            }
            Event::Opened { pool, began } => {
                self.pools[pool].opened(self.now - began);
                let limit = self.pools[pool].limit;
                self.pools[pool].resize(limit);
                self.serve(pool);
            }
            Event::Refused { pool } => {
                self.pools[pool].opening -= 1;
                self.serve(pool);
            }
            Event::Thought { checkout } => self.start_statement(checkout),
            Event::Period { pool } => self.control(pool),
            Event::Pace => self.wander(),
            Event::Change { index } => self.change(index),
        }
    }

    fn serve(&mut self, pool: usize) {
        while self.pools[pool].idle > 0 && self.pools[pool].in_use < self.pools[pool].limit {
            let Some(arrived) = self.pools[pool].waiting.pop_front() else { break };
            self.pools[pool].idle -= 1;
            self.pools[pool].lend(self.now, self.now - arrived);
            self.check_out(pool, arrived);
        }
        while self.pools[pool].wants_to_open() {
            let open: usize = self.pools.iter().map(Pool::connections).sum();
            self.pools[pool].opening += 1;
            if open < self.scenario.server_limit {
                let took = self.scenario.connect * (0.5 + self.random.f64());
                self.schedule(self.now + took, Event::Opened { pool, began: self.now });
            } else {
                self.pools[pool].refused();
                self.schedule(self.now + BACK_OFF, Event::Refused { pool });
                break;
            }
        }
    }

    fn check_out(&mut self, pool: usize, arrived: f64) {
        let checkout = Checkout {
            pool,
            arrived,
            acquired: self.now,
            statement_began: self.now,
            busy: 0.0,
            statements_left: if self.inner_think > 0.0 { 2 } else { 1 },
            has_lock: false,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.checkouts[index] = checkout;
                index
            }
            None => {
                self.checkouts.push(checkout);
                self.checkouts.len() - 1
            }
        };
        self.start_statement(index);
    }

    fn start_statement(&mut self, index: usize) {
        self.checkouts[index].statement_began = self.now;
        if self.random.f64() < self.scenario.lock_share {
            if self.is_locked {
                self.lock.push_back(index);
                return;
            }
            self.is_locked = true;
            self.checkouts[index].has_lock = true;
        }
        self.work_on(index);
    }

    fn work_on(&mut self, index: usize) {
        let statements = if self.inner_think > 0.0 { 2.0 } else { 1.0 };
        let mean = self.work / self.scenario.law.lambda / statements;
        let work = self.exponential(mean);
        self.server.start(self.now, index, work);
    }

    fn statement_finished(&mut self, index: usize) {
        let now = self.now;
        let checkout = &mut self.checkouts[index];
        checkout.busy += now - checkout.statement_began;
        checkout.statements_left -= 1;
        let is_last = checkout.statements_left == 0;
        if std::mem::take(&mut checkout.has_lock) {
            self.is_locked = false;
            if let Some(next) = self.lock.pop_front() {
                self.is_locked = true;
                self.checkouts[next].has_lock = true;
                self.work_on(next);
            }
        }
        if is_last {
            self.release(index);
        } else {
            let after = self.exponential(self.inner_think);
            self.schedule(now + after, Event::Thought { checkout: index });
        }
    }

    fn release(&mut self, index: usize) {
        let now = self.now;
        let Checkout { pool, arrived, acquired, busy, .. } = self.checkouts[index];
        self.free.push(index);
        self.pools[pool].take_back(now, now - acquired, busy);
        self.seconds[now as usize] += 1;
        if now >= self.scenario.measured_from {
            self.done += 1;
            self.latencies.push((now - arrived) as f32);
        }
        if let Arrivals::Closed { think } = self.scenario.arrivals {
            if self.leaving[pool] > 0 {
                self.leaving[pool] -= 1;
                self.clients[pool] -= 1;
            } else {
                let after = self.exponential(think);
                self.schedule(now + after, Event::Arrival { pool });
            }
        }
        self.serve(pool);
    }

    fn control(&mut self, pool: usize) {
        let reading = self.pools[pool].read(self.now, self.scenario.least, self.most);
        let now = Instant::from_nanos((self.now * 1e9) as u64);
        let (limit, decision) = self.sizings[pool].size(now, &reading);
        if let Some(decision) = decision.filter(|_| pool == 0) {
            self.decisions.push((self.now, decision));
        }
        self.pools[pool].resize(limit);
        self.limits[pool].push((self.now, limit));
        self.serve(pool);
        self.schedule(self.now + PERIOD, Event::Period { pool });
    }

    fn wander(&mut self) {
        self.server.advance(self.now);
        let kept = (-PACE_STEP / PACE_KEPT).exp();
        let normal: f64 = (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0;
        let wandering = self.scenario.noise * (1.0 - kept * kept).sqrt() * normal;
        self.server.pace = (self.server.pace.ln() * kept + wandering).exp();
        self.schedule(self.now + PACE_STEP, Event::Pace);
    }

    fn change(&mut self, index: usize) {
        match self.scenario.changes[index].1 {
            Change::Work(work) => self.work = work,
            Change::InnerThink(think) => self.inner_think = think,
            Change::Intensity(intensity) => {
                self.intensity = intensity;
                self.settle_clients();
            }
            Change::Most(most) => self.most = most,
            Change::Stopped(is_stopped) => {
                self.server.advance(self.now);
                self.server.is_stopped = is_stopped;
            }
        }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.serial.cmp(&other.serial))
    }
}
