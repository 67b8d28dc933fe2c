//! What is changed while everything runs: passwords, files, limits. Nobody is to notice.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pool_core::{ConnectionManager, Drivers, ManagerOptions, NamedSources, Pool, PoolConfig};
use pool_health::{HealthOptions, ReloadOptions, Reloader};
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;
use pool_testkit::servers::{Access, chosen, shared};
use tempfile::TempDir;
use tokio::time::interval;

use super::ledger::Load;
use super::machine::steadily;
use super::subject::{Served, Subject, run};
use super::{LIMIT, Program, befall, health_options, prepare, rows, until, write_once};

/// Requests a second.
const RATE: u32 = 200;

/// How many connections a pool has at first.
const OPEN: usize = 4;

const FOLLOWING: ReloadOptions =
    ReloadOptions { interval: Some(Duration::from_millis(50)), on_hangup: false };

/// A program whose pool is what a file says, and requests to it.
struct Managed<S: Served> {
    folder: TempDir,
    user: Access,
    manager: ConnectionManager,
    program: Program<S>,
    load: Load,
}

impl<S: Served> Managed<S> {
    async fn start() -> Self {
        let user = befall(|| shared(S::FAMILY)?.database("live")?.ordinary_user());
        prepare(&user);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pools.toml");
        fs::write(&path, text(&user, OPEN)).expect("written");
        let options = ManagerOptions {
            drivers: Drivers::default().register(S::SCHEMES, |url| Ok(S::over(url))),
            sources: NamedSources::default().toml_file(&path),
            ..ManagerOptions::default()
        };
        let manager = ConnectionManager::open(options).await.expect("opened");
        let pool: Pool<S> = manager.pool("orders").expect("there");
        pool.warm_up(OPEN, LIMIT).await.expect("opened");
        // It logs in anew now and then, as it must be able to.
        let fresh_after = Duration::from_millis(500);
        let options = HealthOptions { fresh_after, ..health_options() };
        let program = Program::start(pool, options).await;
        let load = program.load(RATE).await;
        Self { folder, user, manager, program, load }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("pools.toml")
    }

    fn max_open(&self) -> usize {
        self.program.pool.config().max_open
    }

    /// The requests go on for a while, and then nothing is to be found in the books.
    async fn end(self, fault: &str, took: Duration, settled: Option<Duration>) {
        self.load.is_served(RATE as usize).await;
        assert_eq!(self.program.ready.told(), [true]);
        let ledger = self.load.end().await;
        ledger.expect_none_failed(0);
        assert_eq!(self.program.pool.stats().acquires.failed(), 0);
        assert!(self.manager.close(LIMIT).await.drained());
        FaultRow {
            fault: fault.to_owned(),
            server: self.user.product.to_string(),
            ready: "stays".to_owned(),
            detected: Some(took),
            recovered: settled,
            ..ledger.balance(&rows(&self.user))
        }
        .tell();
    }
}

fn text(user: &Access, max_open: usize) -> String {
    let url = user.url(&user.first_database);
    format!("[pools.orders]\nurl = '{url}'\nmax_open = {max_open}\n")
}

/// Twice, while the old sessions go on, and each connection is replaced.
async fn password_changed<S: Served>() {
    let mut managed = Managed::<S>::start().await;
    let _reloader = Reloader::start(&managed.manager, managed.path(), &FOLLOWING).expect("started");
    let root = befall(|| shared(S::FAMILY));
    let pool = managed.program.pool.clone();
    let renewed = || pool.stats().closed.total();
    let (mut applied, mut replaced) = (Duration::ZERO, Duration::ZERO);
    for password in ["the-first-one", "the-second-one"] {
        let (before, all) = (renewed(), pool.stats().open as u64);
        run(&root, &S::change_password(&managed.user.user, password));
        password.clone_into(&mut managed.user.password);
        let begun = Instant::now();
        fs::write(managed.path(), text(&managed.user, OPEN)).expect("written");
        until(|| renewed() > before).await;
        let first = Instant::now();
        applied = applied.max(first - begun);
        until(|| renewed() >= before + all).await;
        replaced = replaced.max(first.elapsed());
    }
    managed.end("password changed, twice", applied, Some(replaced)).await;
}

