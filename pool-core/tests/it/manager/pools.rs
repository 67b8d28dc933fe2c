//! Pools by name and type: opened together, counted together, closed together.

use std::sync::Arc;

use pool_core::{
    AcquireErrorKind, ConnectionManager, ManagerError, NamedSources, Pool, PoolConfig,
    PoolLookupError, PoolState,
};
use pool_testkit::{Answer, Call, FakeDriver, Hand};

use super::{FILE, Rig};
use crate::rig::{MS, SEC};

#[test]
fn a_pool_is_found_by_its_name_and_the_type_of_its_driver() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    assert_eq!(manager.names().collect::<Vec<_>>(), ["orders", "users", "audit-log"]);
    let orders: Pool<FakeDriver> = manager.pool("orders").expect("there");
    let audit: Pool<Arc<FakeDriver>> = manager.pool("audit-log").expect("there");
    drop(rig.sim.block_on(orders.acquire()).expect("acquired"));
    drop(rig.sim.block_on(audit.acquire()).expect("acquired"));
    assert_eq!((rig.fake.started(Call::Connect), rig.other.started(Call::Connect)), (1, 1));
    assert_eq!(manager.control("orders").expect("there").stats().idle, 1);

    let error = manager.pool::<FakeDriver>("audit-log").expect_err("another");
    let text = error.to_string();
    assert!(matches!(error, PoolLookupError::OtherDriver { .. }), "{text}");
    assert!(text.starts_with("the driver of pool \"audit-log\" is alloc::sync::Arc<"), "{text}");
    let PoolLookupError::Unknown(problem) = manager.pool::<FakeDriver>("order").unwrap_err() else {
        panic!("there is none")
    };
    assert_eq!(problem.nearest.as_deref(), Some("orders"));
    assert_eq!(problem.allowed, "orders, users, audit-log");
}

#[test]
fn open_connects_every_pool_at_the_same_time_and_names_each_that_cannot() {
    let rig = Rig::new();
    rig.fake.always(Call::Connect, Answer::Late(20 * MS));
    rig.other.always(Call::Connect, Answer::Late(20 * MS));
    let sources = NamedSources::default().toml("pools.toml", FILE);
    let started = rig.sim.now();
    let opened = ConnectionManager::open(rig.options(sources.clone()));
    let manager = rig.sim.block_on(opened).expect("opened");
    assert_eq!(rig.sim.now().since(started), 20 * MS);
    let total = manager.stats().total;
    assert_eq!((total.open, total.idle, total.opened), (3, 3, 3));
    drop(manager);
    rig.sim.run();

    rig.fake.next(Call::Connect, &[Answer::Ok, Answer::Permanent]);
    rig.other.always(Call::Check, Answer::Error);
    let failed = rig.sim.block_on(ConnectionManager::open(rig.options(sources)));
    let error = failed.expect_err("two cannot");
    let ManagerError::Open(failures) = &error else { panic!("{error}") };
    let names: Vec<_> = failures.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["users", "audit-log"]);
    let text = error.to_string();
    assert!(text.starts_with("2 pools could not be opened\n  users: pool users: "), "{text}");
    assert!(text.contains(": scripted permanent failure of Connect\n"), "{text}");
    assert!(text.ends_with(": scripted failure of Check"), "{text}");
    rig.sim.run();
    assert_eq!((rig.fake.sockets(), rig.other.sockets()), (0, 0), "nothing stays open");
}

#[test]
fn all_pools_close_within_one_deadline_and_one_report_says_what_was_out() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let orders: Pool<FakeDriver> = manager.pool("orders").expect("there");
    let users: Pool<FakeDriver> = manager.pool("users").expect("there");
    let held = rig.sim.block_on(orders.acquire()).expect("acquired");
    let _held_too = rig.sim.block_on(users.acquire()).expect("acquired");
    let started = rig.sim.now();
    let report = rig.sim.block_on(manager.close(500 * MS));
    assert_eq!(rig.sim.now().since(started), 500 * MS, "not one after the other");
    assert_eq!(report.took, 500 * MS);
    assert!(!report.drained());
    let drained: Vec<_> = report.pools.iter().map(|(name, it)| (&**name, it.drained)).collect();
    assert_eq!(drained, [("orders", false), ("users", false), ("audit-log", true)]);
    let text = report.to_string();
    let start = "closed 3 pools after 500 ms; every connection was back in 1\n  orders: closed";
    assert!(text.starts_with(start) && text.contains(file!()), "{text}");
    drop(held);
    let again = rig.sim.block_on(manager.close(SEC));
    let drained: Vec<_> = again.pools.iter().map(|(_, it)| it.drained).collect();
    assert_eq!(drained, [true, false, true]);
    assert_eq!(manager.stats().total.serving, 0);
}

