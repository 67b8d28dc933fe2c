//! A connection by HTTP: what a client may send, for how long, and what it is answered.

use std::convert::Infallible;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::header::ACCEPT;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::access::Access;
use crate::clients::Place;
use crate::{Answer, Asked, plain};

/// How long a client may take for its headers.
const HEADERS: Duration = Duration::from_secs(5);
/// How much they may be.
const HEADER_BYTES: usize = 8 * 1024;
/// How long a connection may take altogether: who does not read its answer does not keep its place.
const CONNECTION: Duration = Duration::from_secs(15);
/// What answers.
pub(crate) type Handler = Box<dyn Fn(Asked<'_>) -> Answer + Send + Sync>;

/// What a client is told for whom there is no place.
pub(crate) const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Connection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";

/// Answers requests.
pub(crate) struct Server {
    pub(crate) access: Access,
    pub(crate) handler: Handler,
}

impl Server {
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

    /// Serves one client.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, place: Place) {
        // Who has sent its headers has its place until it has its answer, or no time left.
        let kept = OnceLock::new();
        let service = service_fn(|request| {
            kept.get_or_init(|| place.keep());
            ready(Ok::<_, Infallible>(self.answer(&request)))
        });
        let mut builder = http1::Builder::new();
        // One request a connection: who keeps one open between scrapes would keep a place.
        builder.keep_alive(false).max_buf_size(HEADER_BYTES);
        builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let served = timeout(CONNECTION, async {
            let mut connection = pin!(connection);
            tokio::select! {
                // Whatever the client did wrong, it has been told, or has gone.
                _served = &mut connection => return,
                () = place.over() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _served = connection.await;
        });
        let _in_time = served.await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream as Client;

    use hyper::body::Bytes;
    use pool_core::Secret;

    use super::*;
    use crate::{Endpoint, EndpointOptions, Full};

    #[test]
    fn what_panics_while_it_answers_is_answered_for() {
        let access = Access { token: None::<Secret>, hosts: Vec::new() };
        let server = Server { access, handler: Box::new(|_| panic!("no answer")) };
        let request = Request::builder().header("Host", "localhost").body(()).expect("a request");
        assert_eq!(server.answer(&request).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    fn ask(endpoint: &Endpoint) -> Client {
        let mut client = Client::connect(endpoint.address()).expect("it listens");
        client.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        client
    }

    #[test]
    fn who_is_being_answered_keeps_its_place() {
        // More than the system takes for who does not read it.
        let long = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
        let options = EndpointOptions {
            name: "test",
            address: "127.0.0.1:0".parse().expect("an address"),
            token: None,
            hosts: Vec::new(),
        };
        let length = long.len();
        let answer = move |_: Asked<'_>| Answer::new(Full::from(long.clone()));
        let endpoint = Endpoint::start(options, answer).expect("started");
        let mut answered: Vec<_> = (0..64).map(|_| ask(&endpoint)).collect();
        for client in &mut answered {
            client.read_exact(&mut [0; 64]).expect("an answer begins");
        }
        let mut told = String::new();
        let _reset = ask(&endpoint).read_to_string(&mut told);
        assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("Retry-After: 5"), "{told}");
        let mut rest = Vec::new();
        answered[0].read_to_end(&mut rest).expect("it was not put out");
        assert!(rest.len() > length - 64, "{} of {length}", rest.len());
    }
}
