//! TLS means what it says.

use std::io::{Read as _, Write as _};
use std::iter;
use std::net::TcpListener;
use std::sync::mpsc;

use pool_core::{Driver as _, ErrorClass};
use pool_postgres::{
    ChannelBinding, ConnectFailure, PostgresConnection, PostgresDriver, PostgresError,
    PostgresOptions, TlsMode, TlsMode as Mode, TlsOptions,
};

use crate::failing::said;
use crate::relay::{Relay, TLS};
use crate::rig::{Database, LIMIT, connect, in_transaction, pool_of_one, try_connect, within};
use crate::secure::{NAME, User, authority, named};

/// A name that the server's certificate is not for.
const OTHER: &str = "other.test";

async fn is_encrypted(connection: &PostgresConnection) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    within(connection.query_one(sql, &[])).await.expect("answered").get(0)
}

fn class(error: &PostgresError) -> ErrorClass {
    PostgresDriver::new(PostgresOptions::tcp("unused", 1)).classify(error)
}

/// `SSLRequest`: its length, and 1234 and 5679 in place of a protocol version.
const QUESTION: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A server that gives each question for TLS the same answer, and then listens until its client hangs
/// up.
pub(crate) struct Answering {
    port: u16,
    /// All that each client said.
    told: mpsc::Receiver<Vec<u8>>,
}

impl Answering {
    pub(crate) fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.expect("connected to");
                let mut said = Vec::new();
                // A client may hang up at any moment; what it said by then counts.
                let _ = (&socket).take(QUESTION.len() as u64).read_to_end(&mut said);
                let _ = socket.write_all(answer);
                let _ = socket.read_to_end(&mut said);
                if tell.send(said).is_err() {
                    return;
                }
            }
        });
        Self { port, told }
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions::tcp("127.0.0.1", self.port)
    }

    /// That a client came since the last time, and that none of them said more than its question.
    #[track_caller]
    pub(crate) fn was_told_nothing(&self) {
        let first = self.told.recv_timeout(LIMIT).expect("a client that came and went");
        for said in iter::once(first).chain(self.told.try_iter()) {
            assert!(QUESTION.starts_with(&said), "told in the clear: {}", said.escape_ascii());
        }
    }
}

#[tokio::test]
async fn each_mode_accepts_what_it_says_and_no_more() {
    let authority = authority("each mode of TLS");
    if authority.is_none() {
        return;
    }
    let database = Database::create().await;
    let user = User::create(&database).await;
    for (mode, roots, name, encrypted) in [
        (Mode::Disable, &None, OTHER, Some(false)),
        (Mode::Prefer, &None, OTHER, Some(true)),
        (Mode::Require, &None, OTHER, Some(true)),
        (Mode::Require, &authority, OTHER, Some(true)),
        // The system does not know the authority.
        (Mode::VerifyCa, &None, NAME, None),
        (Mode::VerifyCa, &authority, OTHER, Some(true)),
        (Mode::VerifyFull, &None, NAME, None),
        (Mode::VerifyFull, &authority, OTHER, None),
        (Mode::VerifyFull, &authority, NAME, Some(true)),
    ] {
        let tls = TlsOptions {
            mode: Some(mode),
            root_certificates: roots.clone(),
            ..TlsOptions::default()
        };
        match (try_connect(user.options_by(name, tls, &database)).await, encrypted) {
            (Ok(connection), Some(encrypted)) => {
                assert_eq!(is_encrypted(&connection).await, encrypted, "{mode:?} {name}");
            }
            (Err(error), None) => {
                assert!(said(&error).contains("TLS failed: invalid peer certificate"), "{error}");
                assert_eq!(class(&error), ErrorClass::Permanent);
            }
            (result, _) => panic!("{mode:?} {roots:?} {name}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_where_one_is_named() {
    if authority("a certificate of another authority").is_none() {
        return;
    }
    let database = Database::create().await;
    let user = User::create(&database).await;
    let other = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).expect("signed");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), other.cert.pem()).expect("written");
    for mode in [TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let root_certificates = Some(file.path().to_owned());
        let tls = TlsOptions { mode: Some(mode), root_certificates, ..TlsOptions::default() };
        let error = try_connect(user.options_by(NAME, tls, &database)).await;
        let error = error.expect_err("of another authority");
        assert!(said(&error).contains("TLS failed: invalid peer certificate"), "{error}");
    }
}

#[tokio::test]
async fn on_loopback_nothing_is_encrypted_by_default() {
    let database = Database::create().await;
    let user = User::create(&database).await;
    let local = connect(user.options(&database)).await;
    assert!(!is_encrypted(&local).await, "by address");
    let host = pool_postgres::Host { address: None, ..named("localhost") };
    let local = connect(PostgresOptions { hosts: vec![host], ..user.options(&database) }).await;
    assert!(!is_encrypted(&local).await, "by name");
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing_where_tls_is_demanded() {
    let server = Answering::start(b"N");
    for mode in [TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let tls = TlsOptions { mode: Some(mode), ..TlsOptions::default() };
        let error = try_connect(PostgresOptions { tls, ..server.options() }).await;
        let error = error.expect_err("no TLS");
        let failure = &ConnectFailure::TlsNotOffered;
        assert!(said(&error).ends_with(&failure.to_string()), "{error:?}");
        assert_eq!(class(&error), ErrorClass::Permanent);
        server.was_told_nothing();
    }
}

#[tokio::test]
async fn prefer_goes_on_in_the_clear_with_a_server_without_tls() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("connected to");
        socket.read_exact(&mut [0; 8]).expect("asked");
        socket.write_all(b"N").expect("answered");
        let mut version = [0; 8];
        socket.read_exact(&mut version).expect("told in the clear");
        version
    });
    let tls = TlsOptions { mode: Some(TlsMode::Prefer), ..TlsOptions::default() };
    let options = PostgresOptions { tls, ..PostgresOptions::tcp("127.0.0.1", port) };
    try_connect(options).await.expect_err("it hangs up then");
    let [.., 0, 3, 0, 0] = server.join().expect("no panic") else { panic!("not a login") };
}

