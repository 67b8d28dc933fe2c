//! Whom a server lets in, and on what terms: servers of these tests' own, set up for it.

use pool_core::{Driver as _, ErrorClass};
use pool_postgres::{
    ClientCertificate, PostgresConnection, PostgresDriver, PostgresOptions, TlsMode, TlsOptions,
};
use pool_testkit::not_tried;
use pool_testkit::servers::{
    ANOTHER_HOST, CERTIFIED_USER, Family, Server, Setup, Tls, TlsFiles, chosen,
};

use crate::failing::said;
use crate::rig::{code, connect, options_of, try_connect};

/// A server that talks TLS as `tls` says, where the one that is tested can.
fn server(tls: Tls, claim: &str) -> Option<Server> {
    let setup = Setup::new(chosen(Family::Postgres).expect("a product"));
    if setup.tls == Tls::Off {
        not_tried(claim, &format!("{} runs without TLS", setup.product));
        return None;
    }
    Some(Server::start_as(Setup { tls, ..setup }).expect("started"))
}

fn files(server: &Server) -> &TlsFiles {
    server.tls().expect("it talks TLS")
}

fn options(server: &Server, mode: TlsMode) -> PostgresOptions {
    let root_certificates = Some(files(server).authority.clone());
    let tls = TlsOptions { mode: Some(mode), root_certificates, ..TlsOptions::default() };
    PostgresOptions { tls, ..options_of(server.access(), "postgres") }
}

async fn who(connection: &PostgresConnection) -> String {
    let row = connection.query_one("SELECT current_user::text", &[]).await;
    row.expect("answered").get(0)
}

fn class(error: &pool_postgres::PostgresError) -> ErrorClass {
    PostgresDriver::new(PostgresOptions::tcp("unused", 1)).classify(error)
}

#[tokio::test]
async fn a_server_that_demands_tls_says_so_to_who_comes_without() {
    let Some(server) = server(Tls::Required, "a server that demands TLS") else { return };
    let error = try_connect(options(&server, TlsMode::Disable)).await.expect_err("no TLS");
    assert_eq!(code(&error), Some("28000"), "{}", said(&error));
    assert!(said(&error).contains("no encryption"), "{}", said(&error));
    assert_eq!(class(&error), ErrorClass::Permanent);
    for mode in [TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        connect(options(&server, mode)).await;
    }
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused_in_full_verification_alone() {
    let Some(server) = server(Tls::OfAnotherHost, "a certificate of another host") else { return };
    let error = try_connect(options(&server, TlsMode::VerifyFull)).await;
    let error = error.expect_err("of another host");
    assert!(said(&error).contains("TLS failed: invalid peer certificate"), "{}", said(&error));
    assert!(said(&error).contains(ANOTHER_HOST), "{}", said(&error));
    assert_eq!(class(&error), ErrorClass::Permanent);
    connect(options(&server, TlsMode::VerifyCa)).await;
}

#[tokio::test]
async fn a_client_proves_itself_by_its_certificate() {
    let Some(server) = server(Tls::Offered, "a client's certificate") else { return };
    let superuser = connect(options(&server, TlsMode::VerifyFull)).await;
    let sql = format!("CREATE ROLE {CERTIFIED_USER} LOGIN");
    superuser.batch_execute(&sql).await.expect("created");
    let options = |client| {
        let options = options(&server, TlsMode::VerifyFull);
        let tls = TlsOptions { client, ..options.tls };
        let user = Some(CERTIFIED_USER.to_owned());
        PostgresOptions { user, password: None, tls, ..options }
    };
    let TlsFiles { client_certificate, client_key, .. } = files(&server).clone();
    let client = ClientCertificate { chain: client_certificate, key: client_key };
    assert_eq!(who(&connect(options(Some(client))).await).await, CERTIFIED_USER);
    let error = try_connect(options(None)).await.expect_err("who is it?");
    assert_eq!(code(&error), Some("28000"), "{}", said(&error));
    assert_eq!(class(&error), ErrorClass::Permanent);
}
