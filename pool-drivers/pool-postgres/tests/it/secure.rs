//! Users who are no superusers, and what the test server shows of itself over TLS.

use std::path::PathBuf;

use pool_postgres::{Host, PostgresOptions, TlsOptions};

use crate::rig::{CANARY, Database, access, admin, aside, server};

/// A name in the server's certificate.
pub(crate) const NAME: &str = "localhost";

/// The authority that vouches for the shared server. Without one `claim` is reported as not tried.
pub(crate) fn authority(claim: &str) -> Option<PathBuf> {
    let authority = access().authority.clone();
    if authority.is_none() {
        let why = "TESTKIT_POSTGRES_CA does not say who vouches for the server";
        pool_testkit::not_tried(claim, why);
    }
    authority
}

/// An ordinary user, who owns nothing.
pub(crate) struct User {
    name: String,
}

impl User {
    pub(crate) async fn create(database: &Database) -> Self {
        let name = format!("{}_user", database.name());
        let sql =
            format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD '{CANARY}'");
        admin().await.batch_execute(&sql).await.expect("created");
        Self { name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn options(&self, database: &Database) -> PostgresOptions {
        let (user, password) = (Some(self.name.clone()), Some(CANARY.into()));
        PostgresOptions { user, password, ..database.options() }
    }

    /// The same with TLS as `tls` says, and `name` for what the certificate must be for.
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
        aside(async move { admin().await.batch_execute(&sql).await }).ok();
    }
}

/// The test server by a name that nobody resolves.
pub(crate) fn named(name: &str) -> Host {
    let host = server().hosts.remove(0);
    let address = "127.0.0.1".parse().expect("an address");
    Host { address: Some(address), ..Host::tcp(name, host.port) }
}
