//! Named pools from one file: who gets which settings, what a changed file does, how all close.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use pool_core::{
    AcquireErrorKind, ConnectionClosed, ConnectionManager, Drivers, ManagerError, ManagerOptions,
    NamedSources, Observer, Origin, Pool, PoolConfig, PoolLookupError, PoolReconfigured, PoolState,
    Preset, RestartReason,
};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer, Hand, Sim};

use crate::rig::{MS, SEC};

/// Two pools of one driver and one of another.
const FILE: &str = "\
[pool]
max_idle = 3
[pools.orders]
url = 'fake://app:hunter2@db/orders'
max_open = 10
[pools.users]
url = 'fake://app:hunter2@db/users'
preset = 'testing'
[pools.audit-log]
url = 'other://db/audit?pool_max_open=4'
";

const NONE: [(&str, &str); 0] = [];

struct Rig {
    sim: Sim,
    fake: FakeServer,
    other: FakeServer,
}

impl Rig {
    fn new() -> Self {
        let sim = Sim::new(1);
        let (fake, other) = (FakeServer::new(sim.runtime()), FakeServer::new(sim.runtime()));
        Self { sim, fake, other }
    }

    fn options(&self, sources: NamedSources) -> ManagerOptions {
        let fake = FakeDriver::new(&self.fake);
        let other = Arc::new(FakeDriver::new(&self.other));
        let drivers = Drivers::default()
            .register(&["fake", "fakes"], move |_| Ok(fake.clone()))
            .register(&["other"], move |_| Ok(Arc::clone(&other)));
        let runtime = Some(self.sim.runtime());
        ManagerOptions { drivers, sources, runtime, ..ManagerOptions::default() }
    }

    fn manager(&self, file: &str) -> ConnectionManager {
        self.from(NamedSources::default().toml("pools.toml", file))
    }

    fn from(&self, sources: NamedSources) -> ConnectionManager {
        ConnectionManager::new(self.options(sources)).expect("valid")
    }

