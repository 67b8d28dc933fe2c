//! Encryption means what it says.

use std::error::Error as _;
use std::path::PathBuf;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use pool_core::{Driver as _, ErrorClass};
use pool_mysql::{ConnectFailure, MysqlDriver, MysqlError, MysqlOptions, TlsMode, mysql_async};
use pool_testkit::servers::{Family, Product, Server, Setup, Tls, TlsFiles, chosen};
use tokio::task::block_in_place;

use crate::rig::{CANARY, Schema, admin, admin_of, server, try_connect, within};

/// A server that talks TLS otherwise than the shared one.
pub(crate) fn own_server(tls: Tls, settings: &[&str]) -> Server {
    let product = chosen(Family::MySql).expect("a product");
    let settings = settings.iter().copied().map(String::from).collect();
    Server::start_as(Setup { tls, settings, ..Setup::new(product) }).expect("started")
}

fn files(server: &Server) -> &TlsFiles {
    server.tls().expect("it talks TLS")
}

/// Who vouches for the shared server. Without one `claim` is reported as not tried.
fn authority(claim: &str) -> Option<PathBuf> {
    let authority = server().authority.clone();
    if authority.is_none() {
        pool_testkit::not_tried(claim, "TESTKIT_MYSQL_CA does not say who vouches for the server");
    }
    authority
}

fn options(schema: &Schema, mode: TlsMode) -> MysqlOptions {
    MysqlOptions { tls: Some(mode), ..schema.options() }
}

fn verified(schema: &Schema, authority: PathBuf) -> MysqlOptions {
    MysqlOptions { tls_ca: Some(authority), ..options(schema, TlsMode::VerifyFull) }
}

