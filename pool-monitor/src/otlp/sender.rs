//! One signal's way to its collector: attempts until it is taken or the time is over.
//!
//! This runs in a task of our own thread; nobody's statement waits for it.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use parking_lot::Mutex;
use pool_core::Problem;
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::error::ExportError;
#[cfg(feature = "otlp-grpc")]
use super::grpc::GrpcTransport;
use super::health::Health;
use super::http::HttpTransport;
use super::options::Protocol;
use super::settings::{Signal, Target};

/// The first pause between two attempts; each is twice the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// However long a collector wants to be left alone.
const LONGEST_REST: Duration = Duration::from_mins(5);

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: ExportError,
    pub(super) retry: Retry,
}

/// Whether another attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    Soon,
    /// Not before this has passed, says the collector.
    After(Duration),
}

/// Why a request did not arrive, and what that means for the next one.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ExportError,
    pub(super) next: Next,
}

/// What another request may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It may be taken: it was this one that the collector refused.
    MayPass,
    /// It would fail as slowly: nobody took this one in all its time.
    Fails,
    /// It would fail, until the collector has [rested](Sender::rested).
    Rests,
}

enum Transport {
    Http(HttpTransport),
    #[cfg(feature = "otlp-grpc")]
    Grpc(GrpcTransport),
}

/// Sends what is encoded.
pub(super) struct Sender {
    signal: Signal,
    peer: String,
    timeout: Duration,
    transport: Transport,
    health: Arc<Health>,
    /// Until when the collector wants to be left alone.
    rests_until: Mutex<Option<Instant>>,
    /// Why the last attempt failed, if it did.
    refused: Mutex<Option<ExportError>>,
}

impl Sender {
    /// For gRPC, to be called within a runtime: its connection is a task of it.
    pub(super) fn new(
        signal: Signal,
        target: Target,
        health: Arc<Health>,
    ) -> Result<Self, Problem> {
        let (peer, timeout) = (target.endpoint.peer(), target.timeout);
        let transport = match target.protocol {
            Protocol::HttpProtobuf => Transport::Http(HttpTransport::new(target)?),
            #[cfg(feature = "otlp-grpc")]
            Protocol::Grpc => Transport::Grpc(GrpcTransport::new(signal, &target)?),
        };
        let (rests_until, refused) = (Mutex::default(), Mutex::default());
        Ok(Self { signal, peer, timeout, transport, health, rests_until, refused })
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Why the last attempt failed, if it did.
    pub(super) fn refused(&self) -> Option<ExportError> {
        self.refused.lock().clone()
    }

    /// Delivers an encoded request, and tells how that went.
    pub(super) async fn deliver(&self, request: Bytes) -> Result<(), Failure> {
        // Whatever comes of this says anew when to come back.
        *self.rests_until.lock() = None;
        let answer = self.attempt(request).await;
        let outcome = answer.and_then(|answer| self.accepted(&answer));
        let error = outcome.as_ref().err().map(|failure| &failure.error);
        self.health.exported(self.signal, &self.peer, error);
        outcome
    }

    /// Notes that there was nothing to deliver, though there should have been.
    pub(super) fn failed(&self, error: ExportError) -> Result<(), ExportError> {
        self.health.exported(self.signal, &self.peer, Some(&error));
        Err(error)
    }

    /// Waits as long as the collector wants to be left alone.
    pub(super) async fn rested(&self) {
        let until = *self.rests_until.lock();
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    async fn attempt(&self, request: Bytes) -> Result<Bytes, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = timeout_at(deadline, self.send(request.clone())).await;
            *self.refused.lock() = match &attempt {
                Ok(Err(refusal)) => Some(refusal.error.clone()),
                Ok(Ok(_)) | Err(_) => None,
            };
            let Refusal { error, retry } = match attempt {
                Err(_late) => {
                    let error = ExportError::TimedOut(self.timeout);
                    return Err(Failure { error, next: Next::Fails });
                }
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(refusal)) => refusal,
            };
            // Half of it at random, so that the processes of a service do not come all at once.
            let own = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let (wait, next) = match retry {
                Retry::Never => return Err(Failure { error, next: Next::MayPass }),
                Retry::Soon => (own, Next::Fails),
                // It may have said zero, or the same to all.
                Retry::After(rest) => (rest.min(LONGEST_REST) + own, Next::Rests),
            };
            let again = Instant::now() + wait;
            if again >= deadline {
                *self.rests_until.lock() = (next == Next::Rests).then_some(again);
                return Err(Failure { error, next });
            }
            sleep_until(again).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn send(&self, request: Bytes) -> Result<Bytes, Refusal> {
        match &self.transport {
            Transport::Http(http) => http.send(request).await,
            #[cfg(feature = "otlp-grpc")]
            Transport::Grpc(grpc) => grpc.send(request).await,
        }
    }

    /// An answer that is not understood comes with a success all the same.
    fn accepted(&self, answer: &Bytes) -> Result<(), Failure> {
        let answer = answer.clone();
        let rejected = match self.signal {
            Signal::Traces => ExportTraceServiceResponse::decode(answer)
                .ok()
                .and_then(|answer| Some(answer.partial_success?.rejected_spans)),
            Signal::Metrics => ExportMetricsServiceResponse::decode(answer)
                .ok()
                .and_then(|answer| Some(answer.partial_success?.rejected_data_points)),
        };
        match rejected.and_then(|rejected| u64::try_from(rejected).ok()) {
            None | Some(0) => Ok(()),
            Some(rejected) => {
                let error = ExportError::PartlyRejected { rejected };
                Err(Failure { error, next: Next::MayPass })
            }
        }
    }
}
