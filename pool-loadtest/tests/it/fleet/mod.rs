//! Fleets of processes on real servers, some of which are killed, stopped or sent away. Nobody may be
//! refused by the server, nor may it ever show more sessions than the budget has.
//!
//! `cargo xtask itest --suite fleet` runs them by the names of their modules, as those in `on_servers.rs`.

mod outside;
mod refused;
mod running;

use std::process::Stdio;
use std::time::{Duration, Instant};

use pool_testkit::servers::{Family, PASSWORD, Product, Server, Setup, chosen};
use serde_json::Value;

use self::outside::Outside;
use self::running::Fleet;
use crate::program::{json, run};
use crate::schemas::{expect_valid, schema};

const MEMBERS: usize = 8;
const FLOOR: usize = 2;
/// Connections for the fleet.
const TOTAL: usize = 48;
/// Beyond them: three for administrators, one on which the load tester asks the server, and some that
/// have said goodbye and are not gone yet.
const OTHERS: u16 = 3 + 1 + 3;
const HEARTBEAT: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(3);
/// What a slow machine may add.
const SLACK: Duration = Duration::from_secs(5);

/// A server that has hardly more connections than the fleet may have.
fn small(product: Product) -> Server {
    let max_connections = TOTAL as u16 + OTHERS;
    Server::start_as(Setup { max_connections, ..Setup::new(product) }).expect("a server")
}

/// Eight members who join one after the other, each with more to do than there is for all.
fn hungry(url: &str) -> Fleet {
    let (members, floor, total) = (MEMBERS.to_string(), FLOOR.to_string(), TOTAL.to_string());
    Fleet::start(
        url,
        &[
            "--members",
            &members,
            "--floor",
            &floor,
            "--total",
            &total,
            "--join-every",
            "500ms",
            "--heartbeat",
            "1s",
            "--lease",
            "3s",
            "--tasks",
            "24",
            "--workload",
            "long-transactions",
            // Many connections are wanted, and little of the machine's processors.
            "--hold",
            "100ms",
            "--pool",
            "max_open=20",
            "--duration",
            "5m",
        ],
    )
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no time: {value}"))
}

fn members(report: &Value) -> &[Value] {
    report["members"].as_array().expect("a list")
}

/// Whatever happened: nobody was refused, and nobody failed.
#[track_caller]
fn expect_no_faults(report: &Value) {
    assert_eq!(report["faults"], Value::Array(Vec::new()), "{report:#}");
    for member in members(report) {
        // Connects are given up where a lease ends meanwhile, as of a process that was stopped.
        let why = member["connect_failure"].as_str().unwrap_or_default();
        assert!(member["refused"] == 0 && !why.contains("too many"), "{member:#}");
    }
}

fn a_fleet_keeps_to_its_budget_while_members_are_killed_stopped_and_sent_away(family: Family) {
    let server = small(chosen(family).expect("known"));
    let database = server.database("fleet").expect("a database");
    // Whoever may pass the limit would not be held to it.
    let user = database.ordinary_user().expect("a user");
    let outside = Outside::watch(server.access(), &user);
    let mut fleet = hungry(&user.url(database.name()));

    let everybody = |now: &running::Now| {
        now.granted.len() == MEMBERS && now.granted.iter().all(|granted| *granted >= FLOOR)
    };
    let full = fleet.wait_until("everybody has a floor", everybody);
    fleet.signal("-KILL", 3);
    let reused = |now: &running::Now| now.granted.len() == MEMBERS - 1 && now.sum() >= full.sum();
    fleet.wait_until("what was the third's is had by others", reused);

    fleet.signal("-STOP", 5);
    fleet.wait_until("the fifth is silent", |now| now.silent == 1);
    let stopped = Instant::now();
    // Its lease runs out, and it keeps what it has.
    fleet.wait_until("its lease is over", |_| stopped.elapsed() > LEASE + 2 * HEARTBEAT);
    fleet.signal("-CONT", 5);
    fleet.wait_until("it goes on", |now| now.silent == 0);

    fleet.signal("-TERM", 7);
    fleet.wait_until("the seventh has left", |now| now.granted.len() == MEMBERS - 2);
    let left = |now: &running::Now| now.sum() >= full.sum();
    fleet.wait_until("what was the seventh's is had by others", left);

    let (report, printed) = fleet.end();
    assert!(!printed.contains(PASSWORD), "{printed}");
    expect_no_faults(&report);
    let most = outside.most();
    // One of them is the load tester's own.
    assert!((TOTAL / 2..=TOTAL + 1).contains(&most), "{most} sessions: {report:#}");
    let ends: Vec<_> = members(&report).iter().map(|member| member["end"].clone()).collect();
    let left = |end: &Value| end == "left";
    assert_eq!((&ends[2], ends.iter().filter(|end| left(end)).count()), (&"killed".into(), 7));
    for member in members(&report) {
        let waited = seconds(&member["floor_after_seconds"]);
        assert!(waited <= 10.0 + SLACK.as_secs_f64(), "{waited} s: {member}");
    }
    let reused = seconds(&members(&report)[2]["reused_after_seconds"]);
    let bound = (LEASE + 2 * HEARTBEAT + SLACK).as_secs_f64();
    assert!(reused <= bound, "{reused} s: {report:#}");
}