    fn problems(&self, sources: NamedSources) -> Vec<String> {
        match ConnectionManager::new(self.options(sources)) {
            Err(ManagerError::Config(error)) => {
                error.problems().iter().map(ToString::to_string).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The file, changed.
fn changed(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "{from}");
    FILE.replace(from, to)
}

fn config(manager: &ConnectionManager, pool: &str) -> PoolConfig {
    manager.control(pool).expect("there").config()
}

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
fn every_pool_has_its_settings_from_what_names_it_over_what_goes_for_all() {
    let rig = Rig::new();
    let variables = [
        ("POOL_ORDERS_MAX_WAITERS", "11"),
        ("POOL_AUDIT_LOG_MAX_WAITERS", "13"),
        ("POOL_MAX_WAITERS", "12"),
        ("HOME", "/root"),
    ];
    let manager = rig.from(
        NamedSources::default()
            .preset(Preset::Staging)
            .toml("pools.toml", FILE)
            .environment(variables)
            .code("--pool", Some("users"), "max_opening", "2")
            .code("--pool", None, "min_idle", "1"),
    );
    let got = |pool| {
        let config = config(&manager, pool);
        (config.max_open, config.max_idle, config.max_waiters, config.max_opening, config.min_idle)
    };
    assert_eq!(got("orders"), (10, 3, 11, 8, 1));
    assert_eq!(got("users"), (10, 3, 12, 2, 1));
    assert_eq!(got("audit-log"), (4, 3, 13, 8, 1));
    let resolved = manager.resolved("users").expect("there");
    let origin = |field| resolved.origin(field).to_string();
    assert_eq!(origin("max_idle"), "pools.toml:2");
    assert_eq!(origin("max_open"), "preset testing");
    assert_eq!(origin("max_waiters"), "POOL_MAX_WAITERS");
    assert_eq!(origin("max_opening"), "--pool");
}

#[test]
fn every_problem_of_every_pool_is_said_once_with_the_pool_and_the_line() {
    let rig = Rig::new();
    let file = "\
[pool]
max_idel = 3
[pools.orders]
url = 'fake://db/orders'
max_open = 'many'
[pools.users]
url = 'fkae://db/users'
min_idle = 2000
[pools.audit]
[pools.Log]
url = 'fake://db/log'
[pools.max]
url = 'fake://db/max'
[pools]
chat = 3
";
    let sources = NamedSources::default()
        .toml("pools.toml", file)
        .environment([("POOL_URL", "fake://app:hunter2@db/x"), ("POOL_ORDRES_MAX_OPEN", "7")])
        .code("--pool", Some("order"), "max_open", "7");
    let mut problems = rig.problems(sources);
    problems.sort();
    let starts = [
        "--pool: pool = \"order\": unknown; allowed: orders, users, audit; did you mean \"orders\"?",
        "POOL_ORDRES_MAX_OPEN: setting = \"ordres_max_open\": unknown",
        "POOL_URL: url = \"\": it would be the database of every pool",
        "pools.toml:10: pool = \"Log\": not a name of a pool",
        "pools.toml:12: pool = \"max\": its variable POOL_MAX_OPEN would be one of all pools, too",
        "pools.toml:15: pools.chat = \"integer\": not a table; allowed: a table, [pools.NAME]",
        "pools.toml:2: setting = \"max_idel\": unknown",
        "pools.toml:5: orders.max_open = \"many\": not understood",
        "pools.toml:7: users.url scheme = \"fkae\": unknown; allowed: fake, fakes, other; did you mean",
        "pools.toml:8: users.min_idle = \"2000\": more than the pool keeps idle",
        "pools.toml:9: audit.url = \"\": a pool without a database; allowed: fake:..., fakes:...",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}\n{start}");
    }
}

#[test]
fn a_file_without_pools_and_one_that_is_not_there_are_problems() {
    let rig = Rig::new();
    let sources = NamedSources::default().toml("pools.toml", "[pool]\nmax_open = 3\n");
    let problems = rig.problems(sources);
    assert_eq!(problems, ["file = \"pools.toml\": names no pool; allowed: tables [pools.NAME]"]);
    let problems = rig.problems(NamedSources::default().toml_file("/nowhere/pools.toml".as_ref()));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("file = \"/nowhere/pools.toml\": No such file"),
        "{problems:?}"
    );
}

#[test]
fn a_password_is_in_nothing_that_is_printed() {
    let rig = Rig::new();
    let secret = "fake://app:hunter2@db/orders?password=hunter2";
    let good = changed("fake://app:hunter2@db/orders", secret);
    let wrong = [
        good.replace("fake:", "fkae:"),
        good.replace("fake://app:", "app:"),
        good.replace("fake://app:", ""),
        good.replace("max_open", "max_opne"),
        good.replace("url = ", "ulr = "),
        good.replace("hunter2'", "hunter2"),
    ];
    let variables = [("POOL_URL", secret), ("POOL_ORDERS_ULR", secret), ("POOL_USERS_URL", secret)];
    for file in wrong {
        let sources = NamedSources::default().toml("pools.toml", &file).environment(variables);
        let options = rig.options(sources);
        let shown = format!("{options:?}");
        let error = ConnectionManager::new(options).expect_err("invalid");
        let shown = format!("{shown}{error}{error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let manager = rig.manager(&good);
    let outcome = manager.reconfigure(manager.sources().toml("pools.toml", FILE)).expect("valid");
    assert!(outcome.needs_restart());
    let explained = manager.resolved("orders").expect("there").explain().to_string();
    let closed = rig.sim.block_on(manager.close(SEC));
    let shown = format!("{manager:?}{outcome:?}{outcome}{explained}{closed:?}{closed}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(explained.contains("fake:..."), "{explained}");
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
         users: max_waiters 10000 -> 5, the changed URL needs a restart\n\
         audit-log: no longer named; to remove it needs a restart\n\
         audit: the new pool needs a restart\n"
    );
    let restarts: Vec<_> = outcome.pools.iter().map(|pool| pool.restart).collect();
    let (url, removed) = (Some(RestartReason::UrlChanged), Some(RestartReason::Removed));
    assert_eq!(restarts, [None, url, removed, Some(RestartReason::Added)]);
    assert_eq!(orders.config().max_open, 4);
    assert_eq!(config(&manager, "users").max_waiters, 5);
    assert_eq!(config(&manager, "audit-log").max_open, 4, "goes on as it was");
    drop(out);
    rig.sim.run();
    assert_eq!(orders.stats().open, 4);

    let outcome = manager.reconfigure(manager.sources()).expect("valid");
    let applied = outcome.pools.iter().filter(|pool| pool.applied.is_some()).count();
    assert_eq!((applied, outcome.pools.len()), (0, 4), "the same again: {outcome}");
    assert!(outcome.to_string().starts_with("orders: unchanged\nusers: the changed URL"));
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
    rig.other.always(Call::Connect, Answer::Permanent);
    let error = rig.sim.block_on(audit.acquire()).expect_err("refused");
    assert_eq!(error.kind(), AcquireErrorKind::ConnectFailed);
    manager.control("users").expect("there").pause();
    let stats = manager.stats();
    let total = stats.total;
    assert_eq!((total.serving, total.failing, total.max_open), (2, 1, 10 + 10 + 4));
    assert_eq!((total.open, total.in_use, total.opened, total.open_failed), (3, 3, 3, 1));
    assert_eq!((total.acquires.started, total.acquires.succeeded()), (4, 3));
    assert_eq!((total.acquires.failed(), total.acquires.connect_failed), (1, 1));
    let pools: Vec<_> = stats.pools.iter().map(|(name, it)| (&**name, it.in_use)).collect();
    assert_eq!(pools, [("orders", 3), ("users", 0), ("audit-log", 0)]);
}

#[test]
fn a_url_kept_in_a_file_is_read_again_by_a_reconfiguration() {
    let rig = Rig::new();
    let path = std::env::temp_dir().join(format!("pool-core-manager-url-{}", std::process::id()));
    let shown = path.display().to_string();
    std::fs::write(&path, "fake://app:hunter2@db/orders?pool_max_open=5\n").expect("written");
    let file = format!("[pools.orders]\nurl_file = '{shown}'\n");
    let manager = rig.from(NamedSources::default().toml("pools.toml", &file).environment(NONE));
    std::fs::write(&path, "fake://app:changed@db/orders?pool_max_open=6\n").expect("written");
    let outcome = manager.reconfigure(manager.sources()).expect("valid");
    assert_eq!(outcome.to_string(), "orders: max_open 5 -> 6, the changed URL needs a restart\n");
    std::fs::remove_file(&path).expect("removed");
    let error = manager.reconfigure(manager.sources()).expect_err("gone").to_string();
    let expected = format!("pools.toml:2: url_file = \"{shown}\": No such file");
    assert!(error.contains(&expected), "{error}");
    assert_eq!(config(&manager, "orders").max_open, 6);
}
