//! A pool that is full, and what each of those is told who are to know: at first, and when it is over.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pool_monitor::{AlertManager, AlertOptions};
use pool_testkit::receivers::{
    Alert, Alertmanager, HttpSink, MailSink, Prometheus, Request, Scraping, Verdict, verify_webhook,
};
use pool_testkit::servers::{PASSWORD, USER};
use tokio::sync::watch;

use super::{AGES, Watch, otlp, postgres};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const POOL: &str = "orders";

/// Everybody who is told, by programs of others as far as there are any.
struct Told {
    slack: HttpSink,
    hook: HttpSink,
    mail: MailSink,
    alertmanager: Alertmanager,
    /// Who is told by that Alertmanager.
    after: HttpSink,
}

impl Told {
    fn start() -> Self {
        let sink = || HttpSink::start().expect("started");
        let after = sink();
        let alertmanager = Alertmanager::telling(&after.url("/told")).expect("started");
        let mail = MailSink::start().expect("started");
        Self { slack: sink(), hook: sink(), mail, alertmanager, after }
    }

    /// The shipped rules, but for how long it takes; and as many kinds of sinks as there are.
    fn options(&self) -> AlertOptions {
        let authority = self.mail.authority().expect("TLS").display();
        let text = format!(
            "[alerts.rules.utilisation]\nfor = \"0s\"\nkeep_firing = \"0s\"\n\
             [alerts.rules.full]\nabove = \"100ms\"\nkeep_firing = \"0s\"\n\
             [alerts.rules.wait]\nenabled = false\n\
             [alerts.sinks.team]\ntype = \"slack\"\nurl = \"{slack}\"\ngroup_wait = \"0s\"\n\
             [alerts.sinks.hook]\ntype = \"webhook\"\nurl = \"{hook}\"\nsecret = \"{SECRET}\"\n\
             group_wait = \"0s\"\n\
             [alerts.sinks.prometheus]\ntype = \"alertmanager\"\nurl = \"{alertmanager}\"\n\
             [alerts.sinks.duty]\ntype = \"mail\"\nserver = \"localhost\"\nport = {port}\n\
             user = \"{USER}\"\npassword = \"{PASSWORD}\"\nfrom = \"pools@here.example\"\n\
             to = [\"duty@there.example\"]\nroot_certificates = \"{authority}\"\n\
             group_wait = \"0s\"\n",
            slack = self.slack.url("/services/T0/B0"),
            hook = self.hook.url("/hook"),
            alertmanager = self.alertmanager.url(),
            port = self.mail.port(),
        );
        AlertOptions::from_toml("alerts.toml", &text).expect("right")
    }

    /// What Alertmanager's own receiver is told next of an alert of this state.
    #[track_caller]
    fn expect_after(&self, name: &str, status: &str) {
        let is_it = |request: &Request| {
            let body = request.json();
            let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
            alerts.iter().any(|it| it["labels"]["alertname"] == name && it["status"] == status)
        };
        while !is_it(&self.after.next(AGES).expect("told")) {}
    }
}

/// The shipped rules of Prometheus without the time that they wait for.
fn shipped_rules_at_once() -> PathBuf {
    let shipped = include_str!("../../../shipped/alerts.yml");
    let lines = shipped.lines().map(|line| match line.split_once("for: ") {
        Some((before, _time)) if before.trim().is_empty() || before.ends_with("keep_firing_") => {
            format!("{before}for: 0s\n")
        }
        _ => format!("{line}\n"),
    });
    let (changed, path) = (lines.collect::<String>(), env!("CARGO_TARGET_TMPDIR"));
    assert_ne!(changed, shipped, "there is something to wait for");
    let path = PathBuf::from(path).join("alerts-at-once.yml");
    fs::write(&path, changed).expect("written");
    path
}

/// Titles in the order of their rules: those that come together come in any order.
fn in_order<const N: usize>(mut titles: [String; N]) -> [String; N] {
    titles.sort();
    titles
}

fn titles(state: &str) -> [String; 2] {
    ["CRITICAL full", "WARNING utilisation"]
        .map(|rule| format!("{rule}: {state} for the pool {POOL}"))
}

