//! Outages: what the server sees, who fails and when, how soon the pool is back.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{AcquireErrorKind, Circuit, CircuitChanged, Observer, PoolConfig};
use pool_testkit::{Answer, Call, Sim, SimTask};

use crate::rig::{FakePool, MS, Rig, SEC};

/// One acquire: when it was asked for, when it ended, and how.
type Asked = (Instant, Instant, Result<(), AcquireErrorKind>);

/// Eight callers with a deadline of 5 s, each asking again 20 ms after each answer.
fn eight_callers(rig: &Rig) -> Arc<Mutex<Vec<Asked>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..8 {
        let (pool, sim, log) = (rig.pool.clone(), rig.sim.clone(), Arc::clone(&log));
        drop(rig.sim.spawn(async move {
            loop {
                let asked = sim.now();
                let result = query(&pool, &sim).await;
                log.lock().push((asked, sim.now(), result));
                sim.sleep(20 * MS).await;
            }
        }));
    }
    log
}

async fn query(pool: &FakePool, sim: &Sim) -> Result<(), AcquireErrorKind> {
    let mut guard = pool.acquire_owned_within(5 * SEC).await.map_err(|error| error.kind())?;
    sim.sleep(2 * MS).await;
    // A connection that died meanwhile says so, which is not what is asked here.
    let _ = guard.query("select 1");
    Ok(())
}

fn go_down(rig: &Rig, connect: Answer) {
    rig.server.always(Call::Connect, connect);
    rig.server.always(Call::Check, Answer::Error);
    rig.server.sever_all();
}

fn come_back(rig: &Rig) {
    rig.server.always(Call::Connect, Answer::Late(5 * MS));
    rig.server.always(Call::Check, Answer::Ok);
}

/// A pool of eight that has served its callers for 2 s.
fn in_service(sim: &Sim) -> (Rig, Arc<Mutex<Vec<Asked>>>) {
    let rig = Rig::in_sim(sim, PoolConfig { max_open: 8, ..PoolConfig::default() });
    come_back(&rig);
    let log = eight_callers(&rig);
    sim.advance(2 * SEC);
    assert!(log.lock().iter().all(|(_, _, result)| result.is_ok()), "in service");
    (rig, log)
}

#[test]
fn while_refused_acquires_fail_within_50_ms_once_the_outage_is_known() {
    Sim::for_each_seed(0..50, |sim| {
        let (rig, log) = in_service(sim);
        go_down(&rig, Answer::Error);
        let down = sim.now();
        sim.advance(20 * SEC);
        // Known: the grace is over, and one more for acquires that were asked for during it.
        let known = down.after(SEC + 100 * MS);
        let log = log.lock();
        let slowest = log.iter().filter(|(asked, ..)| *asked >= known);
        let slowest = slowest.map(|(asked, ended, _)| ended.since(*asked)).max();
        assert!(slowest.expect("callers") <= 50 * MS, "{slowest:?}");
        let longest = log.iter().map(|(asked, ended, _)| ended.since(*asked)).max();
        assert!(longest.expect("callers") <= SEC + 100 * MS, "within the grace: {longest:?}");
    });
}

#[test]
fn an_outage_is_probed_at_most_four_times_a_second() {
    Sim::for_each_seed(0..50, |sim| {
        let (rig, _log) = in_service(sim);
        let before = rig.server.connects_at().len();
        go_down(&rig, Answer::Error);
        sim.advance(20 * SEC);
        let connects = rig.server.connects_at();
        let during = connects.len() - before;
        assert!((60..=80).contains(&during), "{during} connects in 20 s");
        // One probe at a time: after the first retry, never two within 250 ms.
        for pair in connects[before + 1..].windows(2) {
            assert!(pair[1].since(pair[0]) >= 250 * MS);
        }
    });
}

#[test]
fn after_an_outage_service_is_back_within_350_ms_and_mostly_within_250_ms() {
    let times = Mutex::new(Vec::new());
    Sim::for_each_seed(0..200, |sim| {
        let (rig, log) = in_service(sim);
        go_down(&rig, Answer::Error);
        let out_of_step = MS * u32::try_from(times.lock().len()).expect("few");
        sim.advance(10 * SEC + out_of_step);
        come_back(&rig);
        let back = sim.now();
        log.lock().clear();
        sim.advance(SEC);
        let log = log.lock();
        let served = log.iter().filter(|(.., result)| result.is_ok()).map(|(_, ended, _)| *ended);
        times.lock().push(served.min().expect("served again").since(back));
    });
    let mut times = times.into_inner();
    times.sort();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    assert!(median <= 250 * MS && most <= 350 * MS, "median {median:?}, most {most:?}");
}

