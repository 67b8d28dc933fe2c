//! The bank on real servers, with the same invariant: mostly the program, the library where a test must
//! know how far the load has come.
//!
//! `cargo xtask itest` runs them by the names of their modules, and `cargo xtask ci` not a second time.

mod asked;

use std::io::{BufRead as _, BufReader, sink};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use pool_core::{Pool, PoolConfig};
use pool_loadtest::{
    Arrivals, Bank, Checked, Database, Invariant, LoadOptions, LoadTester, Outcome, Report, Step,
    StepError, Workload, WorkloadError,
};
use pool_testkit::servers::{Database as Made, Family, PASSWORD, Server, chosen, shared};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::program::{finished, json, program, run};

/// Counts the tables that the bank has left behind in a database. MariaDB shows those of others, too.
fn left(database: &Made) -> String {
    let sql = format!(
        "select count(*) from information_schema.tables where table_name like 'pool_loadtest%' \
         and table_schema in ('public', '{}')",
        database.name()
    );
    database.run(&sql).expect("counted")
}

fn a_short_run_holds_its_invariant(family: Family, system: &str) {
    let server = shared(family).expect("a server");
    let database = server.database("load").expect("a database");
    let (code, stdout, stderr) = run(&[
        "run",
        "--url",
        &database.url(),
        "--duration",
        "500ms",
        "--pool",
        "max_open=4",
        "--output",
        "json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["system"], system);
    assert_eq!((&report["errors"], &report["invariant"]), (&0.into(), &"held".into()), "{report}");
    assert!(report["operations"].as_u64() > Some(0), "{report}");
    assert_eq!(report["config"]["max_open"], 4);
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    assert_eq!(left(&database).trim(), "0", "nothing is left behind");
}

/// The report of a load during which the server is killed and, once that was noticed, started again.
fn killed_meanwhile(family: Family) -> Value {
    let server = Server::start(chosen(family).expect("known")).expect("a server");
    let database = server.database("load").expect("a database");
    let mut command = program(&[
        "run",
        "--url",
        &database.url(),
        "--duration",
        "6s",
        "--pool",
        "acquire_timeout=5s",
        "--output",
        "json",
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut until_it_says = |words: &str| {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(stderr.read_line(&mut line).expect("a line") > 0, "ended before {words:?}");
        }
    };
    // The first line of progress: the load is under way.
    until_it_says("/s");
    server.kill().expect("killed");
    until_it_says(" s  degraded: ");
    server.restart().expect("started again");
    let rest = thread::spawn(move || std::io::copy(&mut stderr, &mut sink()));
    let (_, stdout, _) = finished(child.wait_with_output().expect("ends"));
    rest.join().expect("no panic").expect("read to the end");
    json(&stdout)
}

fn no_money_is_lost_with_a_server_that_dies(family: Family) {
    let report = killed_meanwhile(family);
    assert_eq!(report["invariant"], "held", "{report}");
    assert!(report["errors"].as_u64() > Some(0), "it was felt: {report}");
    // It goes on with the server that came back.
    let pool = &report["pool"];
    let count = |value: &Value| value.as_u64().expect("a count");
    let lost = count(&pool["closed"]["broken"]) + count(&pool["closed"]["check_failed"]);
    assert!(lost > 0 && count(&pool["open"]) > 0, "{report}");
    assert_eq!(report["outcome"], "completed");
    assert_eq!(report["in_use"], 0);
    let health = report["health"].as_array().expect("a list");
    assert_eq!(health[0]["state"], "healthy", "{report}");
    assert!(health.iter().any(|it| it["state"] != "healthy"), "it was noticed: {report}");
    let longest = Duration::from_micros(report["wait"]["max"].as_f64().expect("timed") as u64);
    assert!(longest <= Duration::from_millis(5500), "within the deadline: {longest:?}");
}

/// Connections of a pool whose server hangs. At least one operation in five is a transfer: that not one
/// of so many is does not happen.
const CONNECTIONS: usize = 40;

/// A bank whose server hangs in the middle of the load and goes on after the last operation.
struct Hanging<D> {
    bank: Bank<D>,
    server: Arc<Server>,
    /// Operations so far.
    begun: AtomicUsize,
}

impl<D: Database> Workload<D> for Hanging<D> {
    async fn prepare(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        // All are open from the start, so that an operation gets stuck on each.
        let mut open = Vec::new();
        while open.len() < CONNECTIONS {
            open.push(pool.acquire().await.map_err(WorkloadError::during("connecting"))?);
        }
        drop(open);
        self.bank.prepare(pool).await
    }

    fn kinds(&self) -> Vec<String> {
        self.bank.kinds()
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        self.bank.draw(rng)
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        if self.begun.fetch_add(1, Ordering::Relaxed) == 200 {
            self.server.freeze().expect("frozen");
        }
        self.bank.step(step).await
    }

    async fn verify(&self, pool: &Pool<D>) -> Result<Checked, WorkloadError> {
        self.server.thaw().expect("thawed");
        self.bank.verify(pool).await
    }

    async fn clean_up(&self, pool: &Pool<D>) -> Result<(), WorkloadError> {
        self.bank.clean_up(pool).await
    }
}

/// The report of a load that the server leaves without an answer for longer than that waits for one.
async fn hanging_meanwhile<D: Database>(server: Arc<Server>, driver: D) -> Report {
    let acquire_timeout = Duration::from_secs(3);
    let config = PoolConfig { max_open: CONNECTIONS, acquire_timeout, ..PoolConfig::default() };
    let pool = Pool::open(driver, config).await.expect("opened");
    let workload = Hanging { bank: Bank::new(), server, begun: AtomicUsize::new(0) };
    let options = LoadOptions {
        // More than connections: some wait for one all the while.
        arrivals: Arrivals::closed(CONNECTIONS + 8),
        duration: Duration::from_secs(4),
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    let report = LoadTester::new(pool.clone(), workload, options).run().await.expect("started");
    let closed = pool.close(acquire_timeout).await;
    assert!(closed.drained, "{closed}");
    report
}

fn no_money_is_lost_with_a_server_that_hangs<D: Database>(
    family: Family,
    driver: impl FnOnce(&str) -> D,
) {
    let server = Server::start(chosen(family).expect("known")).expect("a server");
    let database = server.database("load").expect("a database");
    let load = hanging_meanwhile(Arc::new(server), driver(&database.url()));
    let report = Runtime::new().expect("a runtime").block_on(load);
    assert_eq!(report.unfinished.dropped, CONNECTIONS as u64, "{report}");
    assert_eq!(report.invariant, Invariant::Held, "{report}");
    let unknown = report.invariant_detail.ends_with("with an outcome nobody knows");
    assert!(unknown, "{}", report.invariant_detail);
    assert_eq!((report.outcome, report.in_use), (Outcome::Completed, 0), "{report}");
    assert!(report.wait.max <= Some(3.5e6), "within the deadline: {report}");
    assert!(report.warnings.is_empty(), "the pool is whole again: {report}");
}

mod postgres {
    use pool_postgres::PostgresDriver;

    use super::Family::Postgres;

    #[test]
    fn a_short_run_holds_its_invariant_and_leaves_nothing_behind() {
        super::a_short_run_holds_its_invariant(Postgres, "postgresql");
    }

    #[test]
    fn no_money_is_lost_with_a_server_that_is_killed_under_load() {
        super::no_money_is_lost_with_a_server_that_dies(Postgres);
    }

    #[test]
    fn no_money_is_lost_with_a_server_that_hangs_under_load() {
        let driver = |url: &str| PostgresDriver::from_url(url).expect("a URL");
        super::no_money_is_lost_with_a_server_that_hangs(Postgres, driver);
    }

    #[test]
    fn a_budget_is_what_the_tightest_limit_leaves() {
        super::asked::a_budget_is_what_the_tightest_limit_leaves(Postgres);
    }

    #[test]
    fn the_limit_of_a_database_counts_for_those_who_are_held_to_it() {
        super::asked::the_limit_of_a_database_counts_for_those_who_are_held_to_it();
    }

    #[test]
    fn a_budget_that_makes_no_sense_is_refused() {
        super::asked::a_budget_that_makes_no_sense_is_refused(Postgres);
    }

    #[test]
    fn a_run_is_told_what_the_server_counted_and_what_it_has_for_each_replica() {
        super::asked::a_run_is_told_what_the_server_counted_and_what_it_has_for_each_replica(
            Postgres,
            &["PostgreSQL "],
            "transactions committed",
        );
    }
}

mod mysql {
    use pool_mysql::MysqlDriver;

    use super::Family::MySql;

    #[test]
    fn a_short_run_holds_its_invariant_and_leaves_nothing_behind() {
        super::a_short_run_holds_its_invariant(MySql, "mysql");
    }

    #[test]
    fn no_money_is_lost_with_a_server_that_is_killed_under_load() {
        super::no_money_is_lost_with_a_server_that_dies(MySql);
    }

    #[test]
    fn no_money_is_lost_with_a_server_that_hangs_under_load() {
        let driver = |url: &str| MysqlDriver::from_url(url).expect("a URL");
        super::no_money_is_lost_with_a_server_that_hangs(MySql, driver);
    }

    #[test]
    fn a_budget_is_what_the_tightest_limit_leaves() {
        super::asked::a_budget_is_what_the_tightest_limit_leaves(MySql);
    }

    #[test]
    fn a_run_is_told_what_the_server_counted_and_what_it_has_for_each_replica() {
        super::asked::a_run_is_told_what_the_server_counted_and_what_it_has_for_each_replica(
            MySql,
            &["MariaDB ", "MySQL "],
            "statements",
        );
    }
}
