//! Arrivals at a rate, as users of the program ask for them.

use crate::program::{json, run};

#[test]
fn a_run_at_a_rate_is_an_open_loop_after_its_warm_up() {
    let arguments = ["run", "--rate", "constant 200/s", "--warm-up", "300ms", "--duration", "1s"];
    let (code, stdout, stderr) = run(&[&arguments[..], &["--output", "json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    let load = &report["load"];
    assert_eq!((&load["model"], &load["arrivals"]), (&"open".into(), &"constant 200/s".into()));
    assert_eq!(load["in_flight_limit"], 10_000);
    assert_eq!((&load["tasks"], &load["warm_up_seconds"]), (&().into(), &0.3.into()));
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let generator = &report["generator"];
    // A busy machine may end it late, but an arrival more or less is all that is due.
    let arrivals = number(&generator["arrivals"]);
    assert!((195..=201).contains(&arrivals), "{generator}");
    let started = arrivals - number(&generator["dropped"]);
    assert!(number(&generator["lateness"]["count"]).abs_diff(started) <= 1, "{report}");
}

#[test]
fn a_rate_beside_tasks_is_an_error_that_says_why() {
    for (arguments, why) in [
        (["--rate", "poisson 5/s", "--tasks", "4"], "arrivals at a rate wait for no task"),
        (["--trace", "x.csv", "--think", "5ms"], "nobody thinks in between"),
        (["--rate", "poisson 0/s", "--seed", "4"], "allowed: more than 0/s and at most 10 million"),
        (["--rate", "ramp 5/s", "--seed", "4"], "--rate = \"ramp 5/s\": not understood"),
        (["--in-flight", "4", "--tasks", "4"], "tasks wait for their answers"),
        (["--think", "soon", "--tasks", "4"], "--think = \"soon\": not understood"),
        (["--warm-up", "soon", "--tasks", "4"], "allowed: a duration such as 5s"),
        (["--trace", "no/such.csv", "--seed", "4"], "--trace = \"no/such.csv\": not read"),
    ] {
        let (code, stdout, stderr) = run(&[&["run"][..], &arguments].concat());
        assert_eq!((code, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
    }
}

#[test]
fn what_may_hold_a_password_is_not_repeated_in_the_place_of_a_rate() {
    for argument in ["--rate", "--trace", "--think"] {
        let (code, _, stderr) = run(&["run", argument, "postgres://u:hunter2@h/db"]);
        assert_eq!(code, 2, "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}
