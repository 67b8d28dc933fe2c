//! What the commands do when a workload panics, on a database whose driver sees to it that it does.

use std::fs;
use std::path::{Path, PathBuf};

use pool_core::{ConnectContext, Driver, ErrorClass, Metadata, Released, Sources, async_trait};
use pool_sqlite::rusqlite::Connection;
use pool_sqlite::{SqliteConnection, SqliteDriver, SqliteError, SqliteOptions};
use serde_json::Value;
use tempfile::TempDir;

use super::Failure;
use super::arguments::Command;
use super::layers;
use super::on_database::{Place, Work};
use super::run::Run;
use super::signals::Stopped;
use super::sweep::Sweep;
use super::tune::Tune;
use crate::database::{Bound, Database, Dialect, Ending, Failed, FirstRow};

const PREPARE: u8 = 0;
const STEP: u8 = 1;
const VERIFY: u8 = 2;
const CLEAN_UP: u8 = 3;

/// SQLite, on which the bank panics in one phase.
#[derive(Clone, Debug)]
struct Brittle<const PHASE: u8>(SqliteDriver);

#[async_trait]
impl<const PHASE: u8> Driver for Brittle<PHASE> {
    type Connection = SqliteConnection;
    type Error = SqliteError;

    async fn connect(&self, context: ConnectContext) -> Result<SqliteConnection, SqliteError> {
        self.0.connect(context).await
    }

    async fn check(&self, connection: SqliteConnection) -> Result<SqliteConnection, SqliteError> {
        self.0.check(connection).await
    }

    async fn reset(&self, connection: SqliteConnection) -> Result<SqliteConnection, SqliteError> {
        self.0.reset(connection).await
    }

    async fn close(&self, connection: SqliteConnection) -> Result<(), SqliteError> {
        self.0.close(connection).await
    }

    fn released(&self, connection: &mut SqliteConnection) -> Released {
        self.0.released(connection)
    }

    fn classify(&self, error: &SqliteError) -> ErrorClass {
        self.0.classify(error)
    }

    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }
}

impl<const PHASE: u8> Database for Brittle<PHASE> {
    const DIALECT: Dialect = Dialect::Sqlite;

    async fn script(connection: &mut SqliteConnection, sql: &str) -> Result<(), SqliteError> {
        assert!(PHASE != PREPARE || !sql.contains("insert"), "no more accounts");
        assert!(PHASE != CLEAN_UP || !sql.contains("drop"), "no more tables");
        SqliteDriver::script(connection, sql).await
    }

    async fn run(
        connection: &mut SqliteConnection,
        statements: Vec<Bound>,
        ending: Ending,
    ) -> Result<usize, Failed<SqliteError>> {
        assert!(PHASE != STEP, "no more transfers");
        SqliteDriver::run(connection, statements, ending).await
    }

    async fn ask(
        connection: &mut SqliteConnection,
        sql: &str,
    ) -> Result<Option<FirstRow>, SqliteError> {
        assert!(PHASE != VERIFY, "no more questions");
        SqliteDriver::ask(connection, sql).await
    }
}

/// A database in a file, and the file for a report.
struct Desk {
    directory: TempDir,
    database: PathBuf,
    report: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let (database, report) = (path("bank.db"), path("report.json"));
        Self { directory, database, report }
    }

    /// Runs a command on the database, in which the bank panics; why that failed.
    async fn run<const PHASE: u8>(&self, line: &[&str]) -> String {
        let ended = self.end::<PHASE>(line).await;
        let Err(Failure::Run(error)) = ended else { panic!("{ended:?}") };
        format!("{error:#}")
    }

    /// The same; how that ended.
    async fn end<const PHASE: u8>(&self, line: &[&str]) -> Result<(), Failure> {
        let save = ["--save", self.report.to_str().expect("text")];
        let line = ["pool-loadtest"].iter().chain(line).chain(&save).map(Into::into).collect();
        let arguments = layers::read(line, []).expect("understood");
        let driver = Brittle::<PHASE>(SqliteDriver::new(SqliteOptions::file(&self.database)));
        let resolved = Sources::default().load().resolve_for(&driver).expect("valid");
        let place = Place { stopped: Stopped::never(), server: None, in_temporary_file: false };
        match arguments.chosen() {
            Command::Run(run) => {
                let (run, _) = Run::read(&run).expect("not watched");
                Box::pin(run.on(&place, driver, resolved)).await
            }
            Command::Sweep(sweep) => {
                Box::pin(Sweep::read(&sweep).0.on(&place, driver, resolved)).await
            }
            Command::Tune(tune) => Box::pin(Tune::read(&tune).0.on(&place, driver, resolved)).await,
            other => panic!("{other:?}"),
        }
    }

    /// How many tables the database has.
    fn tables(&self) -> i64 {
        let database = Connection::open(&self.database).expect("opened");
        let count = "select count(*) from sqlite_schema";
        database.query_row(count, [], |row| row.get(0)).expect("read")
    }

    fn partial(&self) -> PathBuf {
        self.directory.path().join("report.json.partial")
    }
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("there");
    serde_json::from_str(&text).expect("JSON")
}

