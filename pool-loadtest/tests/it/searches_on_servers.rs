//! Sweeps, searches and budgets on a server of their own.
//!
//! `cargo xtask itest` runs them by the names of their modules, as those in `on_servers.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pool_testkit::servers::PASSWORD;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{json, run};
use crate::signals::Running;

/// A workload that cannot be prepared twice.
const PREPARED_ONCE: &str = "\
-- set id = sequence(1)
-- setup
create table made_once (id integer primary key);
-- name: write
insert into made_once values (:id);
-- teardown
drop table made_once;
";

/// What a search on a PostgreSQL of its own prints as JSON, with one of these exit codes.
fn searched(command: &[&str], codes: &[i32]) -> Value {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("load.sql");
    fs::write(&path, PREPARED_ONCE).expect("written");
    let load = ["--workload", "custom", "--sql", path.to_str().expect("text")];
    let own = ["--start", "postgres", "--duration", "200ms", "--output", "json"];
    let (code, stdout, stderr) = run(&[command, &own, &load].concat());
    assert!(codes.contains(&code), "{code}: {stderr}");
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    let report = json(&stdout);
    assert_eq!(report["system"], "postgresql");
    let database = report["database"].as_str().expect("text");
    assert!(database.ends_with(" started for this run"), "{database}");
    assert_eq!(report["warnings"], json("[]"), "{report}");
    report
}

/// The folder of the server of a program, once there is one.
fn folder_of(program: u32) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pool-servers-{program}-0"));
    wait_until("there is a server's folder", || folder.exists());
    folder
}

/// Whether a process works in this folder.
fn is_inhabited(folder: &Path) -> bool {
    let processes = fs::read_dir("/proc").expect("read").filter_map(Result::ok);
    let mut homes = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    homes.any(|home| home.starts_with(folder))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not yet");
        thread::yield_now();
    }
}

/// How many signals a program gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signals {
    One,
    Two,
}

/// Sends signals to a program with a server of its own, the first once it has said `words` or else as
/// soon as the server is being started. Returns what it printed.
fn signalled(arguments: &[&str], words: Option<&str>, signals: Signals) -> String {
    let mut running = Running::start_in_place(arguments);
    let folder = folder_of(running.child.id());
    if let Some(words) = words {
        running.wait_for(words);
        assert!(is_inhabited(&folder), "the server runs");
    }
    running.signal("-INT");
    if signals == Signals::Two {
        running.wait_for("a second signal");
        running.signal("-INT");
    }
    let (code, stdout, _) = running.end();
    assert_eq!(code, 130);
    wait_until("the server is gone", || !is_inhabited(&folder));
    stdout
}

mod postgres {
    use super::*;

    #[test]
    fn a_sweep_on_a_server_of_its_own_prepares_its_data_once() {
        // So short a sweep may say too little, but it ran.
        let report = searched(&["sweep", "max_open=1..4", "--repeats", "1"], &[0, 5]);
        for cell in report["cells"].as_array().expect("cells") {
            assert_eq!(cell["runs"].as_array().map(Vec::len), Some(1), "{cell}");
            assert_eq!(cell["errors"], 0.0, "{cell}");
        }
    }

    #[test]
    fn a_search_on_a_server_of_its_own_prepares_its_data_once() {
        let report = searched(&["tune", "--most", "4", "--slo", "errors<1%"], &[0]);
        let steps = report["steps"].as_array().expect("steps");
        assert!(steps.len() > 1 && steps.iter().all(|step| step["errors"] == 0), "{report}");
        let paste = &report["recommendation"]["paste"];
        assert_eq!(paste["url"], "postgres://HOST/DATABASE?pool_max_open=1", "it will be gone");
    }

    #[test]
    fn a_budget_can_be_of_a_server_of_its_own() {
        let own = ["budget", "--start", "postgres", "--output", "json"];
        let (code, stdout, stderr) = run(&[&own[..], &["--pool", "max_open=1"]].concat());
        assert_eq!(code, 0, "{stderr}");
        let printed = json(&stdout);
        assert_eq!(printed["budget"]["limited_by"], "max_connections", "{printed}");
        let database = printed["database"].as_str().expect("text");
        assert!(database.ends_with(" started for this run"), "{database}");
        let many = ["--replicas", "1000", "--pool", "max_open=10"];
        let (code, stdout, stderr) = run(&[&own[..], &many].concat());
        assert_eq!(code, 3, "{stderr}");
        assert_eq!(json(&stdout)["budget"]["fits"], false, "{stdout}");
    }

    #[test]
    fn a_signal_while_the_server_starts_ends_the_program_and_leaves_no_server() {
        for command in [&["sweep", "max_open=1,2"][..], &["tune"], &["budget"], &["run"]] {
            let printed =
                signalled(&[command, &["--start", "postgres"]].concat(), None, Signals::One);
            assert_eq!(printed, "", "{command:?}");
        }
    }

    #[test]
    fn a_second_signal_while_the_server_starts_leaves_no_server() {
        assert_eq!(
            signalled(&["sweep", "max_open=1,2", "--start", "postgres"], None, Signals::Two),
            ""
        );
    }

    #[test]
    fn a_signal_during_a_sweep_leaves_a_report_and_no_server() {
        let sweep = ["sweep", "max_open=1,2", "--start", "postgres", "--output", "json"];
        let long = ["--duration", "100ms", "--repeats", "100"];
        let printed = signalled(&[&sweep[..], &long].concat(), Some("cell 1 of"), Signals::One);
        assert_eq!(json(&printed)["outcome"], "interrupted", "{printed}");
    }
}
