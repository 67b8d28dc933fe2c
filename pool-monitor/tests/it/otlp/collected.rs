//! What arrives.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::Sampler;
use pool_core::Secret;
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_testkit::receivers::HttpSink;
use prost::Message as _;

use super::{AGES, end_spans, metrics, options, spans, to};

#[test]
fn spans_come_in_batches_with_headers_and_the_resource() {
    let sink = HttpSink::start().expect("started");
    let options = OtlpOptions {
        headers: vec![("Api-Key".to_owned(), Secret::new("k"))],
        resource: vec![KeyValue::new("zone", "a")],
        span_batch: Some(2),
        ..options(&sink.url("/base/"))
    };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 5);
    // Two are enough for a request, so not all of them wait for the flush.
    assert!(telemetry.flush(AGES).is_complete());
    let mut names = Vec::new();
    for request in sink.rest() {
        assert_eq!((&*request.method, &*request.path), ("POST", "/base/v1/traces"));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("api-key"), Some("k"));
        let sent = ExportTraceServiceRequest::decode(&*request.body).expect("protobuf");
        let [resource] = &sent.resource_spans[..] else { panic!("one resource") };
        let attributes = &resource.resource.as_ref().expect("a resource").attributes;
        let mut keys: Vec<_> = attributes.iter().map(|it| it.key.as_str()).collect();
        keys.sort_unstable();
        let sdk = ["telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version"];
        assert_eq!(keys, ["service.name", sdk[0], sdk[1], sdk[2], "zone"]);
        let sent = &resource.scope_spans[0].spans;
        assert!(sent.len() <= 2);
        names.extend(sent.iter().map(|span| span.name.clone()));
    }
    assert_eq!(names, ["span 0", "span 1", "span 2", "span 3", "span 4"]);
}

#[test]
fn spans_do_not_wait_longer_than_their_delay_nor_metrics_than_their_interval() {
    let sink = HttpSink::start().expect("started");
    let soon = Some(Duration::from_millis(10));
    let options = OtlpOptions { span_delay: soon, ..options(&sink.url("")) };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 1);
    assert_eq!(spans(&sink.next(AGES).expect("sent")).len(), 1);
    let options = OtlpOptions { metric_interval: soon, span_delay: None, ..options };
    let telemetry = Telemetry::start(&options).expect("started");
    telemetry.meter_provider().meter("test").u64_counter("c").build().add(1, &[]);
    assert_eq!(metrics(&sink.next(AGES).expect("sent"))[0].name, "c");
}

#[test]
fn a_thousand_pools_are_told_apart_in_requests_that_are_not_too_large() {
    let sink = HttpSink::start().expect("started");
    let telemetry = to(&sink);
    let meter = telemetry.meter_provider().meter("test");
    let closed = meter.u64_counter("closed").build();
    let waits = ["a", "b", "c", "d"]
        .map(|name| meter.f64_histogram(name).with_boundaries(vec![0.001, 0.1]).build());
    for number in 0..1000 {
        let pool = KeyValue::new("db.client.connection.pool.name", format!("orders-{number}"));
        for reason in 0..8 {
            closed.add(1, &[pool.clone(), KeyValue::new("reason", reason)]);
        }
        for wait in &waits {
            wait.record(0.01, std::slice::from_ref(&pool));
        }
    }
    assert!(telemetry.flush(AGES).is_complete());
    let requests = sink.rest();
    assert!(requests.iter().all(|request| request.body.len() < 2 * 1024 * 1024));
    let mut points = Vec::new();
    for metric in requests.iter().flat_map(metrics) {
        match metric.data.expect("data") {
            Data::Sum(sum) => {
                let mut attributes = sum.data_points.iter().flat_map(|point| &point.attributes);
                assert!(attributes.all(|attribute| attribute.key != "otel.metric.overflow"));
                points.push((metric.name, sum.data_points.len()));
            }
            Data::Histogram(histogram) => {
                let point = &histogram.data_points[0];
                assert_eq!(point.explicit_bounds, [0.001, 0.1], "the instrument's own");
                assert_eq!(point.bucket_counts, [0, 1, 0]);
                points.push((metric.name, histogram.data_points.len()));
            }
            other => panic!("{other:?}"),
        }
    }
    points.sort();
    let expected = [("a", 1000), ("b", 1000), ("c", 1000), ("closed", 8000), ("d", 1000)];
    assert_eq!(points, expected.map(|(name, count)| (name.to_owned(), count)));
    assert!(requests.len() > 1, "it would have been larger");
}

#[test]
fn the_temporality_is_the_one_that_was_asked_for() {
    for (temporality, expected) in [(Temporality::Cumulative, 3), (Temporality::Delta, 2)] {
        let sink = HttpSink::start().expect("started");
        let options = OtlpOptions { temporality: Some(temporality), ..options(&sink.url("")) };
        let telemetry = Telemetry::start(&options).expect("started");
        let counter = telemetry.meter_provider().meter("test").u64_counter("c").build();
        let mut last = 0;
        for added in [1, 2] {
            counter.add(added, &[]);
            assert!(telemetry.flush(AGES).is_complete());
            let sent = metrics(&sink.next(AGES).expect("sent"));
            let Some(Data::Sum(sum)) = &sent[0].data else { panic!("a sum") };
            let Some(Value::AsInt(value)) = sum.data_points[0].value else { panic!("a number") };
            last = value;
        }
        assert_eq!(last, expected, "{temporality:?}");
    }
}

#[test]
fn a_deadline_may_be_endless() {
    let sink = HttpSink::start().expect("started");
    let telemetry = to(&sink);
    end_spans(&telemetry, 1);
    assert!(telemetry.flush(Duration::MAX).is_complete());
    assert!(telemetry.shutdown(Duration::MAX).is_complete());
}

#[test]
fn what_is_not_sampled_is_not_sent() {
    let sink = HttpSink::start().expect("started");
    let options = OtlpOptions { sampler: Some(Sampler::AlwaysOff), ..options(&sink.url("")) };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 3);
    assert!(telemetry.shutdown(AGES).is_complete());
    assert_eq!(sink.rest().len(), 0);
}

#[test]
fn after_a_shutdown_nothing_is_sent_and_another_one_changes_nothing() {
    let sink = HttpSink::start().expect("started");
    let telemetry = to(&sink);
    end_spans(&telemetry, 1);
    assert!(telemetry.shutdown(AGES).is_complete());
    end_spans(&telemetry, 1);
    assert!(telemetry.flush(AGES).is_complete());
    assert!(telemetry.shutdown(AGES).is_complete());
    assert_eq!(sink.rest().len(), 1);
}

#[test]
fn without_a_shutdown_the_last_provider_to_go_sends_what_is_left() {
    let sink = HttpSink::start().expect("started");
    let telemetry = to(&sink);
    let tracers = telemetry.tracer_provider().clone();
    end_spans(&telemetry, 1);
    drop(telemetry);
    assert_eq!(sink.rest().len(), 0, "a provider is still in use");
    drop(tracers);
    assert_eq!(spans(&sink.rest()[0]).len(), 1);
}