#[test]
fn while_black_holed_no_acquire_passes_its_deadline() {
    Sim::for_each_seed(0..50, |sim| {
        let (rig, log) = in_service(sim);
        rig.server.always(Call::Connect, Answer::Never);
        rig.server.always(Call::Check, Answer::Never);
        rig.server.sever_all();
        sim.advance(20 * SEC);
        let log = log.lock();
        let longest = log.iter().map(|(asked, ended, _)| ended.since(*asked)).max();
        assert!(longest.expect("callers") <= 5 * SEC, "{longest:?}");
        assert!(log.iter().any(|(.., result)| result.is_err()), "the outage was felt");
    });
}

#[test]
fn after_an_outage_connects_start_slowly() {
    let rig = Rig::new(PoolConfig { max_open: 50, outage_grace: None, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Error);
    let _waiters: Vec<_> = (0..50).map(|_| rig.waiter()).collect();
    rig.sim.advance(10 * SEC);
    rig.server.always(Call::Connect, Answer::Gate);
    rig.sim.advance(SEC);
    // One probe, then one, two, four, eight at once, and no more than `max_opening`.
    for in_flight in [1, 1, 2, 4, 8, 8] {
        assert_eq!(rig.server.waiting(Call::Connect), in_flight);
        for _ in 0..in_flight {
            rig.server.open_gate(Call::Connect, Answer::Ok);
        }
        rig.sim.advance(SEC);
    }
}

#[test]
fn probes_become_rarer_after_half_a_minute_but_never_than_every_two_seconds() {
    let rig = Rig::new(PoolConfig { outage_grace: None, ..PoolConfig::default() });
    rig.server.always(Call::Connect, Answer::Error);
    let mut waiter = pool_testkit::Hand::new(rig.pool.acquire_within(600 * SEC));
    waiter.pending();
    let started = rig.sim.now();
    rig.sim.advance(300 * SEC);
    let connects = rig.server.connects_at();
    for pair in connects[1..].windows(2) {
        let pause = pair[1].since(pair[0]);
        if pair[0].since(started) < 30 * SEC {
            assert!(pause >= 250 * MS && pause < 300 * MS, "{pause:?}");
        } else {
            assert!(pause >= 250 * MS && pause <= 2 * SEC, "{pause:?}");
        }
    }
    let last = connects[connects.len() - 1].since(connects[connects.len() - 2]);
    assert_eq!(last, 2 * SEC);
}

/// The circuit's changes, in order.
#[derive(Default)]
struct Changes(Mutex<Vec<(Circuit, Circuit)>>);

impl Observer for Changes {
    fn circuit_changed(&self, event: &CircuitChanged<'_>) {
        self.0.lock().push((event.from, event.to));
    }
}

#[test]
fn the_circuit_is_seen_in_events_statistics_errors_and_through_the_handle() {
    use Circuit::{Closed, HalfOpen, Open};
    let rig = Rig::with_max_open(2);
    let changes = Arc::new(Changes::default());
    let control = rig.pool.control();
    control.observe(changes.clone()).keep();
    assert_eq!((control.circuit(), rig.pool.stats().circuit), (Closed, Closed));

    rig.server.next(Call::Connect, &[Answer::Error, Answer::LateError(20 * MS)]);
    let mut waiter = rig.waiter();
    assert_eq!((control.circuit(), rig.pool.stats().circuit), (Open, Open));
    rig.sim.advance(60 * MS);
    assert_eq!(control.circuit(), HalfOpen);
    rig.sim.advance(10 * MS);
    assert_eq!(control.circuit(), Open);
    let error = rig.sim.block_on(rig.pool.acquire_within(10 * MS)).expect_err("too short");
    assert_eq!(error.details().circumstances.stats.circuit, Open);
    assert!(error.to_string().contains("circuit open: 2 connects failed in 80.0 ms"), "{error}");
    rig.sim.advance(300 * MS);
    drop(waiter.ready().expect("served by the third"));
    assert_eq!(control.circuit(), Closed);
    let seen = changes.0.lock().clone();
    let expected =
        [(Closed, Open), (Open, HalfOpen), (HalfOpen, Open), (Open, HalfOpen), (HalfOpen, Closed)];
    assert_eq!(seen, expected);
}

#[test]
fn a_connection_that_still_comes_back_serves_during_an_outage() {
    let rig = Rig::with_max_open(2);
    let held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Error);
    let mut waiter = rig.waiter();
    rig.sim.advance(500 * MS);
    assert_eq!(rig.pool.stats().circuit, Circuit::Open);
    drop(held);
    drop(waiter.ready().expect("served by the one that came back"));
    drop(rig.acquire());
}

/// A `connect_timeout` longer than the grace: what is in flight has not failed.
#[test]
fn a_connect_in_flight_is_not_yet_an_outage() {
    let rig = Rig::with_max_open(2);
    rig.server.always(Call::Connect, Answer::Late(Duration::from_secs(5)));
    let mut waiter = rig.waiter();
    rig.sim.advance(4 * SEC);
    waiter.pending();
    rig.sim.advance(SEC);
    drop(waiter.ready().expect("served"));
}

