//! Collectors that are down, slow, or do not take what they are sent.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use pool_core::{Pool, PoolConfig, PoolOptions};
use pool_monitor::TraceOptions;
use pool_monitor::otlp::{ExportError, OtlpOptions, Telemetry};
use pool_testkit::receivers::{HttpSink, Reply};
use pool_testkit::{FakeDriver, FakeServer, Sim};

use super::seen::Seen;
use super::{AGES, end_spans, metrics, options, spans, to};

/// For who is not to be heard: long enough for an attempt that fails, and for an answer on a machine
/// that does much else.
const SOON: Duration = Duration::from_secs(2);

/// An answer with a body, of which none is expected to be understood.
fn answer(body: &str) -> Reply {
    Reply::Answer { status: 200, headers: Vec::new(), body: body.to_owned() }
}

/// A URL that nobody listens at.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn count_once(telemetry: &Telemetry) {
    telemetry.meter_provider().meter("test").u64_counter("once").build().add(1, &[]);
}

fn quick(url: &str) -> OtlpOptions {
    OtlpOptions { timeout: Some(SOON), ..options(url) }
}

#[test]
fn trouble_is_reported_once_when_it_begins_and_once_when_it_ends() {
    let (seen, _guard) = Seen::start();
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::status(400));
    let telemetry = to(&sink);
    assert_eq!(telemetry.state().failing_since, None);
    for _ in 0..3 {
        end_spans(&telemetry, 2);
        let failed = telemetry.flush(AGES);
        assert_eq!((failed.spans_undelivered, &failed.error), (2, &Some(ExportError::Http(400))));
    }
    // The other signal has the same trouble: no news.
    count_once(&telemetry);
    assert!(telemetry.flush(AGES).metrics_undelivered);
    let state = telemetry.state();
    assert!(state.failing_since.is_some());
    assert_eq!((state.exports_failed, state.spans_dropped), (4, 6));
    let peer = sink.address();
    let begun = format!(
        "WARN pool_monitor::otlp::health: telemetry is not delivered collector={:?} \
         signal=traces error=refused with HTTP status 400",
        peer.to_string()
    );
    assert_eq!(seen.reports(), [&*begun]);

    sink.otherwise(Reply::status(200));
    for _ in 0..2 {
        end_spans(&telemetry, 2);
        assert!(telemetry.flush(AGES).is_complete());
    }
    let ended = format!(
        "INFO pool_monitor::otlp::health: telemetry is delivered again collector={:?} \
         signal=traces",
        peer.to_string()
    );
    assert_eq!(seen.reports(), [begun, ended]);
    let state = telemetry.state();
    assert_eq!((state.failing_since, state.last_error), (None, Some(ExportError::Http(400))));
    assert_eq!((state.spans_delivered, state.spans_dropped), (4, 6));
    assert!(telemetry.shutdown(AGES).is_complete());
}

#[test]
fn with_the_collector_down_a_shutdown_says_what_is_lost_and_why() {
    let telemetry = Telemetry::start(&quick(&nowhere())).expect("started");
    end_spans(&telemetry, 7);
    count_once(&telemetry);
    let delivery = telemetry.shutdown(AGES);
    assert_eq!((delivery.spans_undelivered, delivery.metrics_undelivered), (7, true));
    let Some(ExportError::Connection { reason }) = &delivery.error else { panic!("{delivery:?}") };
    assert!(reason.contains("Connection refused"), "{reason}");
    assert_eq!(telemetry.state().spans_dropped, 7);
}

#[test]
fn a_deadline_that_is_shorter_than_the_attempts_is_kept_and_their_error_is_told() {
    let telemetry = Telemetry::start(&options(&nowhere())).expect("started");
    end_spans(&telemetry, 7);
    // One attempt fails at once; the next would come later.
    let delivery = telemetry.flush(SOON);
    assert_eq!(delivery.spans_undelivered, 7);
    assert!(matches!(delivery.error, Some(ExportError::Connection { .. })), "{delivery:?}");
    assert_eq!(telemetry.state().spans_dropped, 0, "they are still tried");
    let delivery = telemetry.shutdown(Duration::from_millis(1));
    assert_eq!((delivery.spans_undelivered, telemetry.state().spans_dropped), (7, 7));
}

