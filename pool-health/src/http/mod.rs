//! Probes over HTTP: what an orchestrator asks, and what people who look for a cause are told.

mod details;

use std::net::{Ipv4Addr, SocketAddr};

use pool_core::Secret;
use pool_endpoint::hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use pool_endpoint::hyper::{Method, Response, StatusCode};
use pool_endpoint::{
    Answer, Asked, Credential, Endpoint, EndpointOptions, Full, is_usable_token, plain, with,
};
use serde_json::{Value, json};

use crate::probes::Probes;
use crate::serve::ServeError;

/// How a [`HealthEndpoint`] is wanted.
///
/// ```
/// use pool_health::HttpOptions;
///
/// // In a container: the kubelet asks from outside of it.
/// let options = HttpOptions { address: ([0, 0, 0, 0], 9188).into(), ..HttpOptions::default() };
/// assert!(options.token.is_none()); // so that everybody is told a status, and nobody a detail
/// ```
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Where it listens. By default 127.0.0.1:9188, which only this machine reaches; port 0 is one that
    /// is free.
    pub address: SocketAddr,
    /// What is shown for details, as `Authorization: Bearer ...`. Without it, which is the default, there
    /// are none for anybody.
    pub token: Option<Secret>,
    /// The names by which it may be asked for, beside `localhost` and every IP address. Another name is
    /// refused, as it may be that of a web site which had a browser come here.
    pub hosts: Vec<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        let address = (Ipv4Addr::LOCALHOST, 9_188).into();
        Self { address, token: None, hosts: Vec::new() }
    }
}

/// Answers `/livez`, `/readyz` and `/startupz`: 200 if it is so, 503 if not.
///
/// Everybody is told that, and nothing else: `{"status":"pass"}` or `{"status":"fail"}`; who shows a wrong
/// token, also that it is wrong. Who shows the right one is told of each pool and each of its checks, as
/// `application/health+json`; the status is `warn` there where the program is ready and a pool is not
/// healthy.
///
/// It answers in a thread of its own, whatever the program's runtime does, by what is known already: no
/// database is asked. It answers who asks also while clients that send nothing take all 64 places.
/// Dropped, it takes no more connections, and waits at most a quarter of a second for answers that are
/// under way.
///
/// ```
/// use pool_health::{HealthEndpoint, HttpOptions, Probes};
///
/// let options = HttpOptions { address: "127.0.0.1:0".parse()?, ..HttpOptions::default() };
/// let endpoint = HealthEndpoint::start(&options, &Probes::new())?;
/// println!("ask http://{}/readyz", endpoint.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HealthEndpoint {
    endpoint: Endpoint,
}

impl HealthEndpoint {
    /// Listens, and answers from now on.
    ///
    /// # Errors
    ///
    /// The token is of no use, the address cannot be listened on, or the system has no thread left.
    pub fn start(options: &HttpOptions, probes: &Probes) -> Result<Self, ServeError> {
        let HttpOptions { address, token, hosts } = options.clone();
        if token.as_ref().is_some_and(|token| !is_usable_token(token)) {
            return Err(ServeError::BadToken);
        }
        let options = EndpointOptions { name: "pool-health-http", address, token, hosts };
        let probes = probes.clone();
        let endpoint = Endpoint::start(options, move |asked| answer(asked, &probes))?;
        Ok(Self { endpoint })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }
}

fn answer(asked: Asked<'_>, probes: &Probes) -> Answer {
    let ask: fn(&Probes) -> bool = match asked.path {
        "/livez" => Probes::live,
        "/readyz" => |probes| probes.ready().is_ready,
        "/startupz" => Probes::started,
        _ => return plain(StatusCode::NOT_FOUND, "the probes are /livez, /readyz and /startupz"),
    };
    if !matches!(*asked.method, Method::GET | Method::HEAD) {
        let answer = plain(StatusCode::METHOD_NOT_ALLOWED, "GET is allowed");
        return with(answer, ALLOW, "GET, HEAD");
    }
    let passes = ask(probes);
    let status = if passes { "pass" } else { "fail" };
    match asked.credential {
        // Whether it lives has nothing to do with its pools.
        _ if asked.path == "/livez" => health_json(passes, &json!({ "status": status })),
        Credential::Shown => health_json(passes, &details::of(passes, probes)),
        // Not refused: whoever probes may send what it sends to the program itself, and would take a
        // refusal for the program's state. A person learns that the token is wrong.
        Credential::Wrong => {
            let told = json!({ "status": status, "notes": ["the token is wrong"] });
            with(health_json(passes, &told), WWW_AUTHENTICATE, "Bearer")
        }
        _ => health_json(passes, &json!({ "status": status })),
    }
}

fn health_json(passes: bool, told: &Value) -> Answer {
    let mut answer = Response::new(Full::from(format!("{told}\n")));
    if !passes {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let answer = with(answer, CONTENT_TYPE, "application/health+json");
    with(answer, CACHE_CONTROL, "no-store")
}
