//! Thundering herds: what happens to all connections, or to all who wait, at the same time.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{CloseReason, ConnectionClosed, Guard, Observer, PoolConfig};
use pool_testkit::{Answer, Call, Hand, Sim};

use crate::rig::{FakePool, MS, Rig, SEC};

/// brettwooldridge/HikariCP#559, 2.3.7, 2.4.2: connections that were opened together reached the
/// end of their lifetime together.
#[test]
fn m40_of_a_hundred_connections_born_together_at_most_five_retire_in_any_second() {
    for (lifetime, jitter) in [(1000 * SEC, 10), (120 * SEC, 10), (60 * SEC, 0)] {
        let rig = Rig::new(PoolConfig {
            max_open: 100,
            max_opening: 100,
            max_lifetime: Some(lifetime),
            lifetime_jitter: jitter,
            max_idle_time: None,
            ..PoolConfig::default()
        });
        rig.fill(100);
        rig.sim.advance(lifetime / 2);
        assert_eq!(rig.pool.stats().idle, 100, "none before half of the lifetime");
        let mut idle = vec![100];
        while rig.pool.stats().idle > 0 {
            rig.sim.advance(100 * MS);
            idle.push(rig.pool.stats().idle);
        }
        let most = idle.windows(11).map(|second| second[0] - second[10]).max();
        assert!(most.expect("many seconds") <= 5, "{most:?} within a second of {lifetime:?}");
        assert!(idle.len() as u32 * 100 * MS <= lifetime / 2, "none after the latest time");
    }
}

/// When connections were closed for their age.
struct Retired {
    sim: Sim,
    at: Mutex<Vec<Instant>>,
}

impl Observer for Retired {
    fn closed(&self, event: &ConnectionClosed<'_>) {
        if event.reason == CloseReason::Lifetime {
            self.at.lock().push(self.sim.now());
        }
    }
}

async fn query_for_ever(pool: FakePool, sim: Sim) {
    loop {
        let guard = pool.acquire_owned().await.expect("served");
        sim.sleep(50 * MS).await;
        drop(guard);
    }
}

/// The same in a pool so busy that no connection ever rests: each goes from user to user.
#[test]
fn m40_connections_that_never_rest_do_not_retire_together_either() {
    for (lifetime, jitter) in [(120 * SEC, 10), (60 * SEC, 0)] {
        let rig = Rig::new(PoolConfig {
            max_open: 100,
            max_opening: 100,
            max_lifetime: Some(lifetime),
            lifetime_jitter: jitter,
            connect_timeout: SEC,
            ..PoolConfig::default()
        });
        rig.server.always(Call::Connect, Answer::Late(20 * MS));
        let retired = Arc::new(Retired { sim: rig.sim.clone(), at: Mutex::default() });
        rig.pool.control().observe(retired.clone()).keep();
        for _ in 0..120 {
            drop(rig.sim.spawn(query_for_ever(rig.pool.clone(), rig.sim.clone())));
        }
        rig.sim.advance(lifetime + SEC);
        let at = retired.at.lock().clone();
        assert!(at.len() >= 100, "all of the first hundred: {}", at.len());
        let within_a_second =
            |first: &Instant| at.iter().filter(|it| *it >= first && it.since(*first) < SEC).count();
        let most = at.iter().map(within_a_second).max();
        assert!(most.expect("many") <= 5, "{most:?} within a second of {lifetime:?}");
        assert_eq!(rig.server.most_sockets(), 100, "closed before it is replaced");
        assert_eq!(rig.pool.stats().acquires.failed(), 0);
    }
}