const RUN: [&str; 5] = ["run", "--duration", "300ms", "--progress", "off"];

#[tokio::test]
async fn a_run_whose_preparation_panics_has_failed_and_leaves_nothing() {
    let desk = Desk::new();
    let words = desk.run::<PREPARE>(&RUN).await;
    assert_eq!(words, "the workload panicked: no more accounts");
    assert_eq!(desk.tables(), 0);
    assert!(!desk.report.exists() && !desk.partial().exists(), "nothing was measured");
}

#[tokio::test]
async fn a_run_whose_workload_panics_has_died_and_leaves_what_was_measured() {
    for (phase, panic) in [(STEP, "no more transfers"), (VERIFY, "no more questions")] {
        let desk = Desk::new();
        // Before the baseline there is no load.
        let line = [&RUN[..], &["--scenario", "cold-start"]].concat();
        let words = if phase == STEP {
            desk.run::<STEP>(&line).await
        } else {
            desk.run::<VERIFY>(&line).await
        };
        assert_eq!(words, format!("the workload panicked: {panic}"));
        assert_eq!(desk.tables(), 0);
        assert!(!desk.report.exists());
        let partial = read(&desk.partial());
        assert_eq!(partial["outcome"], "died");
        let warnings = partial["warnings"].to_string();
        assert!(warnings.contains(&format!("the run died: {words}")), "{warnings}");
        assert_eq!(partial["operations"].as_u64() > Some(0), phase == VERIFY, "{partial}");
    }
}

#[tokio::test]
async fn a_sweep_whose_workload_panics_ends_with_a_report_and_leaves_nothing() {
    let desk = Desk::new();
    let line = ["sweep", "max_open=1,2", "--repeats", "2", "--duration", "100ms"];
    let words = desk.run::<VERIFY>(&line).await;
    assert!(words.ends_with(": the workload panicked: no more questions"), "{words}");
    assert_eq!(desk.tables(), 0);
    let report = read(&desk.report);
    assert_eq!(report["outcome"], "died");
    assert_eq!(report["warnings"][0], format!("the sweep died: {words}"));
    let failed = report["cells"].as_array().expect("cells").iter().map(|cell| &cell["failed"]);
    let failed: usize = failed.map(|runs| runs.as_array().map_or(0, Vec::len)).sum();
    assert_eq!(failed, 1, "it may panic again: {report}");
}

#[tokio::test]
async fn a_search_whose_workload_panics_ends_with_a_report_and_leaves_nothing() {
    let desk = Desk::new();
    let words = desk.run::<STEP>(&["tune", "--most", "4", "--duration", "100ms"]).await;
    assert_eq!(words, "max_open = 1: the workload panicked: no more transfers");
    assert_eq!(desk.tables(), 0);
    let report = read(&desk.report);
    assert_eq!((&report["outcome"], &report["summary"]), (&"died".into(), &words.into()));
}

#[tokio::test]
async fn a_clean_up_that_panics_keeps_no_report_from_being_written() {
    for line in [&RUN[..], &["sweep", "max_open=1,2", "--duration", "100ms"]] {
        let desk = Desk::new();
        let ended = desk.end::<CLEAN_UP>(line).await;
        assert!(!matches!(ended, Err(Failure::Run(_))), "{ended:?}");
        let report = read(&desk.report);
        assert_eq!(report["outcome"], "completed");
        let warning = report["warnings"][0].as_str().expect("a warning");
        assert!(warning.ends_with("may still be there: it panicked: no more tables"), "{warning}");
        assert!(!desk.partial().exists());
    }
}

#[tokio::test]
async fn what_a_preparation_that_panics_has_made_is_removed_before_any_run() {
    let desk = Desk::new();
    let words = desk.run::<PREPARE>(&["sweep", "max_open=1,2", "--duration", "100ms"]).await;
    assert_eq!(words, "the workload panicked: no more accounts");
    assert_eq!(desk.tables(), 0);
}