#[tokio::test]
async fn what_is_no_postgresql_server_is_said_so() {
    let tls = TlsOptions { mode: Some(TlsMode::Require), ..TlsOptions::default() };
    let server = Answering::start(b"HTTP/1.1 400");
    let error = try_connect(PostgresOptions { tls, ..server.options() }).await;
    let error = error.expect_err("not a PostgreSQL server");
    assert!(said(&error).contains("does not answer as a PostgreSQL server does"), "{error}");
    server.was_told_nothing();
}

#[tokio::test]
async fn bytes_smuggled_in_before_the_handshake_are_not_taken_for_encrypted_ones() {
    // An answer to the login, in the clear, right behind the S.
    let tls = TlsOptions { mode: Some(TlsMode::Require), ..TlsOptions::default() };
    let smuggled = b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    let error = try_connect(PostgresOptions { tls, ..answering_any(smuggled) }).await;
    let error = error.expect_err("not a handshake");
    assert!(said(&error).contains("TLS failed"), "{error}");
}

/// A server that answers a question for TLS so, and what follows may be a handshake.
pub(crate) fn answering_any(answer: &'static [u8]) -> PostgresOptions {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("connected to");
        socket.read_exact(&mut [0; 8]).expect("asked");
        socket.write_all(answer).expect("answered");
        let _ = socket.read_to_end(&mut Vec::new());
    });
    PostgresOptions::tcp("127.0.0.1", port)
}

#[tokio::test]
async fn a_password_exchange_is_bound_to_its_channel() {
    if authority("a password exchange bound to its channel").is_none() {
        return;
    }
    let database = Database::create().await;
    let user = User::create(&database).await;
    let options = |mode, channel_binding| {
        let tls = TlsOptions { mode: Some(mode), ..TlsOptions::default() };
        PostgresOptions { channel_binding, ..user.options_by(NAME, tls, &database) }
    };
    for binding in [ChannelBinding::Disable, ChannelBinding::Prefer, ChannelBinding::Require] {
        // The server verifies the digest that it is sent.
        assert!(is_encrypted(&connect(options(TlsMode::Require, binding)).await).await);
    }
    let in_the_clear =
        PostgresOptions { channel_binding: ChannelBinding::Require, ..user.options(&database) };
    let error = try_connect(in_the_clear).await.expect_err("nothing to bind to");
    assert!(said(&error).contains("server did not use channel binding"), "{}", said(&error));
    assert_eq!(class(&error), ErrorClass::Permanent);
}

#[tokio::test]
async fn a_file_that_is_of_no_use_is_named() {
    let missing = Some("/no/such/file.pem".into());
    let empty = tempfile::NamedTempFile::new().expect("a file");
    for (file, why) in [
        (missing, "/no/such/file.pem: No such file or directory (os error 2)"),
        (Some(empty.path().to_owned()), "no certificate in PEM is in it"),
    ] {
        let mode = Some(TlsMode::VerifyFull);
        let tls = TlsOptions { mode, root_certificates: file, ..TlsOptions::default() };
        let error = try_connect(PostgresOptions { tls, ..answering_any(b"S") }).await;
        let error = error.expect_err("no authority");
        assert!(said(&error).ends_with(why), "{}", said(&error));
        assert_eq!(class(&error), ErrorClass::Permanent);
    }
}

#[tokio::test]
async fn a_cancel_is_as_encrypted_as_its_connection() {
    let Some(authority) = authority("an encrypted cancel") else { return };
    let database = Database::create().await;
    let user = User::create(&database).await;
    let tls = TlsOptions {
        mode: Some(TlsMode::VerifyFull),
        root_certificates: Some(authority),
        ..TlsOptions::default()
    };
    let relay = Relay::start();
    let mut options = user.options_by(NAME, tls, &database);
    options.hosts[0].port = relay.port;
    let pool = pool_of_one(options);
    let connection = pool.acquire().await.expect("opened");
    pool_testkit::Hand::new(connection.batch_execute("SELECT pg_sleep(3600)")).pending();
    drop(connection);
    let connection = within(pool.acquire()).await.expect("stopped");
    assert!(!in_transaction(&connection).await);
    assert_eq!(pool.stats().opened, 1);
    let beginnings = relay.beginnings();
    assert!(beginnings.len() > 1, "a cancel is a connection of its own");
    assert!(beginnings.iter().all(|beginning| *beginning == TLS), "{beginnings:?}");
}
