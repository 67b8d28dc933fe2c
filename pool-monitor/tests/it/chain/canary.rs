//! A secret in every place that takes one, and everything that is then shown to anybody: by a process of its
//! own, since logs and panics are those of all its threads.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use pool_core::{Driver, Secret, async_trait};
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_monitor::{
    AlertError, AlertManager, AlertOptions, Alertmanager, AlertmanagerOptions, DeliveryError,
    Deployment, Mail, MailOptions, Notification, PoolView, PrometheusEndpoint, PrometheusOptions,
    Sink, SinkOptions, Slack, SlackOptions, Webhook, WebhookOptions, advise,
};
use pool_mysql::MysqlDriver;
use pool_postgres::{PostgresDriver, PostgresOptions};
use pool_testkit::receivers::{HttpSink, MailSink, Reply};
use pool_testkit::servers::{Access, Family, PASSWORD, USER, shared};
use pool_testkit::{Shown, percent_encoded};

use super::saturated::{contend, fast, known};
use super::{AGES, Watch, otlp, patient, pool, scraping, server};
use crate::otlp::process::{again, is_child, said};
use crate::otlp::seen::Seen;
use crate::prometheus::{HERE, get};

const SECRET: &str = "canary-Vb81-of-the-chain";
/// The same as the key of a webhook.
const KEY: &str = "whsec_Y2FuYXJ5LVZiODEtb2YtdGhlLWNoYWlu";

fn show(what: &dyn Debug) {
    println!("{what:?}\n{what:#?}");
}

fn show_error(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        show(&error);
        println!("{error}\n{error:#}");
        next = error.source();
    }
}

/// Prints what libraries say through `log`, on whichever thread.
struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        println!("{} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Says all it was told, and panics.
struct Spiteful;

#[async_trait]
impl Sink for Spiteful {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        panic!("{notification:?}");
    }
}

/// Sinks of every kind, of which one takes what it is sent, and one that panics.
fn alerts(http: &HttpSink, mail: &MailSink) -> AlertOptions {
    let url = http.url(&format!("/{SECRET}?key={SECRET}"));
    let (port, authority) = (mail.port(), mail.authority().expect("TLS").display());
    let duty = |name: &str, password: &str| {
        format!(
            "[alerts.sinks.{name}]\ntype = \"mail\"\nserver = \"localhost\"\nport = {port}\n\
             user = \"{USER}\"\npassword = \"{password}\"\nfrom = \"pools@here.example\"\n\
             to = [\"duty@there.example\"]\nroot_certificates = \"{authority}\"\ngroup_wait = \"0s\"\n"
        )
    };
    let text = format!(
        "[alerts]\nshipped_rules = false\n\
         [alerts.rules.open]\nsignal = \"open\"\nabove = 0\nseverity = \"critical\"\n\
         [alerts.sinks.team]\ntype = \"slack\"\nurl = \"{url}\"\ngroup_wait = \"0s\"\n\
         [alerts.sinks.hook]\ntype = \"webhook\"\nurl = \"{url}\"\nsecret = \"{KEY}\"\n\
         group_wait = \"0s\"\n\
         [alerts.sinks.prometheus]\ntype = \"alertmanager\"\nurl = \"{url}\"\ntoken = \"{SECRET}\"\n{}{}",
        duty("duty", PASSWORD),
        duty("refused", SECRET),
    );
    let mut options = AlertOptions::from_toml("alerts.toml", &text).expect("right");
    options.sinks.push(SinkOptions::new("own", Arc::new(Spiteful)));
    options
}

/// In no form is this the right password.
async fn fail_to_connect<D: Driver + Debug>(watch: &Watch, form: &str, driver: D) {
    show(&(&driver, driver.metadata()));
    let config =
        pool_core::PoolConfig { outage_grace: Some(Duration::from_millis(1)), ..patient(1) };
    let pool = pool(form, driver, config, None);
    watch.watch(&pool.control());
    show_error(&pool.acquire().await.expect_err("a wrong password"));
    show(&(&pool, pool.stats(), pool.control().metadata()));
}

