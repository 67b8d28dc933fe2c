//! The program's pool while it is under load: what changes it, how well it is, and what is said of both.

use serde_json::{Value, json as value};

use crate::program::{json, run};

#[test]
fn every_problem_of_a_change_is_said_with_all_else_before_anything_starts() {
    let mut arguments = vec!["run", "--duration", "5s", "--pool", "max_opn=8"];
    for (time, change) in [
        ("1m 30s", "pause"),
        ("soon", "max_open=4"),
        ("3s", "max_opn=4, acquire_timeout=soon"),
        ("2s", "paus"),
        ("1s", "max_open=4 max_idle=2"),
        ("1s", "postgres://me:hunter2@db/x"),
    ] {
        arguments.extend(["--at", time, change]);
    }
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in [
        "(8 problems)",
        "--pool: setting = \"max_opn\": unknown",
        "--at = \"1m 30s\": the run is over by then; allowed: less than 5s (--duration)",
        "--at = \"soon\": not understood; allowed: a time since the load began, such as 3s",
        "--at 3s: field = \"max_opn\": unknown; allowed: max_open, ",
        "--at 3s: acquire_timeout = \"soon\": not understood; allowed: a duration above zero",
        "--at 2s: change = \"paus\": unknown; allowed: pause, resume, invalidate, ",
        "did you mean \"pause\"?",
        "--at 1s: max_open = \"4 max_idle=2\": two settings without a comma between them",
        "--at 1s: change = \"(not shown)\": unknown",
    ] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
    assert!(!stderr.contains("hunter2") && !stderr.contains("/s "), "{stderr}");
}

#[test]
fn settings_that_would_be_refused_later_are_found_before_anything_starts() {
    let arguments = ["run", "--pool", "max_open=8", "--pool", "max_idle=8"];
    let later = ["--at", "3s", "min_idle=4", "--at", "2s", "max_open=2", "--at", "1s", "pause"];
    let (code, stdout, stderr) = run(&[&arguments[..], &later[..]].concat());
    assert_eq!((code, stdout.as_str()), (2, ""));
    let expected = "(1 problem)\n  --at 3s: min_idle = \"4\": more than the pool keeps idle; allowed: at \
                    most 2";
    assert!(stderr.contains(expected), "{stderr}");
    let (code, _, stderr) = run(&["run", "--url", "sqlite::memory:", "--at", "1s", "max_open=2"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--at 1s: max_open = \"2\": each connection to sqlite"), "{stderr}");
}

#[test]
fn what_would_close_the_last_connection_of_a_database_in_memory_is_refused() {
    let memory = ["run", "--url", "sqlite::memory:", "--duration", "2s"];
    for (change, words) in [
        ("invalidate", "change = \"invalidate\": it closes every connection"),
        ("renew", "change = \"renew\": it closes every connection"),
        ("max_idle=0", "max_idle = \"0\": a database in sqlite::memory: is gone"),
        ("max_idle_time=1s", "max_idle_time = \"1s\": a database in sqlite::memory: is gone"),
        ("max_lifetime=1s", "max_lifetime = \"1s\": a database in sqlite::memory: is gone"),
    ] {
        let (code, stdout, stderr) = run(&[&memory[..], &["--at", "1s", change]].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{change}");
        assert!(stderr.contains(&format!("--at 1s: {words}")), "{stderr}");
        if change.contains('=') {
            let (code, _, stderr) = run(&[&memory[..], &["--pool", change]].concat());
            assert_eq!(code, 2, "{change}");
            assert!(stderr.contains(words), "{stderr}");
        }
    }
}

#[test]
fn a_database_in_memory_that_has_a_name_stands_the_loss_of_every_connection() {
    let arguments = ["run", "--url", "sqlite:x?mode=memory", "--duration", "500ms"];
    let changes = ["--at", "100ms", "invalidate", "--at", "300ms", "renew"];
    let (code, stdout, stderr) = run(&[&arguments[..], &changes[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("invariant   held"), "{stdout}");
}

#[test]
fn a_change_without_its_time_is_an_error_that_names_both() {
    for arguments in [&["run", "--at", "3s"][..], &["run", "--at", "3s", "--tasks", "4"]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert!(stderr.contains("--at <TIME> <CHANGE>"), "{stderr}");
    }
}

#[test]
fn changes_and_the_health_they_lead_to_are_told_live_and_reported() {
    let arguments = ["run", "--duration", "4s", "--pool", "max_open=4", "--pool", "max_idle=4"];
    let changes =
        ["--at", "2200ms", "resume", "--at", "200ms", "pause", "--at", "0s", "max_open=2"];
    let (code, stdout, stderr) = run(&[&arguments[..], &changes[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    for line in ["  0.0 s  max_open 4 -> 2", "  0.2 s  paused", "  2.2 s  resumed", " s  healthy"] {
        assert!(stderr.contains(line), "{line} not in {stderr}");
    }
    let is_degraded = |line: &&str| line.contains(" s  degraded: the pool is paused, ");
    assert_eq!(stderr.lines().filter(is_degraded).count(), 1, "{stderr}");
    assert!(
        stderr.contains(" error  degraded\n") || stderr.contains(" errors  degraded\n"),
        "{stderr}"
    );
    for part in [
        "bank, 16 tasks over at most 4 connections",
        "changes     0.0 s: max_open 4 -> 2",
        "            2.2 s: resumed",
        "verdict     unknown: the pool was changed meanwhile",
        "health      0.0 s: healthy\n",
        " s: degraded: the pool is paused, ",
    ] {
        assert!(stdout.contains(part), "{part} not in {stdout}");
    }
}

#[test]
fn the_report_for_programs_has_changes_and_health_with_their_times() {
    let arguments = ["run", "--duration", "4s", "--output", "json", "--pool", "max_open=2"];
    let changes =
        ["--at", "200ms", "pause", "--at", "2200ms", "invalidate", "--at", "2200ms", "resume"];
    let (code, stdout, stderr) = run(&[&arguments[..], &changes[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    let of = |list: &str, field: &str| {
        let list = report[list].as_array().expect("a list").iter();
        list.map(|it| it[field].clone()).collect::<Value>()
    };
    assert_eq!(of("changes", "action"), value!(["pause", "invalidate", "resume"]));
    assert_eq!(of("changes", "outcome"), value!(["applied", "applied", "applied"]));
    assert_eq!(of("changes", "detail")[1], "invalidated 2 connections");
    assert_eq!(of("health", "state"), value!(["healthy", "degraded", "healthy"]));
    let why = of("health", "reasons")[1][0].to_string();
    assert!(why.contains("the pool is paused, "), "{why}");
    let times = of("health", "at_seconds");
    let times: Vec<_> = times.as_array().expect("a list").iter().map(Value::as_f64).collect();
    assert!(times[0] == Some(0.0) && times[1] > Some(0.2) && times[2] > Some(2.2), "{times:?}");
    // The connection on which its health is asked for is none of these.
    assert_eq!((&report["pool"]["peak_in_use"], &report["pool"]["open"]), (&2.into(), &2.into()));
}

#[test]
fn a_pool_that_is_well_has_one_word_for_it() {
    let (code, stdout, stderr) = run(&["run", "--duration", "1200ms", "--tasks", "2"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.ends_with("\nhealth      healthy\n"), "{stdout}");
    assert!(!stderr.contains("health"), "{stderr}");
}
