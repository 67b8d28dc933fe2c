//! Encryption means what it says.

use std::error::Error as _;
use std::path::PathBuf;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use pool_core::{Driver as _, ErrorClass};
use pool_mysql::{
    Address, ConnectFailure, MysqlDriver, MysqlError, MysqlOptions, TlsMode, mysql_async,
};

use crate::rig::{CANARY, Schema, admin, try_connect, within};
use crate::tls_front::{Authority, Offer, behind};

const HOST: &str = "127.0.0.1";

/// A schema whose user the server remembers: a front that decrypts would not carry a first login,
/// for which the client takes the server's word that nobody listens.
async fn schema() -> Schema {
    let schema = Schema::new().await;
    schema.connect().await.query_drop("DO 1").await.expect("answered");
    schema
}

async fn options(schema: &Schema, mode: TlsMode, offer: Offer) -> MysqlOptions {
    behind(MysqlOptions { tls: Some(mode), ..schema.options() }, offer).await
}

async fn expect_answer(options: MysqlOptions) {
    let mut connection = try_connect(options).await.expect("opened");
    assert_eq!(connection.query::<u32>("SELECT 7").await.expect("answered"), [7]);
}

/// The causes of a failed connect, which must be lasting.
async fn refusal(options: MysqlOptions) -> (ConnectFailure, String) {
    let error = try_connect(options.clone()).await.expect_err("refused");
    assert_eq!(MysqlDriver::new(options).classify(&error), ErrorClass::Permanent, "{error:?}");
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        said = format!("{said}: {error}");
        next = error.source();
    }
    let MysqlError::Connect { source, .. } = error else { panic!("another error: {said}") };
    (source, said)
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_this_host_is_accepted() {
    let (schema, authority) = (schema().await, Authority::new());
    let options = options(&schema, TlsMode::VerifyFull, authority.server(HOST)).await;
    expect_answer(MysqlOptions { tls_ca: Some(authority.file()), ..options }).await;
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let (schema, authority) = (schema().await, Authority::new());
    let options = options(&schema, TlsMode::VerifyFull, authority.server("db.example.com")).await;
    let options = MysqlOptions { tls_ca: Some(authority.file()), ..options };
    let (_, said) = refusal(options).await;
    assert!(said.contains("certificate not valid for name \"127.0.0.1\""), "{said}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let (schema, authority) = (schema().await, Authority::new());
    let options = options(&schema, TlsMode::VerifyFull, authority.server(HOST)).await;
    for tls_ca in [None, Some(Authority::new())] {
        let tls_ca = tls_ca.as_ref().map(Authority::file);
        let (_, said) = refusal(MysqlOptions { tls_ca, ..options.clone() }).await;
        assert!(said.contains("invalid peer certificate"), "{said}");
    }
}

#[tokio::test]
async fn require_and_prefer_encrypt_to_whoever_answers() {
    let (schema, authority) = (schema().await, Authority::new());
    for mode in [TlsMode::Require, TlsMode::Prefer] {
        expect_answer(options(&schema, mode, authority.server("db.example.com")).await).await;
    }
}

#[tokio::test]
async fn where_tls_is_not_offered_only_those_who_chose_so_go_on_in_plain_text() {
    let schema = schema().await;
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let (failure, said) = refusal(options(&schema, mode, Offer::Nothing).await).await;
        assert!(matches!(failure, ConnectFailure::TlsNotOffered), "{mode:?}: {failure:?}");
        assert!(said.ends_with("the server offers no TLS, and the options require it"), "{said}");
    }
    for mode in [TlsMode::Prefer, TlsMode::Disable] {
        expect_answer(options(&schema, mode, Offer::Nothing).await).await;
    }
}

#[tokio::test]
async fn prefer_does_not_fall_back_where_tls_is_offered_and_fails() {
    let (schema, authority) = (schema().await, Authority::new());
    let Offer::Tls(acceptor) = authority.server_for_known_clients(HOST) else { panic!("TLS") };
    let offer = Offer::TlsOrPlain(acceptor);
    expect_answer(options(&schema, TlsMode::Disable, offer.clone()).await).await;
    try_connect(options(&schema, TlsMode::Prefer, offer).await).await.expect_err("unknown");
}