#[test]
fn a_collector_that_hangs_holds_up_nobody_and_what_has_no_room_is_counted() {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::Hang);
    let options =
        OtlpOptions { span_queue: Some(10), span_batch: Some(5), ..options(&sink.url("")) };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 5);
    sink.next(AGES).expect("the first batch is on its way");
    end_spans(&telemetry, 1000);
    assert_eq!(telemetry.state().spans_dropped, 990);
    let delivery = telemetry.shutdown(Duration::from_millis(50));
    assert_eq!(delivery.spans_undelivered, 15);
    assert_eq!(delivery.error, Some(ExportError::TimedOut(Duration::from_millis(50))));
    assert_eq!(telemetry.state().spans_dropped, 1005);
    end_spans(&telemetry, 1);
}

#[test]
fn who_drops_it_beside_a_collector_that_hangs_goes_on_soon() {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::Hang);
    let telemetry = to(&sink);
    end_spans(&telemetry, 1);
    count_once(&telemetry);
    goes_on_soon(telemetry);
    sink.next(AGES).expect("tried");
}

#[test]
fn who_drops_the_traces_of_a_pool_after_it_waits_for_nothing() {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::Hang);
    // The quickest of a few: the machine may do much else.
    let took = (0..5).map(|_| {
        let telemetry = to(&sink);
        end_spans(&telemetry, 1);
        let traces = telemetry.pool_traces(TraceOptions::default());
        drop(telemetry);
        let began = Instant::now();
        drop(traces);
        let took = began.elapsed();
        assert_eq!(spans(&sink.next(AGES).expect("tried")).len(), 1);
        took
    });
    let took = took.min().expect("five");
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn who_drops_the_traces_of_a_pool_in_the_middle_of_a_statement_goes_on_as_soon() {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::Hang);
    let sim = Sim::new(1);
    let options = PoolOptions { runtime: Some(sim.runtime()), ..PoolConfig::default().into() };
    let driver = FakeDriver::new(&FakeServer::new(sim.runtime()));
    let pool = Pool::new(driver, options).expect("valid");
    let guard = sim.block_on(pool.acquire()).expect("opened");
    let telemetry = to(&sink);
    let traced = telemetry.pool_traces(TraceOptions::default()).watch(&pool.control());
    let _running = guard.statements().start(Some("SELECT 1")).expect("somebody listens");
    drop(telemetry);
    goes_on_soon(traced);
    assert_eq!(spans(&sink.next(AGES).expect("tried")).len(), 1, "the one under way");
}

/// The SDK waits for five seconds and more.
#[track_caller]
fn goes_on_soon(dropped: impl Sized) {
    let began = Instant::now();
    drop(dropped);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn what_hangs_is_given_up_after_its_timeout_and_the_next_goes_on() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::Hang]);
    let telemetry = Telemetry::start(&quick(&sink.url(""))).expect("started");
    end_spans(&telemetry, 1);
    let delivery = telemetry.flush(AGES);
    assert_eq!(delivery.error, Some(ExportError::TimedOut(SOON)));
    end_spans(&telemetry, 2);
    assert!(telemetry.flush(AGES).is_complete());
    assert_eq!(sink.rest().iter().map(|request| spans(request).len()).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_may_pass_is_tried_again_and_not_before_the_collector_wants_it() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::Close, Reply::status(502), Reply::retry_after(503, 1)]);
    let telemetry = to(&sink);
    end_spans(&telemetry, 3);
    assert!(telemetry.flush(AGES).is_complete());
    let requests = sink.rest();
    assert_eq!(requests.iter().map(|it| spans(it).len()).collect::<Vec<_>>(), [3; 4]);
    let rest = requests[3].received - requests[2].received;
    assert!(rest >= Duration::from_secs(1), "{rest:?}");
    assert_eq!((telemetry.state().exports_failed, telemetry.state().spans_delivered), (0, 3));
}

