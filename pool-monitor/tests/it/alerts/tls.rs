//! A receiver by HTTPS whose authority nobody knows.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rcgen::CertifiedKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use tempfile::TempDir;

/// Answers every request with 200, by TLS.
pub(super) struct TlsSink {
    pub(super) address: SocketAddr,
    folder: TempDir,
}

impl TlsSink {
    pub(super) fn start() -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("cert.pem"), cert.pem()).expect("written");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .map(Arc::new)
            .expect("a key");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                // Who does not trust it hangs up.
                let _gone = serve(socket, Arc::clone(&config));
            }
        });
        Self { address, folder }
    }

    /// What has to be trusted.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

fn serve(mut socket: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut connection = ServerConnection::new(config).expect("a connection");
    let mut stream = Stream::new(&mut connection, &mut socket);
    let mut request = Vec::new();
    // The body is JSON, which ends in a brace.
    while !request.ends_with(b"}") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes)?;
        request.extend_from_slice(&bytes[..count]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    stream.flush()
}
