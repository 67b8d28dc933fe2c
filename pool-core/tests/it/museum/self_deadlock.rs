//! Self-deadlocks: those who hold what they wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pool_core::{Guard, PoolConfig, Steering};
use pool_testkit::{Answer, Call, Hand, Sim};

use super::foreign::{Foreign, Place};
use crate::promptly::promptly;
use crate::rig::{MS, Rig, SEC};

/// golang/go#16873, #13327, brettwooldridge/HikariCP's page on pool locking: each of as many tasks
/// as there are connections holds one and wants a second.
#[test]
fn m63_tasks_that_each_want_a_second_connection_end_by_their_deadline_and_the_error_names_the_line()
{
    let rig =
        Rig::new(PoolConfig { max_open: 8, acquire_timeout: 5 * SEC, ..PoolConfig::default() });
    let line = line!() + 5;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
            rig.sim.spawn(async move {
                let _first = pool.acquire_owned().await.expect("one each");
                sim.sleep(MS).await;
                pool.acquire().await.expect_err("all are held").to_string()
            })
        })
        .collect();
    rig.sim.advance(5 * SEC + MS);
    for task in tasks {
        let error = task.take().expect("ended by its deadline");
        assert!(error.contains("8 of 8 in use, 0 opening, 8 waiting"), "{error}");
        assert!(error.contains(&format!("{}:{line} holds 8", file!())), "{error}");
    }
    rig.audit(0);
}

/// redis/redis-py#2883, #3000: a finaliser ran under the pool's lock and went back into the pool.
#[test]
fn m64_whatever_foreign_code_runs_may_go_back_into_the_pool() {
    promptly(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let sim = Sim::new(1);
        let config = PoolConfig { max_open: 3, outage_grace: None, ..PoolConfig::default() };
        let (server, pool) = Foreign::pool(&sim, config, move |driver, place| {
            let Some(pool) = driver.own_pool() else { return };
            count.fetch_or(1 << place as usize, Ordering::Relaxed);
            let _ = (pool.stats(), pool.db_stats(), pool.holders(), pool.config());
            // Not a guard's own drop within its own drop without an end.
            if place != Place::Released && place != Place::ConnectionDropped {
                drop(pool.try_acquire());
            }
            drop(Hand::new(pool.acquire()).poll());
            let control = pool.control();
            control.steer(Steering::default());
            pool.reconfigure(pool.config()).expect("valid");
        });
        server.next(Call::Connect, &[Answer::Error, Answer::Error]);
        server.next(Call::Check, &[Answer::Error]);
        for round in 0..8 {
            let acquired = (0..3).map(|_| sim.block_on(pool.acquire()).expect("served"));
            let mut guards: Vec<_> = acquired.collect();
            guards[0].begin();
            guards[1].sever();
            if round == 3 {
                pool.control().invalidate();
            }
            if round == 5 {
                sim.shut_down();
                guards.drain(..).for_each(Guard::discard);
                sim.restart();
            }
            drop(guards);
            sim.advance(SEC);
            server.audit(&pool.stats(), 0);
        }
        assert!(sim.block_on(pool.close(SEC)).drained);
        let every_place = (1 << (Place::ErrorDropped as usize + 1)) - 1;
        assert_eq!(ran.load(Ordering::Relaxed), every_place, "each place was there");
        pool.driver().forget();
        assert_eq!(server.sockets(), 0);
    });
}
