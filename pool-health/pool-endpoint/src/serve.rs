//! Connections of clients: how many, for how long, and how they end.

use std::convert::Infallible;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::ACCEPT;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::access::Access;
use crate::thread::{Ended, last_answers};
use crate::{Answer, Asked, plain};

/// Connections at once; one more is told to come later.
const CONNECTIONS: usize = 64;
/// How long a client may take for its headers.
const HEADERS: Duration = Duration::from_secs(5);
/// How much they may be.
const HEADER_BYTES: usize = 8 * 1024;
/// How long a connection may take altogether: who does not read its answer does not keep its place.
const CONNECTION: Duration = Duration::from_secs(15);
/// What answers.
pub(crate) type Handler = Box<dyn Fn(Asked<'_>) -> Answer + Send + Sync>;

/// Serves all connections.
pub(crate) struct Server {
    access: Access,
    handler: Handler,
    places: Arc<Semaphore>,
    /// Whether it is over.
    end: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn new(access: Access, handler: Handler) -> Self {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        Self { access, handler, places, end: watch::Sender::new(false) }
    }

    /// Takes connections until it has `ended`, and then waits for those that are there.
    pub(crate) async fn run(self, listener: std::net::TcpListener, mut ended: Ended) {
        // Within the runtime, as this needs its reactor.
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(target: "pool_endpoint", %error, "nothing listens for clients");
                return;
            }
        };
        let server = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ended = &mut ended => break,
            };
            match accepted {
                Ok((stream, _)) => server.take(stream),
                // Most likely too many files are open; it would be tried again at once, and in vain.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        drop(listener);
        server.end.send_replace(true);
        let all = u32::try_from(CONNECTIONS).expect("bug: they are few");
        last_answers(server.places.acquire_many(all)).await;
    }

    /// What a request is answered.
    fn answer<B>(&self, request: &Request<B>) -> Answer {
        let headers = request.headers();
        if !self.access.is_asked_for(headers) {
            return plain(StatusCode::FORBIDDEN, "not asked for by a name that is allowed");
        }
        let asked = Asked {
            method: request.method(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            accept: headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default(),
            credential: self.access.credential(headers),
        };
        // A panic would end one connection without a word; its message was told by the hook.
        catch_unwind(AssertUnwindSafe(|| (self.handler)(asked)))
            .unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "answering panicked"))
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
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.answer(&request))));
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

#[cfg(test)]
mod tests {
    use pool_core::Secret;

    use super::*;

    #[test]
    fn what_panics_while_it_answers_is_answered_for() {
        let access = Access { token: None::<Secret>, hosts: Vec::new() };
        let server = Server::new(access, Box::new(|_| panic!("no answer")));
        let request = Request::builder().header("Host", "localhost").body(()).expect("a request");
        assert_eq!(server.answer(&request).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
