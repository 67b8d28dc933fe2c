//! Signals: what is written, what is removed, and how the program ends.

use std::fs;
use std::io::{BufRead as _, BufReader, sink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pool_sqlite::rusqlite::Connection;
use tempfile::TempDir;

use crate::program::{finished, json, program};
use crate::sources::pipe;

/// A program under way, with temporary files in a directory of its own.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    directory: TempDir,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut command = program(arguments);
        command.env("TMPDIR", directory.path());
        Self::spawn(command, directory)
    }

    /// The same, with temporary files where they always are: others must reach them, too.
    pub(crate) fn start_in_place(arguments: &[&str]) -> Self {
        Self::spawn(program(arguments), TempDir::new().expect("a directory"))
    }

    fn spawn(mut command: Command, directory: TempDir) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, stderr, directory }
    }

    /// Waits for a line on standard error that holds `words`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        let mut all = String::new();
        while self.stderr.read_line(&mut all).expect("a line") > 0 {
            if all.lines().last().is_some_and(|line| line.contains(words)) {
                return;
            }
        }
        panic!("{words:?} never came: {all}");
    }

    pub(crate) fn signal(&self, signal: &str) {
        send(signal, self.child.id());
    }

    /// Waits for the end: exit code and standard output.
    pub(crate) fn end(self) -> (i32, String, TempDir) {
        let Self { child, mut stderr, directory } = self;
        let rest = thread::spawn(move || std::io::copy(&mut stderr, &mut sink()));
        let (code, stdout, _) = finished(child.wait_with_output().expect("ends"));
        rest.join().expect("no panic").expect("read to the end");
        (code, stdout, directory)
    }

    /// The temporary database.
    fn database(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.directory.path()).expect("there");
        entries.next().expect("made").expect("read").path().join("bank.db")
    }
}

/// Sends a signal to a process.
#[track_caller]
pub(crate) fn send(signal: &str, process: u32) {
    // Every shell has its own `kill`; the program is missing where nothing shows processes.
    let kill = ["-c", "kill \"$0\" \"$1\"", signal, &process.to_string()];
    let sent = Command::new("sh").args(kill).status();
    assert!(sent.expect("sent").success());
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("there").next().is_none()
}

fn table_count(path: &Path) -> i64 {
    let database = Connection::open(path).expect("opened");
    let count = "select count(*) from sqlite_schema";
    database.query_row(count, [], |row| row.get(0)).expect("read")
}

#[test]
fn a_signal_during_the_load_prints_the_report_of_the_part_that_ran() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut running = Running::start(&["run", "--duration", "5m", "--output", "json"]);
        // A line of progress tells that the load is running.
        running.wait_for("in use");
        running.signal(signal);
        let (code, stdout, directory) = running.end();
        assert_eq!(code, 130, "{signal}");
        let report = json(&stdout);
        assert_eq!(report["outcome"], "interrupted");
        assert_eq!(report["invariant"], "held");
        assert!(report["throughput"].as_f64().is_some_and(|throughput| throughput > 0.0));
        assert!(is_empty(directory.path()), "{signal} removes the temporary database");
    }
}

#[test]
fn a_signal_drops_the_table_in_the_database_of_the_user() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("mine.db");
    let url = format!("sqlite:{}", path.display());
    let mut running = Running::start(&["run", "--duration", "5m", "--url", &url]);
    running.wait_for("in use");
    assert_eq!(table_count(&path), 1);
    running.signal("-TERM");
    assert_eq!(running.end().0, 130);
    assert_eq!(table_count(&path), 0);
}

#[test]
fn a_signal_while_the_database_is_opened_ends_the_wait() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("held.db");
    let holder = Connection::open(&path).expect("opened");
    holder
        .execute_batch("pragma locking_mode = exclusive; create table t (x); begin exclusive")
        .expect("locked");
    let url = format!("sqlite:{}?busy_timeout=1h", path.display());
    let mut running = Running::start(&["run", "--url", &url, "--pool", "connect_timeout=1h"]);
    running.wait_for("held.db");
    let started = Instant::now();
    running.signal("-INT");
    let (code, stdout, _) = running.end();
    assert_eq!((code, stdout.as_str()), (130, ""));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_signal_while_the_settings_are_read_ends_the_program() {
    let directory = TempDir::new().expect("a directory");
    let path = pipe(directory.path());
    let file = path.to_str().expect("text");
    let mut running = Running::start(&["run", "--duration", "200ms", "--file", file]);
    // Opened as soon as the program opens it, too, which then waits for the first byte.
    let held = fs::File::options().write(true).open(&path).expect("opened by both");
    running.signal("-TERM");
    // A program that goes on finds empty files, and ends otherwise.
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "").expect("written");
    drop(held);
    let status = running.child.wait().expect("ends");
    assert_eq!(status.signal(), Some(15), "{status}");
    assert!(is_empty(running.directory.path()));
}

#[test]
fn a_second_signal_ends_at_once_and_removes_the_temporary_database() {
    let mut running = Running::start(&["run", "--duration", "5m"]);
    running.wait_for("in use");
    // From here on every transfer waits, and so does the end of the run.
    let holder = Connection::open(running.database()).expect("opened");
    holder.busy_timeout(Duration::from_mins(1)).expect("set");
    holder.execute_batch("begin immediate").expect("locked");
    running.signal("-INT");
    running.wait_for("a second signal");
    running.signal("-INT");
    let (code, stdout, directory) = running.end();
    assert_eq!((code, stdout.as_str()), (130, ""));
    assert!(is_empty(directory.path()));
    drop(holder);
}
