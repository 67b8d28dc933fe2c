//! What holds of every server.

use pool_testkit::servers::{Product, Server, ServerError};

/// One module of tests for each server.
macro_rules! on_each {
    ($($name:ident: $product:ident,)*) => {
        $(mod $name {
            use super::*;
            const PRODUCT: Product = Product::$product;

            #[test]
            fn a_database_is_fresh_and_answers_a_query() {
                super::a_database_is_fresh_and_answers_a_query(PRODUCT);
            }

            #[test]
            fn what_was_committed_survives_a_kill_and_a_restart_on_the_same_port() {
                super::what_was_committed_survives_a_kill_and_a_restart_on_the_same_port(PRODUCT);
            }
        })*
    };
}

on_each! {
    postgres_15: Postgres15,
    postgres_18: Postgres18,
    mariadb: MariaDb,
    mysql: MySql,
}

fn started(product: Product) -> Server {
    Server::start(product).unwrap_or_else(|error| panic!("{error}"))
}

fn a_database_is_fresh_and_answers_a_query(product: Product) {
    let server = started(product);
    let (one, other) =
        (server.database("own").expect("made"), server.database("own").expect("made"));
    one.run("CREATE TABLE notes (text VARCHAR(20)); INSERT INTO notes VALUES ('here');")
        .expect("run");
    assert_eq!(
        one.run("SELECT text, 1 + 1 FROM notes;").expect("run").replace('\t', "|"),
        "here|2"
    );
    let error = other.run("SELECT text FROM notes;").expect_err("no such table");
    assert!(matches!(error, ServerError::Refused { .. }), "{error}");
    other.remove().expect("removed");
}

fn what_was_committed_survives_a_kill_and_a_restart_on_the_same_port(product: Product) {
    let server = started(product);
    let database = server.database("kept").expect("made");
    database
        .run("CREATE TABLE notes (text VARCHAR(20)); INSERT INTO notes VALUES ('here');")
        .expect("run");
    let before = server.pid();
    server.kill().expect("killed");
    assert_eq!(server.pid(), None);
    database.run("SELECT 1;").expect_err("nobody there");
    server.restart().expect("started");
    assert_ne!(server.pid(), before);
    assert_eq!(database.run("SELECT text FROM notes;").expect("run"), "here");
}