#[test]
fn a_collector_that_wants_rest_for_longer_than_an_export_may_take_gets_it() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::retry_after(429, 3)]);
    let options = OtlpOptions { span_queue: Some(6), span_batch: Some(2), ..quick(&sink.url("")) };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 6);
    let refused = sink.next(AGES).expect("sent");
    let repeated = sink.next(AGES).expect("sent");
    assert_eq!(spans(&repeated), spans(&refused), "first what it had no time for");
    let rest = repeated.received - refused.received;
    assert!(rest >= Duration::from_secs(3), "{rest:?}");
    assert!(telemetry.flush(AGES).is_complete());
    assert_eq!(sink.rest().len(), 2, "the others came once each");
    assert_eq!((telemetry.state().spans_delivered, telemetry.state().spans_dropped), (6, 0));
}

#[test]
fn what_waits_for_a_collector_to_have_rested_is_undelivered_and_at_last_dropped() {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::retry_after(429, 200));
    let options = OtlpOptions { span_batch: Some(2), ..options(&sink.url("")) };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 6);
    let delivery = telemetry.flush(AGES);
    assert_eq!((delivery.spans_undelivered, delivery.error), (6, Some(ExportError::Http(429))));
    assert_eq!(telemetry.state().spans_dropped, 0, "they wait");
    let delivery = telemetry.shutdown(AGES);
    assert_eq!((delivery.spans_undelivered, delivery.error), (6, Some(ExportError::Http(429))));
    assert_eq!(telemetry.state().spans_dropped, 6);
    assert!(sink.rest().iter().all(|request| spans(request)[0].name == "span 0"));
}

#[test]
fn a_collector_that_wants_no_rest_gets_one_that_grows() {
    for date in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let sink = HttpSink::start().expect("started");
        let headers = vec![("Retry-After".to_owned(), date.to_owned())];
        sink.otherwise(Reply::Answer { status: 503, headers, body: String::new() });
        let telemetry = Telemetry::start(&quick(&sink.url(""))).expect("started");
        end_spans(&telemetry, 1);
        assert_eq!(telemetry.flush(AGES).error, Some(ExportError::Http(503)));
        // At the least after 1/8, 3/8, 7/8 and 15/8 seconds.
        let attempts = sink.rest().len();
        assert!((2..=5).contains(&attempts), "{attempts}");
    }
}

#[test]
fn a_flush_waits_for_no_rest() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::retry_after(429, 200)]);
    let telemetry = to(&sink);
    end_spans(&telemetry, 1);
    assert_eq!(telemetry.flush(AGES).error, Some(ExportError::Http(429)));
    end_spans(&telemetry, 2);
    assert!(telemetry.flush(AGES).is_complete());
}

#[test]
fn a_collector_that_takes_spans_again_has_rested() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::retry_after(429, 200)]);
    let options = OtlpOptions { span_batch: Some(2), ..options(&sink.url("")) };
    let telemetry = Telemetry::start(&options).expect("started");
    end_spans(&telemetry, 1);
    assert_eq!(telemetry.flush(AGES).error, Some(ExportError::Http(429)));
    assert!(telemetry.flush(AGES).is_complete());
    let _so_far = sink.rest();
    end_spans(&telemetry, 2);
    assert_eq!(spans(&sink.next(AGES).expect("sent at once")).len(), 2);
}

#[test]
fn a_shutdown_ends_a_flush_that_waits_elsewhere() {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::Hang);
    let telemetry = Telemetry::start(&quick(&sink.url(""))).expect("started");
    end_spans(&telemetry, 2000);
    thread::scope(|scope| {
        let flushed = scope.spawn(|| telemetry.flush(10 * AGES));
        sink.next(AGES).expect("the first batch is on its way");
        let delivery = telemetry.shutdown(Duration::from_millis(500));
        assert_eq!(delivery.spans_undelivered, 2000);
        let flushed = flushed.join().expect("no panic");
        assert_eq!(flushed.spans_undelivered, 2000);
        assert_eq!(flushed.error, Some(ExportError::ShutDown));
    });
    assert_eq!(telemetry.state().spans_dropped, 2000);
}

