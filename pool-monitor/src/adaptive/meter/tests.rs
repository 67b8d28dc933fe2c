//! What a meter reads is what happened, by a script in virtual time.

use std::collections::VecDeque;

use pool_core::{OwnedPoolGuard, Pool, PoolConfig, PoolOptions, StatementOutcome, Subscription};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Sim};

use super::*;

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);
const BOUNDS: Bounds = Bounds { least: 1, most: 9 };

/// A pool of two, and a meter that is asked each second.
struct Metered {
    sim: Sim,
    server: FakeServer,
    pool: Pool<FakeDriver>,
    meter: Arc<Meter>,
    events: Subscription,
    read: Instant,
    held: VecDeque<OwnedPoolGuard<FakeDriver>>,
}

impl Metered {
    fn new() -> Self {
        let sim = Sim::new(1);
        let server = FakeServer::new(sim.runtime());
        let config = PoolConfig { max_open: 2, acquire_timeout: 2 * SEC, ..PoolConfig::default() };
        let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        let meter = Arc::new(Meter::new(&sim.runtime()));
        let events = pool.control().observe(meter.clone());
        let read = sim.now();
        Self { sim, server, pool, meter, events, read, held: VecDeque::new() }
    }

    /// Another meter, which knows nothing of what was before.
    fn begin_anew(&mut self) {
        self.meter = Arc::new(Meter::new(&self.sim.runtime()));
        self.events = self.pool.control().observe(self.meter.clone());
        self.read = self.sim.now();
    }

    fn acquire(&mut self) {
        let guard = self.sim.block_on(self.pool.acquire_owned()).expect("acquired");
        self.held.push_back(guard);
    }

    fn release(&mut self) {
        drop(self.held.pop_front().expect("held"));
        self.sim.run();
    }

    /// What happened until the end of this second.
    fn read(&mut self) -> Reading {
        let end = self.read.after(SEC);
        self.sim.advance(end.since(self.sim.now()));
        let (now, stats) = (self.sim.now(), self.pool.control().stats());
        let span = now.since(std::mem::replace(&mut self.read, now));
        self.meter.read(now, span, &stats, BOUNDS)
    }
}

#[test]
fn a_reading_is_what_happened_in_its_period() {
    let mut metered = Metered::new();
    metered.server.always(Call::Connect, Answer::Late(100 * MS));
    metered.acquire();
    metered.sim.advance(300 * MS);
    metered.acquire();
    metered.sim.advance(100 * MS);
    metered.release();
    metered.release();
    metered.acquire();
    let reading = metered.read();
    // One was held from 100 ms to 600 ms, one from 500 ms to 600 ms, and one from then on.
    let expected = Reading {
        span: SEC,
        limit: 2,
        mean_in_use: 1.0,
        peak_in_use: 2,
        waiting: 0,
        smallest_wait: Some(Duration::ZERO),
        mean_wait: Some(200 * MS / 3),
        completed: 2,
        mean_held: Some(300 * MS),
        mean_busy: None,
        overloads: 0,
        mean_connect: Some(100 * MS),
        least: 1,
        most: 9,
    };
    assert_eq!(reading, expected);
    let nothing = Reading {
        peak_in_use: 1,
        smallest_wait: None,
        mean_wait: None,
        completed: 0,
        mean_held: None,
        mean_connect: None,
        ..expected
    };
    assert_eq!(metered.read(), nothing);
}

#[test]
fn who_waits_behind_others_is_seen_in_the_smallest_wait_and_at_the_end() {
    let mut metered = Metered::new();
    metered.acquire();
    metered.acquire();
    let _first_second = metered.read();
    let others = [0, 1].map(|_| metered.sim.spawn(metered.pool.clone().acquire_owned()));
    metered.sim.advance(400 * MS);
    metered.release();
    metered.sim.advance(200 * MS);
    let reading = metered.read();
    assert_eq!(reading.smallest_wait, Some(400 * MS));
    assert_eq!((reading.mean_wait, reading.waiting), (Some(400 * MS), 1));
    assert_eq!((reading.mean_in_use, reading.peak_in_use), (2.0, 2));
    drop(others);
}

#[test]
fn those_who_were_users_before_counting_began_are_counted() {
    let mut metered = Metered::new();
    metered.acquire();
    metered.acquire();
    metered.begin_anew();
    metered.sim.advance(250 * MS);
    metered.release();
    let reading = metered.read();
    assert_eq!((reading.mean_in_use, reading.peak_in_use), (1.25, 2));
    assert_eq!((reading.completed, reading.mean_held), (1, Some(250 * MS)));
    metered.release();
    let last = metered.read();
    assert_eq!((last.mean_in_use, last.peak_in_use), (0.0, 1));
}

#[test]
fn time_in_statements_is_told_apart_from_time_held_once_a_driver_tells_it() {
    let mut metered = Metered::new();
    metered.acquire();
    metered.sim.advance(300 * MS);
    metered.release();
    assert_eq!(metered.read().mean_busy, None);
    for _ in 0..2 {
        metered.acquire();
        let guard = metered.held.back().expect("held");
        let running = guard.statements().start(None).expect("the meter listens");
        metered.sim.advance(100 * MS);
        running.finish(StatementOutcome::Ok);
        metered.sim.advance(200 * MS);
        metered.release();
    }
    let reading = metered.read();
    assert_eq!((reading.mean_held, reading.mean_busy), (Some(300 * MS), Some(100 * MS)));
    metered.acquire();
    metered.release();
    assert_eq!(metered.read().mean_busy, Some(Duration::ZERO));
    assert_eq!(metered.read().mean_busy, None, "nothing came back");
}

#[test]
fn connects_that_a_full_server_refuses_are_counted_and_others_are_not() {
    let mut metered = Metered::new();
    metered.server.next(Call::Connect, &[Answer::Error]);
    metered.server.set_max_sockets(0);
    let refused = metered.sim.block_on(metered.pool.acquire()).map(drop);
    let failed = metered.server.started(Call::Connect);
    let reading = metered.read();
    assert!(refused.is_err() && failed >= 3, "{failed}");
    assert_eq!((reading.overloads, reading.mean_connect), (failed - 1, None));
    assert_eq!(metered.read().overloads, 0);
}

#[test]
fn a_server_that_is_not_ready_is_not_overloaded() {
    let overloaded = |code| is_overload(ErrorClass::Overloaded, Some(code));
    assert_eq!(["53300", "1040", "57P03"].map(overloaded), [true, true, false]);
    assert!(is_overload(ErrorClass::Overloaded, None));
    assert!(!is_overload(ErrorClass::Transient, Some("1040")));
}
