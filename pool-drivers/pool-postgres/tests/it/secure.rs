//! TLS and passwords on the test server: its certificate, and users who must give a password.

use std::path::PathBuf;

use pool_postgres::{ClientCertificate, Host, PostgresConnection, PostgresOptions, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::rig::{CANARY, Database, admin, server};

/// The name in the server's certificate.
pub(crate) const NAME: &str = "db.test";

/// Who shows a certificate in place of a password.
pub(crate) const CERTIFIED: &str = "pool_test_certified";

/// The files that the server is given, in its data directory.
const AUTHORITY: &str = "pool_test_ca.pem";
const CLIENT: &str = "pool_test_client.pem";
const CLIENT_KEY: &str = "pool_test_client.key";

/// A server with TLS and passwords, and the files that clients need.
pub(crate) struct Secured {
    directory: TempDir,
}

impl Secured {
    /// Sets the server up, if that was not done before.
    pub(crate) async fn server() -> Self {
        let admin = admin().await;
        // Tests run at the same time, perhaps in several processes.
        admin.query("SELECT pg_advisory_lock(5701)", &[]).await.expect("locked");
        if read(&admin, AUTHORITY).await.is_none() {
            set_up(&admin).await;
        }
        let directory = tempfile::tempdir().expect("a directory");
        for name in [AUTHORITY, CLIENT, CLIENT_KEY] {
            let content = read(&admin, name).await.expect("written at set-up");
            std::fs::write(directory.path().join(name), content).expect("written");
        }
        Self { directory }
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.path().join(AUTHORITY)
    }

    /// The certificate of [`CERTIFIED`].
    pub(crate) fn client(&self) -> ClientCertificate {
        let [chain, key] = [CLIENT, CLIENT_KEY].map(|name| self.directory.path().join(name));
        ClientCertificate { chain, key }
    }

    /// A user of the database who must give the password that is never shown.
    pub(crate) async fn user(self, database: &Database) -> User {
        let name = format!("{}_user", database.name());
        let sql = format!(
            "DROP ROLE IF EXISTS {name}; \
             CREATE ROLE {name} LOGIN PASSWORD '{CANARY}' IN ROLE pool_test_by_password"
        );
        admin().await.batch_execute(&sql).await.expect("created");
        User { name, secured: self }
    }
}

pub(crate) struct User {
    name: String,
    pub(crate) secured: Secured,
}

impl User {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn options(&self, database: &Database) -> PostgresOptions {
        PostgresOptions { user: Some(self.name.clone()), ..database.options() }
    }

    /// The same by the name in the server's certificate, with TLS as `tls` says.
    pub(crate) fn options_by(
        &self,
        name: &str,
        tls: TlsOptions,
        database: &Database,
    ) -> PostgresOptions {
        PostgresOptions { hosts: vec![named(name)], tls, ..self.options(database) }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let sql = format!("DROP ROLE IF EXISTS {}", self.name);
        crate::rig::aside(async move { admin().await.batch_execute(&sql).await }).ok();
    }
}

/// The test server by a name that nobody resolves.
pub(crate) fn named(name: &str) -> Host {
    let host = server().hosts.remove(0);
    let address = "127.0.0.1".parse().expect("an address");
    Host { address: Some(address), ..Host::tcp(name, host.port) }
}

async fn read(admin: &PostgresConnection, name: &str) -> Option<String> {
    let sql = "SELECT pg_read_file($1, 0, 1000000, true)";
    admin.query_one(sql, &[&name]).await.expect("readable").get(0)
}

/// Writes a file of lines into the server's data directory, readable by the server alone.
async fn write(admin: &PostgresConnection, name: &str, content: &str) {
    let lines: Vec<_> = content.lines().map(|line| format!("('{line}')")).collect();
    let (lines, program) = (lines.join(","), format!("umask 077; cat > {name}"));
    let sql = format!("COPY (VALUES {lines}) TO PROGRAM '{program}'");
    admin.batch_execute(&sql).await.expect("written");
}

async fn set_up(admin: &PostgresConnection) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority of the tests");
    let authority = params.self_signed(&key).expect("signed");
    let issuer = Issuer::new(params, key);

    let server_key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![NAME.to_owned()]).expect("parameters");
    let certificate = params.signed_by(&server_key, &issuer).expect("signed");
    write(admin, "server.crt", &certificate.pem()).await;
    write(admin, "server.key", &server_key.serialize_pem()).await;

    let client_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, CERTIFIED);
    let client = params.signed_by(&client_key, &issuer).expect("signed");
    write(admin, CLIENT, &client.pem()).await;
    write(admin, CLIENT_KEY, &client_key.serialize_pem()).await;

    for sql in [
        "DROP ROLE IF EXISTS pool_test_by_password",
        "CREATE ROLE pool_test_by_password",
        "DROP ROLE IF EXISTS pool_test_certified",
        "CREATE ROLE pool_test_certified LOGIN",
        "ALTER SYSTEM SET ssl = on",
        "ALTER SYSTEM SET ssl_ca_file = 'pool_test_ca.pem'",
    ] {
        admin.batch_execute(sql).await.expect(sql);
    }
    let rules = read(admin, "pg_hba.conf").await.expect("there");
    let rules = format!(
        "host all +pool_test_by_password all scram-sha-256\n\
         hostssl all pool_test_certified all cert\n{rules}"
    );
    write(admin, "pg_hba.conf", &rules.replace('\'', "''")).await;
    // Last: it says that the rest is done.
    write(admin, AUTHORITY, &authority.pem()).await;
    admin.query("SELECT pg_reload_conf()", &[]).await.expect("asked");
    // A session begun after the reload sees it.
    let rule =
        "SELECT count(*) FROM pg_hba_file_rules WHERE 'pool_test_certified' = ANY(user_name)";
    loop {
        let fresh = crate::rig::admin().await;
        let ssl = fresh.query_one("SHOW ssl", &[]).await.expect("shown").get::<_, String>(0);
        let rules = fresh.query_one(rule, &[]).await.expect("read").get::<_, i64>(0);
        if ssl == "on" && rules == 1 {
            return;
        }
    }
}