/// Ten times in a second, and what is said last holds.
async fn file_replaced<S: Served>(way: &str, replace: impl Fn(&Path, &str)) {
    let managed = Managed::<S>::start().await;
    let _reloader = Reloader::start(&managed.manager, managed.path(), &FOLLOWING).expect("started");
    let mut ticks = interval(Duration::from_millis(100));
    let last = OPEN + 10;
    for max_open in OPEN + 1..=last {
        ticks.tick().await;
        replace(&managed.path(), &text(&managed.user, max_open));
    }
    let begun = Instant::now();
    until(|| managed.max_open() == last).await;
    let fault = format!("10 edits of a file in 1 s, {way}");
    managed.end(&fault, begun.elapsed(), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_password_changed() {
    steadily(password_changed::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_password_changed() {
    steadily(password_changed::<MysqlDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_file_written_ten_times_in_a_second() {
    let write = |path: &Path, text: &str| fs::write(path, text).expect("written");
    steadily(|| file_replaced::<PostgresDriver>("written", write)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_file_renamed_ten_times_in_a_second() {
    let rename = |path: &Path, text: &str| {
        let new = path.with_extension("new");
        fs::write(&new, text).expect("written");
        fs::rename(&new, path).expect("renamed");
    };
    steadily(|| file_replaced::<PostgresDriver>("renamed", rename)).await;
}

/// As Kubernetes mounts a map: a link to a link to a folder, which is turned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_file_linked_ten_times_in_a_second() {
    let link = |path: &Path, text: &str| {
        let folder = path.parent().expect("in a folder");
        let data = tempfile::tempdir_in(folder).expect("a folder").keep();
        fs::write(data.join("pools.toml"), text).expect("written");
        let replace = |target: &Path, link: &Path| {
            let new = folder.join("..new");
            symlink(target, &new).expect("linked");
            fs::rename(&new, link).expect("renamed");
        };
        replace(&data, &folder.join("..data"));
        replace(Path::new("..data/pools.toml"), path);
    };
    steadily(|| file_replaced::<PostgresDriver>("linked", link)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_storm_of_hangups() {
    steadily(storm_of_hangups).await;
}

async fn storm_of_hangups() {
    let managed = Managed::<PostgresDriver>::start().await;
    let options = ReloadOptions { interval: None, on_hangup: true };
    let reloader = Reloader::start(&managed.manager, managed.path(), &options).expect("started");
    fs::write(managed.path(), text(&managed.user, OPEN + 1)).expect("written");
    let process = std::process::id();
    let storm = format!("for i in $(seq 500); do kill -HUP {process}; done");
    let begun = Instant::now();
    let sent = befall(|| Command::new("sh").args(["-c", &storm]).status());
    assert!(sent.success());
    until(|| managed.max_open() == OPEN + 1).await;
    let took = begun.elapsed();
    until(|| reloader.status().applied == 1).await;
    managed.end("storm of 500 SIGHUPs", took, None).await;
}

/// Users who never leave a pool alone, while all that can be changed is.
pub(super) async fn reconfigured<S: Subject>(
    server: String,
    pool: Pool<S>,
    rows: impl FnOnce() -> Vec<i64>,
) {
    const CHANGES: usize = 20;
    // As many at any time as wait for nothing but each other.
    const FULL: u32 = 600;
    let program = Program::start(pool.clone(), health_options()).await;
    let writing = pool.clone();
    let load = Load::start(FULL, move |number| {
        let pool = writing.clone();
        async move { write_once(&pool, number).await }
    });
    load.is_served(100).await;
    let begun = Instant::now();
    for change in 0..CHANGES {
        let second = Duration::from_secs(1);
        let config = PoolConfig {
            max_open: [8, 2, 5, 1, 3][change % 5],
            max_idle: [8, 1, 0][change % 3],
            max_lifetime: [None, Some(second)][change % 2],
            check_after_idle: [None, Some(Duration::ZERO)][change % 2],
            acquire_timeout: LIMIT,
            ..pool.config()
        };
        pool.reconfigure(config).expect("valid");
        load.is_served(20).await;
    }
    let took = begun.elapsed();
    load.is_served(100).await;
    assert_eq!(program.ready.told(), [true]);
    let ledger = load.end().await;
    ledger.expect_none_failed(0);
    assert_eq!(pool.stats().acquires.failed(), 0);
    assert!(pool.db_stats().wait_count > 0, "it was never full");
    FaultRow {
        fault: format!("reconfigured {CHANGES} times, full load"),
        server,
        ready: "stays".to_owned(),
        detected: None,
        recovered: Some(took),
        ..ledger.balance(&rows())
    }
    .tell();
}

async fn reconfigured_on<S: Served>() {
    let user = befall(|| shared(S::FAMILY)?.database("live")?.ordinary_user());
    prepare(&user);
    let driver = S::over(&user.url(&user.first_database));
    let config = PoolConfig { acquire_timeout: LIMIT, ..PoolConfig::default() };
    let pool = Pool::new(driver, config).expect("valid");
    let product = befall(|| chosen(S::FAMILY));
    reconfigured(product.to_string(), pool, || rows(&user)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_reconfigured_under_full_load() {
    steadily(reconfigured_on::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_reconfigured_under_full_load() {
    steadily(reconfigured_on::<MysqlDriver>).await;
}
