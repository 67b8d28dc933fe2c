//! What holds of every server.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::{env, fs};

use pool_testkit::servers::{Family, Product, Server, ServerError, Setup};

use super::rig::{SHORT, Session, eventually, started};

/// One module of tests for each server.
macro_rules! on_each {
    ($products:tt: $($claim:ident)*) => {
        $(on_each! { @claim $claim $products })*
    };
    (@claim $claim:ident { $($name:ident: $product:ident,)* }) => {
        mod $claim {
            $(#[test]
            fn $name() {
                super::$claim(super::Product::$product);
            })*
        }
    };
}

on_each! {
    {
        postgres_15: Postgres15,
        postgres_18: Postgres18,
        mariadb: MariaDb,
        mysql: MySql,
    }:
    a_database_is_fresh_and_answers_a_query
    a_frozen_server_holds_its_answers_back_until_it_is_thawed
    a_full_server_turns_everybody_away_until_somebody_leaves
    a_server_dies_with_its_runner_even_one_that_was_killed
    a_server_that_was_frozen_when_its_runner_was_killed_dies_too
    a_session_is_terminated_and_no_other
    an_ordinary_user_writes_unless_writing_is_forbidden
    what_was_committed_survives_a_kill_and_a_restart_on_the_same_port
}

fn a_database_is_fresh_and_answers_a_query(product: Product) {
    let Some(server) = started(Setup::new(product)) else { return };
    let made = || server.database("own").expect("made");
    let (one, other) = (made(), made());
    one.run("CREATE TABLE notes (text VARCHAR(20)); INSERT INTO notes VALUES ('here');")
        .expect("run");
    let row = one.run("SELECT text, 1 + 1 FROM notes;").expect("run");
    assert_eq!(row.replace('\t', "|"), "here|2");
    let error = other.run("SELECT text FROM notes;").expect_err("no such table");
    assert!(matches!(error, ServerError::Refused { .. }), "{error}");
    other.remove().expect("removed");
}

fn what_was_committed_survives_a_kill_and_a_restart_on_the_same_port(product: Product) {
    let Some(server) = started(Setup::new(product)) else { return };
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
    server.stop().expect("stopped");
    database.run("SELECT 1;").expect_err("nobody there");
}

fn a_frozen_server_holds_its_answers_back_until_it_is_thawed(product: Product) {
    let Some(server) = started(Setup::new(product)) else { return };
    let access = server.access();
    let mut session = Session::open(access);
    assert_eq!(session.ask("SELECT 1;").as_deref(), Some("1"));
    server.freeze().expect("frozen");
    session.send("SELECT 2;");
    assert!(session.is_silent());
    let error = access.run_within(SHORT, &access.first_database, "SELECT 1;");
    assert!(matches!(error, Err(ServerError::Unready { .. })), "{error:?}");
    server.thaw().expect("thawed");
    assert_eq!(session.line().as_deref(), Some("2"));
}

fn a_session_is_terminated_and_no_other(product: Product) {
    let Some(server) = started(Setup::new(product)) else { return };
    let number = match product.family() {
        Family::Postgres => "SELECT pg_backend_pid();",
        _ => "SELECT CONNECTION_ID();",
    };
    let (mut victim, mut witness) =
        (Session::open(server.access()), Session::open(server.access()));
    let session = victim.ask(number).expect("an answer").parse().expect("a number");
    assert!(witness.ask(number).is_some());
    server.access().terminate(session).expect("terminated");
    assert_eq!(victim.ask(number), None);
    assert!(witness.ask(number).is_some());
}

fn a_full_server_turns_everybody_away_until_somebody_leaves(product: Product) {
    let Some(server) = started(Setup { max_connections: 12, ..Setup::new(product) }) else {
        return;
    };
    let access = server.access();
    let crowd = access.fill().expect("filled");
    // MariaDB and MySQL keep a place for one who may do everything.
    assert!((12..=13).contains(&crowd.len()), "{}", crowd.len());
    let error = access.run(&access.first_database, "SELECT 1;").expect_err("turned away");
    assert!(error.to_string().to_lowercase().contains("too many"), "{error}");
    drop(crowd);
    eventually("there is room again", || access.run(&access.first_database, "SELECT 1;").is_ok());
}

fn an_ordinary_user_writes_unless_writing_is_forbidden(product: Product) {
    let Some(server) = started(Setup::new(product)) else { return };
    let user = server.database("written").expect("made").ordinary_user().expect("made");
    let run = |statement: &str| user.run(&user.first_database, statement);
    run("CREATE TABLE notes (text VARCHAR(20));").expect("written");
    server.access().forbid_writing().expect("forbidden");
    let mut refusal = None;
    eventually("writing is refused", || {
        refusal = run("INSERT INTO notes VALUES ('x');").err();
        refusal.is_some()
    });
    let refusal = refusal.map(|error| error.to_string()).unwrap_or_default();
    assert!(refusal.contains("read-only"), "{refusal}");
    server.access().allow_writing().expect("allowed");
    eventually("writing is allowed", || run("INSERT INTO notes VALUES ('x');").is_ok());
}

/// Set for the process that plays the runner.
const RUNNER: &str = "TESTKIT_PLAYS_RUNNER";

fn a_server_dies_with_its_runner_even_one_that_was_killed(product: Product) {
    let claim = "a_server_dies_with_its_runner_even_one_that_was_killed";
    let Some(orphan) = orphan(claim, product, |_| ()) else { return };
    eventually("the server is gone", || orphan.is_gone());
}

fn a_server_that_was_frozen_when_its_runner_was_killed_dies_too(product: Product) {
    let claim = "a_server_that_was_frozen_when_its_runner_was_killed_dies_too";
    let freeze = |server: &Server| server.freeze().expect("frozen");
    let Some(orphan) = orphan(claim, product, freeze) else { return };
    eventually("the server is gone", || orphan.is_gone());
}

/// A server whose runner is gone.
struct Orphan {
    port: u16,
    /// Where nobody looks who sweeps up.
    directory: PathBuf,
}

impl Orphan {
    /// A frozen server accepts, as the system does that for it, until it has no room left.
    fn is_gone(&self) -> bool {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        let refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
        TcpStream::connect_timeout(&address, SHORT).is_err_and(refused)
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.directory);
    }
}

/// Has another process start a server and do something with it, and kills that process.
fn orphan(claim: &str, product: Product, act: impl Fn(&Server)) -> Option<Orphan> {
    if env::var_os(RUNNER).is_some() {
        let server = started(Setup::new(product))?;
        act(&server);
        println!("\nport {}", server.access().port);
        eventually("killed", || false);
    }
    let directory =
        env::temp_dir().join(format!("{claim:.13}-{}-{}", product.name(), process::id()));
    fs::create_dir(&directory).expect("made");
    let test = format!("servers::each::{claim}::{}", product.name().replace('-', "_"));
    let mut command = Command::new(env::current_exe().expect("a test"));
    command.args(["--exact", &test, "--nocapture"]);
    command.env(RUNNER, "").env("TMPDIR", &directory);
    let mut runner = command.stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(runner.stdout.take().expect("piped")).lines();
    let port = lines.find_map(|line| line.ok()?.strip_prefix("port ")?.parse().ok());
    if port.is_some() {
        runner.kill().expect("killed");
    }
    // One that may do without its server has said so, and ends without a complaint.
    let status = runner.wait().expect("reaped");
    assert!(port.is_some() || status.success(), "no server of {product} was started");
    port.map(|port| Orphan { port, directory })
}
