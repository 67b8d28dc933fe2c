//! Connections of scrapers: how many, for how long, and how they end.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::answer::Desk;

/// Connections at once; one more is told to come later.
const CONNECTIONS: usize = 64;
/// How long a client may take for its headers.
const HEADERS: Duration = Duration::from_secs(5);
/// How much they may be.
const HEADER_BYTES: usize = 8 * 1024;
/// How long a connection may take altogether: who does not read its answer does not keep its place.
const CONNECTION: Duration = Duration::from_secs(15);
/// How long answers are waited for that are under way at the end.
pub(super) const LAST_ANSWERS: Duration = Duration::from_millis(250);

/// Serves all connections.
pub(super) struct Server {
    desk: Desk,
    places: Arc<Semaphore>,
    /// Whether it is over.
    end: watch::Sender<bool>,
}

impl Server {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, places: Arc::new(Semaphore::new(CONNECTIONS)), end: watch::Sender::new(false) }
    }

    /// Takes connections until it is ended.
    pub(super) async fn run(self: Arc<Self>, listener: std::net::TcpListener) {
        // Within the runtime, as this needs its reactor.
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(target: "pool_monitor", %error, "nothing listens for scrapers");
                return;
            }
        };
        let mut end = self.end.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ended = end.wait_for(|is_over| *is_over) => return,
            };
            match accepted {
                Ok((stream, _)) => self.take(stream),
                // Most likely too many files are open; it would be tried again at once, and in vain.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Takes no more connections, and waits until those that are there have ended.
    pub(super) async fn end(&self) {
        self.end.send_replace(true);
        let all = u32::try_from(CONNECTIONS).expect("bug: they are few");
        // It is never closed.
        let _all = self.places.acquire_many(all).await;
    }

    fn take(self: &Arc<Self>, stream: TcpStream) {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => drop(tokio::spawn(Arc::clone(self).serve(stream, place))),
            Err(_) => {
                const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
                    Connection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
                // A fresh connection has room for it.
                let _told = stream.try_write(BUSY);
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.desk.answer(&request))));
        let mut builder = http1::Builder::new();
        // One request a connection: who keeps one open between scrapes would keep a place.
        builder.keep_alive(false).max_buf_size(HEADER_BYTES);
        builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let served = timeout(CONNECTION, async {
            let mut connection = pin!(connection);
            let mut end = self.end.subscribe();
            tokio::select! {
                // Whatever the client did wrong, it has been told, or has gone.
                _served = &mut connection => return,
                _ended = end.wait_for(|is_over| *is_over) => {}
            }
            connection.as_mut().graceful_shutdown();
            let _served = connection.await;
        });
        let _in_time = served.await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("free", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}