async fn connect_in_every_form(watch: &Watch) {
    let with = |access: Access| Access { password: SECRET.to_owned(), ..access };
    let access = with(server());
    let Access { host, port, user, first_database: database, .. } = &access;
    let escaped = percent_encoded(SECRET);
    for (form, text) in [
        ("postgres-url", access.url(database)),
        ("postgres-escaped", format!("postgresql://{user}:{escaped}@{host}:{port}/{database}")),
        (
            "postgres-parameter",
            format!("postgres://{host}:{port}/{database}?user={user}&password={SECRET}"),
        ),
        (
            "postgres-words",
            format!("host={host} port={port} user={user} password='{SECRET}' dbname={database}"),
        ),
    ] {
        let options: PostgresOptions = text.parse().expect(form);
        fail_to_connect(watch, form, PostgresDriver::new(options)).await;
        let broken = text.replace(&port.to_string(), "no-port").parse::<PostgresOptions>();
        show_error(&broken.expect_err(form));
    }
    let access = with(shared(Family::MySql).unwrap_or_else(|error| panic!("{error}")));
    let Access { host, port, user, first_database: database, .. } = &access;
    for (form, text) in [
        ("mysql-url", access.url(database)),
        ("mysql-escaped", format!("mysql://{user}:{escaped}@{host}:{port}/{database}")),
    ] {
        fail_to_connect(watch, form, MysqlDriver::from_url(&text).expect(form)).await;
        show_error(&MysqlDriver::from_url(&format!("{text}?no=such")).expect_err(form));
    }
}

/// What is shown by what nobody can use.
fn show_what_is_wrong() {
    let odd = || Secret::new(format!("{SECRET}\n"));
    let bad = OtlpOptions {
        endpoint: Some(format!("{SECRET}://me:{SECRET}@a b/{SECRET}")),
        headers: vec![("api-key".to_owned(), odd())],
        ..OtlpOptions::default()
    };
    show_error(&Telemetry::start(&bad).expect_err("no URL"));
    let bad = PrometheusOptions { token: Some(odd()), ..scraping() };
    show(&bad);
    show_error(&PrometheusEndpoint::start(&bad, Vec::new).expect_err("no token"));
    let slack = SlackOptions { url: odd(), ..SlackOptions::default() };
    show(&slack);
    show_error(&Slack::new(&slack).expect_err("no URL"));
    let hook = WebhookOptions { url: odd(), secret: odd(), ..WebhookOptions::default() };
    show(&hook);
    show_error(&Webhook::new(&hook).expect_err("no URL"));
    let manager =
        AlertmanagerOptions { url: odd(), token: Some(odd()), ..AlertmanagerOptions::default() };
    show(&manager);
    show_error(&Alertmanager::new(&manager).expect_err("no URL"));
    let mail = MailOptions { password: Some(odd()), ..MailOptions::default() };
    show(&mail);
    show_error(&Mail::new(&mail).expect_err("no server"));
    let text =
        format!("[alerts.sinks.a]\ntype = \"slack\"\nurl = \"{SECRET}\"\ntoken = \"{SECRET}");
    show_error(&AlertOptions::from_toml("alerts.toml", &text).expect_err("unfinished"));
    let sinks = vec![SinkOptions::new(format!("https://{SECRET}"), Arc::new(Spiteful))];
    let error = AlertManager::start(AlertOptions { sinks, ..AlertOptions::default() });
    let Err(error @ AlertError::Config(_)) = error else { panic!("no name") };
    show_error(&error);
}

/// Waits until each sink has tried, and shows what they were told.
fn show_alerts(alerts: &AlertManager, http: &HttpSink, mail: &MailSink) {
    for _ in 0..3 {
        println!("{}", http.next(AGES).expect("told").text());
    }
    show(&mail.next(AGES).expect("told"));
    let began = std::time::Instant::now();
    while alerts.delivery().iter().any(|stats| stats.delivered + stats.failed == 0) {
        assert!(began.elapsed() < AGES, "{:?}", alerts.delivery());
        std::thread::yield_now();
    }
    show(&(alerts, alerts.firing(), alerts.delivery()));
    show(&alerts.shutdown(AGES));
}