#[track_caller]
fn expect_told(told: &Told, state: &str) {
    let slack = [(); 2].map(|()| {
        let text = told.slack.next(AGES).expect("told").json();
        text["text"].as_str().expect("a text").to_owned()
    });
    assert_eq!(in_order(slack), titles(state));
    let hooks = [(); 2].map(|()| told.hook.next(AGES).expect("told"));
    let of_hooks = hooks.map(|request| {
        assert_eq!(verify_webhook(SECRET, &request).expect("judged"), Verdict::Accepted);
        let body = request.json();
        assert_eq!(body["data"]["alerts"][0]["pool"], POOL);
        format!("{} {}", body["data"]["rule"], body["type"])
    });
    let event = format!("\"pool.alert.{state}\"");
    assert_eq!(
        in_order(of_hooks),
        ["\"full\"", "\"utilisation\""].map(|rule| format!("{rule} {event}"))
    );
    let mail = told.mail.next(AGES).expect("told");
    assert_eq!(mail.header("Subject"), Some(&*titles(state)[0]), "only what is critical");
    assert!(mail.is_encrypted && mail.user.as_deref() == Some(USER));
}

fn label<'a>(alert: &'a Alert, name: &str) -> Option<&'a str> {
    alert.labels.get(name).map(String::as_str)
}

/// Name and pool of each, in order.
fn names(alerts: &[Alert]) -> Vec<(&str, &str)> {
    let name = |alert| {
        let pool = label(alert, "pool").or(label(alert, "db_client_connection_pool_name"));
        Some((label(alert, "alertname")?, pool?))
    };
    let mut names: Vec<_> = alerts.iter().filter_map(name).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_is_told_of_by_every_way_there_is_and_so_is_its_end() {
    let told = Told::start();
    // That nobody collects what is measured keeps no alert from anybody.
    let watched = Watch::start(&otlp("http://127.0.0.1:1", "alerts"), None);
    let alerts = AlertManager::start(told.options()).expect("started");
    watched.monitor.subscribe(alerts.clone()).keep();
    let scraping = Scraping {
        targets: vec![watched.endpoint.address()],
        rules: vec![shipped_rules_at_once()],
        alertmanager: Some(told.alertmanager.address()),
        ..Scraping::default()
    };
    let prometheus = Prometheus::start(&scraping).expect("started");
    let pool = postgres(POOL, 2);
    watched.watch(&pool.control());

    // Two transactions keep every connection, and others wait behind them.
    let (end, ended) = watch::channel(false);
    let users: Vec<_> = (0..5)
        .map(|_| {
            let (pool, mut ended) = (pool.clone(), ended.clone());
            tokio::spawn(async move {
                let mut connection = pool.acquire().await.expect("acquired");
                let transaction = connection.transaction().await.expect("begun");
                ended.wait_for(|ended| *ended).await.expect("it will come");
                transaction.commit().await.expect("committed");
            })
        })
        .collect();
    expect_told(&told, "firing");
    for name in ["PoolFull", "PoolUtilisationHigh"] {
        let firing = format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}}");
        prometheus.wait_for(&firing, AGES).expect("it fires");
    }
    let expected =
        [("PoolFull", POOL), ("PoolUtilisationHigh", POOL), ("full", POOL), ("utilisation", POOL)];
    let all = |alerts: &[Alert]| (names(alerts) == expected).then(|| alerts.to_vec());
    let all = told.alertmanager.wait_for("four alerts", AGES, all).expect("received");
    for alert in &all {
        let summary = &alert.annotations["summary"];
        assert!(summary.contains(POOL), "{summary}");
    }
    told.expect_after("PoolFull", "firing");

    end.send(true).expect("they wait for it");
    for user in users {
        user.await.expect("no panic");
    }
    expect_told(&told, "resolved");
    let none = |alerts: &[Alert]| alerts.is_empty().then_some(());
    told.alertmanager.wait_for("no alert", AGES, none).expect("all are over");
    told.expect_after("PoolFull", "resolved");
    prometheus.wait_for("absent(ALERTS)", AGES).expect("it fires no more");

    assert_eq!(alerts.firing(), []);
    assert!(alerts.shutdown(AGES).is_empty());
    for stats in alerts.delivery() {
        assert_eq!((stats.failed, stats.dropped, stats.retried), (0, 0, 0), "{stats:?}");
    }
    assert_eq!(
        (told.slack.rest().len(), told.hook.rest().len(), told.mail.rest().len()),
        (0, 0, 0)
    );
    assert!(pool.close(AGES).await.drained);
    let left = watched.telemetry.shutdown(Duration::ZERO);
    assert!(left.spans_undelivered > 0, "{left:?}");
}
