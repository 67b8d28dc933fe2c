//! `sweep` as its users run it.

use crate::program::{json, run};
#[cfg(unix)]
use crate::signals::Running;

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
    let (code, stdout, stderr) = run(&[
        "sweep",
        "max_open=1,2",
        "--url",
        "sqlite:no/such/directory/x.db",
        "--repeats",
        "1",
        "--duration",
        "100ms",
        "--pool",
        "acquire_timeout=300ms",
        "--output",
        "json",
    ]);
    assert_eq!(code, 1, "{stderr}");
    let report = json(&stdout);
    for cell in report["cells"].as_array().expect("cells") {
        assert_eq!(cell["failed"].as_array().map(Vec::len), Some(1), "{cell}");
    }
    assert!(stderr.contains("error: not one run came to an end; the first: max_open="), "{stderr}");
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
