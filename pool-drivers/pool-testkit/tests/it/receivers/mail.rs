//! The sink of mails.

use std::io::Read;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use pool_testkit::receivers::{MailSink, python};
use pool_testkit::servers::{PASSWORD, Tls, USER};

use super::runs;

const AGES: Duration = Duration::from_mins(1);

/// Sends a mail with the client of Python's library, by STARTTLS if there is an authority.
fn send(sink: &MailSink, authority: Option<&Path>, password: &str) -> Result<(), String> {
    const CLIENT: &str = r#"
import smtplib, ssl, sys
from email.message import EmailMessage
port, authority, user, password = sys.argv[1:]
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "pool@here.example", "a@there.example", "Größe"
mail.set_content("too small\n")
mail.add_alternative("<b>too small</b>\n", subtype="html")
with smtplib.SMTP("localhost", int(port)) as client:
    if authority:
        client.starttls(context=ssl.create_default_context(cafile=authority))
    client.login(user, password)
    client.send_message(mail, to_addrs=["a@there.example", "b@there.example"])
"#;
    let mut client = python(&["-c", CLIENT, &sink.port().to_string()]).expect("Python is there");
    client.arg(authority.unwrap_or(Path::new(""))).args([USER, password]);
    let Output { status, stderr, .. } = client.output().expect("Python runs");
    let complaint = String::from_utf8_lossy(&stderr).into_owned();
    if status.success() { Ok(()) } else { Err(complaint) }
}

#[test]
fn a_mail_is_told_as_it_came_and_by_whom() {
    let sink = MailSink::start().expect("started");
    send(&sink, sink.authority(), PASSWORD).expect("sent");
    let mail = sink.next(AGES).expect("received");
    assert_eq!(mail.from, "pool@here.example");
    assert_eq!(mail.to, ["a@there.example", "b@there.example"]);
    assert_eq!((mail.user.as_deref(), mail.is_encrypted), (Some(USER), true));
    assert_eq!(mail.header("subject"), Some("Größe"));
    let texts: Vec<_> = mail.texts.iter().map(|(kind, text)| (&**kind, &**text)).collect();
    assert_eq!(texts, [("text/plain", "too small\n"), ("text/html", "<b>too small</b>\n")]);
    assert!(mail.raw.contains("Subject: =?utf-8?"), "{}", mail.raw);
    assert_eq!(sink.rest(), []);
}

#[test]
fn a_wrong_password_and_a_session_without_tls_are_refused() {
    let sink = MailSink::start().expect("started");
    let refusal = send(&sink, sink.authority(), "wrong").expect_err("refused");
    assert!(refusal.contains("SMTPAuthenticationError"), "{refusal}");
    // This client tries one mechanism after the other.
    // It says so in a process of its own.
    let began = Instant::now();
    while sink.refused().is_empty() && began.elapsed() < AGES {
        std::thread::yield_now();
    }
    let refused = sink.refused();
    assert!(!refused.is_empty() && refused.iter().all(|user| user == USER), "{refused:?}");
    let refusal = send(&sink, None, PASSWORD).expect_err("refused");
    assert!(!refusal.contains("SMTPAuthenticationError"), "{refusal}");
    let silent = sink.next(Duration::from_millis(1)).expect_err("no mail");
    assert!(silent.to_string().starts_with("a mail did not come within 1ms"), "{silent}");
}

#[test]
fn a_mail_can_be_refused_once() {
    let sink = MailSink::start_as(Tls::Off).expect("started");
    sink.answer("451 4.3.0 later").expect("told");
    let refusal = send(&sink, None, PASSWORD).expect_err("refused");
    assert!(refusal.contains("4.3.0 later"), "{refusal}");
    send(&sink, None, PASSWORD).expect("sent");
    for _ in 0..2 {
        sink.next(AGES).expect("what was refused was received, too");
    }
    let mail = sink.next(Duration::from_millis(1)).expect_err("both were told");
    assert!(sink.authority().is_none(), "{mail}");
}

#[test]
fn a_recipient_can_be_refused_once() {
    let sink = MailSink::start_as(Tls::Off).expect("started");
    sink.answer_recipient("b@there.example", "550 5.1.1 unknown").expect("told");
    for to in [&["a@there.example"][..], &["a@there.example", "b@there.example"]] {
        send(&sink, None, PASSWORD).expect("sent to one at least");
        assert_eq!(sink.next(AGES).expect("received").to, to);
    }
}

#[test]
fn a_certificate_of_another_host_is_not_trusted() {
    let sink = MailSink::start_as(Tls::OfAnotherHost).expect("started");
    let refusal = send(&sink, sink.authority(), PASSWORD).expect_err("refused");
    assert!(refusal.contains("CERTIFICATE_VERIFY_FAILED"), "{refusal}");
}

#[test]
fn it_ends_when_it_is_dropped() {
    let sink = MailSink::start().expect("started");
    let pid = sink.pid().expect("it runs");
    assert!(runs(pid));
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", sink.port())).expect("there");
    drop(sink);
    assert!(!runs(pid));
    // What it said before, and then the end.
    let _closed = connection.read_to_end(&mut Vec::new());
}
