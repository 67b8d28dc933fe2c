//! The collector, by HTTP and beside it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pool_testkit::receivers::{Collector, Kind, ReceiverError, Temporality};

use super::runs;

const AGES: Duration = Duration::from_mins(1);
/// Much longer than one that runs takes to answer.
const MOMENT: Duration = Duration::from_millis(500);

/// Sends OTLP as JSON, and whether that was accepted.
fn post(collector: &Collector, path: &str, body: &str) -> bool {
    let address = collector.http_url().replace("http://", "");
    let Ok(mut client) = TcpStream::connect(&address) else { return false };
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    client.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answered");
    answer.starts_with("HTTP/1.1 200")
}

fn metric(name: &str, value: u32) -> String {
    format!(
        r#"{{"resourceMetrics": [{{"resource": {{"attributes": []}}, "scopeMetrics": [{{
            "scope": {{"name": "kit", "version": "1"}}, "metrics": [{{
            "name": "{name}", "unit": "{{request}}", "description": "",
            "sum": {{"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [{{
            "attributes": [{{"key": "where", "value": {{"stringValue": "here"}}}}],
            "startTimeUnixNano": "1", "timeUnixNano": "2", "asDouble": {value}}}]}}}}]}}]}}]}}"#
    )
}

const SPAN: &str = r#"{"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{
    "scope": {"name": "kit", "version": "1"}, "spans": [{
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "eee19b7ec3c1b173", "name": "SELECT", "kind": 3,
    "startTimeUnixNano": "1", "endTimeUnixNano": "2", "status": {"code": 2, "message": "no"}}]}]}]}"#;

#[test]
fn metrics_and_spans_are_told_with_all_that_they_say() {
    let collector = Collector::start().expect("started");
    assert!(post(&collector, "/v1/metrics", &metric("timeouts", 3)));
    assert!(post(&collector, "/v1/traces", SPAN));
    let here = [("where", "here")];
    let point = collector
        .wait_for("the metric", AGES, |seen| seen.latest("timeouts", &here).cloned())
        .expect("received");
    assert_eq!((&*point.unit, point.number()), ("{request}", Some(3.0)));
    assert_eq!((point.kind, point.temporality), (Kind::Counter, Some(Temporality::Cumulative)));
    let span = collector
        .wait_for("the span", AGES, |seen| seen.spans_of("SELECT").next().cloned())
        .expect("received");
    assert_eq!((&*span.kind, &*span.parent_id), ("CLIENT", "eee19b7ec3c1b173"));
    assert_eq!((&*span.status, &*span.status_message), ("ERROR", "no"));
    assert!(collector.printed().contains("eee19b7ec3c1b174"));
}

#[test]
fn what_does_not_come_is_missed_with_what_came_instead() {
    let collector = Collector::start().expect("started");
    assert!(post(&collector, "/v1/metrics", &metric("timeouts", 3)));
    let seen = collector.wait_for("both", AGES, |seen| seen.latest("timeouts", &[]).cloned());
    seen.expect("received");
    let nobody = collector.wait_for("another", Duration::from_millis(1), |seen| {
        seen.latest("timeouts", &[("where", "there")]).cloned()
    });
    let Err(ReceiverError::Silent { awaited, instead, .. }) = nobody else { panic!("silence") };
    assert_eq!(awaited, "another");
    assert!(instead.starts_with("received were the metrics [timeouts]"), "{instead}");
}

#[test]
fn killed_it_refuses_and_comes_back_on_its_ports_with_what_it_knew() {
    let collector = Collector::start().expect("started");
    assert!(post(&collector, "/v1/metrics", &metric("before", 1)));
    collector
        .wait_for("the first", AGES, |seen| seen.latest("before", &[]).cloned())
        .expect("received");
    collector.kill();
    assert!(!post(&collector, "/v1/metrics", &metric("meanwhile", 1)));
    collector.restart().expect("started");
    assert!(post(&collector, "/v1/metrics", &metric("after", 1)));
    let names = collector
        .wait_for("the last", AGES, |seen| seen.latest("after", &[]).map(|_| seen.metrics().len()))
        .expect("received");
    assert_eq!(names, 2);
}

#[test]
fn frozen_it_answers_nobody_until_it_is_thawed() {
    let collector = Collector::start().expect("started");
    let posted = AtomicBool::new(false);
    collector.freeze().expect("frozen");
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(post(&collector, "/v1/metrics", &metric("late", 1)));
            posted.store(true, Ordering::SeqCst);
        });
        let silent =
            collector.wait_for("nothing", MOMENT, |seen| seen.latest("late", &[]).map(drop));
        assert!(silent.is_err() && !posted.load(Ordering::SeqCst));
        collector.thaw().expect("thawed");
    });
    collector
        .wait_for("the metric", AGES, |seen| seen.latest("late", &[]).map(drop))
        .expect("came");
}

#[test]
fn it_ends_when_it_is_dropped() {
    let collector = Collector::start().expect("started");
    let pid = collector.pid().expect("it runs");
    assert!(runs(pid));
    drop(collector);
    assert!(!runs(pid));
}
