//! Resizing, and connections beyond the maximum.

use std::time::Duration;

use pool_core::{FIELDS, PoolConfig, PoolState, Steering, TryAcquireError};
use pool_testkit::{Answer, Call, Hand, Sim};

use crate::rig::{MS, Rig, SEC};

/// tokio-rs/tokio#8021: to take permits from a closed semaphore opened it again.
#[test]
fn m47_a_closed_pool_stays_closed_whatever_is_changed_in_it() {
    for max_open in [1, 3, 50] {
        let rig = Rig::with_max_open(3);
        let held = rig.acquire();
        let mut closing = Hand::new(rig.pool.close(60 * SEC));
        closing.pending();
        let min_idle = max_open / 2;
        let config = PoolConfig { max_open, min_idle, ..rig.pool.config() };
        rig.pool.reconfigure(config).expect("valid");
        let control = rig.pool.control();
        control.pause();
        control.resume();
        control.invalidate();
        control.steer(Steering::default());
        let mut acquire = Hand::new(rig.pool.acquire());
        assert!(acquire.ready().expect_err("closed").is_closed());
        assert_eq!(rig.pool.try_acquire().expect_err("closed"), TryAcquireError::Closed);
        assert!(
            rig.sim
                .block_on(rig.pool.warm_up(1, SEC))
                .is_err_and(|error| { matches!(error, pool_core::OpenError::Closed) })
        );
        assert_eq!(rig.pool.stats().state, PoolState::Closed);
        rig.sim.advance(SEC);
        closing.pending();
        drop(held);
        rig.sim.run();
        assert!(closing.ready().drained);
        assert_eq!((rig.server.sockets(), rig.server.started(Call::Connect)), (0, 1));
    }
}

/// brettwooldridge/HikariCP#1287, #1605, golang/go#45993: the order of the setters decided whether
/// a setting worked, or was an error.
#[test]
fn m48_every_order_of_single_changes_ends_in_the_same_state() {
    let target = PoolConfig {
        max_open: 6,
        max_idle: 3,
        min_idle: 2,
        max_idle_time: Some(60 * SEC),
        ..PoolConfig::default()
    };
    let names = ["max_open", "max_idle", "min_idle", "max_idle_time"];
    let mut ends = Vec::new();
    for order in permutations(&names) {
        let rig = Rig::new(PoolConfig { max_open: 10, ..PoolConfig::default() });
        rig.fill(10);
        for name in order {
            let field = FIELDS.iter().find(|field| field.name == name).expect("a field");
            let mut config = rig.pool.config();
            config.set(name, &field.text(&target)).expect("valid text");
            rig.pool.reconfigure(config).expect("valid");
        }
        rig.sim.advance(61 * SEC);
        let stats = rig.pool.stats();
        ends.push((stats.max_open, stats.max_idle, stats.idle, stats.open));
    }
    ends.dedup();
    assert_eq!(ends, [(6, 3, 2, 2)]);
}

fn permutations(names: &[&'static str]) -> Vec<Vec<&'static str>> {
    if names.is_empty() {
        return vec![Vec::new()];
    }
    let each = (0..names.len()).flat_map(|first| {
        let mut rest = names.to_vec();
        let name = rest.remove(first);
        permutations(&rest).into_iter().map(move |mut order| {
            order.insert(0, name);
            order
        })
    });
    each.collect()
}

/// jackc/pgx#1660, deadpool-rs/deadpool 0.9.5: what was opened in the background, or after a
/// connection had failed its check, came on top of the maximum.
#[test]
fn m49_neither_spares_nor_replacements_pass_the_maximum() {
    Sim::for_each_seed(0..10, |sim| {
        let rig = Rig::in_sim(
            sim,
            PoolConfig {
                max_open: 10,
                min_idle: 5,
                max_opening: 100,
                max_lifetime: Some(SEC),
                check_after_idle: Some(Duration::ZERO),
                keepalive: Some(50 * MS),
                ..PoolConfig::default()
            },
        );
        rig.server.always(Call::Connect, Answer::Late(20 * MS));
        rig.server.always(Call::Check, Answer::Late(MS));
        let mut rng = fastrand::Rng::with_seed(sim.runtime().seed());
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (pool, sim, hold) = (rig.pool.clone(), sim.clone(), MS * rng.u32(0..40));
                rig.sim.spawn(async move {
                    for _ in 0..10 {
                        let mut guard = pool.acquire_owned().await.expect("served");
                        sim.sleep(hold).await;
                        // Every other one comes back broken.
                        if hold.as_millis() % 2 == 0 {
                            guard.sever();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..2000 {
            sim.advance(MS);
            let stats = rig.pool.stats();
            assert!(stats.open <= 10 && stats.opening <= 10, "{stats:?}");
            rig.server.next(Call::Check, if rng.bool() { &[Answer::Error] } else { &[] });
        }
        sim.advance(30 * SEC);
        assert!(callers.iter().all(pool_testkit::SimTask::is_done));
        let stats = rig.pool.stats();
        // A goodbye is no connection any more, and takes no time here.
        assert!(rig.server.most_sockets() <= 11, "{}: {stats:?}", rig.server.most_sockets());
        rig.audit(0);
    });
}
