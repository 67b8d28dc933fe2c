//! A changed file: what is applied, what waits, what needs a restart.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use pool_core::{
    ConnectionClosed, ConnectionManager, NamedSources, Observer, Origin, Pool, PoolReconfigured,
    ReconfigureRefused, RestartReason,
};
use pool_testkit::{Answer, Call, FakeDriver};

use super::{FILE, Rig, changed, config};
use crate::rig::SEC;

#[test]
fn a_changed_file_applies_what_differs_and_says_what_waits_and_what_needs_a_restart() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let orders: Pool<FakeDriver> = manager.pool("orders").expect("there");
    let out: Vec<_> =
        (0..5).map(|_| rig.sim.block_on(orders.acquire()).expect("acquired")).collect();
    let file = changed("max_open = 10", "max_open = 4")
        .replace("@db/users'", "@db2/users'\nmax_waiters = 5")
        .replace("audit-log", "audit");
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &file)).expect("valid");
    assert_eq!(
        outcome.to_string(),
        "orders: max_open 10 -> 4, 1 in use to be closed on return\n\
         users: max_waiters 10000 -> 5, new URL, 0 open to be replaced\n\
         audit-log: no longer named; to remove it needs a restart\n\
         audit: the new pool needs a restart\n"
    );
    let restarts: Vec<_> = outcome.pools.iter().map(|pool| pool.restart).collect();
    let (removed, added) = (Some(RestartReason::Removed), Some(RestartReason::Added));
    assert_eq!(restarts, [None, None, removed, added]);
    assert_eq!(orders.config().max_open, 4);
    assert_eq!(config(&manager, "users").max_waiters, 5);
    assert_eq!(config(&manager, "audit-log").max_open, 4, "goes on as it was");
    drop(out);
    rig.sim.run();
    assert_eq!(orders.stats().open, 4);

    let outcome = manager.reconfigure(manager.sources()).expect("valid");
    let applied = outcome.pools.iter().filter(|pool| pool.applied.is_some()).count();
    assert_eq!((applied, outcome.pools.len()), (0, 4), "the same again: {outcome}");
    assert!(outcome.to_string().starts_with("orders: unchanged\nusers: unchanged\n"));
}

#[test]
fn a_changed_url_is_taken_over_and_every_connection_replaced_while_it_is_used() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let users: Pool<FakeDriver> = manager.pool("users").expect("there");
    rig.sim.block_on(users.warm_up(3, SEC)).expect("opened");
    let mut held = rig.sim.block_on(users.acquire()).expect("acquired");
    let sources = manager.sources().toml("pools.toml", &changed("@db/users", "@db2/users"));
    let outcome = manager.reconfigure(sources).expect("valid");
    assert_eq!((outcome.pools[1].renewed, outcome.needs_restart()), (Some(3), false));
    assert_eq!(
        outcome.to_string(),
        "orders: unchanged\nusers: new URL, 3 open to be replaced\naudit-log: unchanged\n"
    );
    assert_eq!((rig.fake.sockets(), rig.other.sockets()), (3, 0), "nothing is closed at once");
    rig.sim.advance(5 * SEC);
    assert_eq!((rig.fake.sockets(), rig.other.sockets()), (1, 3), "but for the one in use");
    held.query("select 1").expect("still its own");
    held.begin();
    drop(held);
    rig.sim.advance(SEC);
    assert_eq!((rig.fake.sockets(), rig.other.sockets()), (0, 3));
    let again = manager.reconfigure(manager.sources()).expect("valid");
    assert_eq!(again.pools[1].renewed, None, "once");
}

#[test]
fn a_url_of_another_database_retires_every_connection_at_once() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let users: Pool<FakeDriver> = manager.pool("users").expect("there");
    rig.sim.block_on(users.warm_up(3, SEC)).expect("opened");
    let held = rig.sim.block_on(users.acquire()).expect("acquired");
    let sources = manager.sources().toml("pools.toml", &changed("@db/users", "@db/moved"));
    let plan = manager.preview(&sources).expect("valid");
    assert!(plan.changes_anything() && plan.pools[1].invalidates && !plan.pools[1].renews);
    assert!(plan.to_string().contains("users: new URL of another database\n"), "{plan}");
    let outcome = plan.apply();
    assert_eq!((outcome.pools[1].renewed, outcome.pools[1].invalidated), (None, Some(3)));
    assert_eq!(
        outcome.to_string(),
        "orders: unchanged\nusers: new URL of another database, 3 open are retired\n\
         audit-log: unchanged\n"
    );
    rig.sim.run();
    assert_eq!(rig.fake.sockets(), 1, "but for the one in use");
    drop(held);
    rig.sim.run();
    assert_eq!(rig.fake.sockets(), 0);
    drop(rig.sim.block_on(users.acquire()).expect("acquired"));
    assert_eq!((rig.fake.sockets(), rig.other.sockets()), (0, 1));
}

