//! Panics: of a driver, of a hook, of a user who holds a connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pool_core::{ConnectionReleased, Guard, Observer, PoolConfig, Subscription};
use pool_testkit::{Answer, Call, Session, Sim};

use super::foreign::{Foreign, Place};
use crate::rig::{Rig, SEC};

/// golang/go#13677, #15901: a driver panicked under the pool's lock, and the deferred close waited
/// for that lock for ever.
#[test]
fn m21_a_panic_in_any_call_of_the_driver_leaves_the_pool_usable_and_its_numbers_true() {
    for call in [Call::Connect, Call::Check, Call::Reset, Call::Close, Call::Released] {
        let rig = Rig::with_max_open(2);
        let mut held = rig.acquire();
        rig.fill(1);
        rig.sim.advance(SEC);
        held.begin();
        rig.server.next(call, &[Answer::Panic]);
        let mut waiters: Vec<_> = (0..4).map(|_| rig.waiter()).collect();
        drop(held);
        for waiter in &mut waiters {
            rig.sim.advance(SEC);
            Guard::discard(waiter.ready().expect("served"));
        }
        rig.sim.advance(SEC);
        rig.audit(0);
        assert!(rig.server.started(call) > 0, "{call:?}");
        assert!(rig.sim.block_on(rig.pool.close(SEC)).drained, "{call:?}");
        assert_eq!(rig.server.sockets(), 0, "{call:?}");
    }
}

/// The same in code of the driver's that looks like none: where its connections and errors are
/// dropped.
#[test]
fn m21_a_panic_wherever_foreign_code_runs_costs_at_most_its_connection() {
    let places = [
        Place::Connect,
        Place::Check,
        Place::Reset,
        Place::Close,
        Place::Abort,
        Place::Released,
        Place::Classify,
        Place::ConnectionDropped,
        Place::ErrorDropped,
    ];
    for panicking in places {
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let sim = Sim::new(1);
        let config = PoolConfig { max_open: 3, ..PoolConfig::default() };
        let (server, pool) = Foreign::pool(&sim, config, move |_, place| {
            if place == panicking {
                count.fetch_add(1, Ordering::Relaxed);
                assert!(std::thread::panicking(), "{place:?}");
            }
        });
        // Scripted failures, so that there are errors to classify and to drop.
        server.next(Call::Connect, &[Answer::Ok, Answer::Error, Answer::Error]);
        server.next(Call::Check, &[Answer::Error]);
        for round in 0..6 {
            let mut guards = Vec::new();
            for _ in 0..3 {
                guards.extend(sim.block_on(pool.acquire_within(2 * SEC)).ok());
            }
            if round == 2 {
                sim.shut_down();
                guards.drain(..).for_each(Guard::discard);
                sim.restart();
            }
            for guard in &mut guards {
                guard.begin();
            }
            drop(guards);
            sim.advance(SEC);
            server.audit(&pool.stats(), 0);
        }
        assert!(sim.block_on(pool.close(10 * SEC)).drained, "{panicking:?}");
        assert!(ran.load(Ordering::Relaxed) > 0, "{panicking:?} was never run");
        pool.driver().forget();
        drop(pool);
        sim.run();
        assert_eq!(server.sockets(), 0, "{panicking:?}");
    }
}

/// The same, all at once: a runtime that goes away drops every call under way, and each panics.
#[test]
fn m21_calls_that_panic_as_their_runtime_goes_away_leave_no_socket_and_no_panic() {
    let sim = Sim::new(1);
    let config = PoolConfig { max_open: 4, ..PoolConfig::default() };
    let (server, pool) = Foreign::pool(&sim, config, |_, place| {
        assert!(place != Place::ConnectionDropped || std::thread::panicking(), "dropped");
    });
    server.always(Call::Reset, Answer::Never);
    let mut guards: Vec<_> =
        (0..4).map(|_| sim.block_on(pool.acquire()).expect("served")).collect();
    for guard in &mut guards {
        guard.begin();
    }
    drop(guards);
    sim.run();
    assert_eq!(pool.stats().resetting, 4);
    sim.shut_down();
    assert_eq!((server.sockets(), pool.stats().open), (0, 0));
    sim.restart();
    drop(sim.block_on(pool.acquire()).expect("served"));
    server.audit(&pool.stats(), 0);
}

