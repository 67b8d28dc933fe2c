//! Stopping the statement that a connection runs.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use crate::dial::{Dialled, Endpoint, Socket, dial};
use crate::error::{ConnectFailure, PostgresError};
use crate::tls::TlsClient;

/// How to stop what one connection runs: by a second connection to the same server, as encrypted as
/// the first.
#[derive(Clone)]
pub(crate) struct Canceller {
    pub(crate) token: CancelToken,
    pub(crate) endpoint: Endpoint,
    pub(crate) keepalives: bool,
    pub(crate) tls: TlsClient,
}

impl Canceller {
    /// Reaches the server, and asks for nothing yet. Dropping the future is no request.
    pub(crate) async fn dial(&self) -> Result<Socket, PostgresError> {
        dial(&self.endpoint, self.keepalives, &self.tls).await.map_err(|source| self.failed(source))
    }

    /// Asks the server to stop the statement, and waits until it has passed that on: what is sent on
    /// the connection afterwards is safe from this cancel. If the future is dropped, nothing is.
    pub(crate) async fn request(&self, mut socket: Socket) -> Result<(), PostgresError> {
        let request = self.token.cancel_query_raw(Lent(&mut socket), Dialled).await;
        request.map_err(|error| self.failed(ConnectFailure::Server(error)))?;
        // The server says nothing; it hangs up once the signal is sent. A reset is a hang-up, too.
        let mut nothing = [0];
        let _ = socket.read(&mut nothing).await;
        Ok(())
    }

    fn failed(&self, source: ConnectFailure) -> PostgresError {
        PostgresError::Connect { server: self.endpoint.host.to_string(), source }
    }
}

/// A socket that is wanted back.
struct Lent<'a>(&'a mut Socket);

impl AsyncRead for Lent<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lent<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

impl TlsStream for Lent<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
