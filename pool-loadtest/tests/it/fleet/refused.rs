//! Fleets that cannot be: said before any process is started.

use crate::program::run;

#[test]
fn a_fleet_needs_a_server_and_says_what_its_url_looks_like() {
    let (code, stdout, stderr) = run(&["fleet"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("a fleet shares a server") && stderr.contains("--start"), "{stderr}");
}

#[test]
fn a_database_without_a_ledger_has_no_fleet() {
    let (code, stdout, stderr) = run(&["fleet", "--url", "sqlite::memory:"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("keeps no ledger") && stderr.contains("PostgreSQL"), "{stderr}");
}

#[test]
fn everything_that_makes_no_sense_is_said_at_once() {
    let url = "postgres://pool:canary@localhost/shop";
    let arguments = ["--fleet", "the orders", "--lease", "4s", "--total", "2"];
    let (code, _, stderr) = run(&[&["fleet", "--url", url], &arguments[..]].concat());
    assert_eq!(code, 2, "{stderr}");
    for words in ["cannot be called", "two heartbeats of 5s may fail", "are to be shared (--total)"]
    {
        assert!(stderr.contains(words), "{words} is not in {stderr}");
    }
    assert!(!stderr.contains("canary"), "{stderr}");
    let (code, _, stderr) = run(&["fleet", "--url", url, "--floor", "9", "--pool", "max_open=8"]);
    assert!(code == 2 && stderr.contains("8 connections at most (max_open)"), "{stderr}");
}

#[test]
fn a_member_by_itself_says_who_starts_members() {
    let (code, stdout, stderr) = run(&["fleet-member"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("started by `pool-loadtest fleet`"), "{stderr}");
    for page in [&["--help"][..], &["man"]] {
        let (_, stdout, _) = run(page);
        assert!(!stdout.contains("fleet-member") && !stdout.contains("FLEET-MEMBER"), "{stdout}");
    }
}
