//! A real collector that goes away, hangs, and comes back; by both protocols.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use pool_core::Secret;
use pool_monitor::otlp::{ExportError, OtlpOptions, Protocol, Telemetry};
use pool_testkit::Shown;
use pool_testkit::receivers::{Collector, HttpSink};

use super::seen::Seen;
use super::{AGES, collector_has, end_spans, options, protocols};

fn to(protocol: Protocol, url: &str) -> OtlpOptions {
    OtlpOptions {
        protocol: Some(protocol),
        service_name: Some(format!("{protocol:?}")),
        ..options(url)
    }
}

/// The same to one that will be away: no export lasts long.
fn briefly_to(protocol: Protocol, url: &str) -> OtlpOptions {
    OtlpOptions { timeout: Some(Duration::from_secs(3)), ..to(protocol, url) }
}

#[test]
fn a_collector_that_goes_and_comes_back_is_reported_twice_and_gets_what_follows() {
    let collector = Collector::start().expect("started");
    for (protocol, url) in protocols(&collector) {
        let (seen, _guard) = Seen::start();
        let telemetry = Telemetry::start(&briefly_to(protocol, &url)).expect("started");
        let counter = telemetry.meter_provider().meter("test").u64_counter("c").build();
        counter.add(1, &[]);
        end_spans(&telemetry, 1);
        assert!(telemetry.flush(AGES).is_complete());

        collector.kill();
        for _ in 0..2 {
            end_spans(&telemetry, 10);
            let delivery = telemetry.flush(AGES);
            assert_eq!((delivery.spans_undelivered, delivery.metrics_undelivered), (10, true));
            let error = delivery.error;
            assert!(matches!(error, Some(ExportError::Connection { .. })), "{error:?}");
        }
        let flushed = telemetry.tracer_provider().force_flush();
        assert!(flushed.is_ok(), "there is no span left to lose: {flushed:?}");
        assert!(telemetry.meter_provider().force_flush().is_err());

        collector.restart().expect("started");
        counter.add(2, &[]);
        end_spans(&telemetry, 5);
        let delivery = telemetry.shutdown(AGES);
        assert!(delivery.is_complete(), "{delivery:?}");
        collector_has(&collector, &format!("{protocol:?}"), 6, 3);
        assert_eq!(telemetry.state().spans_dropped, 20);
        let reports = seen.reports();
        let begun = reports.iter().filter(|line| line.starts_with("WARN")).count();
        let ended = reports.iter().filter(|line| line.starts_with("INFO")).count();
        assert_eq!(begun, ended, "{reports:?}");
        assert!((1..=2).contains(&begun), "once a signal at most: {reports:?}");
    }
}

#[test]
fn a_collector_that_is_stopped_keeps_nobody_beyond_the_deadline() {
    let collector = Collector::start().expect("started");
    for (protocol, url) in protocols(&collector) {
        let options = OtlpOptions { timeout: Some(AGES), ..to(protocol, &url) };
        let telemetry = Telemetry::start(&options).expect("started");
        end_spans(&telemetry, 1);
        assert!(telemetry.flush(AGES).is_complete());
        collector.freeze().expect("frozen");
        end_spans(&telemetry, 2);
        let deadline = Duration::from_millis(200);
        let delivery = telemetry.shutdown(deadline);
        collector.thaw().expect("thawed");
        assert_eq!(delivery.spans_undelivered, 2, "{delivery:?}");
        assert_eq!(delivery.error, Some(ExportError::TimedOut(deadline)));
    }
}

#[test]
fn no_key_is_shown_by_grpc_nor_received_among_the_data() {
    const KEY: &str = "canary-7f3d";
    let shown = Shown::start();
    let (seen, _guard) = Seen::start();
    let collector = Collector::start().expect("started");
    let address = collector.grpc_url().replace("http://", "");
    for address in [&*address, "127.0.0.1:1"] {
        let options = OtlpOptions {
            headers: vec![("api-key".to_owned(), Secret::new(KEY))],
            ..briefly_to(Protocol::Grpc, &format!("http://me:{KEY}@{address}/{KEY}?key={KEY}"))
        };
        let telemetry = Telemetry::start(&options).expect("started");
        end_spans(&telemetry, 3);
        shown.note(&telemetry);
        let delivery = telemetry.flush(AGES);
        assert_eq!(delivery.is_complete(), address != "127.0.0.1:1", "{delivery:?}");
        shown.note(&delivery);
        shown.note(&telemetry.shutdown(AGES));
        shown.note(&telemetry.state());
    }
    shown.note_text(&collector.printed());
    for line in seen.lines() {
        shown.note_text(&line);
    }
    shown.expect(&["span 2", "telemetry is not delivered", "spans_delivered: 3"]);
    shown.expect_no(KEY);
}

#[test]
fn a_server_that_speaks_another_protocol_is_trouble_and_no_panic() {
    let sink = HttpSink::start().expect("started");
    let telemetry = Telemetry::start(&briefly_to(Protocol::Grpc, &sink.url(""))).expect("started");
    end_spans(&telemetry, 1);
    let delivery = telemetry.shutdown(AGES);
    assert_eq!(delivery.spans_undelivered, 1, "{delivery:?}");
    assert!(delivery.error.is_some());
    let collector = Collector::start().expect("started");
    let options = briefly_to(Protocol::HttpProtobuf, &collector.grpc_url());
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 1);
    let delivery = telemetry.shutdown(AGES);
    assert_eq!(delivery.spans_undelivered, 1, "{delivery:?}");
    assert!(delivery.error.is_some());
}

#[test]
fn what_a_server_refuses_by_grpc_is_told_by_the_name_of_its_status() {
    let collector = Collector::start().expect("started");
    let options = to(Protocol::Grpc, &collector.http_url());
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 1);
    let delivery = telemetry.shutdown(AGES);
    assert_eq!(delivery.error, Some(ExportError::Grpc("UNIMPLEMENTED")));
}