/// Metrics that are sent in four parts: each has half a mebibyte and more.
fn count_much(telemetry: &Telemetry) {
    let meter = telemetry.meter_provider().meter("test");
    for name in ["a", "b", "c", "d"] {
        let note = KeyValue::new("note", name.repeat(600 * 1024));
        meter.u64_counter(name).build().add(1, &[note]);
    }
}

#[test]
fn a_part_of_the_metrics_that_is_refused_costs_the_others_nothing() {
    for (refusal, error) in [
        (Reply::status(413), ExportError::Http(413)),
        // `partial_success { rejected_data_points: 1 }`
        (answer("\n\x02\x08\x01"), ExportError::PartlyRejected { rejected: 1 }),
    ] {
        let sink = HttpSink::start().expect("started");
        sink.answer([Reply::status(200), refusal, Reply::status(400)]);
        let telemetry = to(&sink);
        count_much(&telemetry);
        let delivery = telemetry.flush(AGES);
        assert_eq!((delivery.metrics_undelivered, delivery.error), (true, Some(error)));
        let sent = sink.rest();
        let names: Vec<_> = sent.iter().flat_map(metrics).map(|metric| metric.name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}

#[test]
fn the_parts_of_the_metrics_after_one_that_nobody_took_are_not_tried() {
    for (reply, attempts) in
        [(Reply::Hang, 1..=1), (Reply::retry_after(429, 200), 1..=1), (Reply::Close, 2..=6)]
    {
        let sink = HttpSink::start().expect("started");
        sink.otherwise(reply);
        let telemetry = Telemetry::start(&quick(&sink.url(""))).expect("started");
        count_much(&telemetry);
        assert!(telemetry.flush(AGES).metrics_undelivered);
        let sent = sink.rest();
        assert!(attempts.contains(&sent.len()), "{}", sent.len());
        assert!(sent.iter().all(|request| metrics(request)[0].name == "a"));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (sink, other) = (HttpSink::start().expect("started"), HttpSink::start().expect("started"));
    sink.otherwise(Reply::redirect(&other.url("/v1/traces")));
    let telemetry = to(&sink);
    end_spans(&telemetry, 1);
    assert_eq!(telemetry.flush(AGES).error, Some(ExportError::Http(307)));
    assert_eq!(other.rest().len(), 0);
}

#[test]
fn what_is_rejected_of_an_export_is_not_delivered() {
    let sink = HttpSink::start().expect("started");
    // `partial_success { rejected_spans: 3 }`
    sink.answer([answer("\n\x02\x08\x03")]);
    let telemetry = to(&sink);
    end_spans(&telemetry, 5);
    let delivery = telemetry.flush(AGES);
    assert_eq!(delivery.spans_undelivered, 3);
    assert_eq!(delivery.error, Some(ExportError::PartlyRejected { rejected: 3 }));
    assert_eq!((telemetry.state().spans_delivered, telemetry.state().spans_dropped), (2, 3));
}

#[test]
fn an_answer_that_does_not_end_is_not_read_to_its_end() {
    let sink = HttpSink::start().expect("started");
    sink.answer([answer(&"x".repeat(64 * 1024 + 1)), answer("no protobuf")]);
    let telemetry = to(&sink);
    end_spans(&telemetry, 1);
    let error = ExportError::AnswerTooLong { limit: 64 * 1024 };
    assert_eq!(telemetry.flush(AGES).error, Some(error));
    end_spans(&telemetry, 1);
    assert!(telemetry.flush(AGES).is_complete(), "a success is one whatever it says");
}

#[test]
fn a_callback_that_panics_is_told_and_costs_the_spans_nothing() {
    let sink = HttpSink::start().expect("started");
    let telemetry = to(&sink);
    let meter = telemetry.meter_provider().meter("test");
    let _gauge = meter.u64_observable_gauge("g").with_callback(|_| panic!("the user's")).build();
    end_spans(&telemetry, 1);
    let delivery = telemetry.shutdown(AGES);
    assert_eq!(delivery.error, Some(ExportError::NotCollected));
    assert!(delivery.metrics_undelivered);
    assert_eq!(delivery.spans_undelivered, 0);
}