/// djc/bb8 f02f40f, hyperium/hyper#4134: an old wake-up started a second connect for one caller.
#[test]
fn m41_one_waiter_is_at_most_one_connect() {
    let rig = Rig::with_max_open(10);
    rig.server.always(Call::Connect, Answer::Gate);
    let mut waiter = rig.waiter();
    for _ in 0..5 {
        waiter.pending();
        rig.sim.advance(SEC);
    }
    assert_eq!(rig.server.started(Call::Connect), 1);
    // What one that gave up had asked for is there for the next.
    drop(waiter);
    let mut next = rig.waiter();
    assert_eq!(rig.server.started(Call::Connect), 1);
    rig.server.open_gate(Call::Connect, Answer::Ok);
    rig.sim.run();
    drop(next.ready().expect("served"));
    rig.sim.advance(SEC);
    assert_eq!(rig.server.started(Call::Connect), 1);
    rig.audit(0);
}

/// djc/bb8 6204b0d: each connection that came back broken woke everybody.
#[test]
fn m41_broken_connections_that_come_back_wake_as_many_as_they_make_room_for() {
    let rig = Rig::with_max_open(10);
    let held = rig.acquire_many(10);
    let mut waiters: Vec<_> = (0..100).map(|_| rig.waiter()).collect();
    let mut held = held.into_iter();
    held.by_ref().take(4).for_each(Guard::discard);
    rig.sim.run();
    let woken = |waiters: &[Hand<'_, _>]| waiters.iter().map(Hand::wakes).collect::<Vec<_>>();
    assert_eq!(woken(&waiters)[..4], [1; 4]);
    assert_eq!(woken(&waiters).iter().sum::<usize>(), 4);
    assert_eq!(rig.server.started(Call::Connect), 10 + 4);
    let served: Vec<_> = waiters[..4].iter_mut().map(Hand::ready).collect();
    drop((served, held));
}

/// launchbadge/sqlx 46f9f44d, redis/node-redis#400: a server that refused was asked again in a busy
/// loop, by every caller.
#[test]
fn m42_an_outage_of_a_minute_with_a_thousand_waiters_is_a_hundred_and_thirty_connects() {
    Sim::for_each_seed(0..10, |sim| {
        let rig = Rig::in_sim(
            sim,
            PoolConfig {
                max_open: 10,
                acquire_timeout: 300 * SEC,
                outage_grace: None,
                ..PoolConfig::default()
            },
        );
        rig.server.always(Call::Connect, Answer::Error);
        let mut waiters: Vec<_> = (0..1000).map(|_| Hand::new(rig.pool.acquire())).collect();
        waiters.iter_mut().for_each(Hand::pending);
        let fired = sim.timers_fired();
        sim.advance(60 * SEC);
        // `max_opening`, a retry after 50 ms, one every 250 to 300 ms for half a minute, then
        // doubling up to 2 s.
        let connects = rig.server.connects_at();
        assert!((115..=140).contains(&connects.len()), "{} connects", connects.len());
        let fired = sim.timers_fired() - fired;
        assert!(fired <= connects.len() as u64, "{fired} timers: nothing but the retries");
        // Eight at once, before it is known that the server refuses.
        assert_eq!(connects[8].since(connects[7]), 50 * MS);
        let pauses: Vec<_> = connects[8..110].windows(2).map(|it| it[1].since(it[0])).collect();
        assert!(pauses.iter().all(|it| (250 * MS..300 * MS).contains(it)), "{pauses:?}");
        let mut distinct = pauses.clone();
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() >= 30, "drawn anew each time: {distinct:?}");
        assert_eq!(
            waiters.iter().map(Hand::wakes).sum::<usize>(),
            0,
            "nobody is woken for nothing"
        );

        rig.server.always(Call::Connect, Answer::Ok);
        sim.advance(2 * SEC);
        // Ten at once, and each of the others when one before it is done.
        for (turn, waiter) in waiters.iter_mut().enumerate() {
            assert_eq!(waiter.wakes(), 1, "turn {turn}");
            drop(waiter.ready().expect("served"));
        }
        rig.audit(0);
        let stats = rig.pool.stats();
        assert_eq!((stats.acquires.succeeded(), stats.open <= 10), (1000, true));
        assert!(stats.oldest_wait == Duration::ZERO);
    });
}
