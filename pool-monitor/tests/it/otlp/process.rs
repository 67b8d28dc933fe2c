//! What is true of a whole process: its variables, its threads.

use std::env;
#[cfg(target_os = "linux")]
use std::fs;
use std::process::{Command, Output};
use std::thread;

#[cfg(feature = "otlp-grpc")]
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _};
use pool_monitor::otlp::{OtlpError, OtlpOptions, Telemetry};
#[cfg(feature = "otlp-grpc")]
use pool_testkit::receivers::Collector;
use pool_testkit::receivers::{HttpSink, Reply};
#[cfg(feature = "otlp-grpc")]
use tracing_subscriber::layer::SubscriberExt as _;

use super::seen::Seen;
use super::{AGES, end_spans, options, spans};

const CHILD: &str = "POOL_MONITOR_TEST_CHILD";

pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs this test again, in a process with these variables and one thread.
pub(crate) fn again(variables: &[(&str, &str)]) -> Output {
    let name = thread::current().name().expect("named after the test").to_owned();
    let mut child = Command::new(env::current_exe().expect("this test"));
    child.args([&*name, "--exact", "--nocapture", "--test-threads=1"]);
    child.env(CHILD, "").envs(variables.iter().copied());
    child.output().expect("run")
}

/// What it printed; fails if it did.
pub(crate) fn said(output: &Output) -> String {
    let [printed, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{printed}{complained}");
    printed + &complained
}

#[test]
fn the_variables_of_the_process_are_read_and_their_keys_not_shown() {
    if is_child() {
        let (seen, _guard) = Seen::start();
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        telemetry.install_global();
        opentelemetry::global::tracer("test").start("span").end();
        println!("{telemetry:?} {:?}", telemetry.shutdown(AGES));
        println!("{:#?}", seen.lines());
        return;
    }
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::status(401));
    let url = format!("http://me:canary@{}", sink.address());
    let said = said(&again(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=canary"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten"),
        ("OTEL_SERVICE_NAME", "orders"),
    ]));
    assert!(said.contains("warning=OTEL_EXPORTER_OTLP_TIMEOUT = \\\"ten\\\""), "{said}");
    assert!(said.contains("error=refused with HTTP status 401"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    let request = sink.next(AGES).expect("sent");
    assert_eq!((request.header("api-key"), spans(&request).len()), (Some("canary"), 1));
}

/// Programs set theirs after the exporters: it may need their tracers.
#[test]
fn a_subscriber_that_is_set_later_hears_of_trouble() {
    if is_child() {
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        let seen = Seen::default();
        tracing::subscriber::set_global_default(seen.clone()).expect("the first");
        end_spans(&telemetry, 1);
        println!("{:?} {:#?}", telemetry.shutdown(AGES), seen.reports());
        return;
    }
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::status(401));
    let said = said(&again(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.url(""))]));
    assert!(said.contains("telemetry is not delivered"), "{said}");
}

#[cfg(feature = "otlp-grpc")]
#[test]
fn sending_spans_makes_no_spans() {
    if is_child() {
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        let tracer = telemetry.tracer_provider().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::set_global_default(subscriber).expect("the first");
        tracing::trace_span!("work").in_scope(|| ());
        for _ in 0..3 {
            assert!(telemetry.flush(AGES).is_complete());
        }
        assert_eq!(telemetry.state().spans_delivered, 1);
        return;
    }
    let collector = Collector::start().expect("started");
    for (protocol, url) in [("http/protobuf", collector.http_url()), ("grpc", collector.grpc_url())]
    {
        said(&again(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ]));
    }
}

#[test]
fn a_process_that_switches_the_sdk_off_has_neither_spans_nor_a_thread() {
    if is_child() {
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        end_spans(&telemetry, 1);
        #[cfg(target_os = "linux")]
        assert!(!has_thread());
        assert!(telemetry.shutdown(AGES).is_complete());
        // Those that do run are seen, so it is known how to look.
        let telemetry = Telemetry::start(&options("http://localhost:1")).expect("started");
        assert!(telemetry.flush(AGES).is_complete(), "there is nothing to send");
        #[cfg(target_os = "linux")]
        assert!(has_thread());
        return;
    }
    let sink = HttpSink::start().expect("started");
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.url(""));
    said(&again(&[endpoint, ("OTEL_SDK_DISABLED", "true")]));
    assert_eq!(sink.rest().len(), 0);
}

/// Whether one of this process is the exporters'.
#[cfg(target_os = "linux")]
fn has_thread() -> bool {
    let threads = fs::read_dir("/proc/self/task").expect("threads");
    threads.flatten().any(|thread| {
        // One that has ended meanwhile has no name.
        let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        name.trim_end() == "pool-otlp"
    })
}

#[test]
fn a_proxy_is_for_other_machines() {
    if is_child() {
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        end_spans(&telemetry, 1);
        let delivery = telemetry.shutdown(AGES);
        assert!(delivery.is_complete(), "{delivery:?}");
        return;
    }
    let (sink, proxy) = (HttpSink::start().expect("started"), HttpSink::start().expect("started"));
    let port = sink.address().port();
    for (url, there, past) in [
        (sink.url(""), 1, 0),
        (format!("http://localhost:{port}"), 1, 0),
        ("http://collector.invalid:4318".to_owned(), 0, 1),
    ] {
        said(&again(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("http_proxy", &proxy.url("")),
            ("ALL_PROXY", &proxy.url("")),
            ("NO_PROXY", ""),
            ("no_proxy", ""),
        ]));
        assert_eq!((sink.rest().len(), proxy.rest().len()), (there, past), "{url}");
    }
}

#[test]
fn without_a_thread_to_be_had_nothing_starts_and_the_error_says_so() {
    if is_child() {
        let error = Telemetry::start(&OtlpOptions::default()).expect_err("no thread");
        assert!(matches!(error, OtlpError::Thread(_)), "{error:?}");
        println!("{error}");
        return;
    }
    // More than there is room for: the system refuses every thread.
    let said = said(&again(&[("RUST_MIN_STACK", &(1_u64 << 46).to_string())]));
    assert!(said.contains("exporters have no thread to run in"), "{said}");
}
