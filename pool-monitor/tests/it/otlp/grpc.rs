//! What is sent by gRPC, and what becomes of refusals: against a server that only refuses.

use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parking_lot::Mutex;
use pool_core::Secret;
use pool_monitor::otlp::{ExportError, OtlpOptions, Protocol, Telemetry};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{AGES, end_spans, options};

struct Call {
    path: String,
    headers: HeaderMap,
    message: Bytes,
}

/// Answers the calls with these statuses, one after the other; its URL, and the calls.
fn refusing(statuses: &'static [&'static str]) -> (String, Receiver<Call>) {
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, calls) = channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(serve(listener, statuses, sender));
    });
    (url, calls)
}

/// One connection is enough.
async fn serve(listener: StdListener, statuses: &'static [&'static str], calls: Sender<Call>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    let (connection, _) = listener.accept().await.expect("a client");
    let statuses = Mutex::new(statuses.iter());
    let answer = |request: Request<Incoming>| {
        let status = *statuses.lock().next().expect("no more calls");
        let calls = calls.clone();
        async move {
            let (head, body) = request.into_parts();
            // A byte for compression and four for the length come before the message.
            let message = body.collect().await.expect("a body").to_bytes().slice(5..);
            let path = head.uri.path().to_owned();
            let _sent = calls.send(Call { path, headers: head.headers, message });
            let response = Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", status)
                .header("grpc-message", "bad key canary-7f3d");
            Ok::<_, Infallible>(response.body(Empty::<Bytes>::new()).expect("a response"))
        }
    };
    let served = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(connection), service_fn(answer));
    let _gone = served.await;
}

#[test]
fn a_call_has_its_headers_and_is_repeated_only_if_that_may_help() {
    let (url, calls) = refusing(&["14", "16"]);
    let options = OtlpOptions {
        protocol: Some(Protocol::Grpc),
        headers: vec![("Api-Key".to_owned(), Secret::new("canary-7f3d"))],
        ..options(&url.replace("//", "//me:hunter2@"))
    };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 3);
    let delivery = telemetry.shutdown(AGES);
    assert_eq!(delivery.error, Some(ExportError::Grpc("UNAUTHENTICATED")));
    assert_eq!(delivery.spans_undelivered, 3);
    let calls: Vec<_> = calls.try_iter().collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        assert_eq!(call.headers["api-key"], "canary-7f3d");
        assert_eq!(call.headers["authorization"], "Basic bWU6aHVudGVyMg==");
        let agent = call.headers["user-agent"].to_str().expect("text");
        assert!(agent.starts_with("pool-monitor/"), "{agent}");
        let sent = ExportTraceServiceRequest::decode(call.message).expect("protobuf");
        assert_eq!(sent.resource_spans[0].scope_spans[0].spans.len(), 3);
    }
}
