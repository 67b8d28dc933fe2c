//! Certificates and keys from PEM files, and whom a connection by HTTP trusts.

use std::path::Path;

use pool_core::Problem;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::settings::{Target, TlsFiles};
use crate::tls;

const CERTIFICATES: &str = "a PEM file with certificates";
const KEY: &str = "a PEM file with the private key of the client's certificate";

/// What connections to `target` are made with; of one that is not encrypted, nothing is read.
pub(super) fn config(target: &Target) -> Result<ClientConfig, Problem> {
    if !target.endpoint.is_encrypted() {
        return Ok(tls::client(RootCertStore::empty()).with_no_client_auth());
    }
    let builder = tls::client(trusted(&target.files)?);
    match identity(&target.files)? {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let (name, path) = target.files.key.as_ref().expect("bug: an identity without a key");
            builder.with_client_auth_cert(chain, key).map_err(|error| of(name, path, &error, KEY))
        }
    }
}

/// Whom they say, or the system does.
pub(super) fn trusted(files: &TlsFiles) -> Result<RootCertStore, Problem> {
    let Some((name, path)) = &files.trusted else { return Ok(tls::system_roots().clone()) };
    let mut roots = RootCertStore::empty();
    tls::trust(&mut roots, path).map_err(|why| of(name, path, &why, CERTIFICATES))?;
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(files: &TlsFiles) -> Result<Option<Identity>, Problem> {
    match (&files.certificate, &files.key) {
        (None, None) => Ok(None),
        (Some((name, path)), Some((key_name, key_path))) => {
            let key = PrivateKeyDer::from_pem_file(key_path);
            let key = key.map_err(|error| of(key_name, key_path, &error, KEY))?;
            let chain =
                tls::certificates(path).map_err(|why| of(name, path, &why, CERTIFICATES))?;
            Ok(Some((chain, key)))
        }
        (Some((name, path)), None) => Err(of(name, path, &"its key is missing", KEY)),
        (None, Some((name, path))) => {
            Err(of(name, path, &"its certificate is missing", CERTIFICATES))
        }
    }
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