/// Ends its own subscription when it is told something, and panics when it is dropped.
struct LeavesSpitefully(Mutex<Option<Subscription>>);

impl Observer for LeavesSpitefully {
    fn released(&self, _: &ConnectionReleased<'_>) {
        drop(self.0.lock().take());
    }
}

impl Drop for LeavesSpitefully {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "observer");
    }
}

/// The same in a hook: no panic leaves the drop of a guard, which may run while another unwinds.
#[test]
fn m21_an_observer_that_panics_as_it_leaves_does_not_panic_in_the_drop_of_a_guard() {
    let rig = Rig::with_max_open(1);
    let observer = Arc::new(LeavesSpitefully(Mutex::new(None)));
    *observer.0.lock() = Some(rig.pool.control().observe(observer.clone()));
    drop(observer);
    drop(rig.acquire());
    rig.audit(0);
}

/// jackc/puddle#13, jackc/pgx#1628: a panic in the user's code while a connection was out lost the
/// connection, and closing waited for it for ever.
#[test]
fn m22_a_panic_of_a_user_who_holds_a_connection_leaves_the_pool_closable() {
    let rig = Rig::with_max_open(1);
    let pool = rig.pool.clone();
    let user = catch_unwind(AssertUnwindSafe(|| {
        rig.sim.block_on(async {
            let _guard = pool.acquire().await.expect("served");
            panic!("user");
        })
    }));
    assert!(user.is_err_and(|payload| payload.downcast_ref() == Some(&"user")));
    assert_eq!(rig.server.started(Call::Released), 1);
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(report.drained && report.took.is_zero(), "{report}");
    assert_eq!(rig.server.sockets(), 0);
}

/// sfackler/r2d2#31, #53, #70, diesel-rs/diesel#2104: a panic inside a transaction put the
/// connection back as it was, and the next user went on with somebody else's transaction.
#[test]
fn m23_a_transaction_left_by_a_panic_is_never_handed_on() {
    let rig = Rig::with_max_open(1);
    for in_transaction in [true, false] {
        let resets = rig.server.started(Call::Reset);
        let user = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = rig.acquire();
            if in_transaction {
                guard.begin();
            }
            panic!("in the middle of something");
        }));
        assert!(user.is_err_and(|payload| payload.is::<&str>()));
        let mut waiter = pool_testkit::Hand::new(rig.pool.acquire());
        waiter.pending();
        rig.sim.run();
        assert_eq!(
            rig.server.started(Call::Reset),
            resets + 1,
            "also if its driver calls it clean"
        );
        let next = waiter.ready().expect("served");
        assert_eq!((next.id(), next.session()), (1, Session::default()));
    }
}

/// Tells the child from the test that starts it.
const CHILD: &str = "POOL_MUSEUM_M24_CHILD";

/// `blackbeam/mysql_async`#88, #171: a panic ended the runtime, the pool's drop then spawned and
/// panicked again, and the process was aborted instead of failing.
#[test]
fn m24_a_panic_that_takes_runtime_and_pool_along_is_no_abort() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server =
            pool_testkit::FakeServer::new(Arc::new(pool_core::runtime::TokioRuntime::new()));
        let driver = pool_testkit::FakeDriver::new(&server);
        let pool = pool_core::Pool::new(driver, PoolConfig::default()).expect("valid");
        // Unwinding drops the runtime first, then the guards, then the pool.
        let mut held = [
            runtime.block_on(pool.acquire_owned()).expect("served"),
            runtime.block_on(pool.acquire_owned()).expect("served"),
        ];
        held[1].begin();
        let _dropped_first = runtime;
        panic!("the user's own");
    }
    let program = std::env::current_exe().expect("this test");
    let name = std::thread::current().name().expect("named after the test").to_owned();
    let mut child = Command::new(program);
    let output = child.args([&*name, "--exact", "--nocapture"]).env(CHILD, "").output();
    let output = output.expect("run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{said}");
    assert!(said.contains("the user's own"), "{said}");
    assert_eq!(said.matches("panicked at").count(), 1, "{said}");
}
