//! Statistics that contradict each other.

use pool_core::{PoolConfig, PoolStats};
use pool_testkit::{Answer, Call, Sim};

use crate::rig::{MS, Rig};

/// deadpool-rs/deadpool#92, importcjj/mobc#99, golang/go#38058: more were available than there
/// were, the number in use was -1, what was counted up was not counted down on one of the ways out.
#[test]
fn m65_statistics_are_one_consistent_snapshot_at_every_step() {
    Sim::for_each_seed(0..50, |sim| {
        let rig = Rig::in_sim(
            sim,
            PoolConfig { max_open: 4, acquire_timeout: 30 * MS, ..PoolConfig::default() },
        );
        rig.server.always(Call::Connect, Answer::Late(5 * MS));
        rig.server.always(Call::Reset, Answer::Late(2 * MS));
        let mut last = rig.pool.stats();
        for number in 0..80_u32 {
            let (pool, task_sim) = (rig.pool.clone(), sim.clone());
            sim.spawn(async move {
                task_sim.sleep(MS * number).await;
                let Ok(mut guard) = pool.acquire_owned().await else { return };
                task_sim.sleep(MS * (number % 13)).await;
                match number % 5 {
                    0 => guard.begin(),
                    1 => guard.sever(),
                    _ => guard.query("select 1").expect("alive"),
                }
            });
        }
        while sim.run_one() || sim.skip_to_next_timer() {
            let stats = rig.pool.stats();
            check_snapshot(&last, &stats);
            last = stats;
        }
        rig.audit(0);
        assert_eq!((last.acquires.started, last.acquires.cancelled), (80, 0));
    });
}

fn check_snapshot(before: &PoolStats, now: &PoolStats) {
    assert_eq!(now.open, now.idle + now.in_use + now.opening, "{now:?}");
    assert!(now.open <= now.max_open && now.checking + now.resetting <= now.in_use, "{now:?}");
    assert_eq!((now.opened - now.closed.total()) as usize, now.idle + now.in_use, "{now:?}");
    let acquires = now.acquires;
    let ended = acquires.succeeded() + acquires.failed() + acquires.cancelled;
    assert!(acquires.started >= ended + now.waiting as u64, "{now:?}");
    let counters = |stats: &PoolStats| {
        let PoolStats { acquires, opened, open_failed, wait_count, .. } = *stats;
        [acquires.started, acquires.succeeded(), acquires.failed(), opened, open_failed, wait_count]
    };
    let decreased = counters(before).iter().zip(counters(now)).any(|(a, b)| *a > b);
    assert!(!decreased, "a counter decreased: {before:?} then {now:?}");
}