/// Whether the connection is encrypted, by the server's word.
async fn is_encrypted(options: MysqlOptions) -> bool {
    let mut connection = try_connect(options).await.expect("opened");
    let sql = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
    let cipher: Option<(String, String)> = connection.query_first(sql).await.expect("answered");
    cipher.is_some_and(|(_, cipher)| !cipher.is_empty())
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
    let Some(authority) = authority("a trusted authority") else { return };
    let schema = Schema::new().await;
    assert!(is_encrypted(verified(&schema, authority)).await);
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused_but_by_those_who_check_none() {
    let own = own_server(Tls::OfAnotherHost, &[]);
    let schema = Schema::on(own.access()).await;
    let (_, said) = refusal(verified(&schema, files(&own).authority.clone())).await;
    assert!(said.contains("certificate not valid for name \"127.0.0.1\""), "{said}");
    for mode in [TlsMode::Require, TlsMode::Prefer] {
        assert!(is_encrypted(options(&schema, mode)).await, "{mode:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let schema = Schema::new().await;
    let stranger = own_server(Tls::Offered, &[]);
    for tls_ca in [None, Some(files(&stranger).authority.clone())] {
        let options = options(&schema, TlsMode::VerifyFull);
        let (_, said) = refusal(MysqlOptions { tls_ca, ..options }).await;
        assert!(said.contains("invalid peer certificate"), "{said}");
    }
}

#[tokio::test]
async fn a_renewed_authority_is_taken_up_without_a_restart() {
    let Some(authority) = authority("a renewed authority") else { return };
    let schema = Schema::new().await;
    let old = own_server(Tls::Offered, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::copy(&files(&old).authority, &file).expect("copied");
    let options = verified(&schema, file.clone());
    refusal(options.clone()).await;
    std::fs::copy(authority, file).expect("renewed");
    assert!(is_encrypted(options).await);
}

#[tokio::test]
async fn where_tls_is_not_offered_only_those_who_chose_so_go_on_in_plain_text() {
    let own = own_server(Tls::Off, &[]);
    let schema = Schema::on(own.access()).await;
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let (failure, said) = refusal(options(&schema, mode)).await;
        assert!(matches!(failure, ConnectFailure::TlsNotOffered), "{mode:?}: {failure:?}");
        assert!(said.ends_with("the server offers no TLS, and the options require it"), "{said}");
    }
    for mode in [TlsMode::Prefer, TlsMode::Disable] {
        assert!(!is_encrypted(options(&schema, mode)).await, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tls_is_required_only_plain_text_is_refused_and_for_good() {
    let own = own_server(Tls::Offered, &[]);
    let schema = Schema::on(own.access()).await;
    let require = |word| {
        let sql = format!("SET GLOBAL require_secure_transport = {word};");
        block_in_place(|| own.access().run("mysql", &sql)).expect("set");
    };
    require("ON");
    let (failure, said) = refusal(options(&schema, TlsMode::Disable)).await;
    assert!(matches!(failure, ConnectFailure::Mysql(_)), "{failure:?}");
    // MariaDB says no more than that access is denied.
    let codes = ["(error 1045,", "(error 3159,"];
    assert!(codes.iter().any(|code| said.contains(code)), "in the server's words: {said}");
    for mode in [TlsMode::Prefer, TlsMode::Require] {
        assert!(is_encrypted(options(&schema, mode)).await, "{mode:?}");
    }
    require("OFF");
}

/// The server has but one cipher, which the driver does not know.
#[tokio::test]
async fn prefer_does_not_fall_back_where_tls_is_offered_and_fails() {
    let cipher = match chosen(Family::MySql).expect("a product") {
        // It has no older ones any more.
        Product::MySql => "ssl-cipher=ECDHE-ECDSA-AES128-CCM",
        _ => "ssl-cipher=ECDHE-ECDSA-AES128-SHA256",
    };
    let settings = ["tls-version=TLSv1.2", cipher];
    let own = own_server(Tls::Offered, &settings);
    let schema = Schema::on(own.access()).await;
    assert!(!is_encrypted(options(&schema, TlsMode::Disable)).await);
    for mode in [TlsMode::Prefer, TlsMode::Require] {
        let error = try_connect(options(&schema, mode)).await.expect_err("nothing in common");
        assert!(matches!(error, MysqlError::Connect { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_may_ask_for_the_clients_certificate() {
    let own = own_server(Tls::Offered, &[]);
    let schema = Schema::on(own.access()).await;
    let mut admin = admin_of(own.access()).await;
    let sql = format!("ALTER USER {}@'%' REQUIRE X509", schema.name);
    admin.query_drop(sql).await.expect("required");
    let TlsFiles { authority, client_certificate, client_key, .. } = files(&own).clone();
    let unknown = verified(&schema, authority);
    let (_, said) = refusal(unknown.clone()).await;
    assert!(said.contains("Access denied"), "{said}");
    let (tls_cert, tls_key) = (Some(client_certificate), Some(client_key));
    assert!(is_encrypted(MysqlOptions { tls_cert, tls_key, ..unknown }).await);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let own = own_server(Tls::Offered, &[]);
    let schema = Schema::on(own.access()).await;
    let (_, said) = refusal(verified(&schema, PathBuf::from("/nowhere/ca.pem"))).await;
    assert!(said.contains(": the file /nowhere/ca.pem cannot be read: No such file"), "{said}");
    // A key where a certificate should be.
    refusal(verified(&schema, files(&own).client_key.clone())).await;
}

/// Why there is no mode that checks the authority and not the name: the library's switch for it has
/// no effect. Once this fails, the mode can be offered.
#[tokio::test]
async fn the_library_cannot_check_the_authority_alone() {
    let own = own_server(Tls::OfAnotherHost, &[]);
    let schema = Schema::on(own.access()).await;
    // Provides the process's cryptography.
    assert!(is_encrypted(options(&schema, TlsMode::Require)).await);
    let tls = SslOpts::default()
        .with_root_certs(vec![files(&own).authority.clone().into()])
        .with_danger_skip_domain_validation(true);
    let builder = OptsBuilder::default()
        .ip_or_hostname(own.access().host.as_str())
        .tcp_port(own.access().port)
        .user(Some(&*schema.name))
        .pass(Some(CANARY))
        .prefer_socket(false)
        .ssl_opts(tls);
    let error = within(Conn::new(builder)).await.expect_err("checks the name all the same");
    assert!(error.to_string().contains("certificate not valid for name"), "{error}");
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
