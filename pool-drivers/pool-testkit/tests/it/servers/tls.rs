//! Servers that talk TLS, or do not.

use pool_testkit::not_tried;
use pool_testkit::servers::{CERTIFIED_USER, Product, Server, ServerError, Setup, Tls};

use super::rig;

fn started(product: Product, tls: Tls) -> Option<Server> {
    rig::started(Setup { tls, ..Setup::new(product) })
}

fn postgres(tls: Tls) -> Server {
    started(Product::Postgres15, tls).expect("started")
}

/// Whether a session with these settings of `psql` is encrypted, or why there is none.
fn psql(server: &Server, settings: &[(&str, &str)]) -> Result<bool, String> {
    let mut command = server.access().client("postgres").expect("a client");
    command.args(["-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"]);
    command.env("PGHOST", "localhost").env("PGHOSTADDR", "127.0.0.1");
    let output = command.envs(settings.iter().copied()).output().expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout) == "t")
    } else {
        Err(text(&output.stderr))
    }
}

fn mode(mode: &str) -> (&str, &str) {
    ("PGSSLMODE", mode)
}

#[test]
fn postgres_offers_tls_that_its_authority_vouches_for() {
    let server = postgres(Tls::Offered);
    let authority = server.tls().expect("files").authority.display().to_string();
    let vouched = ("PGSSLROOTCERT", &*authority);
    assert_eq!(psql(&server, &[mode("verify-full"), vouched]), Ok(true));
    assert_eq!(psql(&server, &[mode("disable")]), Ok(false));
}

#[test]
fn postgres_lets_a_certified_user_in_without_a_password() {
    let server = postgres(Tls::Offered);
    server.access().run("postgres", &format!("CREATE ROLE {CERTIFIED_USER} LOGIN;")).expect("made");
    let files = server.tls().expect("files");
    let [certificate, key] = [&files.client_certificate, &files.client_key];
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    let user = ("PGUSER", CERTIFIED_USER);
    let certified = [user, mode("require"), ("PGSSLCERT", &certificate), ("PGSSLKEY", &key)];
    assert_eq!(psql(&server, &certified), Ok(true));
    let error = psql(&server, &[user, mode("disable")]).expect_err("refused");
    assert!(error.contains("password authentication failed"), "{error}");
}

#[test]
fn postgres_takes_no_plain_connection_where_tls_is_required() {
    let server = postgres(Tls::Required);
    let error = psql(&server, &[mode("disable")]).expect_err("refused");
    assert!(error.contains("no encryption"), "{error}");
    assert_eq!(psql(&server, &[mode("require")]), Ok(true));
}

#[test]
fn postgres_shows_the_certificate_of_another_host() {
    let server = postgres(Tls::OfAnotherHost);
    let authority = server.tls().expect("files").authority.display().to_string();
    let verified = |name| psql(&server, &[mode(name), ("PGSSLROOTCERT", &authority)]);
    assert_eq!(verified("verify-ca"), Ok(true));
    let error = verified("verify-full").expect_err("refused");
    assert!(error.contains("does not match host name"), "{error}");
}

#[test]
fn postgres_without_tls_says_so() {
    let server = postgres(Tls::Off);
    let error = psql(&server, &[mode("require")]).expect_err("refused");
    assert!(error.contains("server does not support SSL"), "{error}");
}

#[test]
fn postgres_18_offers_tls_unless_it_is_the_build_without() {
    let product = Product::Postgres18;
    match Server::start_as(Setup { tls: Tls::Offered, ..Setup::new(product) }) {
        Ok(server) => {
            assert_eq!(psql(&server, &[mode("require")]), Ok(true));
            assert_eq!(Setup::new(product).tls, Tls::Offered);
        }
        Err(error @ ServerError::Input { .. }) => {
            assert!(
                error.to_string().contains("is not in the postgres-18 that is fetched"),
                "{error}"
            );
            assert_eq!(Setup::new(product).tls, Tls::Off);
        }
        Err(error @ ServerError::Missing { .. }) => {
            not_tried(&format!("a server of {product}"), &error.to_string());
        }
        Err(error) => panic!("{error}"),
    }
}

/// The cipher of a session: none if it is not encrypted.
fn cipher(server: &Server) -> String {
    let row = server.access().run("mysql", "SHOW STATUS LIKE 'Ssl_cipher';").expect("run");
    row.trim_start_matches("Ssl_cipher").trim().to_owned()
}

#[test]
fn mariadb_and_mysql_offer_require_and_lack_tls() {
    for product in [Product::MariaDb, Product::MySql] {
        for (tls, encrypted) in [(Tls::Offered, true), (Tls::Required, true), (Tls::Off, false)] {
            let Some(server) = started(product, tls) else { break };
            assert_eq!(!cipher(&server).is_empty(), encrypted, "{product}, {tls:?}");
        }
    }
}
