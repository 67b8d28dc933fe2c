//! A small HTTP server for what a program tells about itself: its metrics, its health.
//!
//! It is made for the network that it may be put on by mistake: it bounds what a client may send, for how
//! long and how many of them, has those who send nothing give way to those who do, and answers only who
//! asks for it by a name that is allowed. It has no TLS: where that is needed, something stands before it
//! that has.
#![forbid(unsafe_code)]

mod access;
mod clients;
mod serve;
mod thread;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub use http_body_util::Full;
pub use hyper;

use self::access::Access;
pub use self::access::{Credential, is_usable_token};
pub use self::clients::{ClientServer, Kept, Place};
use self::serve::{BUSY, Server};
pub use self::thread::{Ended, ServerThread};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::http::HeaderValue;
use hyper::{Method, Response, StatusCode};
use pool_core::Secret;

/// How an [`Endpoint`] is wanted.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// The name of its thread.
    pub name: &'static str,
    /// Where it listens; port 0 is one that is free.
    pub address: SocketAddr,
    /// What a client must show to be trusted, if there is anything; see [`is_usable_token`].
    pub token: Option<Secret>,
    /// The names by which it may be asked for, beside `localhost` and every IP address. Another name is
    /// refused, as it may be that of a web site which had a browser come here.
    pub hosts: Vec<String>,
}

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The system has no thread left.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// What a client asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// By which method.
    pub method: &'a Method,
    /// For what; it begins with a slash.
    pub path: &'a str,
    /// What comes after the question mark; empty if there is none.
    pub query: &'a str,
    /// What it would understand, as its `Accept` says; empty if it says nothing.
    pub accept: &'a str,
    /// Whether it is trusted.
    pub credential: Credential,
}

/// What it is answered.
pub type Answer = Response<Full<Bytes>>;

/// Answers requests in a thread of its own, whatever runtime the program has.
///
/// Dropped, it takes no more connections, and waits at most a quarter of a second for answers that are
/// under way.
#[derive(Debug)]
pub struct Endpoint {
    server: ClientServer,
}

impl Endpoint {
    /// Listens, and answers from now on. `answer` must be quick, as clients wait for each other; one that
    /// panics is answered for.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or the system has no thread left.
    pub fn start(
        options: EndpointOptions,
        answer: impl Fn(Asked<'_>) -> Answer + Send + Sync + 'static,
    ) -> Result<Self, EndpointError> {
        let EndpointOptions { name, address, token, hosts } = options;
        let access = Access { token, hosts };
        let server = Arc::new(Server { access, handler: Box::new(answer) });
        let serve = move |stream, place| Arc::clone(&server).serve(stream, place);
        Ok(Self { server: ClientServer::start(name, address, BUSY, serve)? })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

/// An answer of one line.
#[must_use]
pub fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::from(format!("{text}\n")));
    *answer.status_mut() = status;
    with(answer, CONTENT_TYPE, "text/plain; charset=utf-8")
}

/// The answer with a header.
#[must_use]
pub fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
