//! What goes by HTTP: Slack, signed webhooks, Alertmanager.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use pool_core::Secret;
use pool_core::runtime::Instant;
use pool_monitor::{
    Alertmanager, AlertmanagerOptions, Slack, SlackOptions, Webhook, WebhookOptions,
};
use pool_testkit::receivers::{self, HttpSink, Reply, Verdict, verify_webhook};

use super::tls::TlsSink;
use super::{AGES, at_once, see, start, wait_for};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn webhook(url: String) -> Arc<Webhook> {
    let (url, secret) = (Secret::new(url), Secret::new(SECRET));
    let options = WebhookOptions { url, secret, ..WebhookOptions::default() };
    Arc::new(Webhook::new(&options).expect("a webhook"))
}

fn slack(url: String) -> Arc<Slack> {
    let options = SlackOptions { url: Secret::new(url), ..SlackOptions::default() };
    Arc::new(Slack::new(&options).expect("a channel"))
}

#[test]
fn slack_is_sent_a_text_and_blocks_in_which_nothing_means_anything_to_it() {
    let sink = HttpSink::start().expect("started");
    let alerts = start(vec![at_once("team", slack(sink.url("/services/T0/B0")))]);
    see(&alerts, "<!channel> & co", 11.0);
    let request = sink.next(AGES).expect("sent");
    assert_eq!((&*request.method, &*request.path), ("POST", "/services/T0/B0"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body = request.json();
    let text = "CRITICAL busy: firing for the pool &lt;!channel&gt; &amp; co";
    assert_eq!(body["text"], text);
    // Plain text shows what it is given.
    let header = "CRITICAL busy: firing for the pool <!channel> & co";
    assert_eq!(body["blocks"][0]["text"]["type"], "plain_text");
    assert_eq!(body["blocks"][0]["text"]["text"], header);
    let section = body["blocks"][1]["text"]["text"].as_str().expect("text");
    let line = "&lt;!channel&gt; &amp; co: 11 connections of &lt;!channel&gt; &amp; co are in use";
    assert!(section.starts_with(line), "{section}");
    assert_eq!(body["blocks"][2]["elements"][0]["text"], "service=shop");
    see(&alerts, "<!channel> & co", 0.0);
    let resolved = sink.next(AGES).expect("sent").json();
    assert_eq!(resolved["text"], text.replace("firing", "resolved"));
}

#[test]
fn a_webhook_is_signed_as_somebody_elses_receiver_demands_and_has_one_id_for_all_attempts() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::status(503), Reply::Close]);
    let alerts = start(vec![at_once("hook", webhook(sink.url("/hook?key=1")))]);
    see(&alerts, "orders", 11.0);
    let requests: Vec<_> = (0..3).map(|_| sink.next(AGES).expect("sent")).collect();
    for request in &requests {
        assert_eq!(request.header("webhook-id"), requests[0].header("webhook-id"));
        assert_eq!(request.path, "/hook?key=1");
    }
    assert_eq!(verify_webhook(SECRET, &requests[2]).expect("judged"), Verdict::Accepted);
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let verdict = verify_webhook(other, &requests[2]).expect("judged");
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    let body = requests[2].json();
    assert_eq!(body["type"], "pool.alert.firing");
    let data = &body["data"];
    assert_eq!((&data["rule"], &data["severity"]), (&"busy".into(), &"critical".into()));
    assert_eq!(data["labels"]["service"], "shop");
    assert_eq!(data["alerts"][0]["pool"], "orders");
    assert_eq!(data["alerts"][0]["value"], 11.0);
    assert_eq!(data["alerts"][0]["summary"], "11 connections of orders are in use");
    assert!(data["alerts"][0]["resolved_at"].is_null());
    alerts.withdraw(Instant::EPOCH, "orders");
    let resolved = sink.next(AGES).expect("sent");
    assert_ne!(resolved.header("webhook-id"), requests[0].header("webhook-id"));
    assert_eq!(resolved.json()["type"], "pool.alert.resolved");
    let stats = wait_for(&alerts, |stats| stats.delivered == 2);
    assert_eq!((stats.retried, stats.failed, stats.last_error), (2, 0, None));
}

#[test]
fn alertmanager_has_an_alert_for_as_long_as_it_fires() {
    let receiver = receivers::Alertmanager::start().expect("started");
    let options =
        AlertmanagerOptions { url: Secret::new(receiver.url()), ..AlertmanagerOptions::default() };
    let sink = Arc::new(Alertmanager::new(&options).expect("a sink"));
    let alerts = start(vec![at_once("prometheus", sink)]);
    for pool in ["orders", "stock"] {
        see(&alerts, pool, 11.0);
    }
    let both = |alerts: &[receivers::Alert]| (alerts.len() == 2).then(|| alerts.to_vec());
    let fired = receiver.wait_for("two alerts", AGES, both).expect("received");
    let orders = fired.iter().find(|alert| alert.labels["pool"] == "orders").expect("received");
    let labels: Vec<_> = orders.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected =
        [("alertname", "busy"), ("pool", "orders"), ("service", "shop"), ("severity", "critical")];
    assert_eq!(labels, expected);
    assert_eq!(orders.annotations["summary"], "11 connections of orders are in use");
    assert_eq!(orders.state, "active");
    see(&alerts, "orders", 0.0);
    let one = |alerts: &[receivers::Alert]| {
        matches!(alerts, [alert] if alert.labels["pool"] == "stock").then(|| alerts[0].clone())
    };
    let stock = receiver.wait_for("one resolved alert", AGES, one).expect("received");
    // Told again after a minute, it has the value of that time, and is the same alert.
    alerts.observe(Instant::EPOCH.after(Duration::from_mins(1)), "stock", &|_, _| Some(12.0));
    let later = |alerts: &[receivers::Alert]| {
        one(alerts).filter(|it| it.annotations["summary"] == "12 connections of stock are in use")
    };
    let again = receiver.wait_for("the same, a minute later", AGES, later).expect("received");
    assert_eq!(again.starts_at, stock.starts_at);
    assert!(again.ends_at >= stock.ends_at);
    let stats = wait_for(&alerts, |stats| stats.waiting == 0);
    assert_eq!((stats.failed, stats.retried, stats.last_error), (0, 0, None));
}

