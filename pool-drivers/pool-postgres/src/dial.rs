//! Reaching one server: an address, a socket, and TLS as the options demand it.
//!
//! tokio-postgres could do this, but knows three modes of TLS where five are documented, and would
//! keep the stream to itself.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_postgres::tls::{self, ChannelBinding, TlsConnect};

use crate::error::ConnectFailure;
use crate::options::{At, Host, TlsMode};
use crate::tls::TlsClient;

/// One address of a server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) host: Host,
    pub(crate) address: Address,
}

#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no sockets in files"))]
    Unix(PathBuf),
}

/// The addresses of a host, in the order in which its name resolves to them.
pub(crate) async fn endpoints(host: &Host) -> Result<Vec<Endpoint>, ConnectFailure> {
    let endpoint = |address| Endpoint { host: host.clone(), address };
    let addresses = match (&host.at, host.address) {
        (At::Unix(directory), _) => {
            let path = directory.join(format!(".s.PGSQL.{}", host.port));
            return Ok(vec![endpoint(Address::Unix(path))]);
        }
        (At::Tcp(_), Some(address)) => vec![SocketAddr::new(address, host.port)],
        (At::Tcp(name), None) => lookup_host((name.as_str(), host.port))
            .await
            .map_err(ConnectFailure::Resolve)?
            .collect(),
    };
    if addresses.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        return Err(ConnectFailure::Resolve(error));
    }
    Ok(addresses.into_iter().map(|address| endpoint(Address::Tcp(address))).collect())
}

/// Connects and, if demanded, encrypts.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    keepalives: bool,
    tls: &TlsClient,
) -> Result<Socket, ConnectFailure> {
    let mut socket = match &endpoint.address {
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(ConnectFailure::Network)?;
            return Ok(Socket::Unix(stream));
        }
        #[cfg(not(unix))]
        Address::Unix(_) => {
            let error = io::Error::new(io::ErrorKind::Unsupported, "no sockets in files here");
            return Err(ConnectFailure::Network(error));
        }
        Address::Tcp(address) => {
            connect_tcp(*address, keepalives).await.map_err(ConnectFailure::Network)?
        }
    };
    let mode = tls.mode(&endpoint.host);
    if mode == TlsMode::Disable {
        return Ok(Socket::Tcp(socket));
    }
    if !offers_tls(&mut socket).await.map_err(ConnectFailure::Network)? {
        return if mode == TlsMode::Prefer {
            Ok(Socket::Tcp(socket))
        } else {
            Err(ConnectFailure::TlsNotOffered)
        };
    }
    tls.handshake(&endpoint.host, socket).await.map(|stream| Socket::Tls(Box::new(stream)))
}

async fn connect_tcp(address: SocketAddr, keepalives: bool) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_keepalive(keepalives)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Asks for TLS. The answer is one byte, read alone: whatever came with it in the clear would
/// otherwise pass for the first of the encrypted ones (CVE-2021-23222).
async fn offers_tls(socket: &mut TcpStream) -> io::Result<bool> {
    /// `SSLRequest`: its length, and 1234 and 5679 in place of a protocol version.
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    socket.write_all(&SSL_REQUEST).await?;
    match socket.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "what listens there does not answer as a PostgreSQL server does",
        )),
    }
}

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(crate) fn channel_binding(&self) -> ChannelBinding {
        let Self::Tls(stream) = self else { return ChannelBinding::none() };
        let (_, session) = stream.get_ref();
        session
            .peer_certificates()
            .and_then(|chain| crate::certificate::end_point(chain.first()?))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// Does `$call` on whichever stream it is.
macro_rules! on_stream {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket.get_mut() {
            Socket::Tcp($stream) => $call,
            Socket::Tls(stream) => {
                let $stream = &mut **stream;
                $call
            }
            #[cfg(unix)]
            Socket::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// Tells tokio-postgres that its stream is encrypted as far as it is to be: it asks for nothing, and
/// takes the channel binding from the stream.
#[derive(Debug)]
pub(crate) struct Dialled;

impl<S: tls::TlsStream + Unpin> TlsConnect<S> for Dialled {
    type Stream = S;
    type Error = io::Error;
    type Future = Ready<io::Result<S>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(stream))
    }
}
