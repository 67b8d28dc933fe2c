//! Mails, to a server that somebody else wrote.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::Secret;
use pool_monitor::{AlertManager, Mail, MailOptions, MailTls};
use pool_testkit::receivers::MailSink;
use pool_testkit::servers::{PASSWORD, Tls, USER};

use super::{AGES, at_once, see, start, wait_for};

fn options(sink: &MailSink) -> MailOptions {
    MailOptions {
        server: "localhost".to_owned(),
        port: Some(sink.port()),
        user: Some(USER.to_owned()),
        password: Some(Secret::new(PASSWORD)),
        from: "Pools <pools@here.example>".to_owned(),
        to: vec!["a@there.example".to_owned(), "Duty <b@there.example>".to_owned()],
        root_certificates: sink.authority().map(Into::into),
        ..MailOptions::default()
    }
}

fn mails_by(options: &MailOptions) -> AlertManager {
    let mail = Arc::new(Mail::new(options).expect("options"));
    start(vec![at_once("duty", mail)])
}

#[test]
fn a_mail_comes_encrypted_from_who_has_logged_in_when_it_fires_and_when_it_is_over() {
    let sink = MailSink::start().expect("started");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    let mail = sink.next(AGES).expect("received");
    assert!(mail.is_encrypted);
    assert_eq!((mail.user.as_deref(), &*mail.from), (Some(USER), "pools@here.example"));
    assert_eq!(mail.to, ["a@there.example", "b@there.example"]);
    assert_eq!(mail.header("From"), Some("Pools <pools@here.example>"));
    assert_eq!(mail.header("Subject"), Some("CRITICAL busy: firing for the pool orders"));
    let text = &mail.texts[0].1;
    assert!(text.starts_with("orders: 11 connections of orders are in use (since 20"), "{text}");
    assert!(text.contains("service=shop"), "{text}");
    see(&alerts, "orders", 0.0);
    let resolved = sink.next(AGES).expect("received");
    assert_eq!(resolved.header("Subject"), Some("CRITICAL busy: resolved for the pool orders"));
    assert_ne!(resolved.header("Message-ID"), mail.header("Message-ID"));
}

#[test]
fn the_name_of_a_pool_adds_no_header() {
    let sink = MailSink::start().expect("started");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders\r\nBcc: x@there.example\r\n\r\nGröße", 11.0);
    let mail = sink.next(AGES).expect("received");
    assert_eq!(mail.header("Bcc"), None);
    assert_eq!(mail.to.len(), 2);
    let subject = "CRITICAL busy: firing for the pool orders  Bcc: x@there.example    Größe";
    assert_eq!(mail.header("Subject"), Some(subject));
}

#[test]
fn a_wrong_password_is_reported_and_not_tried_again() {
    let sink = MailSink::start().expect("started");
    let options = MailOptions { password: Some(Secret::new("canary7Qd3")), ..options(&sink) };
    let alerts = mails_by(&options);
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.failed == 1);
    let why = "SMTP 535: it refused the user or the password";
    assert_eq!((stats.last_error.as_deref(), stats.retried), (Some(why), 0));
    // It says so in a process of its own.
    let began = Instant::now();
    while sink.refused().is_empty() && began.elapsed() < AGES {
        std::thread::yield_now();
    }
    assert_eq!(sink.refused(), [USER], "each mechanism is one more try: one is enough");
    assert_eq!(alerts.shutdown(AGES).len(), 1);
}

#[test]
fn a_server_without_starttls_is_told_nothing() {
    let sink = MailSink::start_as(Tls::Off).expect("started");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.last_error.is_some());
    let why = stats.last_error.expect("it failed");
    assert!(why.to_lowercase().contains("starttls"), "{why}");
    assert_eq!((sink.rest().len(), sink.refused().len()), (0, 0));
}

