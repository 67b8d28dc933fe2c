//! A receiver of mails, by SMTP with STARTTLS and AUTH: `aiosmtpd` in a process of its own.

use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::error::ReceiverError;
use super::tool::Tool;
use crate::servers::account::Account;
use crate::servers::{PASSWORD, Tls, TlsFiles, USER};

/// An SMTP server that lets [`USER`] in with [`PASSWORD`] and nobody else, and delivers nothing.
#[derive(Debug)]
pub struct MailSink {
    daemon: Daemon,
    port: u16,
    tls: Option<TlsFiles>,
    /// How many mails were asked for.
    told: Mutex<usize>,
}

/// A mail that was received, as the server understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Who had logged in.
    pub user: Option<String>,
    /// Whether it came by TLS.
    pub is_encrypted: bool,
    /// Its headers, decoded.
    pub headers: Vec<(String, String)>,
    /// The type and the decoded text of each part that is text.
    pub texts: Vec<(String, String)>,
    /// All of it, as it came.
    pub raw: String,
}

impl MailSink {
    /// Starts one that takes mails by STARTTLS only.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn start() -> Result<Self, ReceiverError> {
        Self::start_as(Tls::Required)
    }

    /// Starts one that talks TLS like this. Where TLS is not required, it takes the password
    /// without, too.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn start_as(tls: Tls) -> Result<Self, ReceiverError> {
        let daemon = Daemon::new(Tool::Aiosmtpd)?;
        let files = TlsFiles::make(tls, &daemon.directory, Account::present())?;
        let wanted = json!({
            "user": USER,
            "password": PASSWORD,
            "requires_tls": matches!(tls, Tls::Required | Tls::OfAnotherHost),
            "certificate": files.as_ref().map(|files| &files.certificate),
            "key": files.as_ref().map(|files| &files.key),
        });
        let command = daemon.equipment.script(include_str!("mail.py"), &daemon.directory)?;
        daemon.start_with(command, &wanted.to_string(), |text| port(text).is_some())?;
        let port = port(&daemon.heard.text()).expect("bug: it said so");
        Ok(Self { daemon, port, tls: files, told: Mutex::new(0) })
    }

    /// The port on 127.0.0.1, which is `localhost` to its certificate.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file of the authority that vouches for it, if it talks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.tls.as_ref().map(|files| &*files.authority)
    }

    /// The next mail is answered so, after those that were said before: `451 4.3.0 later`. It is told
    /// all the same. `hang` never answers; `250 and hang` takes it, and never answers the farewell.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn answer(&self, answer: &str) -> Result<(), ReceiverError> {
        self.daemon.tell(answer)
    }

    /// This recipient is answered so the next time, after what was said before: `550 5.1.1 unknown`.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn answer_recipient(&self, address: &str, answer: &str) -> Result<(), ReceiverError> {
        self.daemon.tell(&format!("RCPT {address} {answer}"))
    }

    /// The oldest mail that was not asked for yet; waits for one.
    ///
    /// # Errors
    ///
    /// None comes within `bound`.
    pub fn next(&self, bound: Duration) -> Result<Mail, ReceiverError> {
        let mut told = self.told.lock();
        let mail = self.daemon.heard.wait_for(bound, |text, _| mails(text).nth(*told));
        *told += usize::from(mail.is_some());
        mail.ok_or_else(|| ReceiverError::Silent {
            awaited: "a mail".to_owned(),
            waited: bound,
            instead: self.daemon.last_words(),
        })
    }

    /// All mails that were not asked for yet; does not wait.
    #[must_use]
    pub fn rest(&self) -> Vec<Mail> {
        let mut told = self.told.lock();
        let rest: Vec<_> = mails(&self.daemon.heard.text()).skip(*told).collect();
        *told += rest.len();
        rest
    }

    /// Who tried to log in with a wrong name or password, each time.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        let text = self.daemon.heard.text();
        let refused = events(&text).filter_map(|event| Some(event["refused"].as_str()?.to_owned()));
        refused.collect()
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }
}

impl Mail {
    /// The first header of this name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

/// What was printed, but for a line that has not ended.
fn events(text: &str) -> impl Iterator<Item = Value> {
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.filter_map(|line| serde_json::from_str(line).ok())
}

fn port(text: &str) -> Option<u16> {
    events(text).find_map(|event| u16::try_from(event["port"].as_u64()?).ok())
}

fn mails(text: &str) -> impl Iterator<Item = Mail> {
    events(text).filter_map(|event| mail(&event["mail"]))
}

fn mail(value: &Value) -> Option<Mail> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pairs = |value: &Value| -> Option<Vec<_>> {
        value.as_array()?.iter().map(|pair| Some((text(&pair[0])?, text(&pair[1])?))).collect()
    };
    Some(Mail {
        from: text(&value["from"])?,
        to: value["to"].as_array()?.iter().filter_map(text).collect(),
        user: text(&value["user"]),
        is_encrypted: value["is_encrypted"].as_bool()?,
        headers: pairs(&value["headers"])?,
        texts: pairs(&value["texts"])?,
        raw: text(&value["raw"])?,
    })
}
