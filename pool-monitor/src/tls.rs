//! Whom connections trust: the authorities of the system, or those in files.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// More than all authorities of the world take.
const LONGEST: u64 = 4 << 20;

/// A client that trusts `roots`.
pub(crate) fn client(
    roots: impl Into<Arc<RootCertStore>>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("bug: ring has the versions that rustls has")
        .with_root_certificates(roots)
}

/// The authorities that the system trusts, read once: there are more than a hundred. A broken one is no
/// reason to trust none of the others; without any, each connection fails, and says so.
pub(crate) fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

/// Adds the authorities in a PEM file.
///
/// # Errors
///
/// Why it cannot be used, in words.
pub(crate) fn trust(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The certificates in a PEM file, at least one.
///
/// # Errors
///
/// Why it cannot be used, in words.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error: io::Error| format!("the file cannot be read: {}", error.kind());
    let file = BufReader::new(File::open(file).map_err(unreadable)?.take(LONGEST));
    let read = CertificateDer::pem_reader_iter(file).collect::<Result<Vec<_>, _>>();
    let certificates = read.map_err(|error| match error {
        pem::Error::Io(error) => unreadable(error),
        error => error.to_string(),
    })?;
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(certificates)
}