#[test]
fn without_tls_only_loopback_is_mailed_to() {
    let sink = MailSink::start_as(Tls::Off).expect("started");
    let options = MailOptions { tls: MailTls::Off, ..options(&sink) };
    let alerts = mails_by(&options);
    see(&alerts, "orders", 11.0);
    assert!(!sink.next(AGES).expect("received").is_encrypted);
    let far = MailOptions { server: "smtp.example.com".to_owned(), ..options };
    let error = Mail::new(&far).expect_err("not encrypted").to_string();
    assert!(error.contains("tls = \"off\": a server that is not on loopback"), "{error}");
}

#[test]
fn a_certificate_of_an_unknown_authority_or_of_another_host_is_not_trusted() {
    let sink = MailSink::start().expect("started");
    let unknown = MailOptions { root_certificates: None, ..options(&sink) };
    let other = MailSink::start_as(Tls::OfAnotherHost).expect("started");
    for (options, part) in [(unknown, "UnknownIssuer"), (options(&other), "not valid for name")] {
        let alerts = mails_by(&options);
        see(&alerts, "orders", 11.0);
        let stats = wait_for(&alerts, |stats| stats.retried >= 1);
        let why = stats.last_error.expect("it failed");
        assert!(why.contains("certificate") && why.contains(part), "{why}");
    }
    assert_eq!((sink.rest().len(), other.rest().len()), (0, 0));
}

#[test]
fn a_server_that_asks_for_patience_gets_the_same_mail_again() {
    let sink = MailSink::start().expect("started");
    sink.answer("451 4.3.0 later").expect("told");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    let (first, second) = (sink.next(AGES).expect("sent"), sink.next(AGES).expect("sent"));
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    let stats = wait_for(&alerts, |stats| stats.delivered == 1);
    assert_eq!((stats.retried, stats.failed), (1, 0));
}

const UNKNOWN: &str = "550 5.1.1 nobody of that name";

#[test]
fn a_refused_recipient_keeps_the_mail_from_nobody_else() {
    let sink = MailSink::start().expect("started");
    let alerts = mails_by(&options(&sink));
    for in_use in [11.0, 0.0] {
        sink.answer_recipient("a@there.example", UNKNOWN).expect("told");
        see(&alerts, "orders", in_use);
        assert_eq!(sink.next(AGES).expect("sent").to, ["b@there.example"]);
    }
    let stats = wait_for(&alerts, |stats| stats.delivered == 2);
    assert_eq!((stats.partly, stats.failed, stats.retried), (2, 0, 0));
    let why = "SMTP 550: it refused an address; not for a@there.example";
    assert_eq!(stats.last_error.as_deref(), Some(why));
    assert!(alerts.shutdown(AGES).is_empty());
}

#[test]
fn a_mail_whose_recipients_are_all_refused_is_lost() {
    let sink = MailSink::start().expect("started");
    // And once more at the shutdown.
    for address in ["a@there.example", "b@there.example", "a@there.example", "b@there.example"] {
        sink.answer_recipient(address, UNKNOWN).expect("told");
    }
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.failed == 1);
    assert_eq!((stats.delivered, stats.partly, stats.retried), (0, 0, 0));
    let why = "SMTP 550: it refused an address; not for a@there.example and 1 more";
    assert_eq!(stats.last_error.as_deref(), Some(why));
    assert_eq!(alerts.shutdown(AGES).len(), 1);
    assert_eq!(sink.rest(), []);
}

#[test]
fn a_recipient_that_is_to_be_tried_later_is_and_the_others_are_not() {
    let sink = MailSink::start().expect("started");
    sink.answer_recipient("a@there.example", "450 4.2.0 greylisted").expect("told");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    let (first, second) = (sink.next(AGES).expect("sent"), sink.next(AGES).expect("sent"));
    assert_eq!(
        (&*first.to, &*second.to),
        (&["b@there.example".into()][..], &["a@there.example".into()][..])
    );
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert_eq!(first.header("To"), second.header("To"));
    let stats = wait_for(&alerts, |stats| stats.delivered == 1);
    assert_eq!((stats.partly, stats.retried, stats.last_error), (0, 1, None));
    see(&alerts, "orders", 0.0);
    assert_eq!(sink.next(AGES).expect("sent").to.len(), 2);
}

