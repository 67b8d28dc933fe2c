//! Exporters, against a sink of HTTP requests and a real collector.

mod collected;
#[cfg(feature = "otlp-grpc")]
mod collector;
mod example;
#[cfg(feature = "otlp-grpc")]
mod grpc;
pub(crate) mod process;
#[cfg(feature = "otlp-grpc")]
mod runtimes;
mod secrets;
pub(crate) mod seen;
#[cfg(feature = "otlp-grpc")]
mod tls;
mod trouble;

use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
#[cfg(feature = "otlp-grpc")]
use pool_monitor::otlp::Protocol;
use pool_monitor::otlp::{Environment, OtlpOptions, Telemetry};
#[cfg(feature = "otlp-grpc")]
use pool_testkit::receivers::{Attribute, Attributes, Collector, Point};
use pool_testkit::receivers::{HttpSink, Request};
use prost::Message as _;

const AGES: Duration = Duration::from_mins(1);

/// Nothing is sent unless it is asked for, or enough has come together.
fn options(url: &str) -> OtlpOptions {
    OtlpOptions {
        endpoint: Some(url.to_owned()),
        service_name: Some("orders".to_owned()),
        metric_interval: Some(10 * AGES),
        span_delay: Some(10 * AGES),
        environment: Environment::Ignore,
        ..Default::default()
    }
}

/// Exporters to a sink.
fn to(sink: &HttpSink) -> Telemetry {
    Telemetry::start(&options(&sink.url(""))).expect("started")
}

/// Ends `count` spans.
fn end_spans(telemetry: &Telemetry, count: usize) {
    let tracer = telemetry.tracer_provider().tracer("test");
    for number in 0..count {
        tracer.start(format!("span {number}")).end();
    }
}

fn spans(request: &Request) -> Vec<Span> {
    assert_eq!(request.path, "/v1/traces");
    let sent = ExportTraceServiceRequest::decode(&*request.body).expect("protobuf");
    let scopes = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

pub(crate) fn metrics(request: &Request) -> Vec<Metric> {
    assert_eq!(request.path, "/v1/metrics");
    let sent = ExportMetricsServiceRequest::decode(&*request.body).expect("protobuf");
    let scopes = sent.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    scopes.flat_map(|scope| scope.metrics).collect()
}

#[cfg(feature = "otlp-grpc")]
const PROTOCOLS: [Protocol; 2] = [Protocol::HttpProtobuf, Protocol::Grpc];

/// Both, with the collector's URL for each.
#[cfg(feature = "otlp-grpc")]
fn protocols(collector: &Collector) -> [(Protocol, String); 2] {
    let [http, grpc] = PROTOCOLS;
    [(http, collector.http_url()), (grpc, collector.grpc_url())]
}

/// Waits until the collector has these spans and this total of the counter `c` of a service.
#[cfg(feature = "otlp-grpc")]
#[track_caller]
fn collector_has(collector: &Collector, service: &str, spans: usize, total: u32) {
    let is_its = |resource: &Attributes| {
        resource.get("service.name") == Some(&Attribute::Text(service.to_owned()))
    };
    let awaited = format!("{spans} spans and the count {total} of {service}");
    let found = collector.wait_for(&awaited, AGES, |seen| {
        let mut points = seen.points_of("c").filter(|point| is_its(&point.resource));
        let last = points.next_back().and_then(Point::number);
        let received = seen.spans.iter().filter(|span| is_its(&span.resource)).count();
        (received == spans && last == Some(f64::from(total))).then_some(())
    });
    found.expect("received");
}
