//! The program on real servers: the same bank, the same invariant.

use std::io::{BufRead as _, BufReader, sink};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use pool_testkit::servers::{Family, PASSWORD, Server, chosen, shared};
use serde_json::Value;

use crate::program::{finished, json, program, run};

/// Tables that the bank has left behind.
const LEFT: &str =
    "select count(*) from information_schema.tables where table_name like 'pool_loadtest%'";

fn a_short_run_holds_its_invariant(family: Family, system: &str) {
    let server = shared(family).expect("a server");
    let database = server.database("load").expect("a database");
    let (code, stdout, stderr) = run(&[
        "run",
        "--url",
        &database.url(),
        "--duration",
        "500ms",
        "--pool",
        "max_open=4",
        "--output",
        "json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["system"], system);
    assert_eq!((&report["errors"], &report["invariant"]), (&0.into(), &"held".into()), "{report}");
    assert!(report["operations"].as_u64() > Some(0), "{report}");
    assert_eq!(report["config"]["max_open"], 4);
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    let left = database.run(LEFT).expect("counted");
    assert_eq!(left.trim(), "0", "nothing is left behind");
}

#[test]
fn a_short_run_on_postgresql_holds_its_invariant_and_leaves_nothing_behind() {
    a_short_run_holds_its_invariant(Family::Postgres, "postgresql");
}

#[test]
fn a_short_run_on_mysql_holds_its_invariant_and_leaves_nothing_behind() {
    a_short_run_holds_its_invariant(Family::MySql, "mysql");
}

/// The report of a load during which the server is killed and started again.
fn killed_meanwhile(family: Family) -> Value {
    let server = Server::start(chosen(family).expect("known")).expect("a server");
    let database = server.database("load").expect("a database");
    let mut command = program(&[
        "run",
        "--url",
        &database.url(),
        "--duration",
        "3s",
        "--pool",
        "acquire_timeout=5s",
        "--output",
        "json",
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    // The first line of progress: the load is under way.
    let mut line = String::new();
    while !line.contains("/s") {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("a line") > 0, "ended early");
    }
    server.kill().expect("killed");
    server.restart().expect("started again");
    let rest = thread::spawn(move || std::io::copy(&mut stderr, &mut sink()));
    let (_, stdout, _) = finished(child.wait_with_output().expect("ends"));
    rest.join().expect("no panic").expect("read to the end");
    json(&stdout)
}

fn no_money_is_lost_with_a_server_that_dies(family: Family) {
    let report = killed_meanwhile(family);
    assert_eq!(report["invariant"], "held", "{report}");
    assert!(report["errors"].as_u64() > Some(0), "it was felt: {report}");
    // It goes on with the server that came back.
    let pool = &report["pool"];
    let count = |value: &Value| value.as_u64().expect("a count");
    let lost = count(&pool["closed"]["broken"]) + count(&pool["closed"]["check_failed"]);
    assert!(lost > 0 && count(&pool["open"]) > 0, "{report}");
    assert_eq!(report["outcome"], "completed");
    assert_eq!(report["in_use"], 0);
    let longest = Duration::from_micros(report["wait"]["max"].as_f64().expect("timed") as u64);
    assert!(longest <= Duration::from_millis(5500), "within the deadline: {longest:?}");
}

#[test]
fn no_money_is_lost_with_a_postgresql_that_is_killed_under_load() {
    no_money_is_lost_with_a_server_that_dies(Family::Postgres);
}

#[test]
fn no_money_is_lost_with_a_mysql_that_is_killed_under_load() {
    no_money_is_lost_with_a_server_that_dies(Family::MySql);
}