#[test]
fn a_recipient_that_is_refused_when_it_is_tried_later_leaves_the_mail_with_the_others() {
    let sink = MailSink::start().expect("started");
    for answer in ["450 4.2.0 greylisted", UNKNOWN] {
        sink.answer_recipient("a@there.example", answer).expect("told");
    }
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    assert_eq!(sink.next(AGES).expect("sent").to, ["b@there.example"]);
    let stats = wait_for(&alerts, |stats| stats.delivered == 1);
    assert_eq!((stats.partly, stats.retried, stats.failed), (1, 1, 0));
    assert!(alerts.shutdown(AGES).is_empty());
    assert_eq!(sink.rest(), []);
}

#[test]
fn who_is_refused_for_good_is_not_asked_again_with_those_who_are_tried_later() {
    let sink = MailSink::start().expect("started");
    sink.answer_recipient("a@there.example", UNKNOWN).expect("told");
    sink.answer_recipient("b@there.example", "450 4.2.0 greylisted").expect("told");
    let mut options = options(&sink);
    options.to.push("c@there.example".to_owned());
    let alerts = mails_by(&options);
    see(&alerts, "orders", 11.0);
    // Asked again, the first would be taken now.
    for to in ["c@there.example", "b@there.example"] {
        assert_eq!(sink.next(AGES).expect("sent").to, [to]);
    }
    let stats = wait_for(&alerts, |stats| stats.delivered == 1);
    assert_eq!((stats.partly, stats.retried, stats.failed), (1, 1, 0));
    let why = "SMTP 550: it refused an address; not for a@there.example";
    assert_eq!(stats.last_error.as_deref(), Some(why));
}

#[test]
fn a_mail_that_some_are_to_get_later_and_the_others_never_is_with_nobody_until_then() {
    let sink = MailSink::start().expect("started");
    sink.answer_recipient("a@there.example", UNKNOWN).expect("told");
    for answer in ["450 4.2.0 greylisted", UNKNOWN] {
        sink.answer_recipient("b@there.example", answer).expect("told");
    }
    // At the shutdown.
    for address in ["a@there.example", "b@there.example"] {
        sink.answer_recipient(address, UNKNOWN).expect("told");
    }
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.failed == 1);
    assert_eq!((stats.delivered, stats.partly, stats.retried), (0, 0, 1));
    let why = "SMTP 550: it refused an address; not for a@there.example and 1 more";
    assert_eq!(stats.last_error.as_deref(), Some(why));
    assert_eq!(alerts.shutdown(AGES).len(), 1);
    assert_eq!(sink.rest(), []);
}

#[test]
fn a_server_that_knows_only_ascii_is_not_sent_other_addresses() {
    let sink = MailSink::start().expect("started");
    let to = vec!["größe@there.example".to_owned()];
    let alerts = mails_by(&MailOptions { to, ..options(&sink) });
    see(&alerts, "orders", 11.0);
    let stats = wait_for(&alerts, |stats| stats.failed == 1);
    let why = "it takes no addresses with other letters than those of ASCII (no SMTPUTF8)";
    assert_eq!(stats.last_error.as_deref(), Some(why));
    assert_eq!(sink.rest(), []);
}

#[test]
fn a_mail_that_was_taken_is_not_sent_again_whatever_becomes_of_the_session() {
    let sink = MailSink::start().expect("started");
    sink.answer("250 and hang").expect("told");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    sink.next(AGES).expect("sent");
    let stats = wait_for(&alerts, |stats| stats.delivered + stats.retried > 0);
    assert_eq!((stats.delivered, stats.retried), (1, 0));
}

#[test]
fn a_server_that_hangs_does_not_hold_up_the_shutdown() {
    let sink = MailSink::start().expect("started");
    sink.answer("hang").expect("told");
    let alerts = mails_by(&options(&sink));
    see(&alerts, "orders", 11.0);
    sink.next(AGES).expect("sent");
    let [undelivered] = &*alerts.shutdown(Duration::from_millis(10)) else { panic!("one") };
    assert_eq!(undelivered.sink, "duty");
}
