//! Whom sinks trust: the authorities of the system, and those of a file.

use std::path::Path;

use pool_core::Problem;
use rustls::ClientConfig;

use crate::tls;

/// The field that names the file.
const FIELD: &str = "root_certificates";

/// TLS that trusts the system's authorities and those in `file`.
pub(super) fn client(file: Option<&Path>) -> Result<ClientConfig, Problem> {
    let mut roots = tls::system_roots().clone();
    if let Some(file) = file {
        tls::trust(&mut roots, file).map_err(|why| {
            let allowed = "a file of certificates, as PEM";
            Problem::invalid(FIELD, file.display().to_string(), why, allowed)
        })?;
    }
    Ok(tls::client(roots).with_no_client_auth())
}
