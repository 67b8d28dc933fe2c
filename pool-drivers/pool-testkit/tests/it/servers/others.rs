//! PgBouncer and Redis, which have less to show than the databases.

use std::collections::HashSet;

use pool_testkit::servers::{Product, Setup};

use super::rig::{Session, started};

#[test]
fn pgbouncer_shares_sessions_in_transaction_mode() {
    let bouncer = started(Setup::new(Product::PgBouncer)).expect("started");
    let database = bouncer.database("behind").expect("made");
    database
        .run("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('here');")
        .expect("run");
    assert_eq!(database.run("SELECT text FROM notes;").expect("run"), "here");
    // More clients than it has sessions with the server, all of them served.
    let mut clients: Vec<_> = (0..8).map(|_| Session::open(bouncer.access())).collect();
    let backends: HashSet<_> =
        clients.iter_mut().map(|client| client.ask("SELECT pg_backend_pid();")).collect();
    assert!(backends.len() <= 5, "{backends:?}");
    let behind = bouncer.behind().expect("a server").access();
    assert_eq!(behind.run(database.name(), "SELECT text FROM notes;").expect("run"), "here");
}

#[test]
fn pgbouncer_comes_back_on_its_port() {
    let bouncer = started(Setup::new(Product::PgBouncer)).expect("started");
    let access = bouncer.access();
    bouncer.kill().expect("killed");
    access.run(&access.first_database, "SELECT 1;").expect_err("nobody there");
    bouncer.restart().expect("started");
    assert_eq!(access.run(&access.first_database, "SELECT 1;").expect("run"), "1");
    bouncer.stop().expect("stopped");
}

#[test]
fn redis_is_killed_started_again_and_frozen() {
    let redis = started(Setup::new(Product::Redis)).expect("started");
    let access = redis.access();
    assert_eq!(access.run("0", "SET here there").expect("run"), "OK");
    assert!(access.database("any").is_err());
    redis.kill().expect("killed");
    redis.restart().expect("started");
    let mut session = Session::open(access);
    assert_eq!(session.ask("PING").as_deref(), Some("PONG"));
    redis.freeze().expect("frozen");
    session.send("PING");
    assert!(session.is_silent());
    redis.thaw().expect("thawed");
    assert_eq!(session.line().as_deref(), Some("PONG"));
    access.forbid_writing().expect("forbidden");
    // Its client tells refusals as answers.
    let refusal = access.run("0", "SET here there").expect("answered");
    assert!(refusal.contains("NOREPLICAS"), "{refusal}");
    access.allow_writing().expect("allowed");
    assert_eq!(access.run("0", "SET here there").expect("run"), "OK");
}
