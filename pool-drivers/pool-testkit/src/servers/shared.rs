//! The one server of a run that all tests of a driver share, each with a database of its own.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::access::Access;
use super::error::ServerError;
use super::product::{Family, Product};
use super::server::Server;

/// Which server tests run against: the one named in the environment, or the family's first.
///
/// Tests that harm their server start one of their own of this product.
///
/// # Errors
///
/// The variable holds no name of a server of this family.
pub fn chosen(family: Family) -> Result<Product, ServerError> {
    let variable = family.variable();
    let Some(name) = env::var_os(variable) else { return Ok(family.first_product()) };
    let product: Product = name.to_string_lossy().parse()?;
    if product.family() != family {
        return Err(ServerError::Input {
            input: format!("the variable {variable}"),
            problem: format!("names {product}, which speaks another protocol"),
        });
    }
    Ok(product)
}

/// The server that is shared: the one whose URL the environment holds, as `cargo xtask itest` has it,
/// or one that is started now and lives as long as this process. That one is never dropped: its data
/// stays until somebody starts the next server.
///
/// # Errors
///
/// The environment makes no sense, or the server cannot be started; then each call tries again.
pub fn shared(family: Family) -> Result<Access, ServerError> {
    static POSTGRES: OnceLock<Server> = OnceLock::new();
    static MYSQL: OnceLock<Server> = OnceLock::new();
    static REDIS: OnceLock<Server> = OnceLock::new();
    let product = chosen(family)?;
    let variable = family.url_variable();
    if let Ok(url) = env::var(variable) {
        let given = Access::given(product, &url, variable)?;
        let authority = env::var_os(family.authority_variable()).map(PathBuf::from);
        return Ok(Access { authority, ..given });
    }
    let started = match family {
        Family::Postgres => &POSTGRES,
        Family::MySql => &MYSQL,
        Family::Redis => &REDIS,
    };
    if started.get().is_none() {
        // Another test may have been faster; then this server ends at once.
        let _superfluous = started.set(Server::start(product)?);
    }
    let server = started.get().expect("bug: it was set");
    Ok(server.access().clone())
}
