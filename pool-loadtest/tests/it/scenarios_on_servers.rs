//! What befalls a server of the load tester's own, and that nothing of it is left.
//!
//! `cargo xtask itest` runs them by the names of their modules, as those in `on_servers.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pool_testkit::servers::PASSWORD;
use serde_json::Value;

use crate::program::{json, run};
use crate::signals::Running;

/// The report of a scenario on a server of this name.
fn report(scenario: &str, server: &str, duration: &str) -> Value {
    let (code, stdout, stderr) = run(&[
        "run",
        "--scenario",
        scenario,
        "--start",
        server,
        "--duration",
        duration,
        "--output",
        "json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    let report = json(&stdout);
    assert_eq!(report["invariant"], "held", "{report}");
    let database = report["database"].as_str().expect("text");
    assert!(database.ends_with(" started for this run"), "{database}");
    report
}

fn incident(report: &Value) -> &Value {
    let incidents = report["incidents"].as_array().expect("a list");
    assert_eq!(incidents.len(), 1, "{report}");
    assert_eq!(incidents[0]["problem"], Value::Null, "{report}");
    &incidents[0]
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no time: {value}"))
}

fn a_server_that_is_killed_is_found_again(server: &str) {
    let report = report("restart", server, "4s");
    let incident = incident(&report);
    assert_eq!(
        (&incident["what"], &incident["undone"]),
        (&"the server was killed".into(), &"it was back".into())
    );
    assert!(incident["failed"].as_u64() > Some(0), "{report}");
    assert!(seconds(&incident["until_seconds"]) > seconds(&incident["at_seconds"]), "{report}");
    assert!(incident["recovered_after_seconds"].is_number(), "{report}");
    assert_eq!(report["aftermath"]["seen"], true, "{report}");
}

/// The folder of the server of a program.
fn folder_of(program: u32) -> PathBuf {
    let prefix = format!("pool-servers-{program}-");
    let entries = fs::read_dir(std::env::temp_dir()).expect("read");
    let is_its = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|it| it.starts_with(&prefix))
    };
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_its);
    paths.next().expect("a server's folder")
}

/// The number of the server's process, from its folder.
fn server_in(folder: &Path) -> u32 {
    let notes = fs::read_to_string(folder.join("data/postmaster.pid")).expect("it runs");
    notes.lines().next().expect("a line").trim().parse().expect("a number")
}

/// Waits until a process is no more, be it a zombie that nobody buries.
fn wait_for_end(process: u32) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let runs = || {
        let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        status.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    };
    while runs() {
        assert!(Instant::now() < deadline, "process {process} goes on");
        thread::yield_now();
    }
}

mod postgres {
    use super::*;

    #[test]
    fn a_server_that_is_killed_is_found_again() {
        super::a_server_that_is_killed_is_found_again("postgres");
    }

    #[test]
    fn a_server_that_is_held_still_serves_nobody_meanwhile() {
        let report = report("pause", "postgres", "3s");
        let incident = incident(&report);
        let held = seconds(&incident["until_seconds"]) - seconds(&incident["at_seconds"]);
        // Somebody asked just before, and was answered after it at the earliest.
        let longest = seconds(&report["response"]["max"]) / 1e6;
        assert!(held > 0.3 && longest > held * 0.9, "{held} s: {report}");
        assert!(incident["recovered_after_seconds"].is_number(), "{report}");
    }

    #[test]
    fn a_distant_server_is_slow_for_as_long_as_it_is_distant() {
        let report = report("slow-network", "postgres", "3s");
        assert!(incident(&report)["what"].as_str().is_some_and(|it| it.contains("20ms longer")));
        assert!(seconds(&report["service"]["max"]) >= 40_000.0, "there and back: {report}");
        assert_eq!(report["aftermath"]["seen"], true, "{report}");
    }

    #[test]
    fn a_pool_that_cannot_grow_goes_on_with_what_it_has() {
        let report = report("exhaustion", "postgres", "3s");
        let pool = &report["pool"];
        assert!(pool["open_failed"].as_u64() > Some(0), "{report}");
        assert_eq!(report["errors"], 0, "{report}");
        assert!(pool["opened"].as_u64() > Some(0), "it grows once there is room: {report}");
        assert_eq!(report["aftermath"]["seen"], true, "{report}");
    }

    #[test]
    fn a_server_of_its_own_is_gone_after_a_signal_even_while_it_is_held_still() {
        let arguments = ["run", "--scenario", "pause", "--start", "postgres", "--duration", "10s"];
        let mut running = Running::start_in_place(&arguments);
        running.wait_for("the server was held still");
        let folder = folder_of(running.child.id());
        let server = server_in(&folder);
        running.signal("-INT");
        let (code, stdout, _) = running.end();
        assert_eq!(code, 130);
        assert!(stdout.contains("the server was held still; at "), "{stdout}");
        wait_for_end(server);
        assert!(!folder.exists());
    }

    #[test]
    fn a_server_of_its_own_does_not_outlive_a_program_that_is_killed() {
        let mut running =
            Running::start_in_place(&["run", "--start", "postgres", "--duration", "5m"]);
        running.wait_for("in use");
        let server = server_in(&folder_of(running.child.id()));
        running.child.kill().expect("killed");
        running.child.wait().expect("gone");
        wait_for_end(server);
    }
}

mod mysql {
    #[test]
    fn a_server_that_is_killed_is_found_again() {
        super::a_server_that_is_killed_is_found_again("mariadb");
    }
}