#[test]
fn a_driver_that_panics_when_it_takes_over_costs_its_own_pool_the_url_and_nobody_else_anything() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    for pool in ["orders", "users"] {
        let pool: Pool<FakeDriver> = manager.pool(pool).expect("there");
        rig.sim.block_on(pool.warm_up(2, SEC)).expect("opened");
    }
    rig.fake.next(Call::TakeOver, &[Answer::Ok, Answer::Panic]);
    let file =
        changed("@db/orders", "@db/moved").replace("@db/users'", "@db2/users'\nmax_waiters = 5");
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &file)).expect("valid");
    assert_eq!(
        outcome.to_string(),
        "orders: new URL of another database, 2 open are retired\n\
         users: max_waiters 10000 -> 5, the changed URL needs a restart\n\
         audit-log: unchanged\n"
    );
    rig.sim.run();
    assert_eq!(rig.fake.sockets(), 2, "those of the other database are closed");
    let again = manager.reconfigure(manager.sources()).expect("valid");
    assert_eq!(again.pools[1].renewed, Some(2), "it was not taken over before");
}

#[test]
fn a_plan_is_applied_as_it_was_previewed_whatever_became_of_the_files() {
    let rig = Rig::new();
    let path = std::env::temp_dir().join(format!("pool-core-manager-plan-{}", std::process::id()));
    let write = |text: &str| std::fs::write(&path, text).expect("written");
    write("fake://app:hunter2@db/orders?pool_max_open=5\n");
    let file = format!("[pools.orders]\nurl_file = '{}'\n", path.display());
    let manager = rig.from(NamedSources::default().toml("pools.toml", &file));
    let preview = || manager.preview(&manager.sources()).expect("valid");
    assert_eq!(preview(), preview());
    write("fake://app:changed@db/orders?pool_max_open=6\n");
    let plan = preview();
    write("fake://app:again@db/orders?pool_max_open=6\n");
    assert_ne!(plan, preview(), "another password");
    write("fake://app");
    assert!(!format!("{plan:?}").contains("app:"), "{plan:?}");
    assert_eq!(plan.apply().pools[0].renewed, Some(0));
    assert_eq!(config(&manager, "orders").max_open, 6);
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn a_url_that_the_driver_cannot_take_over_needs_a_restart() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    for (from, to) in [
        ("other://db/audit?", "other://db2/audit?"),
        ("other://db/audit?", "fake://db2/audit?"),
        ("fake://app:hunter2@db/users", "other://db/users"),
    ] {
        let sources = manager.sources().toml("pools.toml", &changed(from, to));
        let plan = manager.preview(&sources).expect("valid");
        let outcome = manager.reconfigure(sources).expect("valid");
        assert!(plan.needs_restart() && outcome.needs_restart(), "{to}");
        assert_eq!(plan.to_string(), outcome.to_string());
        assert!(outcome.to_string().contains(": the changed URL needs a restart\n"), "{outcome}");
    }
    let back = manager.reconfigure(manager.sources().toml("pools.toml", FILE)).expect("valid");
    assert!(!back.needs_restart(), "{back}");
}

#[test]
fn a_preview_says_what_a_reconfiguration_would_do_and_does_nothing() {
    let rig = Rig::new();
    let told = Arc::new(Refusals::default());
    let mut options = rig.options(NamedSources::default().toml("pools.toml", FILE));
    options.observers = vec![Arc::clone(&told) as _];
    let manager = ConnectionManager::new(options).expect("valid");
    let file = changed("max_open = 10", "max_open = 4")
        .replace("@db/users'", "@db2/users'\nmax_waiters = 5")
        .replace("audit-log", "audit");
    let plan = manager.preview(&manager.sources().toml("pools.toml", &file)).expect("valid");
    assert_eq!(
        plan.to_string(),
        "orders: max_open 10 -> 4\n\
         users: max_waiters 10000 -> 5, new URL\n\
         audit-log: no longer named; to remove it needs a restart\n\
         audit: the new pool needs a restart\n"
    );
    assert!(plan.changes_anything() && plan.needs_restart());
    let wrong = manager.sources().toml("pools.toml", &changed("max_open = 10", "max_waiters = 0"));
    let error = manager.preview(&wrong).expect_err("invalid");
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(told.0.lock().expect("not poisoned").is_empty(), "nobody is told");
    let same = manager.preview(&manager.sources()).expect("valid");
    assert!(!same.changes_anything() && !same.needs_restart(), "nothing has changed: {same}");
    assert!(manager.controls().iter().all(|pool| pool.stats().generation == 1));
}

