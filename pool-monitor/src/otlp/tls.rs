//! Certificates and keys from PEM files, and whom a connection by HTTP trusts.

use std::path::Path;
use std::sync::Arc;

use pool_core::Problem;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::settings::{Target, TlsFiles};

const CERTIFICATES: &str = "a PEM file with certificates";
const KEY: &str = "a PEM file with the private key of the client's certificate";

/// What connections to `target` are made with; of one that is not encrypted, nothing is read.
pub(super) fn config(target: &Target) -> Result<ClientConfig, Problem> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("bug: the provider knows no version of TLS");
    if !target.endpoint.is_encrypted() {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let builder = builder.with_root_certificates(trusted(&target.files)?);
    match identity(&target.files)? {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let (name, path) = target.files.key.as_ref().expect("bug: an identity without a key");
            builder.with_client_auth_cert(chain, key).map_err(|error| of(name, path, &error, KEY))
        }
    }
}

fn trusted(files: &TlsFiles) -> Result<RootCertStore, Problem> {
    let mut store = RootCertStore::empty();
    let Some((name, path)) = &files.trusted else {
        // A broken one among the system's is no reason to trust none of the others.
        let certificates = rustls_native_certs::load_native_certs().certs;
        let (_added, _broken) = store.add_parsable_certificates(certificates);
        return Ok(store);
    };
    for certificate in certificates(name, path)? {
        store.add(certificate).map_err(|error| of(name, path, &error, CERTIFICATES))?;
    }
    Ok(store)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(files: &TlsFiles) -> Result<Option<Identity>, Problem> {
    match (&files.certificate, &files.key) {
        (None, None) => Ok(None),
        (Some((name, path)), Some((key_name, key_path))) => {
            let key = PrivateKeyDer::from_pem_file(key_path);
            let key = key.map_err(|error| of(key_name, key_path, &error, KEY))?;
            Ok(Some((certificates(name, path)?, key)))
        }
        (Some((name, path)), None) => Err(of(name, path, &"its key is missing", KEY)),
        (None, Some((name, path))) => {
            Err(of(name, path, &"its certificate is missing", CERTIFICATES))
        }
    }
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| of(name, path, &error, CERTIFICATES))?;
    if certificates.is_empty() {
        return Err(of(name, path, &"it holds no certificate", CERTIFICATES));
    }
    Ok(certificates)
}

/// The text of a file, for who reads PEM himself.
#[cfg(feature = "otlp-grpc")]
pub(super) fn text(file: &(String, std::path::PathBuf), allowed: &str) -> Result<String, Problem> {
    let (name, path) = file;
    std::fs::read_to_string(path).map_err(|error| of(name, path, &error, allowed))
}

/// A problem with the file that `name` says.
fn of(name: &str, path: &Path, why: &dyn std::fmt::Display, allowed: &str) -> Problem {
    Problem::invalid(name, path.display().to_string(), why.to_string(), allowed)
}
