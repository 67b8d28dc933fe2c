//! `compare`, and `run` held to thresholds and a baseline, as their users run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{json as read, run};

/// The report of a short run.
static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let (code, stdout, stderr) = run(&["run", "--duration", "200ms", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    read(&stdout)
});

/// The same with so many seconds of so many operations.
pub(crate) fn report(seconds: u32, operations: u64) -> Value {
    let mut report = REPORT.clone();
    let point = report["series"][0].clone();
    let points = (1..=seconds).map(|second| {
        let mut point = point.clone();
        point["at_seconds"] = json!(f64::from(second));
        point["seconds"] = json!(1.0);
        point["operations"] = json!(operations + u64::from(second % 3));
        point["response_p50"] = json!(1e9 / operations as f64);
        point["response_p99"] = json!(3e9 / operations as f64);
        point
    });
    report["series"] = points.collect();
    report
}

fn saved(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("written");
    path
}

fn compared(before: &Path, after: &Path, more: &[&str]) -> (i32, String, String) {
    let paths = [before, after].map(|path| path.to_str().expect("text"));
    run(&[&["compare"][..], &paths, more].concat())
}

#[test]
fn the_exit_code_says_what_has_become_of_it() {
    let directory = TempDir::new().expect("made");
    let save = |name, report: Value| saved(&directory, name, &report.to_string());
    let before = save("before.json", report(20, 1_000));
    for (name, after, code, words) in [
        ("same", report(20, 1_000), 0, "comparison  unchanged"),
        ("slower", report(20, 900), 4, "comparison  regressed: throughput went from"),
        ("faster", report(20, 1_100), 0, "comparison  improved"),
        ("short", report(3, 900), 5, "comparison  inconclusive: throughput has 3 seconds"),
    ] {
        let after = save(name, after);
        let (found, stdout, stderr) = compared(&before, &after, &[]);
        assert_eq!(found, code, "{name}: {stdout}{stderr}");
        let text = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&words), "{words} not in {stdout}");
        assert_eq!(stderr.is_empty(), code == 0, "{stderr}");
    }
    let slower = directory.path().join("slower");
    let (code, stdout, _) = compared(&before, &slower, &["--threshold", "20%", "--output", "json"]);
    let comparison = read(&stdout);
    assert_eq!((code, &comparison["verdict"]), (0, &"unchanged".into()));
    assert_eq!(comparison["kind"], "compare");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let directory = TempDir::new().expect("made");
    let good = saved(&directory, "good.json", &report(20, 1_000).to_string());
    let with = |key: &str, value: Value| {
        let mut report = report(20, 1_000);
        report[key] = value;
        report.to_string()
    };
    for (text, words) in [
        ("{\n  \"schema_version\": ,".to_owned(), "no JSON: expected value at line 2 column 21"),
        ("{}".to_owned(), "no report of pool-loadtest"),
        (with("schema_version", json!(1)), "its schema version is 1, and this release reads"),
        (with("schema_version", json!("2")), "its schema_version is a text, not a whole number"),
        (with("kind", json!("tune")), "the report of a tune; only those of `run`"),
        (with("workload", json!("tpcb")), "the workload: bank before, tpcb after"),
    ] {
        let other = saved(&directory, "other.json", &text);
        let (code, stdout, stderr) = compared(&good, &other, &[]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{words}: {stderr}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
    let other = directory.path().join("other.json");
    let (code, stdout, stderr) = compared(&good, &other, &["--anyway"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("different   the workload: bank before, tpcb after"), "{stdout}");
    let (code, _, stderr) = compared(&good, &directory.path().join("missing.json"), &[]);
    assert!(code == 2 && stderr.contains("missing.json: it cannot be read"), "{code}: {stderr}");
}

#[test]
fn a_run_is_held_to_its_thresholds() {
    let short = ["run", "--duration", "150ms"];
    let missed = ["--fail-if", "response.p99>1ns", "--fail-if", "errors>50%"];
    let (code, stdout, stderr) = run(&[&short[..], &missed].concat());
    assert_eq!(code, 3, "{stderr}");
    assert!(stdout.contains("threshold   MISSED: response.p99>1ns: it was "), "{stdout}");
    assert!(stdout.contains("threshold   kept: not errors>50%"), "{stdout}");
    assert!(stderr.contains("error: threshold missed: response.p99>1ns"), "{stderr}");
    let json_form = ["--fail-if", "response.p99>1ns", "--output", "json"];
    let (code, stdout, _) = run(&[&short[..], &json_form].concat());
    assert_eq!((code, &read(&stdout)["thresholds"][0]["metric"]), (3, &"response.p99".into()));
    let (code, _, stderr) = run(&[&short[..], &["--fail-if", "response.p99>1h"]].concat());
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_threshold_or_baseline_that_makes_no_sense_is_refused_before_the_load() {
    let long = ["run", "--duration", "1h"];
    for (arguments, words) in [
        (["--fail-if", "respons.p99>1ms"], "did you mean \"response.p99\"?"),
        (["--fail-if", "transfr.errors>1%"], "did you mean \"transfer\"?"),
        (["--fail-if", "response.p99>1"], "such as 20ms"),
        (["--baseline", "no/such.json"], "--baseline = \"no/such.json\": it cannot be read: "),
        (["--threshold", "5"], "a percentage from 0% to 100%"),
    ] {
        let (code, stdout, stderr) = run(&[&long[..], &arguments].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
}

#[test]
fn a_baseline_of_an_unlike_run_is_refused_before_the_load_with_the_code_that_compare_has() {
    let directory = TempDir::new().expect("made");
    let with = |changes: &[(&str, Value)]| {
        let mut report = report(20, 1_000);
        for (key, value) in changes {
            report[*key] = value.clone();
        }
        report.to_string()
    };
    let changes =
        json!([{ "at_seconds": 1.0, "action": "pause", "outcome": "applied", "detail": "" }]);
    for (text, words) in [
        (
            with(&[("workload", json!("tpcb")), ("scenario", json!("spike"))]),
            "the workload: tpcb before, bank after; the scenario: spike before, no scenario after",
        ),
        (with(&[("outcome", json!("running"))]), "the run before did not come to its end"),
        (with(&[("changes", changes)]), "the pool is changed during the run before"),
    ] {
        let baseline = saved(&directory, "baseline.json", &text);
        let baseline = baseline.to_str().expect("text");
        let (code, stdout, stderr) = run(&["run", "--duration", "1h", "--baseline", baseline]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains("--baseline = "), "{stderr}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
    let baseline = saved(&directory, "baseline.json", &report(20, 1_000).to_string());
    let load = ["--rate", "poisson 50/s", "--at", "1s", "max_open=4"];
    let arguments = ["run", "--duration", "1h", "--baseline", baseline.to_str().expect("text")];
    let (code, _, stderr) = run(&[&arguments[..], &load].concat());
    assert_eq!(code, 2, "{stderr}");
    for words in [
        "the load: a closed loop before, an open loop after",
        "the arrivals: closed before, poisson 50/s after",
        "the tasks: 16 before, no number of after",
        "the pool is changed during the run after",
    ] {
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
}

#[test]
fn a_run_is_compared_with_its_baseline() {
    let directory = TempDir::new().expect("made");
    let baseline = saved(&directory, "baseline.json", &report(20, 1_000).to_string());
    let baseline = baseline.to_str().expect("text");
    let (code, stdout, stderr) =
        run(&["run", "--duration", "200ms", "--baseline", baseline, "--output", "json"]);
    assert_eq!(code, 5, "a fifth of a second says nothing: {stderr}");
    let report = read(&stdout);
    assert_eq!(report["comparison"]["verdict"], "inconclusive");
    assert!(stderr.contains("seconds to compare, and at least 8 are needed"), "{stderr}");
}
