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
    assert_eq!(report["config"]["max_open"], 4);
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
        "invariant   held: 1000 accounts hold 1000000, as at the start",
        "verdict  ",
        "recommended ",
    ] {
        assert!(stdout.contains(part), "{part:?} not in {stdout}");
    }
    assert!(stderr.contains("/s ") && stderr.contains(" waiting "), "{stderr}");
    assert!(!stdout.contains(" waiting  "), "progress stays off the report");
}

#[test]
fn every_problem_of_the_command_line_is_reported_at_once() {
    let (code, stdout, stderr) = run(&[
        "run",
        "--preset",
        "prodution",
        "--pool",
        "max_opn=8",
        "--pool",
        "acquire_timeout=0s",
        "--pool",
        "min_idle",
        "--url",
        "postgres://user:secret@host/db",
    ]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in [
        "url scheme = \"postgres\": unknown; allowed: sqlite",
        "preset = \"prodution\": unknown",
        "did you mean \"production\"?",
        "field = \"max_opn\": unknown",
        "did you mean \"max_open\"?",
        "acquire_timeout = \"0s\": must not be zero",
        "--pool = \"min_idle\": no value; allowed: FIELD=VALUE",
    ] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
    assert!(!stderr.contains("secret"), "{stderr}");
}

#[test]
fn settings_that_contradict_each_other_are_reported_together() {
    let (code, _, stderr) = run(&[
        "run",
        "--pool",
        "max_open=0",
        "--pool",
        "min_idle=3",
        "--pool",
        "max_idle=2",
        "--pool",
        "connect_timeout=0s",
    ]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: invalid configuration (3 problems)"), "{stderr}");
}

#[test]
fn arguments_that_make_no_sense_name_what_is_allowed() {
    for (arguments, words) in [
        (&["run", "--duration", "0s"][..], "more than zero"),
        (&["run", "--duration", "soon"], "such as 10s"),
        (&["run", "--tasks", "0"], "1..=1000000"),
        (&["run", "--output", "xml"], "[possible values: text, json]"),
        (&["sprint"], "unrecognized subcommand"),
        (&["run", "--poll", "max_open=3"], "--pool"),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
}

#[test]
fn private_memory_has_one_connection_and_says_why_not_more() {
    let (code, stdout, stderr) =
        run(&["run", "--url", "sqlite::memory:", "--duration", "200ms", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json(&stdout)["config"]["max_open"], 1);
    let (code, _, stderr) = run(&["run", "--url", "sqlite::memory:", "--pool", "max_open=2"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("max_open = \"2\""), "{stderr}");
    assert!(stderr.contains("a database of its own"), "{stderr}");
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
