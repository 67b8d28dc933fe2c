//! The program on files that others use, hold locked, or that are no database.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pool_sqlite::rusqlite::Connection;
use tempfile::TempDir;

use crate::program::{json, program, run};

/// How long the program may take beyond `acquire_timeout`, on a busy machine.
const MARGIN: Duration = Duration::from_millis(1500);

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// Runs against a locked database, with 500 ms to acquire, and returns the error message.
#[track_caller]
fn refused(url: &str) -> String {
    let started = Instant::now();
    let arguments = ["run", "--url", url, "--duration", "200ms"];
    let (code, stdout, stderr) =
        run(&[&arguments[..], &["--pool", "acquire_timeout=500ms"]].concat());
    let took = started.elapsed();
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(took < Duration::from_millis(500) + MARGIN, "{took:?}: {stderr}");
    stderr
}

#[test]
fn a_locked_database_is_an_error_within_the_time_of_an_acquire() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("held.db");
    let holder = Connection::open(&path).expect("opened");
    holder
        .execute_batch("pragma locking_mode = exclusive; create table t (x); begin exclusive")
        .expect("locked");
    for url in [url(&path), format!("{}?busy_timeout=1h", url(&path))] {
        let stderr = refused(&url);
        for part in ["held.db", "timed out after 500ms (acquire_timeout)", "database is locked"] {
            assert!(stderr.contains(part), "{part:?} not in {stderr}");
        }
    }
}

#[test]
fn a_database_that_is_locked_for_writing_is_an_error_within_the_time_of_an_acquire() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("held.db");
    let holder = Connection::open(&path).expect("opened");
    holder.execute_batch("pragma journal_mode = wal; begin immediate").expect("locked");
    let stderr = refused(&url(&path));
    for part in [
        "held.db",
        "creating the accounts",
        "timed out after 500ms (acquire_timeout)",
        "database is locked",
    ] {
        assert!(stderr.contains(part), "{part:?} not in {stderr}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_cause_and_ends_the_run() {
    let directory = TempDir::new().expect("a directory");
    let not_a_database = directory.path().join("notes.txt");
    std::fs::write(&not_a_database, "not a database ".repeat(100)).expect("written");
    let missing = directory.path().join("no/such/directory/bank.db");
    for (path, cause) in [(&not_a_database, "not a database"), (&missing, "no such directory")] {
        let started = Instant::now();
        let (code, stdout, stderr) = run(&["run", "--url", &url(path), "--duration", "200ms"]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains(&*path.to_string_lossy()) && stderr.contains(cause), "{stderr}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert!(std::fs::read_to_string(&not_a_database).expect("there").starts_with("not a database"));
}

#[test]
fn a_database_of_the_user_keeps_its_own_tables() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("mine.db");
    let mine = Connection::open(&path).expect("opened");
    mine.execute_batch("create table accounts (id, balance); insert into accounts values (1, 2)")
        .expect("created");
    let (code, _, stderr) = run(&["run", "--url", &url(&path), "--duration", "200ms"]);
    assert_eq!(code, 0, "{stderr}");
    let tables = "select group_concat(name) from sqlite_schema where type = 'table'";
    let tables: String = mine.query_row(tables, [], |row| row.get(0)).expect("read");
    assert_eq!(tables, "accounts");
}

#[test]
fn two_load_tests_on_one_file_do_not_disturb_each_other() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("shared.db");
    let url = url(&path);
    let arguments =
        ["run", "--url", &url, "--duration", "600ms", "--tasks", "2", "--output", "json"];
    let run = || program(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let both = [run().expect("starts"), run().expect("starts")];
    for child in both {
        let output = child.wait_with_output().expect("ends");
        let stdout = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{stdout} {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(json(&stdout)["invariant"], "held");
    }
    let left = Connection::open(&path).expect("opened");
    let count =
        left.query_row("select count(*) from sqlite_schema", [], |row| row.get::<_, i64>(0));
    assert_eq!(count.expect("read"), 0, "each drops its own table");
}
