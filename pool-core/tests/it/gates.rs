//! M12: each call of the driver answers in every way it can, in all 5,625 combinations, and in each
//! of them an acquire is dropped after every number of polls.

use std::task::Poll;
use std::time::Duration;

use pool_core::PoolConfig;
use pool_testkit::{Answer, Call, Hand, Session, SimTask, quietly};

use crate::rig::{MS, Rig, SEC};

const LATE: Answer = Answer::Late(Duration::from_millis(15));
const ASYNC: [Answer; 5] = [Answer::Ok, Answer::Error, Answer::Panic, Answer::Never, LATE];
const SYNC: [Answer; 3] = [Answer::Ok, Answer::Error, Answer::Panic];

type Gates = [(Call, Answer); 6];

#[test]
fn with_connects_that_succeed_no_combination_of_answers_loses_anything() {
    try_all_with(Answer::Ok);
}

#[test]
fn with_connects_that_fail_no_combination_of_answers_loses_anything() {
    try_all_with(Answer::Error);
}

#[test]
fn with_connects_that_panic_no_combination_of_answers_loses_anything() {
    try_all_with(Answer::Panic);
}

#[test]
fn with_connects_that_hang_no_combination_of_answers_loses_anything() {
    try_all_with(Answer::Never);
}

#[test]
fn with_connects_that_are_late_no_combination_of_answers_loses_anything() {
    try_all_with(LATE);
}

/// A fifth of the matrix: 1,125 combinations.
fn try_all_with(connect: Answer) {
    let mut tried = 0;
    for check in ASYNC {
        for reset in ASYNC {
            for close in ASYNC {
                for released in SYNC {
                    for abort in SYNC {
                        try_at_every_poll([
                            (Call::Connect, connect),
                            (Call::Check, check),
                            (Call::Reset, reset),
                            (Call::Close, close),
                            (Call::Released, released),
                            (Call::Abort, abort),
                        ]);
                        tried += 1;
                    }
                }
            }
        }
    }
    assert_eq!(tried, 5 * 5 * 5 * 3 * 3);
}

fn try_at_every_poll(gates: Gates) {
    for polls in 0.. {
        let ended = quietly(|| run(gates, polls));
        let ended = ended.unwrap_or_else(|fault| {
            panic!("with {gates:?}, an acquire dropped after {polls} polls: {fault}")
        });
        if ended {
            assert!(polls > 1, "it waited for something");
            return;
        }
    }
}

/// One acquire that is polled after everything that happens, and dropped after so many polls, among
/// others. Returns whether it had ended before that.
fn run(gates: Gates, polls: usize) -> bool {
    let rig = Rig::new(PoolConfig {
        max_open: 2,
        acquire_timeout: 200 * MS,
        connect_timeout: 50 * MS,
        check_timeout: 30 * MS,
        check_after_idle: Some(5 * MS),
        max_lifetime: None,
        max_idle_time: None,
        ..PoolConfig::default()
    });
    let [mut dirty, idle] = [rig.acquire(), rig.acquire()];
    dirty.begin();
    drop(idle);
    rig.sim.advance(10 * MS);
    script(&rig, gates);

    let deadline = rig.sim.now().after(200 * MS);
    let mut acquire = Some(Hand::new(rig.pool.acquire()));
    let others = [user(&rig, true), user(&rig, false)];
    let mut dirty = Some(dirty);
    let mut ended = false;
    for polled in 0.. {
        if polled == polls {
            acquire = None;
        } else if let Some(pending) = &mut acquire
            && let Poll::Ready(outcome) = pending.poll()
        {
            assert!(rig.sim.now() <= deadline, "past its deadline");
            drop(outcome);
            acquire = None;
            ended = true;
        }
        if polled == 1 {
            // Now its reset is due, beside the check of the idle one.
            dirty = None;
        }
        assert_within_bounds(&rig, usize::from(dirty.is_some()));
        if !rig.sim.run_one() && !rig.sim.skip_to_next_timer() {
            break;
        }
    }
    assert!(acquire.is_none() && others.iter().all(SimTask::is_done), "still waiting");
    assert_at_rest(&rig);
    invalidate_without_a_worker(&rig);
    recover(&rig);
    close(&rig, gates);
    ended
}

fn script(rig: &Rig, gates: Gates) {
    for (call, answer) in gates {
        rig.server.always(call, answer);
    }
}

/// Somebody who holds a connection for a moment, if he gets one.
fn user(rig: &Rig, leaves_dirty: bool) -> SimTask<()> {
    let (pool, sim) = (rig.pool.clone(), rig.sim.clone());
    rig.sim.spawn(async move {
        let asked = sim.now();
        let outcome = pool.acquire_owned().await;
        assert!(sim.now() <= asked.after(200 * MS), "past its deadline");
        let Ok(mut guard) = outcome else { return };
        assert_eq!(guard.session(), Session::default(), "handed out dirty");
        sim.sleep(3 * MS).await;
        if leaves_dirty {
            guard.begin();
        }
    })
}

fn assert_within_bounds(rig: &Rig, held: usize) {
    let stats = rig.pool.stats();
    assert!(stats.open <= 2 && stats.in_use >= held, "{stats:?}");
    assert_eq!(stats.open, stats.idle + stats.in_use + stats.opening, "{stats:?}");
    assert_eq!(stats.opened - stats.closed.total(), (stats.idle + stats.in_use) as u64);
    assert!(rig.server.sockets() <= stats.open + stats.closing, "{stats:?}");
}

/// Nothing is under way, and nothing of the capacity is lost.
fn assert_at_rest(rig: &Rig) {
    rig.audit(0);
    let stats = rig.pool.stats();
    assert_eq!((stats.open, stats.closing), (stats.idle, 0), "{stats:?}");
    assert_eq!(rig.server.sockets(), stats.idle, "{stats:?}");
}

/// Connections are let go of at once then.
fn invalidate_without_a_worker(rig: &Rig) {
    rig.sim.shut_down();
    rig.pool.control().invalidate();
    let stats = rig.pool.stats();
    assert_eq!((stats.open, stats.closing, rig.server.sockets()), (0, 0, 0), "{stats:?}");
    rig.sim.restart();
}

/// All is well again: nothing was lost.
fn recover(rig: &Rig) {
    rig.server.heal();
    rig.sim.advance(SEC);
    rig.audit(0);
    drop(rig.acquire_many(2));
    rig.sim.run();
    rig.audit(0);
    assert_eq!((rig.pool.stats().idle, rig.server.sockets()), (2, 2));
}

fn close(rig: &Rig, gates: Gates) {
    script(rig, gates);
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(report.drained && report.took <= 30 * MS, "{report:?}");
    let stats = rig.pool.stats();
    assert_eq!((stats.open, stats.closing, rig.server.sockets()), (0, 0, 0), "{stats:?}");
}
