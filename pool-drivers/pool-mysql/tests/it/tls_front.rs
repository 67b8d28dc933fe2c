//! A front before the real server that speaks TLS with certificates of the test's own, or says that
//! it does not. What follows the login it passes on as it is.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pool_mysql::{Address, MysqlOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

/// An authority and the files with what it has signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    files: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("generated");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        let files = tempfile::tempdir().expect("a directory");
        std::fs::write(files.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, files }
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// Signs a certificate for a client; the files of it and of its key.
    pub(crate) fn identity(&self) -> (PathBuf, PathBuf) {
        let (params, key) = named("client");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let paths = (self.files.path().join("client.pem"), self.files.path().join("client.key"));
        std::fs::write(&paths.0, certificate.pem()).expect("written");
        std::fs::write(&paths.1, key.serialize_pem()).expect("written");
        paths
    }

    /// What a server with a certificate for `host` offers.
    pub(crate) fn server(&self, host: &str) -> Offer {
        self.offer(host, false)
    }

    /// The same, for a server that lets in only those with a certificate of this authority.
    pub(crate) fn server_for_known_clients(&self, host: &str) -> Offer {
        self.offer(host, true)
    }

    fn offer(&self, host: &str, known_clients: bool) -> Offer {
        let (params, key) = named(host);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = if known_clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            config.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("fits");
        Offer::Tls(TlsAcceptor::from(Arc::new(config)))
    }
}

fn named(name: &str) -> (CertificateParams, KeyPair) {
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    (params, KeyPair::generate().expect("generated"))
}

/// What a front offers.
#[derive(Clone)]
pub(crate) enum Offer {
    Nothing,
    Tls(TlsAcceptor),
    /// TLS, and logins in plain text too.
    TlsOrPlain(TlsAcceptor),
}

/// The same options, to a front before their server.
pub(crate) async fn behind(options: MysqlOptions, offer: Offer) -> MysqlOptions {
    let Address::Tcp { host, port } = &options.address else { panic!("a host") };
    let server = (host.clone(), *port);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect((&*server.0, server.1)).await.expect("connected");
            // What breaks off is told by the client, to the test.
            tokio::spawn(pass(client, server, offer.clone()));
        }
    });
    MysqlOptions { address: Address::Tcp { host: "127.0.0.1".to_owned(), port }, ..options }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, offer: Offer) -> io::Result<()> {
    let mut greeting = Packet::read(&mut server).await?;
    greeting.offer_tls(!matches!(offer, Offer::Nothing));
    greeting.write(&mut client).await?;
    let (acceptor, takes_plain) = match offer {
        Offer::Nothing => {
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        Offer::Tls(acceptor) => (acceptor, false),
        Offer::TlsOrPlain(acceptor) => (acceptor, true),
    };
    let request = Packet::read(&mut client).await?;
    if request.payload.len() != REQUEST_FOR_TLS {
        if takes_plain {
            request.write(&mut server).await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        // Else it hangs up: a login in plain text.
        return Ok(());
    }
    let mut client = acceptor.accept(client).await?;
    // The server knows of no request for TLS: in its count of packets there is one less.
    let mut login = Packet::read(&mut client).await?;
    login.payload[1] &= !TLS;
    loop {
        login.number -= 1;
        login.write(&mut server).await?;
        loop {
            let mut answer = Packet::read(&mut server).await?;
            answer.number += 1;
            answer.write(&mut client).await?;
            match answer.payload[..] {
                [0x00 | 0xff, ..] => {
                    copy_bidirectional(&mut client, &mut server).await?;
                    return Ok(());
                }
                // The password is right, which another packet will say.
                [0x01, 0x03] => {}
                _ => break,
            }
        }
        login = Packet::read(&mut client).await?;
    }
}

/// Length of a request for TLS; a login is longer.
const REQUEST_FOR_TLS: usize = 32;

/// `CLIENT_SSL`, in the second byte of the capabilities.
const TLS: u8 = 0x08;

struct Packet {
    number: u8,
    payload: Vec<u8>,
}

impl Packet {
    async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut header = [0; 4];
        from.read_exact(&mut header).await?;
        let [a, b, c, number] = header;
        let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
        from.read_exact(&mut payload).await?;
        Ok(Self { number, payload })
    }

    async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let [a, b, c, _] = u32::to_le_bytes(self.payload.len() as u32);
        to.write_all(&[a, b, c, self.number]).await?;
        to.write_all(&self.payload).await?;
        to.flush().await
    }

    /// Of a server's greeting: whether it says that it speaks TLS.
    fn offer_tls(&mut self, offered: bool) {
        let end_of_version = self.payload.iter().position(|byte| *byte == 0).expect("a version");
        // Number of the session, half of the salt, a NUL; then the capabilities.
        let flags = &mut self.payload[end_of_version + 1 + 4 + 8 + 1 + 1];
        *flags = if offered { *flags | TLS } else { *flags & !TLS };
    }
}