#[test]
fn a_changed_file_that_is_invalid_changes_nothing() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let before: Vec<_> = manager.controls().iter().map(|pool| pool.config()).collect();
    let wrong = [
        ("max_open = 10", "max_open = 20\nmax_waiters = 0"),
        ("max_idle = 3", "max_idle = 4\nacquire_timeout = 'never'"),
        ("max_open = 10", "max_open = 20\n[pools.new]\nurl = 'nosuch:'"),
        ("max_open = 10", "max_open = 20\n[pools.new]"),
        ("other://db/audit?pool_max_open=4", "nosuch://db/audit?pool_max_open=5"),
        ("max_open = 10", "max_open = 20\n]"),
        (FILE, ""),
    ];
    for (from, to) in wrong {
        let sources = manager.sources().toml("pools.toml", &changed(from, to));
        let error = manager.reconfigure(sources).expect_err(to);
        assert_eq!(error.problems().len(), 1, "{error}");
        let after: Vec<_> = manager.controls().iter().map(|pool| pool.config()).collect();
        assert_eq!(after, before, "{to}");
        assert!(manager.controls().iter().all(|pool| pool.stats().generation == 1), "{to}");
    }
    let outcome = manager.reconfigure(manager.sources()).expect("the sources are the old ones");
    assert_eq!(outcome.to_string(), "orders: unchanged\nusers: unchanged\naudit-log: unchanged\n");
}

#[test]
fn environment_and_code_win_over_a_changed_file() {
    let rig = Rig::new();
    let sources = NamedSources::default()
        .toml("pools.toml", FILE)
        .environment([("POOL_ORDERS_MAX_OPEN", "7")])
        .code("main.rs", Some("users"), "max_waiters", "9");
    let manager = rig.from(sources);
    let file = changed("max_open = 10", "max_open = 20").replace("max_idle = 3", "max_waiters = 8");
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &file)).expect("valid");
    let orders = &outcome.pools[0].applied.as_ref().expect("changed").changes;
    let fields: Vec<_> = orders.iter().map(|change| change.field).collect();
    assert_eq!(fields, ["max_idle", "max_waiters"]);
    assert_eq!(config(&manager, "orders").max_open, 7);
    assert_eq!(config(&manager, "users").max_waiters, 9);
    let origin = manager.resolved("orders").expect("there").origin("max_waiters").clone();
    assert_eq!(origin, Origin::File { file: "pools.toml".into(), line: 2 });
}

/// Reconfigures from within what it is told about a reconfiguration.
#[derive(Default)]
struct Meddler {
    manager: OnceLock<ConnectionManager>,
    told: AtomicUsize,
    told_of_closed: AtomicUsize,
}

impl Observer for Meddler {
    fn closed(&self, event: &ConnectionClosed<'_>) {
        assert_eq!(event.pool, "orders");
        let manager = self.manager.get().expect("set");
        assert_eq!(manager.resolved("orders").expect("there").config().max_open, 2);
        self.told_of_closed.fetch_add(1, Ordering::Relaxed);
    }

    fn reconfigured(&self, event: &PoolReconfigured<'_>) {
        assert_eq!(event.pool, "orders");
        let manager = self.manager.get().expect("set");
        let told = self.told.fetch_add(1, Ordering::Relaxed);
        let sources = manager.sources().code("meddler", Some("orders"), "max_open", "6");
        let outcome = manager.reconfigure(sources).expect("valid");
        assert_eq!(outcome.pools[0].applied.is_some(), told == 0);
    }
}

#[test]
fn observers_of_every_pool_are_told_and_may_call_the_manager() {
    let rig = Rig::new();
    let meddler = Arc::new(Meddler::default());
    let mut options = rig.options(NamedSources::default().toml("pools.toml", FILE));
    options.observers = vec![Arc::clone(&meddler) as _];
    let manager = ConnectionManager::new(options).expect("valid");
    assert!(meddler.manager.set(manager.clone()).is_ok(), "once");
    let orders: Pool<FakeDriver> = manager.pool("orders").expect("there");
    rig.sim.block_on(orders.warm_up(3, SEC)).expect("opened");
    let sources = manager.sources().toml("pools.toml", &changed("max_open = 10", "max_open = 2"));
    let outcome = manager.reconfigure(sources).expect("valid");
    assert_eq!(outcome.pools[0].applied.as_ref().map(|it| it.generation), Some(2));
    assert_eq!(meddler.told.load(Ordering::Relaxed), 2);
    assert_eq!(meddler.told_of_closed.load(Ordering::Relaxed), 1);
    assert_eq!(config(&manager, "orders").max_open, 6);
}

