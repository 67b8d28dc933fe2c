//! Stopping the statement that a connection runs.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::sleep;
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

/// How long after a first cancel the next is sent; doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Canceller {
    /// Waits for `end`, and has the server stop what keeps it from coming. Says whether that was
    /// asked for.
    ///
    /// Once this has returned, what is sent on the connection is safe from its cancels. What ends
    /// before the server is even reached is not cancelled. A cancel that overtakes its statement is
    /// lost, so it is repeated.
    pub(crate) async fn stop_until<T>(
        &self,
        mut end: Pin<&mut impl Future<Output = T>>,
    ) -> Result<(T, bool), PostgresError> {
        let mut pause = FIRST_PAUSE;
        let mut asked = false;
        loop {
            let socket = match select(end.as_mut(), pin!(self.dial())).await {
                Either::Left((end, _)) => return Ok((end, asked)),
                Either::Right((socket, _)) => socket?,
            };
            asked = true;
            match select(end.as_mut(), pin!(self.request(socket))).await {
                Either::Left((end, request)) => return request.await.map(|()| (end, asked)),
                Either::Right((requested, _)) => requested?,
            }
            match select(end.as_mut(), pin!(sleep(pause))).await {
                Either::Left((end, _)) => return Ok((end, asked)),
                Either::Right(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// Reaches the server, and asks for nothing yet. Dropping the future is no request.
    async fn dial(&self) -> Result<Socket, PostgresError> {
        dial(&self.endpoint, self.keepalives, &self.tls).await.map_err(|source| self.failed(source))
    }

    /// Asks the server to stop the statement, and waits until it has passed that on.
    async fn request(&self, mut socket: Socket) -> Result<(), PostgresError> {
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

    /// Left open: PgBouncer drops the request of a client that says it has nothing more to say, and
    /// its release 1.18 may even stop over it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Lent<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
