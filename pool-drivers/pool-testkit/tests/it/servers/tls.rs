//! Servers that talk TLS, or do not.

use std::process::Command;

use pool_testkit::servers::{CERTIFIED_USER, Product, Server, ServerError, Setup, Tls};

fn started(product: Product, tls: Tls) -> Server {
    let setup = Setup { tls, ..Setup::new(product) };
    Server::start_as(setup).unwrap_or_else(|error| panic!("{error}"))
}

/// What `psql` has to say with these settings of its own.
fn psql(server: &Server, settings: &str) -> Result<String, String> {
    let access = server.access();
    let mut command = Command::new("psql");
    let target = format!("host=localhost hostaddr=127.0.0.1 port={} dbname=postgres", access.port);
    command.args([
        "-X",
        "-A",
        "-t",
        "-c",
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    ]);
    command.arg("-d").arg(format!("{target} {settings}")).env("PGPASSWORD", &access.password);
    let output = command.output().expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn postgres_offers_tls_that_its_authority_vouches_for() {
    let server = started(Product::Postgres15, Tls::Offered);
    let files = server.tls().expect("files");
    let verified =
        format!("user=pool sslmode=verify-full sslrootcert={}", files.authority.display());
    assert_eq!(psql(&server, &verified).as_deref(), Ok("t"));
    assert_eq!(psql(&server, "user=pool sslmode=disable").as_deref(), Ok("f"));
}

#[test]
fn postgres_lets_a_certified_user_in_without_a_password() {
    let server = started(Product::Postgres15, Tls::Offered);
    server.access().run("postgres", &format!("CREATE ROLE {CERTIFIED_USER} LOGIN;")).expect("made");
    let files = server.tls().expect("files");
    let certified = format!(
        "user={CERTIFIED_USER} sslmode=require sslcert={} sslkey={}",
        files.client_certificate.display(),
        files.client_key.display()
    );
    assert_eq!(psql(&server, &certified).as_deref(), Ok("t"));
    let error =
        psql(&server, &format!("user={CERTIFIED_USER} sslmode=disable")).expect_err("refused");
    assert!(error.contains("password authentication failed"), "{error}");
}

#[test]
fn postgres_takes_no_plain_connection_where_tls_is_required() {
    let server = started(Product::Postgres15, Tls::Required);
    let error = psql(&server, "user=pool sslmode=disable").expect_err("refused");
    assert!(error.contains("no encryption"), "{error}");
    assert_eq!(psql(&server, "user=pool sslmode=require").as_deref(), Ok("t"));
}

#[test]
fn postgres_shows_the_certificate_of_another_host() {
    let server = started(Product::Postgres15, Tls::OfAnotherHost);
    let authority = server.tls().expect("files").authority.display().to_string();
    let verified =
        |mode| psql(&server, &format!("user=pool sslmode={mode} sslrootcert={authority}"));
    assert_eq!(verified("verify-ca").as_deref(), Ok("t"));
    let error = verified("verify-full").expect_err("refused");
    assert!(error.contains("does not match host name"), "{error}");
}

#[test]
fn postgres_without_tls_says_so() {
    let server = started(Product::Postgres15, Tls::Off);
    let error = psql(&server, "user=pool sslmode=require").expect_err("refused");
    assert!(error.contains("server does not support SSL"), "{error}");
}

#[test]
fn a_build_without_tls_is_not_asked_for_it() {
    let setup = Setup { tls: Tls::Offered, ..Setup::new(Product::Postgres18) };
    let error = Server::start_as(setup).expect_err("refused");
    assert!(matches!(error, ServerError::Input { .. }), "{error}");
}

/// The cipher of a session: none if it is not encrypted.
fn cipher(server: &Server) -> String {
    let row = server.access().run("mysql", "SHOW STATUS LIKE 'Ssl_cipher';").expect("run");
    row.trim_start_matches("Ssl_cipher").trim().to_owned()
}

#[test]
fn mariadb_and_mysql_offer_require_and_lack_tls() {
    for product in [Product::MariaDb, Product::MySql] {
        assert!(!cipher(&started(product, Tls::Offered)).is_empty(), "{product}");
        assert!(!cipher(&started(product, Tls::Required)).is_empty(), "{product}");
        assert!(cipher(&started(product, Tls::Off)).is_empty(), "{product}");
    }
}