#[test]
fn a_url_kept_in_a_file_is_read_again_by_a_reconfiguration() {
    let rig = Rig::new();
    let path = std::env::temp_dir().join(format!("pool-core-manager-url-{}", std::process::id()));
    let shown = path.display().to_string();
    std::fs::write(&path, "fake://app:hunter2@db/orders?pool_max_open=5\n").expect("written");
    let file = format!("[pools.orders]\nurl_file = '{shown}'\n");
    let manager = rig.from(NamedSources::default().toml("pools.toml", &file));
    std::fs::write(&path, "fake://app:changed@db/orders?pool_max_open=6\n").expect("written");
    let outcome = manager.reconfigure(manager.sources()).expect("valid");
    assert_eq!(outcome.to_string(), "orders: max_open 5 -> 6, new URL, 0 open to be replaced\n");
    std::fs::remove_file(&path).expect("removed");
    let error = manager.reconfigure(manager.sources()).expect_err("gone").to_string();
    let expected = format!("pools.toml:2: url_file = \"{shown}\": No such file");
    assert!(error.contains(&expected), "{error}");
    assert_eq!(config(&manager, "orders").max_open, 6);
}

#[test]
fn a_url_file_is_read_once_for_the_driver_and_for_its_settings() {
    let rig = Rig::new();
    let path = std::env::temp_dir().join(format!("pool-core-manager-once-{}", std::process::id()));
    let write = |text: &str| std::fs::write(&path, text).expect("written");
    let file = format!(
        "[pools.a]\nurl_file = '{}'\n[pools.b]\nurl = 'fake:b?pool_max_open=7'\n",
        path.display()
    );
    let mut options = rig.options(NamedSources::default().toml("pools.toml", &file));
    let (fake, removed) = (FakeDriver::new(&rig.fake), path.clone());
    options.drivers = options.drivers.register(&["once"], move |url| {
        assert_eq!(url, "once:a");
        // Whoever reads it again, gets something else.
        std::fs::remove_file(&removed).expect("there");
        Ok(fake.clone())
    });
    write("once:a?pool_max_open=5");
    let manager = ConnectionManager::new(options).expect("valid");
    let max_open = ["a", "b"].map(|pool| config(&manager, pool).max_open);
    assert_eq!(max_open, [5, 7]);
    write("once:a?pool_max_open=6");
    let outcome = manager.reconfigure(manager.sources()).expect("valid");
    assert_eq!(outcome.to_string(), "a: max_open 5 -> 6\nb: unchanged\n");
}

#[test]
fn what_is_said_about_a_pool_that_the_file_no_longer_names_is_no_mistake() {
    let rig = Rig::new();
    let sources = NamedSources::default()
        .toml("pools.toml", FILE)
        .environment([("POOL_USERS_MAX_OPEN", "9")])
        .code("main", Some("users"), "max_waiters", "9");
    let manager = rig.from(sources);
    let file = changed("[pools.users]", "[pools.members]");
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", &file)).expect("valid");
    let restarts: Vec<_> = outcome.pools.iter().map(|pool| pool.restart).collect();
    let (removed, added) = (Some(RestartReason::Removed), Some(RestartReason::Added));
    assert_eq!(restarts, [None, removed, None, added]);
}

/// Notes the pools for which a configuration was refused.
#[derive(Default)]
struct Refusals(Mutex<Vec<String>>);

impl Observer for Refusals {
    fn reconfigure_refused(&self, event: &ReconfigureRefused<'_>) {
        assert!(event.error.to_string().contains("max_waiters"), "{}", event.error);
        self.0.lock().expect("not poisoned").push(event.pool.to_owned());
    }
}

#[test]
fn every_pool_is_told_of_a_file_that_is_refused_for_one() {
    let rig = Rig::new();
    let manager = rig.manager(FILE);
    let refusals = Arc::new(Refusals::default());
    for pool in manager.controls() {
        pool.observe(Arc::clone(&refusals) as Arc<dyn Observer>).keep();
    }
    let file = changed("max_open = 10", "max_open = 20\nmax_waiters = 0");
    manager.reconfigure(manager.sources().toml("pools.toml", &file)).expect_err("refused");
    let told = refusals.0.lock().expect("not poisoned").clone();
    assert_eq!(told, ["orders", "users", "audit-log"]);
}
