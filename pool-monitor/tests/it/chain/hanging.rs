//! Receivers that take what they are sent and never answer: nobody who uses a pool waits for them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::Secret;
use pool_monitor::otlp::OtlpOptions;
use pool_monitor::{
    AlertManager, AlertOptions, Bound, Rule, Rules, Signal, SinkOptions, Slack, SlackOptions,
};
use pool_testkit::receivers::{HttpSink, Reply};

use super::{AGES, Watch, otlp, sqlite};

/// Far more spans than there is room for.
const USES: u64 = 1000;
const ROOM: u64 = 10;

fn hanging() -> HttpSink {
    let sink = HttpSink::start().expect("started");
    sink.otherwise(Reply::Hang);
    sink
}

/// A rule that a pool in use breaks, and one who is told.
fn alerts(sink: &HttpSink) -> AlertManager {
    let options = SlackOptions { url: Secret::new(sink.url("/")), ..SlackOptions::default() };
    let slack = Arc::new(Slack::new(&options).expect("a channel"));
    let told = SinkOptions { group_wait: Duration::ZERO, ..SinkOptions::new("team", slack) };
    let rules = Rules(vec![Rule::new("used", Signal::Open, Bound::Above(0.0))]);
    let options = AlertOptions { rules, sinks: vec![told], ..AlertOptions::default() };
    AlertManager::start(options).expect("started")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_uses_of_a_pool_end_while_one_export_and_one_alert_still_wait_for_an_answer() {
    let (collector, team) = (hanging(), hanging());
    let options = OtlpOptions {
        // Nothing is given up before the test ends, and so nothing makes room.
        timeout: Some(10 * AGES),
        metric_interval: Some(super::OFTEN),
        span_queue: Some(ROOM as usize),
        span_batch: Some(1),
        ..otlp(&collector.url(""), "hanging")
    };
    let watch = Watch::start(&options, None);
    let alerts = alerts(&team);
    watch.monitor.subscribe(alerts.clone()).keep();
    let pool = sqlite("hanging", 2, None);
    watch.watch(&pool.control());
    drop(pool.acquire().await.expect("opened"));

    team.next(AGES).expect("an alert is on its way");
    let mut paths = [(); 2].map(|()| collector.next(AGES).expect("on its way").path);
    paths.sort();
    assert_eq!(paths, ["/v1/metrics", "/v1/traces"]);
    let before = watch.telemetry.state();
    assert_eq!((before.exports_delivered, before.exports_failed), (0, 0));
    for _ in 0..USES {
        let mut connection = pool.acquire().await.expect("acquired");
        connection.execute("SELECT 1", []).await.expect_err("it yields a row");
    }

    // Each statement has a span, and no span that was sent has arrived.
    let after = watch.telemetry.state();
    assert_eq!((after.exports_delivered, after.exports_failed), (0, 0), "still under way");
    let dropped = after.spans_dropped - before.spans_dropped;
    assert!((USES - ROOM..=USES).contains(&dropped), "{dropped}");
    assert_eq!(collector.rest().len(), 0, "one of each at a time");
    let stats = alerts.delivery().swap_remove(0);
    assert_eq!((stats.delivered, stats.failed, stats.dropped), (0, 0, 0));
    watch.monitor.look();
    let seen = watch.monitor.view("hanging").expect("watched").snapshot;
    assert!(seen.stats.acquires.succeeded() > USES);
    // And who ends the program does not wait, either.
    let left = watch.telemetry.shutdown(super::OFTEN);
    assert!(left.spans_undelivered > 0 && left.metrics_undelivered, "{left:?}");
    assert_eq!(alerts.shutdown(super::OFTEN).len(), 1);
    assert!(pool.close(AGES).await.drained);
}

/// A sink of every kind, to receivers at these addresses.
fn every_sink(http: SocketAddr, smtp: SocketAddr) -> AlertOptions {
    let text = format!(
        "[alerts]\nshipped_rules = false\n\
         [alerts.rules.used]\nsignal = \"in_use\"\nabove = 0\nseverity = \"critical\"\n\
         [alerts.sinks.team]\ntype = \"slack\"\nurl = \"http://{http}/\"\ngroup_wait = \"0s\"\n\
         [alerts.sinks.hook]\ntype = \"webhook\"\nurl = \"http://{http}/\"\n\
         secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\ngroup_wait = \"0s\"\n\
         [alerts.sinks.prometheus]\ntype = \"alertmanager\"\nurl = \"http://{http}\"\n\
         [alerts.sinks.duty]\ntype = \"mail\"\nserver = \"127.0.0.1\"\nport = {}\n\
         from = \"pools@here.example\"\nto = [\"duty@there.example\"]\ngroup_wait = \"0s\"\n",
        smtp.port()
    );
    AlertOptions::from_toml("alerts.toml", &text).expect("right")
}

/// What is left of one alert when no sink could be told of it.
#[track_caller]
fn expect_all_undelivered(alerts: &AlertManager) {
    let began = Instant::now();
    let undelivered = alerts.shutdown(super::OFTEN);
    assert!(began.elapsed() < AGES / 2, "{:?}", began.elapsed());
    let mut sinks: Vec<_> = undelivered.iter().map(|it| &*it.sink).collect();
    sinks.sort_unstable();
    assert_eq!(sinks, ["duty", "hook", "prometheus", "team"]);
}

fn see_one(alerts: &AlertManager) {
    alerts.observe(pool_core::runtime::Instant::EPOCH, "orders", &|_, _| Some(1.0));
}

#[test]
fn every_kind_of_sink_gives_up_nothing_and_keeps_nobody_when_nobody_is_there() {
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    let alerts = AlertManager::start(every_sink(gone, gone)).expect("started");
    see_one(&alerts);
    let began = Instant::now();
    while alerts.delivery().iter().any(|stats| stats.retried == 0) {
        assert!(began.elapsed() < AGES, "{:?}", alerts.delivery());
        std::thread::yield_now();
    }
    for stats in alerts.delivery() {
        let why = stats.last_error.expect("it failed");
        assert!(why.contains("Connection refused"), "{}: {why}", stats.sink);
        assert_eq!((stats.failed, stats.waiting), (0, 1), "{}", stats.sink);
    }
    expect_all_undelivered(&alerts);
}

#[test]
fn every_kind_of_sink_keeps_nobody_when_its_receiver_hangs() {
    let http = hanging();
    // Takes connections, and greets nobody.
    let smtp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = smtp.local_addr().expect("an address");
    let alerts = AlertManager::start(every_sink(http.address(), address)).expect("started");
    see_one(&alerts);
    for _ in 0..3 {
        http.next(AGES).expect("told");
    }
    let _connection = smtp.accept().expect("connected");
    for stats in alerts.delivery() {
        assert_eq!((stats.waiting, stats.last_error), (1, None), "{}", stats.sink);
    }
    expect_all_undelivered(&alerts);
}
