//! Whom we trust: the authorities of the system, and those of a file.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use pool_core::Problem;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::alerts::document::read_text;

/// The field that names the file.
const FIELD: &str = "root_certificates";

/// TLS that trusts the system's authorities and those in `file`.
pub(super) fn client(file: Option<&Path>) -> Result<ClientConfig, Problem> {
    let mut roots = system_roots().clone();
    if let Some(file) = file {
        add(&mut roots, file).map_err(|why| {
            Problem::invalid(
                FIELD,
                file.display().to_string(),
                why,
                "a file of certificates, as PEM",
            )
        })?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("bug: ring has the versions that rustls has");
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The authorities that the system trusts, read once: there are more than a hundred. Without any, each
/// connection fails, and says so.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let text = read_text(file, 1 << 20)?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|_| "it is not PEM".to_owned())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        count += 1;
    }
    if count == 0 { Err("it holds no certificate".to_owned()) } else { Ok(()) }
}
