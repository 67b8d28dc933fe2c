//! TLS by rustls, with the modes that PostgreSQL documents.
//!
//! Files are read anew for each connect, so that renewed certificates are taken up.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::ConnectFailure;
use crate::options::{At, ClientCertificate, Host, TlsMode, TlsOptions};
use crate::verify::Unnamed;

/// The client's side of TLS for one driver.
#[derive(Clone, Debug)]
pub(crate) struct TlsClient {
    options: TlsOptions,
}

impl TlsClient {
    pub(crate) fn new(options: TlsOptions) -> Self {
        Self { options }
    }

    /// What is demanded of a connection to `host`.
    pub(crate) fn mode(&self, host: &Host) -> TlsMode {
        self.options.mode_for(host)
    }

    pub(crate) async fn handshake(
        &self,
        host: &Host,
        socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectFailure> {
        let At::Tcp(name) = &host.at else { return Err(ConnectFailure::TlsNotOffered) };
        let name = ServerName::try_from(name.clone()).map_err(|error| {
            ConnectFailure::Tls(io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        let (mode, options) = (self.mode(host), self.options.clone());
        // Reads files.
        let config = tokio::task::spawn_blocking(move || config(mode, &options))
            .await
            .map_err(|error| ConnectFailure::Tls(io::Error::other(error)))??;
        TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
            .map_err(ConnectFailure::Tls)
    }
}

fn config(mode: TlsMode, options: &TlsOptions) -> Result<ClientConfig, ConnectFailure> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(mode, options, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(None, &error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match &options.client {
        None => Ok(builder.with_no_client_auth()),
        Some(ClientCertificate { chain, key }) => {
            let certificates = read_certificates(chain)?;
            let private = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| unusable(Some(key), &error))?;
            builder
                .with_client_auth_cert(certificates, private)
                .map_err(|error| unusable(Some(chain), &error))
        }
    }
}

fn verifier(
    mode: TlsMode,
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConnectFailure> {
    let algorithms = provider.signature_verification_algorithms;
    let roots = match (&options.root_certificates, mode) {
        (None, TlsMode::Disable | TlsMode::Prefer | TlsMode::Require) => {
            return Ok(Arc::new(Unnamed { roots: None, algorithms }));
        }
        (Some(file), _) => trusted(file)?,
        (None, TlsMode::VerifyCa | TlsMode::VerifyFull) => system_roots()?,
    };
    if mode != TlsMode::VerifyFull {
        return Ok(Arc::new(Unnamed { roots: Some(roots), algorithms }));
    }
    let verifier = tokio_rustls::rustls::client::WebPkiServerVerifier::builder_with_provider(
        roots,
        Arc::clone(provider),
    );
    let file = options.root_certificates.as_deref();
    Ok(verifier.build().map_err(|error| unusable(file, &error))?)
}

/// The authorities in a file.
fn trusted(file: &Path) -> Result<Arc<RootCertStore>, ConnectFailure> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(Some(file), &error))?;
    }
    Ok(Arc::new(roots))
}

/// The authorities that the system trusts, read once: there are more than a hundred.
fn system_roots() -> Result<Arc<RootCertStore>, ConnectFailure> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some stores hold one or the other that nobody can read.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or("there are none".to_owned(), ToString::to_string);
        return Err(ConnectFailure::Certificate { file: None, why });
    }
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectFailure> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(file)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(Some(file), &error))?;
    if certificates.is_empty() {
        return Err(unusable(Some(file), "no certificate in PEM is in it"));
    }
    Ok(certificates)
}

fn read(file: &Path) -> Result<Vec<u8>, ConnectFailure> {
    fs::read(file).map_err(|error| unusable(Some(file), &error))
}

fn unusable(file: Option<&Path>, why: &(impl ToString + ?Sized)) -> ConnectFailure {
    ConnectFailure::Certificate { file: file.map(Path::to_owned), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_loopback_everything_is_verified_by_default() {
        let by_address = |address: &str| Host {
            address: Some(address.parse().expect("an address")),
            ..Host::tcp("db.example.com", 5432)
        };
        for (host, expected) in [
            (Host::tcp("db.example.com", 5432), TlsMode::VerifyFull),
            (Host::tcp("192.0.2.1", 5432), TlsMode::VerifyFull),
            (Host::tcp("localhost.example.com", 5432), TlsMode::VerifyFull),
            (by_address("192.0.2.1"), TlsMode::VerifyFull),
            (
                Host { at: At::Tcp("localhost".to_owned()), ..by_address("192.0.2.1") },
                TlsMode::VerifyFull,
            ),
            (by_address("127.0.0.1"), TlsMode::Disable),
            (Host::tcp("localhost", 5432), TlsMode::Disable),
            (Host::tcp("127.8.9.1", 5432), TlsMode::Disable),
            (Host::tcp("::1", 5432), TlsMode::Disable),
            (Host::unix("/run/postgresql", 5432), TlsMode::Disable),
        ] {
            assert_eq!(TlsClient::new(TlsOptions::default()).mode(&host), expected, "{host}");
            let chosen = TlsOptions { mode: Some(TlsMode::Prefer), ..TlsOptions::default() };
            assert_eq!(TlsClient::new(chosen).mode(&host), TlsMode::Prefer);
        }
    }
}
