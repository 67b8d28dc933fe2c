//! `tune` as its users run it.

use crate::program::{json, run};

#[test]
fn what_is_found_is_verified_and_ready_to_paste() {
    let (code, stdout, stderr) =
        run(&["tune", "--most", "1", "--duration", "150ms", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!((&report["kind"], &report["conclusion"]), (&"tune".into(), &"found".into()));
    assert_eq!(report["objective"], "best throughput");
    let steps = report["steps"].as_array().expect("steps");
    let verifies: Vec<_> = steps.iter().map(|step| step["verifies"].as_bool()).collect();
    assert_eq!(verifies, [Some(false), Some(true)]);
    let paste = &report["recommendation"]["paste"];
    assert_eq!(paste["toml"], "[pool]\nmax_open = 1\n");
    assert_eq!(paste["environment"], "POOL_MAX_OPEN=1");
    assert_eq!(paste["rust"], "PoolConfig { max_open: 1, ..PoolConfig::default() }");
    assert!(paste["url"].as_str().is_some_and(|url| url.ends_with("?pool_max_open=1")), "{paste}");
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines.len() == 2 && lines[1].contains("longer, to be sure"), "{stderr}");
}

#[test]
fn an_objective_that_no_value_meets_is_missed_and_nothing_is_recommended() {
    let objective = ["--slo", "response.p99<1us, errors<1%"];
    let short = ["--most", "2", "--duration", "100ms"];
    let (code, stdout, stderr) = run(&[&["tune"][..], &objective, &short].concat());
    assert_eq!(code, 3, "{stderr}");
    for part in ["verdict     missed: no value meets the objective, not even max_open = 2", "p99"] {
        assert!(stdout.contains(part), "{part} not in {stdout}");
    }
    assert!(!stdout.contains("POOL_MAX_OPEN"), "{stdout}");
    assert!(stderr.contains("error: no value meets the objective"), "{stderr}");
}

#[test]
fn a_rate_in_the_objective_is_the_load() {
    let objective = ["--slo", "response.p99<1us at 50/s"];
    let short = ["--most", "1", "--duration", "200ms", "--output", "json"];
    let (code, stdout, stderr) = run(&[&["tune"][..], &objective, &short].concat());
    // On a machine that is busy elsewhere the load generator may not keep up, which ends a search.
    assert!([3, 5].contains(&code), "{code}: {stderr}");
    let report = json(&stdout);
    assert_eq!((&report["load"]["model"], &report["recommendation"]), (&"open".into(), &().into()));
    assert_eq!(report["objective"], "response.p99<1us at 50/s");
}

#[test]
fn a_search_that_makes_no_sense_is_refused_with_all_that_is_wrong_before_anything_runs() {
    let wrong = ["--slo", "respons.p99<20ms, errors<5 at soon", "--setting", "acquire_timeout"];
    let (code, stdout, stderr) = run(&[&["tune"][..], &wrong].concat());
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in [
        "did you mean \"response.p99\"?",
        "such as 1%",
        "rate = \"soon\"",
        "--setting = \"acquire_timeout\": unknown; allowed: max_open, max_idle",
    ] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
    let twice = ["--slo", "response.p99<20ms at 50/s", "--tasks", "4"];
    let (code, stdout, stderr) = run(&[&["tune"][..], &twice].concat());
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("the objective names the load too"), "{stderr}");
    let (code, _, stderr) = run(&["tune", "--url", "sqlite::memory:", "--most", "4"]);
    assert!(code == 2 && stderr.contains("a database of its own"), "{code}: {stderr}");
}

#[test]
fn a_search_whose_database_cannot_be_used_runs_nothing() {
    let database = ["--url", "sqlite:no/such/directory/x.db", "--pool", "acquire_timeout=300ms"];
    let (code, stdout, stderr) = run(&[&["tune", "--duration", "100ms"][..], &database].concat());
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("error: cannot open the database"), "{stderr}");
}
