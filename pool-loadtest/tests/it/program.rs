//! The program as its users run it: what it prints where, and how it ends.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool-loadtest"));
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    finished(program(arguments).output().expect("starts"))
}

pub(crate) fn finished(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

pub(crate) fn json(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error} in {stdout}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn a_short_run_prints_a_json_report_of_a_pool_that_lost_nothing() {
    let (code, stdout, stderr) = run(&[
        "run",
        "--duration",
        "600ms",
        "--tasks",
        "100",
        "--pool",
        "max_open=4",
        "--output",
        "json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert!(number(&report["throughput"]) > 0.0);
    assert_eq!((&report["errors"], &report["in_use"]), (&0.into(), &0.into()));
    assert_eq!(report["invariant"], "held");
    assert!(number(&report["wait"]["p99"]) >= number(&report["service"]["p50"]), "{report}");
    assert_eq!(
        (&report["wait"]["unit"], &report["load"]["model"]),
        (&"us".into(), &"closed".into())
    );
    assert_eq!(
        (&report["config"]["max_open"], &report["config"]["max_idle"]),
        (&4.into(), &4.into())
    );
    assert_eq!(report["pool"]["peak_in_use"], 4);
}

#[test]
fn a_text_report_has_every_part_and_progress_goes_to_stderr() {
    let (code, stdout, stderr) = run(&["run", "--duration", "1200ms", "--tasks", "3"]);
    assert_eq!(code, 0, "{stderr}");
    for part in [
        "throughput  ",
        "wait ",
        "service ",
        "response ",
        "acquires  ",
        "connections ",
        "invariant   held: 1 000 accounts hold 1 000 000, as at the start",
        "verdict  ",
        "recommended ",
    ] {
        assert!(stdout.contains(part), "{part:?} not in {stdout}");
    }
    assert!((1..=2).contains(&stderr.lines().count()), "one a second, one at the end: {stderr}");
    assert!(stderr.contains("/s ") && stderr.contains(" waiting "), "{stderr}");
    assert!(stdout.starts_with("sqlite, a file in a temporary directory\n"), "{stdout}");
    let longest = stdout.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest < 100), "{stdout}");
    assert!(!stdout.contains(" waiting  "), "progress stays off the report");
}

#[cfg(target_os = "linux")]
#[test]
fn progress_that_nobody_can_read_costs_no_report() {
    let full = std::fs::File::create("/dev/full").expect("opened");
    let arguments = ["run", "--duration", "1200ms", "--output", "json"];
    let output = program(&arguments).stderr(full).output().expect("starts");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(json(&String::from_utf8_lossy(&output.stdout))["invariant"], "held");
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_printed_is_an_error_and_no_panic() {
    let full = std::fs::File::create("/dev/full").expect("opened");
    let output = program(&["run", "--duration", "200ms"]).stdout(full).output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("error: cannot print the report: No space left"), "{stderr}");
}