#[tokio::test]
async fn a_server_may_ask_for_the_clients_certificate() {
    let (schema, authority) = (schema().await, Authority::new());
    let offer = authority.server_for_known_clients(HOST);
    let options = options(&schema, TlsMode::VerifyFull, offer).await;
    let options = MysqlOptions { tls_ca: Some(authority.file()), ..options };
    let (certificate, key) = authority.identity();
    let known = MysqlOptions { tls_cert: Some(certificate), tls_key: Some(key), ..options.clone() };
    expect_answer(known).await;
    try_connect(options).await.expect_err("a client without a certificate");
}

#[tokio::test]
async fn a_renewed_authority_is_taken_up_without_a_restart() {
    let (schema, old, new) = (schema().await, Authority::new(), Authority::new());
    let options = options(&schema, TlsMode::VerifyFull, new.server(HOST)).await;
    let options = MysqlOptions { tls_ca: Some(old.file()), ..options };
    refusal(options.clone()).await;
    std::fs::copy(new.file(), old.file()).expect("renewed");
    expect_answer(options).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let (schema, authority) = (schema().await, Authority::new());
    let options = options(&schema, TlsMode::VerifyFull, authority.server(HOST)).await;
    let path = PathBuf::from("/nowhere/ca.pem");
    let (_, said) = refusal(MysqlOptions { tls_ca: Some(path), ..options.clone() }).await;
    assert!(said.contains(": the file /nowhere/ca.pem cannot be read: No such file"), "{said}");
    // A key where a certificate should be.
    let (_, key) = authority.identity();
    refusal(MysqlOptions { tls_ca: Some(key), ..options }).await;
}

/// Why there is no mode that checks the authority and not the name: the library's switch for it has
/// no effect. Once this fails, the mode can be offered.
#[tokio::test]
async fn the_library_cannot_check_the_authority_alone() {
    let (schema, authority) = (schema().await, Authority::new());
    let options = options(&schema, TlsMode::Require, authority.server("db.example.com")).await;
    // Provides the process's cryptography.
    expect_answer(options.clone()).await;
    let Address::Tcp { host, port } = options.address else { panic!("a host") };
    let tls = SslOpts::default()
        .with_root_certs(vec![authority.file().into()])
        .with_danger_skip_domain_validation(true);
    let builder = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port)
        .user(Some(&*schema.name))
        .pass(Some(CANARY))
        .prefer_socket(false)
        .ssl_opts(tls);
    let error = within(Conn::new(builder)).await.expect_err("checks the name all the same");
    assert!(error.to_string().contains("certificate not valid for name"), "{error}");
}

#[tokio::test]
async fn the_servers_own_encryption_is_used_if_it_has_any() {
    let schema = Schema::new().await;
    let tls = |mode| MysqlOptions { tls: Some(mode), ..schema.options() };
    let mut preferred = try_connect(tls(TlsMode::Prefer)).await.expect("opened");
    let sql = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
    let cipher: Option<(String, String)> = preferred.query_first(sql).await.expect("answered");
    let is_encrypted = cipher.is_some_and(|(_, cipher)| !cipher.is_empty());
    match try_connect(tls(TlsMode::Require)).await {
        Ok(_) => assert!(is_encrypted),
        Err(MysqlError::Connect { source: ConnectFailure::TlsNotOffered, .. }) => {
            assert!(!is_encrypted);
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The password goes encrypted with the server's key, and not as it is.
#[tokio::test]
async fn a_server_that_remembers_nobody_lets_in_without_tls() {
    let schema = Schema::new().await;
    let mut admin = admin().await;
    for _ in 0..3 {
        // Empties MySQL's cache of passwords.
        admin.query_drop("FLUSH PRIVILEGES").await.expect("flushed");
        schema.connect().await.query_drop("DO 1").await.expect("answered");
    }
}
