//! OTLP by gRPC.

use std::error::Error;
use std::time::Duration;

use pool_core::Problem;
use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

use super::error::ExportError;
use super::sender::{Refusal, Retry};
use super::settings::{Signal, Target, TlsFiles};
use super::tls;

/// An answer is a few numbers and a sentence.
const LONGEST_ANSWER: usize = 64 * 1024;
/// A collector that is gone without a word is noticed after twice this.
const KEEPALIVE: Duration = Duration::from_secs(10);

pub(super) struct GrpcTransport {
    channel: Channel,
    metadata: MetadataMap,
    path: PathAndQuery,
}

impl GrpcTransport {
    /// To be called within the runtime that will drive the connection.
    pub(super) fn new(signal: Signal, target: &Target) -> Result<Self, Problem> {
        // Its path and parameters mean nothing here.
        let origin = target.endpoint.url.origin().ascii_serialization();
        let mut endpoint = Endpoint::from_shared(origin)
            .and_then(|endpoint| {
                endpoint.user_agent(concat!("pool-monitor/", env!("CARGO_PKG_VERSION")))
            })
            .expect("bug: the origin of a URL is none")
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE);
        if target.endpoint.is_encrypted() {
            // For its problems with the files: the other library says less about them.
            tls::config(target)?;
            let tls = tls_config(&target.files)?;
            endpoint = endpoint.tls_config(tls).map_err(|error| no_tls(target, &error))?;
        }
        let path = match signal {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        };
        Ok(Self {
            channel: endpoint.connect_lazy(),
            metadata: MetadataMap::from_headers(target.headers.clone()),
            path: PathAndQuery::from_static(path),
        })
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let mut client = Grpc::new(self.channel.clone()).max_decoding_message_size(LONGEST_ANSWER);
        client.ready().await.map_err(|error| Refusal {
            error: ExportError::connection(&error),
            retry: Retry::Soon,
        })?;
        let mut request = Request::new(body);
        *request.metadata_mut() = self.metadata.clone();
        let answer = client.unary(request, self.path.clone(), Encoded).await;
        answer.map(tonic::Response::into_inner).map_err(|status| refusal(&status))
    }
}

fn tls_config(files: &TlsFiles) -> Result<ClientTlsConfig, Problem> {
    // To the other library's own reading of them, a system that trusts nobody is an error. By HTTP it is
    // none: each connection fails, and says why.
    let mut tls = ClientTlsConfig::new().trust_anchors(tls::trusted(files)?.roots);
    if let (Some(certificate), Some(key)) = (&files.certificate, &files.key) {
        let certificate = tls::text(certificate, "a PEM file with certificates")?;
        let key = tls::text(key, "a PEM file with a private key")?;
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    Ok(tls)
}

/// Of a host that no certificate can name, or of files that have changed since they were read.
fn no_tls(target: &Target, error: &(dyn Error + 'static)) -> Problem {
    let why = ExportError::connection(error).to_string();
    Problem::invalid("endpoint", target.endpoint.peer(), why, "a host that a certificate can name")
}

fn refusal(status: &Status) -> Refusal {
    match status.source() {
        // Of our own side: nobody answered.
        Some(source) => Refusal { error: ExportError::connection(source), retry: Retry::Soon },
        None => Refusal {
            error: ExportError::Grpc(name(status.code())),
            retry: retry(status.code(), status.details()),
        },
    }
}

/// By the protocol's list of statuses that may pass.
fn retry(code: Code, details: &[u8]) -> Retry {
    let after = RpcStatus::decode(details).ok().and_then(|status| status.retry_delay());
    match code {
        Code::ResourceExhausted => after.map_or(Retry::Never, Retry::After),
        Code::Aborted
        | Code::Cancelled
        | Code::DataLoss
        | Code::DeadlineExceeded
        | Code::OutOfRange
        | Code::Unavailable => after.map_or(Retry::Soon, Retry::After),
        _ => Retry::Never,
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// `google.rpc.Status`, as far as it tells when to come again.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<RpcDetail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcDetail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<RpcDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct RpcDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl RpcStatus {
    fn retry_delay(&self) -> Option<Duration> {
        let is_retry = |detail: &&RpcDetail| detail.type_url.ends_with("/google.rpc.RetryInfo");
        let detail = self.details.iter().find(is_retry)?;
        let delay = RetryInfo::decode(detail.value.as_slice()).ok()?.delay?;
        let seconds = Duration::from_secs(u64::try_from(delay.seconds).ok()?);
        seconds.checked_add(Duration::from_nanos(u64::try_from(delay.nanos).ok()?))
    }
}

/// Messages are encoded before and decoded after.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_when_the_collector_says() {
        let delay = RpcDuration { seconds: 7, nanos: 500_000_000 };
        let details = RpcStatus {
            details: vec![RpcDetail {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: RetryInfo { delay: Some(delay) }.encode_to_vec(),
            }],
        };
        let details = details.encode_to_vec();
        let after = Retry::After(Duration::from_millis(7500));
        assert_eq!(retry(Code::Unavailable, &details), after);
        assert_eq!(retry(Code::ResourceExhausted, &details), after);
        assert_eq!(retry(Code::Unavailable, b"no such message"), Retry::Soon);
        // Without a time to come again, it is a limit that will not pass.
        assert_eq!(retry(Code::ResourceExhausted, b""), Retry::Never);
        assert_eq!(retry(Code::InvalidArgument, &details), Retry::Never);
    }
}
