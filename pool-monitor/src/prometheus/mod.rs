//! An endpoint that Prometheus scrapes.
//!
//! It is made for the network that it may be put on by mistake: it listens on loopback unless told
//! otherwise, it bounds what a client may send, for how long and how many of them, and it never asks a
//! database anything. It has no TLS: where that is needed, something stands before it that has.

mod answer;
mod exposition;
mod metrics;
mod options;
mod serve;
mod tally;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use self::answer::Desk;
use self::serve::Server;
use crate::background::Background;

pub use self::exposition::{Buckets, Family, Label, Labels, Samples};
pub use self::metrics::PrometheusMetrics;
pub use self::options::{PrometheusError, PrometheusOptions};

/// An endpoint that tells metrics at `/metrics`, in Prometheus' text format 0.0.4 or in OpenMetrics
/// 1.0.0, whichever is asked for.
///
/// It answers in a thread of its own, whatever runtime the program has. Dropped, it takes no more
/// connections, and waits at most a quarter of a second for answers that are under way.
///
/// ```
/// use pool_monitor::prometheus::{Family, Labels, PrometheusEndpoint, PrometheusOptions, Samples};
///
/// let address = "127.0.0.1:0".parse()?;
/// let options = PrometheusOptions { address, ..PrometheusOptions::default() };
/// let endpoint = PrometheusEndpoint::start(&options, || {
///     vec![Family {
///         name: "answers_total".to_owned(),
///         help: "Answers".to_owned(),
///         unit: None,
///         samples: Samples::Counter(vec![(Labels::default(), 42.0)]),
///     }]
/// })?;
/// println!("scrape http://{}/metrics", endpoint.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PrometheusEndpoint {
    address: SocketAddr,
    server: Arc<Server>,
    background: Background,
}

impl PrometheusEndpoint {
    /// Listens, and from now on tells each scraper what `collect` returns then. That must be quick, as
    /// scrapers wait for each other.
    ///
    /// # Errors
    ///
    /// The options lack a token where one is needed, the address cannot be listened on, or the system
    /// has no thread left.
    pub fn start(
        options: &PrometheusOptions,
        collect: impl Fn() -> Vec<Family> + Send + Sync + 'static,
    ) -> Result<Self, PrometheusError> {
        options.check()?;
        let address = options.address;
        let listen = |source| PrometheusError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let background = Background::start("pool-prometheus").map_err(PrometheusError::Thread)?;
        let desk = Desk {
            token: options.token.clone(),
            hosts: options.hosts.clone(),
            collect: Box::new(collect),
        };
        let server = Arc::new(Server::new(desk));
        background.spawn(Arc::clone(&server).run(listener));
        Ok(Self { address, server, background })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PrometheusEndpoint {
    fn drop(&mut self) {
        let server = Arc::clone(&self.server);
        // What is under way after that ends with the thread.
        let _all_answered =
            self.background.run(serve::LAST_ANSWERS, async move { server.end().await });
    }
}