fn a_fleet_that_nobody_disturbs_has_fair_shares_and_leaves_no_trace(family: Family) {
    let server = small(chosen(family).expect("known"));
    let database = server.database("fleet").expect("a database");
    let user = database.ordinary_user().expect("a user");
    let outside = Outside::watch(server.access(), &user);
    let url = user.url(database.name());
    let arguments = ["fleet", "--url", &url, "--members", "3", "--total", "20", "--floor", "2"];
    let load = ["--tasks-each", "20,20,2", "--workload", "long-transactions", "--hold", "100ms"];
    let timing = ["--heartbeat", "1s", "--lease", "3s", "--duration", "15s", "--output", "json"];
    let (code, stdout, stderr) = run(&[&arguments[..], &load, &timing].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stdout}{stderr}");
    let report = json(&stdout);
    expect_valid(&report, &schema("fleet"));
    expect_no_faults(&report);
    assert!(outside.most() <= 20 + 1, "{report:#}");
    let fairness = seconds(&report["fairness"]["median"]);
    assert!(fairness <= 0.1, "{report:#}");
    let granted = |member: usize| members(&report)[member]["granted"]["median"].as_u64();
    assert!(granted(0) > granted(2) && granted(1) > granted(2), "{report:#}");
    let rows = database.run("select count(*) from pool_fleet_member").expect("counted");
    assert_eq!(rows.trim(), "0", "those who have left have no rows");
}

mod postgres {
    use super::*;

    #[test]
    fn a_fleet_keeps_to_its_budget_while_members_are_killed_stopped_and_sent_away() {
        super::a_fleet_keeps_to_its_budget_while_members_are_killed_stopped_and_sent_away(
            Family::Postgres,
        );
    }

    #[test]
    fn a_fleet_that_nobody_disturbs_has_fair_shares_and_leaves_no_trace() {
        super::a_fleet_that_nobody_disturbs_has_fair_shares_and_leaves_no_trace(Family::Postgres);
    }

    #[test]
    fn a_fleet_of_which_the_server_shows_more_than_its_budget_has_failed() {
        let server = small(chosen(Family::Postgres).expect("known"));
        let database = server.database("fleet").expect("a database");
        // Sessions that bear the name of a member who keeps to nothing.
        let mut intruders: Vec<_> = (0..6)
            .map(|_| {
                let mut client = server.access().client(database.name()).expect("a client");
                client.env("PGAPPNAME", "loadtest.00000000000000ff");
                client.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts")
            })
            .collect();
        let url = database.url();
        let arguments = ["fleet", "--url", &url, "--members", "1", "--total", "5"];
        let (code, stdout, stderr) = run(&[&arguments[..], &["--duration", "4s"]].concat());
        for client in &mut intruders {
            client.kill().expect("killed");
            client.wait().expect("gone");
        }
        assert_eq!(code, 1, "{stdout}{stderr}");
        let words = "sessions of the fleet at once, which may have 5";
        assert!(stdout.contains(words) && stderr.contains(words), "{stdout}{stderr}");
    }

    #[test]
    fn members_go_with_whoever_started_them() {
        let server = small(chosen(Family::Postgres).expect("known"));
        let database = server.database("fleet").expect("a database");
        let user = database.ordinary_user().expect("a user");
        let mut fleet = hungry(&user.url(database.name()));
        fleet.wait_until("everybody is there", |now| now.granted.len() == MEMBERS);
        fleet.kill();
        let deadline = Instant::now() + Duration::from_mins(1);
        while outside::sessions(server.access(), &user) > 0 {
            assert!(Instant::now() < deadline, "members go on");
        }
    }
}

mod mysql {
    use super::*;

    #[test]
    fn a_fleet_keeps_to_its_budget_while_members_are_killed_stopped_and_sent_away() {
        super::a_fleet_keeps_to_its_budget_while_members_are_killed_stopped_and_sent_away(
            Family::MySql,
        );
    }

    #[test]
    fn a_fleet_that_nobody_disturbs_has_fair_shares_and_leaves_no_trace() {
        super::a_fleet_that_nobody_disturbs_has_fair_shares_and_leaves_no_trace(Family::MySql);
    }
}

mod pgbouncer {
    use super::*;

    /// Behind it, a member's sessions do not bear its tag: its lease alone says that it is gone.
    #[test]
    fn what_a_killed_member_had_is_free_when_its_lease_is_over() {
        // With fewer sessions for all than the fleet may have, settlements would wait for transactions.
        let settings = vec![format!("default_pool_size = {TOTAL}")];
        let max_connections = TOTAL as u16 + OTHERS;
        let setup = Setup { max_connections, settings, ..Setup::new(Product::PgBouncer) };
        let server = Server::start_as(setup).expect("a server");
        let database = server.database("fleet").expect("a database");
        let mut fleet = hungry(&database.url());
        let full = fleet.wait_until("everybody has a floor", |now| {
            now.granted.len() == MEMBERS && now.granted.iter().all(|granted| *granted >= FLOOR)
        });
        fleet.signal("-KILL", 3);
        let reused =
            |now: &running::Now| now.granted.len() == MEMBERS - 1 && now.sum() >= full.sum();
        fleet.wait_until("what was the third's is had by others", reused);
        let (report, _) = fleet.end();
        expect_no_faults(&report);
        assert_eq!(report["peaks"]["fleet_sessions"], Value::Null, "hidden: {report:#}");
        assert_eq!(members(&report)[2]["end"], "killed", "{report:#}");
    }
}
