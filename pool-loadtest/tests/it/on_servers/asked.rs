//! What a real server is asked: its limits for a budget, and what it counts during a run.

use pool_testkit::servers::{Database, Family, PASSWORD, shared};
use serde_json::Value;

use crate::program::{json, run};

/// A budget as JSON, with the program's exit code. No password is in it.
fn budget(url: &str, more: &[&str]) -> (i32, Value, String) {
    let arguments = [&["budget", "--output", "json", "--url", url], more].concat();
    let (code, stdout, stderr) = run(&arguments);
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    let printed = if stdout.is_empty() { Value::Null } else { json(&stdout) };
    (code, printed, stderr)
}

/// A user who may have twelve connections, and their URL of the database.
fn limited(family: Family, database: &Database) -> String {
    let access = database.ordinary_user().expect("a user");
    let url = access.url(database.name());
    let user = url.split("://").nth(1).and_then(|rest| rest.split(':').next()).expect("a user");
    let limit = match family {
        Family::Postgres => format!("ALTER ROLE {user} CONNECTION LIMIT 12"),
        _ => format!("ALTER USER {user}@'%' WITH MAX_USER_CONNECTIONS 12"),
    };
    database.run(&limit).expect("limited");
    url
}

pub(super) fn a_budget_is_what_the_tightest_limit_leaves(family: Family) {
    let server = shared(family).expect("a server");
    let database = server.database("budget").expect("a database");
    let (code, printed, stderr) = budget(&database.url(), &["--pool", "max_open=1"]);
    assert_eq!((code, &*stderr), (0, ""), "{printed}");
    assert_eq!((&printed["kind"], &printed["budget"]["fits"]), (&"budget".into(), &true.into()));
    assert_eq!(printed["budget"]["limited_by"], "max_connections", "{printed}");

    let url = limited(family, &database);
    let (code, printed, _) = budget(&url, &["--replicas", "2", "--pool", "max_open=6"]);
    let found = &printed["budget"];
    assert_eq!((code, &found["limited_by"]), (0, &"the account's limit".into()), "{printed}");
    assert_eq!((&found["limit"], &found["max_open_each"]), (&12.into(), &6.into()), "{printed}");

    let rolling = ["--replicas", "2", "--surge", "1", "--reserve", "3", "--pool", "max_open=6"];
    let (code, printed, stderr) = budget(&url, &rolling);
    assert_eq!((code, &printed["budget"]["max_open_each"]), (3, &3.into()), "{printed}");
    assert!(stderr.contains("max_open does not fit in all replicas"), "{stderr}");
}

pub(super) fn the_limit_of_a_database_counts_for_those_who_are_held_to_it() {
    let server = shared(Family::Postgres).expect("a server");
    let database = server.database("budget").expect("a database");
    let limit = format!("ALTER DATABASE {} CONNECTION LIMIT 8", database.name());
    database.run(&limit).expect("limited");
    let url = limited(Family::Postgres, &database);
    let (_, printed, _) = budget(&url, &["--replicas", "2", "--pool", "max_open=4"]);
    let found = &printed["budget"];
    assert_eq!(found["limited_by"], "the database's limit", "{printed}");
    assert_eq!((&found["limit"], &found["max_open_each"]), (&8.into(), &4.into()), "{printed}");
    let (_, printed, _) = budget(&database.url(), &["--pool", "max_open=4"]);
    assert_eq!(printed["budget"]["limited_by"], "max_connections", "no superuser is: {printed}");
}

pub(super) fn a_budget_that_makes_no_sense_is_refused(family: Family) {
    let server = shared(family).expect("a server");
    let database = server.database("budget").expect("a database");
    let url = database.url();
    for (arguments, words) in [
        (["--replicas", "0"], "allowed: a whole number from 1 to"),
        (["--reserve", "1000000"], "nothing is left of the"),
        (["--pool", "max_open=none"], "max_open"),
    ] {
        let (code, printed, stderr) = budget(&url, &arguments);
        assert_eq!((code, printed), (2, Value::Null), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{words:?} not in {stderr}");
    }
}

/// How much a counter of a report grew.
fn counter(report: &Value, name: &str) -> f64 {
    let counters = report["server"]["counters"].as_array().expect("a list");
    let counter = counters.iter().find(|counter| counter["name"] == name);
    counter.and_then(|it| it["value"].as_f64()).unwrap_or_else(|| panic!("no {name}: {report}"))
}

pub(super) fn a_run_is_told_what_the_server_counted_and_what_it_has_for_each_replica(
    family: Family,
    versions: &[&str],
    counts_operations: &str,
) {
    let server = shared(family).expect("a server");
    let database = server.database("counted").expect("a database");
    let url = limited(family, &database);
    let pool = ["--pool", "max_open=4", "--tasks", "8"];
    let load = ["run", "--duration", "2s", "--replicas", "50", "--output", "json", "--url", &url];
    let (code, stdout, stderr) = run(&[&load[..], &pool[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    let report = json(&stdout);

    let version = report["server"]["version"].as_str().expect("a version");
    assert!(versions.iter().any(|product| version.starts_with(product)), "{version}");
    assert_eq!(report["server"]["missing"], Value::Array(Vec::new()), "{report}");
    // It may be asked for the first time a moment after the load began.
    let operations = report["operations"].as_f64().expect("a number");
    let counted = counter(&report, counts_operations);
    assert!(counted > operations / 2.0, "{counted} of {operations}: {report}");
    let at_work = counter(&report, "sessions at work");
    assert!((0.0..=100.0).contains(&at_work), "{report}");

    let budget = &report["budget"];
    assert_eq!((&budget["max_open_each"], &budget["fits"]), (&0.into(), &false.into()), "{report}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("50 replicas of at most 4 connections want 200"), "{warnings}");
    let recommended = &report["verdict"]["recommendation"];
    assert_ne!(recommended["field"], "max_open", "none of any number fits: {report}");

    let law = &report["littles_law"];
    let in_use = law["in_use"].as_f64().expect("a number");
    assert!(in_use > 0.0 && in_use <= 4.2, "at most what there is, but for rounding: {law}");
    assert!(law["detail"].as_str().expect("words").contains("in use"), "{law}");
}
