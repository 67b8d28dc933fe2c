//! Certificates for one server: an authority made for it alone, and what that vouches for.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use std::io::Write;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use super::account::Account;
use super::error::{ServerError, Trying};

/// Whom the client's certificate is for: PostgreSQL lets a user of this name in by it alone, over
/// TCP. It has to be created first.
pub const CERTIFIED_USER: &str = "certified";

/// The host that the certificate is for under [`Tls::OfAnotherHost`].
pub const ANOTHER_HOST: &str = "elsewhere.example";

/// Whether and how a server talks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// It answers that it has none.
    Off,
    /// It has a certificate for `localhost` and 127.0.0.1, and takes connections without TLS, too.
    Offered,
    /// As [`Offered`](Self::Offered), but over TCP it takes no connection without.
    Required,
    /// Offered, with a certificate for [`ANOTHER_HOST`] only.
    OfAnotherHost,
}

/// Where the certificates and keys of one server lie, as PEM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The authority that vouches for the server and for the client.
    pub authority: PathBuf,
    /// The certificate of [`CERTIFIED_USER`].
    pub client_certificate: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl TlsFiles {
    /// Makes them in `folder`; none if there is to be no TLS.
    pub(crate) fn make(
        tls: Tls,
        folder: &Path,
        account: Account,
    ) -> Result<Option<Self>, ServerError> {
        let hosts: &[&str] = match tls {
            Tls::Off => return Ok(None),
            Tls::Offered | Tls::Required => &["localhost", "127.0.0.1"],
            Tls::OfAnotherHost => &[ANOTHER_HOST],
        };
        let files = Self {
            authority: folder.join("authority.pem"),
            client_certificate: folder.join("client.pem"),
            client_key: folder.join("client.key"),
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        let made = Certificates::make(hosts).map_err(std::io::Error::other);
        let made = made.trying_to("make certificates for the server")?;
        for (path, text) in [
            (&files.authority, made.authority),
            (&files.client_certificate, made.client.0),
            (&files.client_key, made.client.1),
            (&files.certificate, made.server.0),
            (&files.key, made.server.1),
        ] {
            // Servers and clients refuse a key that others may read.
            let mut options = fs::File::options();
            let mut file = options
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(path)
                .trying("create", path)?;
            file.write_all(text.as_bytes()).trying("write", path)?;
        }
        for path in [&files.authority, &files.certificate, &files.key] {
            account.own(path)?;
        }
        Ok(Some(files))
    }
}

/// The texts: a certificate, and with it its key.
struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    fn make(hosts: &[&str]) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("pool-testkit authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);

        let names: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name = name(hosts[0]);
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut client = CertificateParams::default();
        client.distinguished_name = name(CERTIFIED_USER);
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let signed = |params: &CertificateParams| {
            let key = KeyPair::generate()?;
            Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
        };
        Ok(Self { authority, server: signed(&server)?, client: signed(&client)? })
    }
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}
