//! Each scenario shows what it is about, on SQLite; those that harm a server are in
//! `scenarios_on_servers.rs`.

use serde_json::Value;

use crate::program::{json, run};

/// The report of a scenario, which ended well.
fn report(scenario: &str, duration: &str) -> Value {
    let arguments = ["run", "--scenario", scenario, "--duration", duration, "--output", "json"];
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["scenario"], scenario);
    assert_eq!(report["invariant"], "held", "{report}");
    let leaked = if scenario == "leak" { 7 } else { 0 };
    assert_eq!(report["in_use"], leaked, "{report}");
    report
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

#[track_caller]
fn assert_seen(report: &Value, words: &str) {
    let aftermath = &report["aftermath"];
    assert_eq!(aftermath["seen"], true, "{report}");
    let detail = aftermath["detail"].as_str().expect("text");
    assert!(detail.contains(words), "{words:?} not in {detail:?}");
}

/// Every scenario, as `scenarios --output json` has it.
fn listed() -> Vec<Value> {
    let (code, stdout, stderr) = run(&["scenarios", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    json(&stdout).as_array().expect("a list").clone()
}

#[test]
fn the_list_has_every_scenario_and_what_each_needs() {
    let (code, stdout, stderr) = run(&["scenarios"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let listed = listed();
    for scenario in &listed {
        for key in ["name", "does", "look_at"] {
            let words = scenario[key].as_str().expect("text");
            let first = words.split(' ').take(3).collect::<Vec<_>>().join(" ");
            assert!(!words.is_empty() && stdout.contains(&first), "{words:?} not in {stdout}");
        }
    }
    let harmed: Vec<_> = listed.iter().filter(|it| !it["needs"].is_null()).collect();
    let names: Vec<_> = harmed.iter().map(|it| it["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["exhaustion", "restart", "pause", "slow-network"]);
    assert!(stdout.contains("--start postgres|mariadb|mysql"), "{stdout}");
}

#[test]
fn every_scenario_that_is_listed_can_be_run() {
    for scenario in listed() {
        let name = scenario["name"].as_str().expect("text");
        let needs_server = !scenario["needs"].is_null();
        // Settled before anything starts, so that a server is not needed to know it.
        let (code, stdout, stderr) = run(&["config", "explain", "--scenario", name]);
        assert_eq!(code, 0, "{name}: {stderr}");
        for (field, value) in scenario["settings"].as_object().expect("an object") {
            let line = stdout.lines().find(|line| line.starts_with(&format!("{field} ")));
            let words: Vec<_> = line.expect(field).split_whitespace().collect();
            let origin = ["scenario", name];
            assert_eq!((words[1], &words[2..]), (value.as_str().expect("text"), &origin[..]));
        }
        if !needs_server {
            let (code, _, stderr) = run(&["run", "--scenario", name, "--duration", "1s"]);
            assert_eq!(code, 0, "{name}: {stderr}");
        }
    }
}

#[test]
fn a_pool_that_is_to_be_cold_is_not_warmed_up() {
    let arguments = ["run", "--scenario", "cold-start", "--duration", "1s", "--warm-up", "1s"];
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    let words = "--warm-up = \"1s\": the scenario cold-start is about a pool that is not warm; \
                 allowed: one of --scenario and --warm-up";
    assert!(stderr.contains(words), "{stderr}");
}

#[test]
fn a_database_that_is_gone_with_its_last_connection_is_not_made_cold() {
    let arguments = ["run", "--scenario", "cold-start", "--duration", "1s", "--url"];
    let (code, stdout, stderr) = run(&[&arguments[..], &["sqlite::memory:"]].concat());
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    let words =
        "--scenario = \"cold-start\": it closes every connection, and this database is gone";
    assert!(stderr.contains(words), "{stderr}");
}

#[test]
fn callers_that_gave_up_are_not_taken_for_those_that_wait_at_the_end() {
    let arguments = ["run", "--scenario", "cancel-storm", "--duration", "500ms"];
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(" given up"), "{stdout}");
    let count = |before: &str| {
        let words: Vec<_> = stdout.split(before).next().expect("a part").split(' ').collect();
        words.last().expect("a word").parse::<u64>().expect("a number")
    };
    // Each of the 16 tasks waits at most once.
    if stdout.contains(" waiting when") {
        assert!(count(" waiting when") <= 16, "{stdout}");
    }
}

#[test]
fn a_scenario_gives_way_to_what_the_user_says() {
    let (code, stdout, stderr) = run(&[
        "run",
        "--scenario",
        "churn",
        "--duration",
        "200ms",
        "--tasks",
        "3",
        "--pool",
        "max_idle=2",
        "--output",
        "json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["load"]["tasks"], 3);
    let config = &report["config"];
    assert_eq!((&config["max_idle"], &config["idle_grace"]), (&2.into(), &"0s".into()));
}

#[test]
fn what_goes_against_a_scenario_is_refused_with_the_reason() {
    for (arguments, words) in [
        (&["--scenario", "reastart"][..], "did you mean \"restart\"?"),
        (&["--scenario", "restart"], "harms the server, so it has one of its own"),
        (&["--scenario", "restart"], "with --start postgres"),
        (
            &["--scenario", "restart", "--start", "postgres", "--duration", "1s"],
            "--duration = \"1s\": too short for the scenario restart; allowed: 2s or more",
        ),
        (
            &["--scenario", "live-resize", "--at", "1s", "pause"],
            "the scenario live-resize makes changes of its own",
        ),
        (
            &["--scenario", "spike", "--tasks", "3"],
            "the scenario spike has arrivals of its own; allowed: one of --scenario and --tasks",
        ),
        (&["--start", "postgres", "--url", "sqlite:x.db"], "cannot be used with"),
        (&["--start", "oracle"], "[possible values: postgres, mariadb, mysql]"),
        (&["--start", "postgres", "--pool", "max_opn=3"], "did you mean \"max_open\"?"),
    ] {
        let (code, stdout, stderr) = run(&[&["run"], arguments].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{words:?} not in {stderr}");
    }
}

#[test]
fn a_report_as_text_says_what_was_to_be_expected_and_what_was_seen() {
    let (code, stdout, stderr) = run(&["run", "--scenario", "live-resize", "--duration", "400ms"]);
    assert_eq!(code, 0, "{stderr}");
    let expected = "scenario    live-resize: to be expected: each change is made, and no operation";
    assert!(stdout.contains(expected), "{stdout}");
    let seen = "            seen: 3 changes made, 0 refused, 0 operations failed";
    assert!(stdout.contains(seen), "{stdout}");
}

#[test]
fn steady_compares_the_halves_of_the_load() {
    let report = report("steady", "1s");
    let detail = report["aftermath"]["detail"].as_str().expect("text");
    assert!(detail.contains("/s in the first half, "), "{detail}");
}

#[test]
fn cold_start_begins_without_a_connection() {
    let report = report("cold-start", "1s");
    let most = count(&report["config"]["max_open"]);
    assert_eq!(count(&report["pool"]["opened"]), most.min(16), "{report}");
    assert_seen(&report, "connections opened, the longest wait was ");
    assert!(report["baseline_us"].is_null(), "nobody has warmed it up");
    let verdict = &report["verdict"];
    let summary = verdict["summary"].as_str().expect("text");
    assert!(!summary.contains("while one task ran alone"), "none did: {summary}");
}

#[test]
fn a_spike_comes_and_goes() {
    let report = report("spike", "3s");
    assert_eq!(report["load"]["model"], "open");
    let arrivals = report["load"]["arrivals"].as_str().expect("text");
    let stages = "constant 100/s for 1s 200ms, constant 10000/s for 600ms, constant 100/s for 1s";
    assert!(arrivals.starts_with(stages), "{arrivals}");
    let points: Vec<_> = report["series"].as_array().expect("a list").iter().collect();
    let most = points.iter().map(|point| count(&point["operations"])).max();
    assert!(most > Some(3 * count(&points[0]["operations"])), "{report}");
}

#[test]
fn a_pool_that_churns_opens_connections_all_the_time() {
    let report = report("churn", "1s");
    assert_seen(&report, "connections opened for ");
    assert!(count(&report["pool"]["closed"]["surplus"]) > 3 * 16, "{report}");
    assert_eq!(report["verdict"]["limit"], "churn", "{report}");
}

#[test]
fn a_hog_has_most_of_the_connections_time() {
    assert_seen(&report("transaction-hog", "1500ms"), "of the connections' time");
}

#[test]
fn a_leak_takes_all_connections_but_one() {
    let report = report("leak", "2s");
    assert_seen(&report, "7 connections never given back");
    assert_eq!(report["verdict"]["limit"], "leak", "{report}");
}

#[test]
fn a_storm_of_callers_that_give_up_loses_nothing() {
    let report = report("cancel-storm", "1s");
    assert_seen(&report, "gave up; nothing is lost");
    assert!(count(&report["pool"]["acquires"]["cancelled"]) > 100, "{report}");
    let detail = report["invariant_detail"].as_str().expect("text");
    assert!(detail.ends_with("all of 4 connections can be had at once"), "{detail}");
}

#[test]
fn operations_that_want_a_second_connection_wait_for_each_other() {
    let report = report("nested-acquire", "1500ms");
    assert_seen(&report, "held a connection and waited for another in vain");
    assert!(count(&report["pool"]["acquires"]["timed_out"]) > 0, "{report}");
    let kinds: Vec<_> = report["error_groups"].as_array().expect("a list").iter().collect();
    let second = "no second connection while holding the first";
    assert!(kinds.iter().any(|group| group["kind"] == second), "{report}");
}

#[test]
fn a_live_resize_fails_nobody() {
    let report = report("live-resize", "800ms");
    let changes = report["changes"].as_array().expect("a list");
    let actions: Vec<_> = changes.iter().map(|it| it["action"].as_str().expect("text")).collect();
    assert_eq!(actions, ["max_open=2", "max_open=16", "max_open=8"]);
    assert_eq!(count(&report["errors"]), 0, "{report}");
}

#[test]
fn a_soak_of_a_second_does_not_say_whether_memory_grows() {
    let report = report("soak", "1s");
    assert_eq!(report["aftermath"]["seen"], Value::Null, "{report}");
    let detail = report["aftermath"]["detail"].as_str().expect("text");
    assert!(
        detail.contains(" at the memory, five a second, and it takes 40 to tell: "),
        "{detail}"
    );
}
