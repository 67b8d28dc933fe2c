//! An endpoint that Prometheus scrapes.
//!
//! It is made for the network that it may be put on by mistake: it listens on loopback unless told
//! otherwise, it bounds what a client may send, for how long and how many of them, and it never asks a
//! database anything. It has no TLS: where that is needed, something stands before it that has.

mod answer;
mod exposition;
mod metrics;
mod options;
mod tally;

use std::net::SocketAddr;

use pool_endpoint::{Endpoint, EndpointOptions};

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
    endpoint: Endpoint,
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
        let PrometheusOptions { address, token, hosts } = options.clone();
        let options = EndpointOptions { name: "pool-prometheus", address, token, hosts };
        let endpoint = Endpoint::start(options, move |asked| answer::answer(asked, &collect))?;
        Ok(Self { endpoint })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }
}
