//! Probes over gRPC: `grpc.health.v1`, asked by orchestrators and by load balancers of clients.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pool_endpoint::{ClientServer, Kept, Place};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tonic::codegen::Service as _;
use tonic::{Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::probes::Probes;
use crate::serve::ServeError;

/// How long a client may take for its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// How long a request may take from its headers until its answer begins: as long as its message takes.
const REQUEST: Duration = Duration::from_secs(5);
/// Requests of one client at once.
const STREAMS: u32 = 16;
/// How much the headers of a request may be.
const HEADER_BYTES: u32 = 8 * 1024;
/// How long a service's name may be, with what is around it.
const MESSAGE_BYTES: usize = 1024;
/// What a client may send before it is read; HTTP/2 knows no less for a connection.
const STREAM_WINDOW: u32 = 4 * 1024;
const CONNECTION_WINDOW: u32 = 65_535;
/// How often a client is asked whether it is still there, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// Watches at once. They keep their clients' places, so that these are fewer than places: the others are
/// for those who ask once.
const WATCHES: usize = 32;
/// How often a watch looks.
const LOOK: Duration = Duration::from_secs(1);

/// How a [`GrpcEndpoint`] is wanted.
///
/// ```
/// let options = pool_health::GrpcOptions::default();
/// assert_eq!(options.address.to_string(), "127.0.0.1:9189");
/// ```
#[derive(Clone, Debug)]
pub struct GrpcOptions {
    /// Where it listens. By default 127.0.0.1:9189, which only this machine reaches; port 0 is one that
    /// is free.
    pub address: SocketAddr,
}

impl Default for GrpcOptions {
    fn default() -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, 9_189).into() }
    }
}

/// Answers the health protocol of gRPC, `Check` and `Watch`.
///
/// Services are the program itself, whose name is empty and which serves while it is ready; `live`,
/// `started`; and each pool by its name, unless that is one of these, which serves while it is healthy or
/// degraded. Everybody is told that, and nothing else: who knows a pool's name is told whether it serves,
/// and not why not.
///
/// It answers in a thread of its own, whatever the program's runtime does, by what is known already: no
/// database is asked. A watch looks once a second, and there are at most 32. Other connections give way
/// to newer ones when there are 64, the oldest first; a gRPC client whose connection was idle connects
/// again. It has no TLS. Dropped, it takes no more connections, and waits at most a quarter of a second
/// for answers that are under way.
///
/// ```
/// use pool_health::{GrpcEndpoint, GrpcOptions, Probes};
///
/// let options = GrpcOptions { address: "127.0.0.1:0".parse()? };
/// let endpoint = GrpcEndpoint::start(&options, &Probes::new())?;
/// println!("grpc_health_probe -addr={}", endpoint.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GrpcEndpoint {
    server: ClientServer,
}

impl GrpcEndpoint {
    /// Listens, and answers from now on.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or the system has no thread left.
    pub fn start(options: &GrpcOptions, probes: &Probes) -> Result<Self, ServeError> {
        let probes = probes.clone();
        let watches = Arc::new(Semaphore::new(WATCHES));
        let serve_client = move |stream, place: Place| {
            let client = place.clone();
            serve(
                stream,
                place,
                Answers { probes: probes.clone(), watches: watches.clone(), client },
            )
        };
        // Whoever is refused has said nothing yet that could be answered.
        let server = ClientServer::start("pool-health-grpc", options.address, b"", serve_client)?;
        Ok(Self { server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

/// Serves one client.
async fn serve(stream: TcpStream, place: Place, answers: Answers) {
    let server = HealthServer::new(answers).max_decoding_message_size(MESSAGE_BYTES);
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let answered = timeout(REQUEST, server.clone().call(request));
        async {
            let late = |_| Ok(Status::deadline_exceeded("the request took too long").into_http());
            answered.await.unwrap_or_else(late)
        }
    });
    let mut connection = pin!(builder().serve_connection(TokioIo::new(stream), service));
    let is_silent = async {
        sleep(FIRST_REQUEST).await;
        if has_asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        // Whatever the client did wrong, it has been told, or has gone.
        _served = &mut connection => return,
        () = is_silent => return,
        () = place.over() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _served = connection.await;
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}

/// What one client is answered.
struct Answers {
    probes: Probes,
    watches: Arc<Semaphore>,
    client: Place,
}

#[tonic::async_trait]
impl Health for Answers {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match status(&self.probes, &request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no such service")),
            status => Ok(Response::new(HealthCheckResponse { status: status.into() })),
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Ok(permit) = Arc::clone(&self.watches).try_acquire_owned() else {
            return Err(Status::resource_exhausted("there are too many watches, check instead"));
        };
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watch = Watch {
            probes: self.probes.clone(),
            service: request.into_inner().service,
            told: None,
            looks,
            client: self.client.clone(),
            _kept: self.client.keep(),
            _permit: permit,
        };
        let changes = stream::unfold(watch, Watch::change);
        Ok(Response::new(changes.map(Ok).boxed()))
    }
}

/// How a service is: the one asked for by that name.
fn status(probes: &Probes, service: &str) -> ServingStatus {
    let serves = match service {
        "" => probes.ready().is_ready,
        "live" => probes.live(),
        "started" => probes.started(),
        pool => {
            let health = probes.health();
            let mut named = health.iter().filter(|health| *health.pool == *pool).peekable();
            if named.peek().is_none() {
                return ServingStatus::ServiceUnknown;
            }
            named.all(|health| health.state.serves())
        }
    };
    if serves { ServingStatus::Serving } else { ServingStatus::NotServing }
}

/// A client that is told of changes, and keeps its place for them.
struct Watch {
    probes: Probes,
    service: String,
    told: Option<ServingStatus>,
    looks: Interval,
    client: Place,
    _kept: Kept,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// What is told next; nothing when the server ends.
    async fn change(mut self) -> Option<(HealthCheckResponse, Self)> {
        loop {
            tokio::select! {
                _looks = self.looks.tick() => {}
                () = self.client.over() => return None,
            }
            let status = status(&self.probes, &self.service);
            if self.told.replace(status) != Some(status) {
                return Some((HealthCheckResponse { status: status.into() }, self));
            }
        }
    }
}
