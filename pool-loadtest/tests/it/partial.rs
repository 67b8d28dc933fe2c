//! What a run that dies half-way leaves behind.

use std::fs;
use std::path::Path;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use pool_sqlite::rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{finished, json, program, run};
use crate::signals::Running;

fn read(path: &Path) -> Value {
    json(&fs::read_to_string(path).expect("there"))
}

/// Waits until there is a partial report, which is looked for with each line of progress.
fn wait_for_one(running: &mut Running, directory: &Path) {
    while !directory.join("run.json.partial").exists() {
        running.wait_for("in use");
    }
}

#[test]
fn a_run_that_is_killed_leaves_a_report_that_says_that_it_had_no_end() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("run.json");
    let path = file.to_str().expect("text");
    let mut running = Running::start(&["run", "--duration", "5m", "--save", path]);
    wait_for_one(&mut running, directory.path());
    running.child.kill().expect("killed");
    running.child.wait().expect("gone");
    assert!(!file.exists(), "nothing is taken for a whole report");
    let partial = read(&directory.path().join("run.json.partial"));
    assert_eq!((&partial["outcome"], &partial["kind"]), (&"running".into(), &"run".into()));
    assert!(partial["operations"].as_u64() > Some(0), "{partial}");
    assert!(partial["duration_seconds"].as_f64() >= Some(1.0), "{partial}");
    assert_eq!(partial["invariant"], "unchecked");
    assert_eq!(partial["database"], "a file in a temporary directory");
    assert_eq!(partial["provenance"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_run_that_ends_leaves_its_report_alone() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("run.json");
    let path = file.to_str().expect("text");
    let mut running =
        Running::start(&["run", "--duration", "5m", "--scenario", "churn", "--save", path]);
    wait_for_one(&mut running, directory.path());
    let partial = read(&directory.path().join("run.json.partial"));
    assert_eq!((&partial["outcome"], &partial["scenario"]), (&"running".into(), &"churn".into()));
    running.signal("-INT");
    assert_eq!(running.end().0, 130);
    assert_eq!(read(&file)["outcome"], "interrupted");
    let left: Vec<_> = fs::read_dir(directory.path()).expect("read").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_run_that_a_second_signal_ended_was_interrupted() {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let (database, file) = (path("bank.db"), path("run.json"));
    let url = format!("sqlite:{}?busy_timeout=1m", database.display());
    let save = file.to_str().expect("text");
    let mut running = Running::start(&["run", "--duration", "5m", "--url", &url, "--save", save]);
    running.wait_for("in use");
    // From here on every transfer waits, and so does the end of the run.
    let holder = Connection::open(&database).expect("opened");
    holder.busy_timeout(Duration::from_mins(1)).expect("set");
    holder.execute_batch("begin immediate").expect("locked");
    running.signal("-INT");
    let partial = path("run.json.partial");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !partial.exists() || read(&partial)["outcome"] != "interrupted" {
        assert!(Instant::now() < deadline, "never interrupted");
        yield_now();
    }
    running.signal("-INT");
    assert_eq!(running.end().0, 130);
    assert_eq!(read(&partial)["outcome"], "interrupted");
    assert!(!file.exists());
}

#[test]
fn a_report_that_nobody_reads_on_standard_output_is_whole_in_its_file() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("run.json");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let arguments = ["run", "--duration", "2500ms", "--save", file.to_str().expect("text")];
    let output = program(&arguments).stdout(writer).output().expect("starts");
    let (code, _, stderr) = finished(output);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("error: cannot print the report: "), "{stderr}");
    assert_eq!(read(&file)["outcome"], "completed");
    let left: Vec<_> = fs::read_dir(directory.path()).expect("read").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn without_a_file_for_its_report_a_run_leaves_nothing() {
    let directory = TempDir::new().expect("a directory");
    let url = format!("sqlite:{}", directory.path().join("bank.db").display());
    let (code, _, stderr) = run(&["run", "--duration", "2500ms", "--url", &url]);
    assert_eq!(code, 0, "{stderr}");
    for entry in fs::read_dir(directory.path()).expect("read") {
        let name = entry.expect("an entry").file_name();
        assert!(name.to_string_lossy().starts_with("bank.db"), "{name:?}");
    }
}