#[test]
fn every_pool_is_closed_from_the_first_poll_on_however_many_there_are() {
    let rig = Rig::new();
    let tables = (0..100).map(|n| format!("[pools.shard{n}]\nurl = 'fake:{n}'\n"));
    let manager = rig.manager(&tables.collect::<String>());
    let shard: Pool<FakeDriver> = manager.pool("shard99").expect("there");
    let held = rig.sim.block_on(shard.acquire()).expect("acquired");
    let mut closing = Hand::new(manager.close(SEC));
    closing.pending();
    drop(closing);
    assert!(manager.controls().iter().all(|pool| pool.state() == PoolState::Closed));
    drop(held);
    rig.sim.run();
    assert_eq!(rig.fake.sockets(), 0);
}

#[test]
fn a_pool_that_was_taken_outlives_the_manager_and_the_others_do_not() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let taken: Pool<FakeDriver> = manager.pool("orders").expect("there");
    let others = [manager.control("users"), manager.control("audit-log")];
    drop(manager);
    for other in others {
        assert_eq!(other.expect("there").state(), PoolState::Closed);
    }
    drop(rig.sim.block_on(taken.acquire()).expect("acquired"));
}

#[test]
fn the_joint_statistics_are_the_sums_of_the_pools() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let orders: Pool<FakeDriver> = manager.pool("orders").expect("there");
    let audit: Pool<Arc<FakeDriver>> = manager.pool("audit-log").expect("there");
    let _held: Vec<_> =
        (0..3).map(|_| rig.sim.block_on(orders.acquire()).expect("acquired")).collect();
    drop(rig.sim.block_on(orders.acquire()).expect("acquired"));
    manager.control("orders").expect("there").invalidate();
    rig.sim.run();
    rig.other.always(Call::Connect, Answer::Permanent);
    let error = rig.sim.block_on(audit.acquire()).expect_err("refused");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    let users = manager.control("users").expect("there");
    users.pause();
    rig.fake.always(Call::Connect, Answer::Never);
    let mut waiting = Hand::new(orders.acquire());
    waiting.pending();
    let unlimited = PoolConfig { max_open: PoolConfig::UNLIMITED, ..users.config() };
    users.reconfigure(unlimited).expect("valid");
    let total = manager.stats().total;
    assert_eq!((total.waiting, total.max_open), (1, PoolConfig::UNLIMITED));
    rig.sim.advance(200 * MS);
    let total = manager.stats().total;
    assert_eq!((total.opening, total.open), (1, 4));
    drop(waiting);
    rig.sim.advance(60 * SEC);
    users
        .reconfigure(PoolConfig { max_open: 10, max_waiters: 1, ..users.config() })
        .expect("valid");
    let users: Pool<FakeDriver> = manager.pool("users").expect("there");
    let mut waiting = Hand::new(users.acquire());
    waiting.pending();
    let full = Hand::new(users.acquire()).ready().expect_err("one waits already");
    assert_eq!(full.kind(), AcquireErrorKind::QueueFull);
    drop(waiting);
    let stats = manager.stats();
    let total = stats.total;
    assert_eq!((total.serving, total.failing, total.max_open), (2, 2, 10 + 10 + 4));
    assert_eq!((total.open, total.idle, total.in_use, total.opened), (3, 0, 3, 4));
    let failed: u64 = stats.pools.iter().map(|(_, it)| it.open_failed).sum();
    assert!(failed > 1, "{stats:?}");
    assert_eq!((total.closed, total.open_failed), (1, failed));
    let acquires = total.acquires;
    assert_eq!((acquires.started, acquires.succeeded(), acquires.cancelled), (8, 4, 2));
    assert_eq!((acquires.failed(), acquires.connect_failed, acquires.queue_full), (2, 1, 1));
    let pools: Vec<_> = stats.pools.iter().map(|(name, it)| (&**name, it.in_use)).collect();
    assert_eq!(pools, [("orders", 3), ("users", 0), ("audit-log", 0)]);
}

#[test]
fn what_is_wrong_with_one_pool_alone_has_its_name() {
    let rig = Rig::new();
    let problems = rig.problems(
        NamedSources::default().toml("p.toml", FILE).environment([("POOL_ORDERS_MIN_IDLE", "7")]),
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
    let start = "POOL_ORDERS_MIN_IDLE: orders.min_idle = \"7\": more than the pool keeps idle";
    assert!(problems[0].starts_with(start), "{problems:?}");
}

#[test]
fn a_url_of_a_known_scheme_may_hold_anything() {
    let rig = Rig::new();
    let manager = rig.manager("[pools.a]\nurl = 'fake:/srv/a@b:c.db'\n");
    assert_eq!(manager.names().collect::<Vec<_>>(), ["a"]);
}
