//! Prometheus, promtool and Alertmanager, together and alone.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use pool_testkit::receivers::{
    Alertmanager, HttpSink, Prometheus, Promtool, ReceiverError, Reply, Scraping,
};

use super::runs;

const AGES: Duration = Duration::from_mins(1);

/// A target with one metric.
fn target() -> HttpSink {
    let target = HttpSink::start().expect("started");
    let body = "# TYPE waiting gauge\nwaiting{pool=\"orders\"} 7\n".to_owned();
    let headers = vec![("Content-Type".to_owned(), "text/plain; version=0.0.4".to_owned())];
    target.otherwise(Reply::Answer { status: 200, headers, body });
    target
}

const RULES: &str = r#"
groups:
  - name: pools
    rules:
      - alert: Waiting
        expr: waiting > 5
        labels: {severity: critical}
        annotations: {summary: "{{ $value }} wait"}
"#;

#[test]
fn prometheus_scrapes_with_its_token_and_answers_queries() {
    let target = target();
    let targets = vec![target.address()];
    let scraping = Scraping { targets, token: Some("open".to_owned()), ..Scraping::default() };
    let prometheus = Prometheus::start(&scraping).expect("started");
    let samples = prometheus.wait_for("waiting * 2", AGES).expect("scraped");
    assert_eq!((samples[0].labels["pool"].as_str(), samples[0].value), ("orders", 14.0));
    let request = target.next(AGES).expect("scraped");
    assert_eq!(
        (&*request.path, request.header("Authorization")),
        ("/metrics", Some("Bearer open"))
    );
    let refusal = prometheus.query("waiting *").expect_err("no expression");
    assert!(refusal.to_string().contains("refused `waiting *`: "), "{refusal}");
    let nothing = prometheus.wait_for("absent_here", Duration::ZERO).expect_err("nothing");
    assert!(nothing.to_string().contains("/metrics: up"), "{nothing}");
    let pid = prometheus.pid().expect("it runs");
    drop(prometheus);
    assert!(!runs(pid));
}

#[test]
fn an_alert_of_a_rule_reaches_alertmanager_and_its_webhook() {
    let (target, hook) = (target(), HttpSink::start().expect("started"));
    let alertmanager = Alertmanager::telling(&hook.url("/hook")).expect("started");
    let folder = env!("CARGO_TARGET_TMPDIR");
    let rules = std::path::Path::new(folder).join("rules.yml");
    fs::write(&rules, RULES).expect("written");
    let scraping = Scraping {
        targets: vec![target.address()],
        rules: vec![rules],
        alertmanager: Some(alertmanager.address()),
        ..Scraping::default()
    };
    let _prometheus = Prometheus::start(&scraping).expect("started");
    let alert = alertmanager
        .wait_for("the alert", AGES, |alerts| alerts.first().cloned())
        .expect("it fires");
    assert_eq!((&*alert.labels["alertname"], &*alert.labels["severity"]), ("Waiting", "critical"));
    assert_eq!(alert.annotations["summary"], "7 wait");
    let told = hook.next(AGES).expect("told").json();
    assert_eq!(
        (&told["status"], &told["alerts"][0]["labels"]["pool"]),
        (&"firing".into(), &"orders".into())
    );
}

#[test]
fn alertmanager_takes_alerts_and_tells_which_fire() {
    let alertmanager = Alertmanager::start().expect("started");
    assert_eq!(alertmanager.alerts().expect("asked"), []);
    let body = r#"[{"labels": {"alertname": "Full", "pool": "orders"}, "annotations": {}}]"#;
    let mut client = TcpStream::connect(alertmanager.address()).expect("it listens");
    let length = body.len();
    let request = format!(
        "POST /api/v2/alerts HTTP/1.0\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    client.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("answered");
    assert!(answer.contains(" 200 OK"), "{answer}");
    let alert = alertmanager
        .wait_for("the alert", AGES, |alerts| alerts.first().cloned())
        .expect("it fires");
    assert_eq!(alert.labels["pool"], "orders");
    let missed = alertmanager.wait_for("another", Duration::ZERO, |alerts| alerts.get(1).cloned());
    let Err(ReceiverError::Silent { instead, .. }) = missed else { panic!("there is one only") };
    assert!(instead.contains("Full"), "{instead}");
    let pid = alertmanager.pid().expect("it runs");
    drop(alertmanager);
    assert!(!runs(pid));
}

#[test]
fn promtool_tells_right_rules_and_metrics_from_wrong_ones() {
    let promtool = Promtool::find().expect("it is there");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (right, wrong) = (folder.join("right.yml"), folder.join("wrong.yml"));
    fs::write(&right, RULES).expect("written");
    fs::write(&wrong, RULES.replace("> 5", ">")).expect("written");
    let said = promtool.check_rules(&right).expect("they are right");
    assert!(said.contains("1 rules found"), "{said}");
    let refusal = promtool.check_rules(&wrong).expect_err("they are wrong");
    assert!(refusal.to_string().starts_with("cannot approve of the rules"), "{refusal}");

    let test = folder.join("right.test.yml");
    let fires_at = |value: u32| {
        format!(
            "rule_files: [right.yml]\ntests:\n  - interval: 1m\n    input_series:\n      \
             - {{series: 'waiting', values: '{value}'}}\n    alert_rule_test:\n      \
             - eval_time: 0m\n        alertname: Waiting\n        exp_alerts:\n          \
             - exp_labels: {{severity: critical}}\n            \
             exp_annotations: {{summary: \"{value} wait\"}}\n"
        )
    };
    fs::write(&test, fires_at(6)).expect("written");
    promtool.test_rules(&test).expect("it fires above 5");
    fs::write(&test, fires_at(5)).expect("written");
    promtool.test_rules(&test).expect_err("it does not fire at 5");

    let metrics = "# HELP a_total How many.\n# TYPE a_total counter\na_total 1\n";
    promtool.check_metrics(metrics).expect("they are right");
    promtool.check_metrics(&metrics.replace("_total", "")).expect_err("a counter is a total");
}
