//! Whether anything that is shown while alerts are delivered, or not, holds a secret.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use futures_util::future::{join_all, select};
use pool_testkit::Shown;
use pool_testkit::hostile::CANARY;
use pool_testkit::receivers::{HttpSink, MailSink, Reply};
use pool_testkit::servers::{PASSWORD, USER};
use tokio::time::{sleep, timeout};

use super::alert::{Alert, Notification};
use super::delivery::{Queue, deliver};
use super::file::read;
use super::options::{AlertOptions, SinkOptions};
use super::rule::Severity;

/// What is over by itself, or fails this often, was tried long enough.
const ENOUGH: u64 = 2;
/// On the slowest of machines.
const LIMIT: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

fn notification() -> Notification {
    let alert = Alert {
        rule: "busy".into(),
        pool: "orders".into(),
        severity: Severity::Critical,
        summary: "the pool orders is busy".to_owned(),
        value: 11.0,
        started: SystemTime::now(),
        resolved: None,
    };
    Notification {
        id: "msg_1".to_owned(),
        rule: Arc::clone(&alert.rule),
        severity: alert.severity,
        alerts: vec![alert],
        at: SystemTime::now(),
        repeat: Duration::from_mins(1),
        labels: Arc::default(),
    }
}

/// A mail server that offers to log in and then knows no command, of which it says so in full.
fn parrot() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    // Ends with the process: nobody knows when the last client has come.
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut writer = stream.try_clone().expect("a descriptor");
            let mut said = |words: String| writer.write_all(words.as_bytes()).is_ok();
            said("220 here\r\n".to_owned());
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.all(|line| match line.get(..4) {
                Some("EHLO") => said("250-here\r\n250 AUTH PLAIN LOGIN\r\n".to_owned()),
                _ => said(format!("bad command: {line}\r\n")),
            });
        }
    });
    address
}

/// Sinks of all kinds, each with the canary as its secret, to receivers that take it, refuse it, send it
/// elsewhere, talk no TLS, repeat what they hear, or are not there.
fn options(http: &HttpSink, mail: &MailSink) -> AlertOptions {
    let key = "whsec_Y2FuYXJ5N1FkM2NhbmFyeTdRZDNjYW5hcnk3UWQz";
    let address = http.address();
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    let mut tables = Vec::new();
    for (at, url) in
        [format!("http://{address}"), format!("https://{address}"), format!("http://{gone}")]
            .iter()
            .enumerate()
    {
        let url = format!("url = \"{url}/{CANARY}?token={CANARY}\"");
        tables.push(format!("[alerts.sinks.slack-{at}]\ntype = \"slack\"\n{url}\n"));
        tables.push(format!(
            "[alerts.sinks.hook-{at}]\ntype = \"webhook\"\n{url}\nsecret = \"{key}\"\n"
        ));
        tables.push(format!(
            "[alerts.sinks.prometheus-{at}]\ntype = \"alertmanager\"\n{url}\ntoken = \"{CANARY}\"\n"
        ));
    }
    let (port, authority) = (mail.port(), mail.authority().expect("TLS").display());
    for (name, password, port) in
        [("taken", PASSWORD, port), ("refused", CANARY, port), ("gone", CANARY, gone.port())]
    {
        tables.push(format!(
            "[alerts.sinks.{name}]\ntype = \"mail\"\nserver = \"localhost\"\nport = {port}\n\
             user = \"{USER}\"\npassword = \"{password}\"\nfrom = \"a@here.example\"\n\
             to = [\"b@here.example\"]\nroot_certificates = \"{authority}\"\n"
        ));
    }
    tables.push(format!(
        "[alerts.sinks.parrot]\ntype = \"mail\"\nserver = \"127.0.0.1\"\nport = {}\ntls = \"off\"\n\
         user = \"{USER}\"\npassword = \"{CANARY}\"\nfrom = \"a@here.example\"\n\
         to = [\"b@here.example\"]\n",
        parrot().port()
    ));
    read("alerts.toml", &tables.concat(), &|_| None).expect("a file")
}

/// Delivers on this thread, whose log is looked at.
async fn tell(options: SinkOptions) -> (SinkOptions, Arc<Queue>) {
    let queue = Arc::new(Queue::new(&options.name));
    queue.put(notification());
    queue.close();
    let delivery = deliver(Arc::clone(&queue), Arc::clone(&options.sink), Duration::ZERO);
    let tried = async {
        while queue.stats().retried < ENOUGH {
            sleep(LOOK).await;
        }
    };
    let is_over = timeout(LIMIT, select(pin!(delivery), pin!(tried))).await.is_ok();
    assert!(is_over, "it takes too long: {:?}", queue.stats());
    (options, queue)
}

#[test]
fn whatever_becomes_of_alerts_nothing_that_is_shown_holds_a_secret() {
    let (http, mail) = (HttpSink::start().expect("started"), MailSink::start().expect("started"));
    http.answer([Reply::status(200), Reply::status(404), Reply::redirect("/elsewhere")]);
    let shown = Shown::start();
    let options = options(&http, &mail);
    shown.note(&options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let told = runtime.block_on(join_all(options.sinks.into_iter().map(tell)));
    for (options, queue) in told {
        shown.note(&options);
        shown.note(&queue);
        shown.note(&queue.stats());
        for undelivered in queue.take_rest() {
            shown.note(&undelivered);
        }
    }
    for request in http.rest() {
        shown.note_text(&request.text());
    }
    for mail in mail.rest() {
        shown.note_text(&mail.raw);
    }
    shown.expect(&[
        "HTTP 404",
        "HTTP 307",
        "cannot connect: ",
        "Connection refused",
        "SMTP 535",
        "the answer is not understood",
        "an alert was refused",
        "alerts cannot be delivered for now",
        "pool.alert.firing",
        "the pool orders is busy",
        "Subject: CRITICAL busy",
    ]);
    shown.expect_no(CANARY);
}
