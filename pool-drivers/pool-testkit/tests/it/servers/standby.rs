//! A standby follows its primary and takes its place.

use pool_testkit::servers::{Access, Product, Server, Setup};

use super::rig::{eventually, started};

#[test]
fn a_standby_follows_refuses_to_write_and_is_promoted() {
    for product in [Product::Postgres15, Product::MariaDb, Product::MySql] {
        let Some(primary) = started(Setup::followed(product)) else { continue };
        follows_refuses_to_write_and_is_promoted(&primary);
    }
}

fn follows_refuses_to_write_and_is_promoted(primary: &Server) {
    let database = primary.database("copied").expect("made");
    let user = database.ordinary_user().expect("made");
    let on_primary = |statement: &str| user.run(database.name(), statement);
    on_primary("CREATE TABLE notes (text VARCHAR(20)); INSERT INTO notes VALUES ('before');")
        .expect("run");
    let standby = primary.standby().expect("started");
    on_primary("INSERT INTO notes VALUES ('after');").expect("run");
    let there = Access { port: standby.access().port, ..user.clone() };
    let on_standby = |statement: &str| there.run(database.name(), statement);
    let arrived =
        || on_standby("SELECT text FROM notes;").is_ok_and(|rows| rows == "before\nafter");
    eventually("the rows arrive", arrived);
    let error = on_standby("INSERT INTO notes VALUES ('x');").expect_err("refused");
    assert!(error.to_string().contains("read-only"), "{error}");
    primary.kill().expect("killed");
    standby.promote().expect("promoted");
    on_standby("INSERT INTO notes VALUES ('x');").expect("written");
}

#[test]
fn a_server_without_a_log_is_not_followed() {
    let primary = started(Setup::new(Product::MariaDb)).expect("started");
    let error = primary.standby().expect_err("nothing to follow");
    assert!(error.to_string().contains("start it with `Setup::followed`"), "{error}");
}

#[test]
fn a_server_lives_longer_than_the_thread_that_started_it() {
    let start = || started(Setup::new(Product::Postgres15)).expect("started");
    let server = std::thread::spawn(start).join().expect("ended");
    let access = server.access();
    assert_eq!(access.run(&access.first_database, "SELECT 1;").expect("run"), "1");
}
