//! A key in a header or in the collector's URL is shown nowhere.

use std::error::Error as _;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use pool_core::Secret;
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_testkit::Shown;
use pool_testkit::receivers::{HttpSink, Reply};

use super::seen::Seen;
use super::{AGES, end_spans, options};

const KEY: &str = "canary-7f3d";

/// Every place of the options that may hold a key does.
fn with_key(address: &str) -> OtlpOptions {
    OtlpOptions {
        headers: vec![("api-key".to_owned(), Secret::new(KEY))],
        timeout: Some(Duration::from_millis(300)),
        ..options(&format!("http://me:{KEY}@{address}/{KEY}?key={KEY}#{KEY}"))
    }
}

/// Sends a span and a metric with all that goes wrong, and shows all there is to be seen.
fn exercise(options: &OtlpOptions, shown: &Shown) {
    shown.note(options);
    let telemetry = Telemetry::start(options).expect("started");
    telemetry.meter_provider().meter("test").u64_counter("c").build().add(1, &[]);
    for _ in 0..2 {
        end_spans(&telemetry, 1);
        let delivery = telemetry.flush(AGES);
        shown.note(&delivery);
        shown.note(&telemetry);
        shown.note(&telemetry.state());
        if let Some(error) = &delivery.error {
            shown.note_error(error);
        }
        let flushed = telemetry.tracer_provider().force_flush();
        shown.note(&flushed);
        shown.note(&telemetry.meter_provider().force_flush());
    }
    shown.note(&telemetry.shutdown(AGES));
}

#[test]
fn no_key_is_shown_whatever_the_collector_does() {
    let shown = Shown::start();
    let (seen, _guard) = Seen::start();
    let sink = HttpSink::start().expect("started");
    let echo = Reply::Answer {
        status: 400,
        headers: vec![("Location".to_owned(), sink.url(&format!("/{KEY}")))],
        body: format!("bad key {KEY}"),
    };
    for reply in [Reply::status(200), echo, Reply::Close, Reply::Hang, Reply::retry_after(503, 99)]
    {
        sink.otherwise(reply);
        exercise(&with_key(&sink.address().to_string()), &shown);
    }
    exercise(&with_key("localhost:1"), &shown);
    exercise(&with_key("no-such-host.invalid"), &shown);
    for request in sink.rest() {
        assert_eq!(request.header("api-key"), Some(KEY), "it is sent");
        assert!(request.header("authorization").is_some_and(|it| it.starts_with("Basic ")));
        shown.note_text(&request.text());
    }
    let lines = seen.lines();
    assert!(lines.iter().any(|line| line.contains("telemetry is not delivered")));
    for line in &lines {
        shown.note_text(line);
    }
    shown.expect(&["api-key", &sink.address().to_string(), "HTTP status 400", "orders"]);
    shown.expect_no(KEY);
}

#[test]
fn no_key_is_shown_of_options_that_are_wrong() {
    let shown = Shown::start();
    for endpoint in
        [KEY.to_owned(), format!("{KEY}@collector:1"), format!("http://me:{KEY}@a b/{KEY}")]
    {
        let headers = vec![
            (format!("no name {KEY}"), Secret::new("v")),
            ("name".to_owned(), Secret::new(format!("no\nvalue {KEY}"))),
        ];
        let options = OtlpOptions { endpoint: Some(endpoint), headers, ..with_key("x") };
        let error = Telemetry::start(&options).expect_err("wrong");
        shown.note_error(&error);
        assert!(error.source().is_some());
    }
    shown.expect(&["endpoint", "headers", "(not shown)"]);
    shown.expect_no(KEY);
}
