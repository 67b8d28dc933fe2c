//! A standby follows its primary and takes its place.

use pool_testkit::servers::{Product, Setup};

use super::rig::{eventually, started};

#[test]
fn a_standby_follows_refuses_to_write_and_is_promoted() {
    let primary = started(Setup::new(Product::Postgres15)).expect("started");
    let standby = primary.standby().expect("started");
    let database = primary.database("copied").expect("made");
    database
        .run("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('here');")
        .expect("run");
    let on_standby = |statement: &str| standby.access().run(database.name(), statement);
    let arrived = || on_standby("SELECT text FROM notes;").is_ok_and(|row| row == "here");
    eventually("the row arrives", arrived);
    let error = on_standby("INSERT INTO notes VALUES ('x');").expect_err("refused");
    assert!(error.to_string().contains("read-only"), "{error}");
    primary.kill().expect("killed");
    standby.promote().expect("promoted");
    on_standby("INSERT INTO notes VALUES ('x');").expect("written");
}

#[test]
fn a_server_lives_longer_than_the_thread_that_started_it() {
    let start = || started(Setup::new(Product::Postgres15)).expect("started");
    let server = std::thread::spawn(start).join().expect("ended");
    let access = server.access();
    assert_eq!(access.run(&access.first_database, "SELECT 1;").expect("run"), "1");
}
