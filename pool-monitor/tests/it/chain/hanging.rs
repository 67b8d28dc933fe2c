//! Receivers that take what they are sent and never answer: nobody who uses a pool waits for them.

use std::sync::Arc;

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
    let told =
        SinkOptions { group_wait: std::time::Duration::ZERO, ..SinkOptions::new("team", slack) };
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