/// Exports to a collector that takes it, and to one that says what it was sent.
fn show_telemetry(watch: &Watch, collector: &HttpSink) {
    let body = format!("no such key: {SECRET}");
    for reply in [Reply::status(200), Reply::Answer { status: 401, headers: Vec::new(), body }] {
        collector.otherwise(reply);
        watch.telemetry.tracer_provider().tracer("canary").start("a span").end();
        let delivery = watch.telemetry.flush(AGES);
        show(&(&delivery, watch.telemetry.state()));
        if let Some(error) = &delivery.error {
            show_error(error);
        }
    }
    show(&watch.telemetry.shutdown(AGES));
    let requests = collector.rest();
    assert!(requests.iter().any(|it| it.header("api-key") == Some(SECRET)), "it is sent");
    for request in requests {
        println!("{}", request.text());
    }
}

/// What a scraper gets that has the token, or has it wrong.
fn show_scrapes(watch: &Watch) {
    let options = PrometheusOptions { token: Some(Secret::new(SECRET)), ..scraping() };
    let endpoint = PrometheusEndpoint::start(&options, watch.scraped.families()).expect("started");
    show(&(&options, &endpoint));
    for (path, token) in
        [("/metrics", SECRET), ("/metrics", PASSWORD), (&*format!("/{SECRET}"), SECRET)]
    {
        println!("{}", get(&endpoint, path, &format!("{HERE}Authorization: Bearer {token}\r\n")));
    }
    show(&watch.scraped.families()());
}

/// All of it, in a process that shows nothing else.
async fn show_everything() {
    let sink = || HttpSink::start().expect("started");
    let (collector, http, mail) = (sink(), sink(), MailSink::start().expect("started"));
    let address = collector.address();
    let options = OtlpOptions {
        headers: vec![("api-key".to_owned(), Secret::new(SECRET))],
        ..otlp(&format!("http://me:{SECRET}@{address}/{SECRET}?key={SECRET}"), "canary")
    };
    let watch = Watch::start(&options, None);
    let told = alerts(&http, &mail);
    show(&(&options, &told, &watch.telemetry, &watch.endpoint));
    show(&(&watch.monitor, &watch.metrics, &watch.traces, &watch.scraped));
    let alerts = AlertManager::start(told).expect("started");

    let (used, monitor) = fast("used", 2);
    let subscription = monitor.subscribe(alerts.clone());
    show(&subscription);
    let has_panicked = AtomicBool::new(false);
    let spiteful = move |view: &PoolView| {
        assert!(has_panicked.swap(true, Ordering::Relaxed), "{view:?}");
    };
    monitor.subscribe(spiteful).keep();
    watch.watch(&used.control());
    contend(&used, 1);
    let view = known(&monitor);
    let mut probe = used.control().probe().await.expect("opened");
    let capacity = probe.capacity().await.expect("it can be asked").expect("answered");
    let deployment = Deployment { replicas: 1000, capacity: Some(capacity) };
    show(&(&view, &deployment));
    for advice in advise(&view, &deployment) {
        show(&advice);
        println!("{advice}");
    }
    connect_in_every_form(&watch).await;
    watch.monitor.look();
    show(&watch.monitor.views());
    show_alerts(&alerts, &http, &mail);
    show_scrapes(&watch);
    show_telemetry(&watch, &collector);
    show_what_is_wrong();
    drop(monitor);
    drop(used.close(AGES).await);
}

#[test]
fn a_secret_in_every_place_that_takes_one_is_shown_nowhere() {
    if is_child() {
        log::set_logger(&Log).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
        let seen = Seen::default();
        tracing::subscriber::set_global_default(seen.clone()).expect("the first");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("a runtime").block_on(show_everything());
        for line in seen.lines() {
            println!("{line}");
        }
        return;
    }
    let shown = Shown::start();
    shown.note_text(&said(&again(&[])));
    shown.expect(&[
        // Errors, of a server, of a collector, of mail, of options.
        "28P01",
        "1045",
        "refused with HTTP status 401",
        "SMTP 535",
        "(not shown)",
        // Alerts, mails, advice, metrics, spans, the log of ours and of others.
        "pool.alert.firing",
        "Subject: CRITICAL open",
        "the server allows",
        "pool_connections_open_failures_total{db_client_connection_pool_name=\"mysql-url\"",
        "connect postgres",
        "pool statistics",
        "TRACE ",
        "DEBUG tokio_postgres",
        // Panics.
        "the sink panicked",
        "a subscriber of the monitor panicked",
    ]);
    shown.expect_no(SECRET);
    shown.expect_no(PASSWORD);
}
