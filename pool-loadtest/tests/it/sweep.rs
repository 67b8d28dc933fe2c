//! `sweep` as its users run it.

use std::path::Path;

use pool_sqlite::rusqlite::Connection;
use tempfile::TempDir;

use crate::program::{json, run};
#[cfg(unix)]
use crate::signals::Running;

/// Writes a file of SQL, and says where.
fn file(directory: &Path, sql: &str) -> String {
    let path = directory.join("load.sql");
    std::fs::write(&path, sql).expect("written");
    path.to_str().expect("text").to_owned()
}

fn table_count(path: &Path) -> i64 {
    let database = Connection::open(path).expect("opened");
    let count = "select count(*) from sqlite_schema";
    database.query_row(count, [], |row| row.get(0)).expect("read")
}

#[test]
fn a_sweep_runs_every_cell_as_often_as_told_and_tells_each_on_stderr() {
    let settings = ["sweep", "max_open=1,2", "--repeats", "2", "--duration", "150ms"];
    let (code, stdout, stderr) = run(&[&settings[..], &["--output", "json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!((&report["kind"], &report["outcome"]), (&"sweep".into(), &"completed".into()));
    assert_eq!(report["settings"][0]["field"], "max_open");
    let cells = report["cells"].as_array().expect("cells");
    let values: Vec<_> = cells.iter().map(|cell| &cell["values"][0]).collect();
    assert_eq!(values, ["1", "2"]);
    for cell in cells {
        assert_eq!(cell["runs"].as_array().map(Vec::len), Some(2), "{cell}");
        let [low, mean, high] = ["low", "mean", "high"].map(|it| cell["throughput"][it].as_f64());
        assert!(low < mean && mean < high && mean > Some(0.0), "{cell}");
    }
    assert!(report["verdict"]["best"].is_u64(), "{}", report["verdict"]);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 5, "{stderr}");
    assert_eq!(lines[0], "4 runs of 150ms: at least 600ms in all");
    assert!(lines[4].starts_with("cell 4 of 4: max_open="), "{stderr}");
    assert!(lines[4].contains(", repeat 2: ") && lines[4].contains("/s, p99 "), "{stderr}");
}

#[test]
fn a_sweep_of_two_settings_is_a_table_of_both() {
    let (code, stdout, stderr) =
        run(&["sweep", "max_open=1,2", "max_idle=0,1", "--repeats", "1", "--duration", "100ms"]);
    assert_eq!(code, 0, "{stderr}");
    for part in ["sweep of max_open and max_idle: 4 cells with 1 run of 0.1 s", "best", "verdict "]
    {
        assert!(stdout.contains(part), "{part} not in {stdout}");
    }
    assert!(stdout.contains("max_open  max_idle"), "{stdout}");
}

#[test]
fn a_sweep_that_makes_no_sense_is_refused_with_all_that_is_wrong_before_anything_runs() {
    let (code, stdout, stderr) =
        run(&["sweep", "max_open=8..1", "max_idl=1,2", "--pool", "min_idel=1"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in ["it is empty", "did you mean \"max_idle\"?", "did you mean \"min_idle\"?"] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
    let (code, stdout, stderr) = run(&["sweep", "max_open=1,2", "--url", "sqlite::memory:"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("max_open=2: max_open = \"2\""), "{stderr}");
    let (code, _, stderr) = run(&["sweep"]);
    assert!(code == 2 && stderr.contains("FIELD=VALUES"), "{code}: {stderr}");
}

#[test]
fn a_sweep_of_which_every_cell_fails_has_failed() {
    let directory = TempDir::new().expect("a directory");
    let once = file(
        directory.path(),
        "-- setup\ncreate table once (id integer primary key);\n\
         -- name: once\ninsert into once values (1);\n\
         -- teardown\ndrop table once;\n",
    );
    let short = ["--repeats", "1", "--duration", "100ms", "--output", "json"];
    let load = ["sweep", "max_open=1,2", "--workload", "custom", "--sql", &once];
    let (code, stdout, stderr) = run(&[&load[..], &short].concat());
    assert_eq!(code, 1, "{stderr}");
    let report = json(&stdout);
    for cell in report["cells"].as_array().expect("cells") {
        assert_eq!(cell["failed"].as_array().map(Vec::len), Some(1), "{cell}");
    }
    assert!(stderr.contains("error: not one run came to an end; the first: max_open="), "{stderr}");
}

#[test]
fn a_sweep_whose_database_cannot_be_used_runs_nothing() {
    let database = ["--url", "sqlite:no/such/directory/x.db", "--pool", "acquire_timeout=300ms"];
    let (code, stdout, stderr) = run(&[&["sweep", "max_open=1,2"][..], &database].concat());
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("error: cannot open the database"), "{stderr}");
    assert!(!stderr.contains("cell 1"), "{stderr}");
}

/// A workload that can be prepared only once, and whose sequence must go on from run to run.
const PREPARED_ONCE: &str = "\
-- set id = sequence(1)
-- setup
create table made_once (id integer primary key);
-- name: write
insert into made_once values (:id);
-- verify
select count(*) = 0 from made_once;
-- teardown
drop table made_once;
";

#[test]
fn what_the_runs_share_is_made_once_and_removed_once() {
    let directory = TempDir::new().expect("a directory");
    let sql = file(directory.path(), PREPARED_ONCE);
    let path = directory.path().join("mine.db");
    let url = format!("sqlite:{}", path.display());
    let load = ["--workload", "custom", "--sql", &sql, "--url", &url, "--output", "json"];
    let short = ["max_open=1,2", "--repeats", "2", "--duration", "100ms"];
    let (code, stdout, stderr) = run(&[&["sweep"][..], &short, &load].concat());
    // So short a sweep may say too little, but every run of it held.
    assert!([0, 5].contains(&code), "{stderr}");
    let report = json(&stdout);
    for cell in report["cells"].as_array().expect("cells") {
        assert_eq!(cell["runs"].as_array().map(Vec::len), Some(2), "{cell}");
        assert_eq!((&cell["failed"], &cell["errors"]), (&json("[]"), &0.0.into()), "{cell}");
    }
    assert_eq!(report["warnings"], json("[]"), "{report}");
    assert_eq!(table_count(&path), 0, "the teardown was done");
}

#[test]
fn what_cannot_be_prepared_ends_a_sweep_before_anything_runs_and_is_removed() {
    let directory = TempDir::new().expect("a directory");
    let sql = PREPARED_ONCE.replace("-- name", "create table made_once (x);\n-- name");
    let sql = file(directory.path(), &sql);
    let path = directory.path().join("mine.db");
    let url = format!("sqlite:{}", path.display());
    let load = ["--workload", "custom", "--sql", &sql, "--url", &url];
    let (code, stdout, stderr) = run(&[&["sweep", "max_open=1,2"][..], &load].concat());
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("could not start: the setup failed: line 4 of "), "{stderr}");
    assert!(stderr.contains("already exists") && !stderr.contains("cell 1"), "{stderr}");
    assert_eq!(table_count(&path), 0, "what was made before it failed");
}

#[test]
fn what_cannot_be_removed_is_a_warning_of_the_sweep() {
    let directory = TempDir::new().expect("a directory");
    let sql = file(directory.path(), &PREPARED_ONCE.replace("drop table made", "drop table not"));
    let load = ["--workload", "custom", "--sql", &sql, "--output", "json"];
    let short = ["max_open=1,2", "--repeats", "1", "--duration", "100ms"];
    let (_, stdout, stderr) = run(&[&["sweep"][..], &short, &load].concat());
    let warnings = json(&stdout)["warnings"].to_string();
    let words = "what the workload made in a file in a temporary directory may still be there";
    assert!(warnings.contains(words) && warnings.contains("not_once"), "{warnings}: {stderr}");
}

#[test]
fn a_database_that_no_other_pool_sees_is_filled_for_each_run() {
    let private = ["--url", "sqlite::memory:", "--repeats", "1", "--duration", "100ms"];
    let (code, stdout, stderr) =
        run(&[&["sweep", "acquire_timeout=1s,2s", "--output", "json"][..], &private].concat());
    assert!([0, 5].contains(&code), "{stderr}");
    for cell in json(&stdout)["cells"].as_array().expect("cells") {
        assert_eq!(cell["runs"].as_array().map(Vec::len), Some(1), "{cell}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_reports_what_there_is() {
    let arguments =
        ["sweep", "max_open=1,2", "--repeats", "100", "--duration", "100ms", "--output", "json"];
    let mut running = Running::start(&arguments);
    running.wait_for("cell 1 of 200: ");
    running.signal("-INT");
    let (code, stdout, directory) = running.end();
    assert_eq!(code, 130);
    let left = std::fs::read_dir(directory.path()).expect("there").count();
    assert_eq!(left, 0, "the temporary database is removed");
    let report = json(&stdout);
    assert_eq!(report["outcome"], "interrupted");
    let cells = report["cells"].as_array().expect("cells");
    let runs = cells.iter().filter_map(|cell| cell["runs"].as_array()).map(Vec::len).sum::<usize>();
    assert!((1..200).contains(&runs), "{runs}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_drops_its_tables_in_the_database_of_the_user() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("mine.db");
    let url = format!("sqlite:{}", path.display());
    let mut running = Running::start(&["sweep", "max_open=1,2", "--url", &url]);
    running.wait_for("cell 1 of 6: ");
    assert_eq!(table_count(&path), 1, "they stay from run to run");
    running.signal("-TERM");
    assert_eq!(running.end().0, 130);
    assert_eq!(table_count(&path), 0);
}
