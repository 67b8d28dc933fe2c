//! `--workload` as users choose it, on SQLite: which there are, and how the program ends with each.

use std::fs;

use tempfile::TempDir;

use crate::program::{finished, json, program, run};

/// Runs a file of SQL for a short time, in a directory of its own.
fn run_file(text: &str) -> (i32, String, String) {
    let directory = TempDir::new().expect("made");
    fs::write(directory.path().join("shop.sql"), text).expect("written");
    let arguments = ["run", "--workload", "custom", "--sql", "shop.sql"];
    let arguments = [&arguments[..], &["--duration", "300ms", "--output", "json"]].concat();
    finished(program(&arguments).current_dir(directory.path()).output().expect("starts"))
}

const SHOP: &str = "\
-- set id = zipf(1, 100, 1.1)
-- setup
create table shop (id integer primary key, sold bigint not null);
insert into shop select value, 0 from (with recursive n (value) as
  (select 1 union all select value + 1 from n where value < 100) select value from n);
-- name: look weight=9
select sold from shop where id = :id;
-- name: buy
update shop set sold = sold + 1 where id = :id;
-- verify
select count(*) from shop where sold < 0;
-- teardown
drop table shop;
";

#[test]
fn each_workload_runs_by_its_name_and_holds() {
    for (workload, options) in [
        ("bank", &[][..]),
        ("point-read", &[]),
        ("tpcb-like", &["--scale", "2"]),
        ("mix", &["--slow", "50"]),
        ("long-transactions", &["--hold", "1ms"]),
    ] {
        let mut arguments = vec!["run", "--workload", workload, "--duration", "300ms"];
        arguments.extend(["--output", "json"]);
        arguments.extend(options);
        let (code, stdout, stderr) = run(&arguments);
        assert_eq!(code, 0, "{workload}: {stderr}");
        let report = json(&stdout);
        assert_eq!(report["workload"], [&[workload][..], options].concat().join(" "));
        assert_eq!((&report["invariant"], &report["errors"]), (&"held".into(), &0.into()));
        assert!(report["operations"].as_u64() > Some(0), "{report}");
    }
}

#[test]
fn writers_of_sqlite_are_told_that_they_wait_for_its_write_lock() {
    // Whoever has the lock sleeps with it, so that nobody waits for a core instead.
    let load = ["run", "--workload", "long-transactions", "--hold", "1ms", "--tasks", "4"];
    let options = ["--pool", "max_open=4", "--duration", "3s", "--output", "json"];
    let (code, stdout, stderr) = run(&[&load[..], &options].concat());
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    let summary = report["verdict"]["summary"].as_str().expect("text");
    assert!(summary.starts_with("operations wait for SQLite's write lock: "), "{report}");
    assert_eq!(report["verdict"]["limit"], "database");
}

#[test]
fn a_file_of_sql_is_a_workload() {
    let (code, stdout, stderr) = run_file(SHOP);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["workload"], "custom shop.sql");
    assert_eq!((&report["invariant"], &report["errors"]), (&"held".into(), &0.into()));
    assert!(report["operations"].as_u64() > Some(0), "{report}");
    let detail = report["invariant_detail"].as_str().expect("words");
    assert_eq!(detail, "1 check of shop.sql found nothing wrong");
}

#[test]
fn a_file_that_makes_no_sense_is_refused_with_every_place_before_anything_is_done() {
    let (code, stdout, stderr) =
        run_file(&SHOP.replace("weight=9", "weight=0").replace(":id;", ":ids;"));
    assert_eq!((code, stdout.as_str()), (2, ""));
    let expected = "\
error: shop.sql is no workload (3 problems)
  shop.sql:6:15: a weight that is none; allowed: weight=NUMBER, from 1 to 1000000
  shop.sql:7:34: the parameter \"ids\" is unknown; allowed: id; did you mean \"id\"?
  shop.sql:9:44: the parameter \"ids\" is unknown; allowed: id; did you mean \"id\"?
";
    assert_eq!(stderr, expected);
}

#[test]
fn a_statement_that_the_database_refuses_fails_the_run_with_its_line() {
    let (code, stdout, stderr) = run_file(&SHOP.replace("set sold =", "set slod ="));
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    for part in ["trying out the statements failed", "line 9 of shop.sql failed", "slod"] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
}

#[test]
fn a_file_whose_questions_are_not_answered_with_nothing_fails_the_run() {
    let (code, stdout, stderr) = run_file(&SHOP.replace("sold < 0", "sold >= 0"));
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(json(&stdout)["invariant"], "broken");
    let words = "the invariant did not hold: line 11 of shop.sql found 100, and not 0";
    assert!(stderr.contains(words), "{stderr}");
}

#[test]
fn failures_in_the_load_are_told_once_with_their_line() {
    let text = "\
-- set id = sequence(1)
-- setup
create table shop (id integer check (id < 3));
-- name: sell
insert into shop values (:id);
-- teardown
drop table shop;";
    let (code, stdout, stderr) = run_file(text);
    assert_eq!(code, 1, "more than half failed: {stderr}");
    let report = json(&stdout);
    let groups = report["error_groups"].as_array().expect("a list");
    assert_eq!(groups.len(), 1, "{groups:?}");
    let kind = groups[0]["kind"].as_str().expect("words");
    assert_eq!(kind, "line 5 of shop.sql failed (code 275)");
    let first = groups[0]["first"].as_str().expect("words");
    assert!(first.contains("CHECK constraint failed: id < 3"), "{first}");
}

#[test]
fn options_that_do_not_go_together_are_reported_at_once() {
    let (code, stdout, stderr) = run(&[
        "run",
        "--workload",
        "custom",
        "--scale",
        "3",
        "--slow",
        "7",
        "--hold",
        "5ms",
        "--pool",
        "max_opn=8",
    ]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in [
        "--scale = \"3\": of another workload; allowed: with --workload tpcb-like",
        "--slow = \"7\": of another workload; allowed: with --workload mix",
        "--hold = \"5ms\": of another workload; allowed: with --workload long-transactions",
        "--sql = \"\": not given; allowed: a file of SQL",
        "did you mean \"max_open\"?",
    ] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
}

#[test]
fn arguments_of_workloads_name_what_is_allowed() {
    for (arguments, words) in [
        (&["--workload", "bnak"][..], "[possible values: bank, point-read, tpcb-like, mix,"),
        (&["--workload", "tpcb-like", "--scale", "0"], "a whole number from 1 to 1000"),
        (&["--workload", "mix", "--slow", "101"], "a whole number from 0 to 100"),
        (&["--workload", "long-transactions", "--hold", "1h"], "a duration up to 2s"),
        (&["--workload", "custom", "--sql", "/no/such.sql"], "--sql = \"/no/such.sql\": cannot be"),
        (&["--sql", "shop.sql"], "of another workload; allowed: with --workload custom"),
    ] {
        let (code, stdout, stderr) = run(&[&["run"], arguments].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
}