#[test]
fn alertmanager_is_told_again_every_minute_with_its_token_below_its_path() {
    let sink = HttpSink::start().expect("started");
    let options = AlertmanagerOptions {
        url: Secret::new(sink.url("/am/")),
        token: Some(Secret::new("t0ken")),
        ..AlertmanagerOptions::default()
    };
    let alertmanager = Arc::new(Alertmanager::new(&options).expect("a sink"));
    let alerts = start(vec![at_once("prometheus", alertmanager)]);
    let look = |_, _| Some(11.0);
    for seconds in [0, 59, 60, 119, 120] {
        alerts.observe(Instant::EPOCH.after(Duration::from_secs(seconds)), "orders", &look);
        if seconds % 60 == 0 {
            let request = sink.next(AGES).expect("sent");
            assert_eq!(request.path, "/am/api/v2/alerts");
            assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
            assert!(request.json()[0]["endsAt"].is_string());
        }
    }
    assert!(alerts.shutdown(AGES).is_empty());
    assert_eq!(sink.rest().len(), 0);
}

#[test]
fn a_receiver_that_asks_for_time_is_given_it() {
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::retry_after(429, 2)]);
    let alerts = start(vec![at_once("team", slack(sink.url("/")))]);
    see(&alerts, "orders", 11.0);
    let first = sink.next(AGES).expect("sent");
    let stats = wait_for(&alerts, |stats| stats.retried == 1);
    assert_eq!(stats.last_error.as_deref(), Some("HTTP 429 Too Many Requests"));
    let second = sink.next(AGES).expect("sent");
    let between = second.received.duration_since(first.received);
    assert!(between >= Duration::from_millis(1900), "{between:?}");
}

#[test]
fn what_a_receiver_refuses_is_not_sent_again_and_no_redirect_is_followed() {
    let elsewhere = HttpSink::start().expect("started");
    let sink = HttpSink::start().expect("started");
    sink.answer([Reply::status(404), Reply::redirect(&elsewhere.url("/"))]);
    let alerts = start(vec![at_once("hook", webhook(sink.url("/canary")))]);
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.failed == 1);
    assert_eq!(stats.last_error.as_deref(), Some("HTTP 404 Not Found"));
    see(&alerts, "stock", 11.0);
    let stats = wait_for(&alerts, |stats| stats.failed == 2);
    let why = "HTTP 307 Temporary Redirect: not followed";
    assert_eq!((stats.last_error.as_deref(), stats.retried), (Some(why), 0));
    assert_eq!((sink.rest().len(), elsewhere.rest().len()), (2, 0));
}

#[test]
fn a_receiver_that_cannot_be_reached_is_tried_again_and_what_is_left_is_reported() {
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr());
    let url = format!("http://{}/canary", gone.expect("a port"));
    let alerts = start(vec![at_once("hook", webhook(url))]);
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.retried >= 1);
    let why = stats.last_error.expect("it failed");
    assert!(
        why.starts_with("cannot connect: Connection refused") && !why.contains("canary"),
        "{why}"
    );
    let [undelivered] = &*alerts.shutdown(Duration::from_millis(10)) else { panic!("one") };
    assert_eq!((&*undelivered.sink, &*undelivered.notification.rule), ("hook", "busy"));
}

#[test]
fn a_receiver_that_hangs_holds_up_no_other() {
    let (hangs, answers) =
        (HttpSink::start().expect("started"), HttpSink::start().expect("started"));
    hangs.otherwise(Reply::Hang);
    let sinks = [&hangs, &answers].map(|sink| at_once("hook", webhook(sink.url("/"))));
    let mut sinks = Vec::from(sinks);
    sinks[1].name = "other".to_owned();
    let alerts = start(sinks);
    see(&alerts, "orders", 11.0);
    hangs.next(AGES).expect("sent");
    answers.next(AGES).expect("sent");
    see(&alerts, "orders", 0.0);
    answers.next(AGES).expect("sent");
    let left = alerts.shutdown(Duration::from_millis(10));
    assert!(left.iter().all(|left| left.sink == "hook") && left.len() == 2, "{left:?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_trusted_unless_it_is_named() {
    let sink = TlsSink::start();
    let url = Secret::new(format!("https://localhost:{}/canary", sink.address.port()));
    let options = SlackOptions { url, root_certificates: None };
    let distrustful = Arc::new(Slack::new(&options).expect("a channel"));
    let alerts = start(vec![at_once("team", distrustful)]);
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.retried >= 1);
    let why = stats.last_error.expect("it failed");
    assert_eq!(why, "cannot connect: invalid peer certificate: UnknownIssuer");
    let options = SlackOptions { root_certificates: Some(sink.authority()), ..options };
    let trusting = Arc::new(Slack::new(&options).expect("a channel"));
    let alerts = start(vec![at_once("team", trusting)]);
    see(&alerts, "orders", 11.0);
    wait_for(&alerts, |stats| stats.delivered == 1);
}