/// A connect failed an hour ago, and nobody has asked since.
#[test]
fn an_old_failure_does_not_fail_an_acquire_whose_own_connect_is_in_flight() {
    let rig = Rig::new(PoolConfig { max_open: 10, max_lifetime: None, ..PoolConfig::default() });
    let held = rig.acquire();
    rig.server.next(Call::Connect, &[Answer::Error]);
    drop(rig.waiter());
    rig.sim.advance(3600 * SEC);
    drop(held);
    let _held = rig.acquire();
    rig.server.always(Call::Connect, Answer::Late(1500 * MS));
    let started = rig.sim.now();
    drop(rig.acquire());
    assert!(rig.sim.now().since(started) <= 1600 * MS);
}

/// How many of eight callers are served by connects that take `connect`, when one has failed before a
/// quiet time. They come one after the other while the first connect is under way.
fn served_after(quiet: Duration, failure: Answer, grace: Duration, connect: Duration) -> usize {
    let outage_grace = Some(grace);
    let rig = Rig::new(PoolConfig { max_open: 20, outage_grace, ..PoolConfig::default() });
    rig.server.next(Call::Connect, &[failure]);
    let mut first = rig.waiter();
    let _ = first.poll_if_woken();
    drop(first);
    rig.sim.advance(quiet);
    rig.server.always(Call::Connect, Answer::Late(connect));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let caller = rig.spawn_acquire();
            rig.sim.advance(connect / 10);
            caller
        })
        .collect();
    rig.sim.advance(20 * SEC);
    callers.iter().filter_map(SimTask::take).flatten().count()
}

#[test]
fn a_failure_from_before_a_quiet_time_fails_nobody() {
    for failure in [Answer::Error, Answer::Permanent] {
        for quiet in [2 * SEC, 3600 * SEC] {
            for (grace, connect) in [(SEC, 150 * MS), (SEC, 3 * SEC), (100 * MS, 300 * MS)] {
                let served = served_after(quiet, failure, grace, connect);
                assert_eq!(served, 8, "{failure:?}, {quiet:?}, {grace:?}, {connect:?}");
            }
        }
    }
}

#[test]
fn an_outage_that_goes_on_after_a_long_quiet_time_counts_its_grace_anew() {
    let rig = Rig::with_max_open(20);
    rig.server.always(Call::Connect, Answer::Error);
    drop(rig.waiter());
    rig.sim.advance(3600 * SEC);
    let before = rig.server.connects_at().len();
    let asked = rig.sim.now();
    let error = rig.sim.block_on(rig.pool.acquire()).expect_err("down");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    assert_eq!(rig.sim.now().since(asked), SEC, "outage_grace");
    assert!((4..=5).contains(&(rig.server.connects_at().len() - before)), "as in a new outage");
    let asked = rig.sim.now();
    let failed = (0..20).filter(|_| rig.sim.block_on(rig.pool.acquire()).is_err()).count();
    assert_eq!(failed, 20);
    assert!(rig.sim.now().since(asked) <= 300 * MS, "known again");
}

#[test]
fn a_caller_who_asks_rarely_waits_for_the_grace_once() {
    for every in [SEC, 1400 * MS, 2 * SEC, 5 * SEC] {
        let rig = Rig::with_max_open(20);
        rig.server.always(Call::Connect, Answer::Late(5 * MS));
        drop(rig.acquire());
        rig.sim.advance(SEC);
        go_down(&rig, Answer::LateError(5 * MS));
        let waited: Vec<_> = (0..10)
            .map(|_| {
                let asked = rig.sim.now();
                drop(rig.sim.block_on(rig.pool.acquire()).expect_err("down"));
                let waited = rig.sim.now().since(asked);
                rig.sim.advance(every);
                waited
            })
            .collect();
        assert!(waited[0] >= SEC, "the grace: {waited:?}");
        assert!(waited[1..].iter().all(|waited| *waited <= 50 * MS), "{every:?}: {waited:?}");
        assert!(rig.server.connects_at().len() <= 16, "{every:?}");
    }
}

#[test]
fn who_waited_while_a_paused_pools_database_was_mended_is_served() {
    let rig =
        Rig::new(PoolConfig { max_open: 20, acquire_timeout: 1000 * SEC, ..PoolConfig::default() });
    rig.server.next(Call::Connect, &[Answer::Error]);
    let caller = rig.spawn_acquire();
    rig.sim.advance(10 * MS);
    rig.pool.control().pause();
    rig.sim.advance(100 * SEC);
    rig.server.always(Call::Connect, Answer::Late(150 * MS));
    rig.pool.control().resume();
    rig.sim.advance(SEC);
    assert!(caller.take().is_some_and(|served| served.is_ok()));
}
