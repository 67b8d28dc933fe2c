//! Mails, by SMTP.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use parking_lot::Mutex;
use pool_core::{ConfigError, Problem, Secret, async_trait};

use super::smtp::{Rejected, Server, outcome};
use super::{DeliveryError, Habits, MISSING, Sink, text};
use crate::alerts::Notification;
use crate::alerts::document::{Table, read_text};
use crate::alerts::rule::Severity;

/// How a mail server is talked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailTls {
    /// Encrypted after a greeting: a server that offers no STARTTLS is told nothing.
    #[default]
    StartTls,
    /// Encrypted from the beginning.
    Implicit,
    /// Not encrypted, which only a server on loopback may be.
    Off,
}

impl MailTls {
    const NAMES: [(&'static str, Self); 3] =
        [("starttls", Self::StartTls), ("implicit", Self::Implicit), ("off", Self::Off)];

    /// The port that is meant for it.
    const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::Off => 25,
        }
    }
}

/// By whom a [`Mail`] is sent, and to whom.
#[derive(Clone, Debug, Default)]
pub struct MailOptions {
    /// The host of the server. Default: none, which is an error.
    pub server: String,
    /// Its port. Default: 587, with implicit TLS 465, without TLS 25.
    pub port: Option<u16>,
    /// Whether it is encrypted. Default: by STARTTLS, without which nothing is sent.
    pub tls: MailTls,
    /// The user to log in as. Default: nobody.
    pub user: Option<String>,
    /// The user's password. Default: none.
    pub password: Option<Secret>,
    /// The sender, such as `Pools <pools@example.com>`. Default: none, which is an error.
    pub from: String,
    /// Who gets it. Default: nobody, which is an error. One address with other letters than those of
    /// ASCII keeps a mail from all where the server knows no `SMTPUTF8`, since its header names them all.
    pub to: Vec<String>,
    /// Authorities that are trusted besides the system's, as PEM. Default: none.
    pub root_certificates: Option<PathBuf>,
}

/// Mails to people. By default only of what is critical.
///
/// One mail goes to all recipients. Those whom the server refuses keep it from nobody else: it is
/// delivered, and counted in [`DeliveryStats::partly`](crate::DeliveryStats::partly), unless all are
/// refused. Whom the server wants later, and nobody else, it is sent to again.
pub struct Mail {
    server: Server,
    /// From and to whom.
    envelope: MessageBuilder,
    to: Vec<Address>,
    /// Behind the `@` of the messages' ids.
    domain: String,
    /// By rules, the mail that is to be sent again, but not to all: one, since what is newer takes the
    /// place of what waits.
    begun: Mutex<BTreeMap<Arc<str>, Begun>>,
}

/// A mail that the server wants later for some.
struct Begun {
    /// The notification's.
    id: String,
    /// Who has not got it. All others have.
    rejected: Vec<Rejected>,
}

impl Mail {
    /// Checks the options. Connects to nobody.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub fn new(options: &MailOptions) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let from = mailbox("from", &options.from, &mut problems);
        let to: Vec<_> =
            options.to.iter().filter_map(|it| mailbox("to", it, &mut problems)).collect();
        if options.to.is_empty() {
            problems.push(Problem::invalid("to", "", "nobody", "a list of addresses"));
        }
        let tls = tls(options, &mut problems);
        let credentials = credentials(options, &mut problems);
        ConfigError::from_problems(problems)?;
        let from = from.expect("bug: no sender without a problem");
        let tls = tls.expect("bug: no TLS without a problem");
        let port = options.port.unwrap_or(options.tls.port());
        let server = Server { host: options.server.clone(), port, tls, credentials };
        let domain = from.email.domain().to_owned();
        let addresses = to.iter().map(|it| it.email.clone()).collect();
        let envelope = to.into_iter().fold(Message::builder().from(from), MessageBuilder::to);
        Ok(Self { server, envelope, to: addresses, domain, begun: Mutex::default() })
    }

    /// Who has not got it of those it was sent to before.
    fn rejected(&self, notification: &Notification) -> Option<Vec<Rejected>> {
        let begun = self.begun.lock();
        let begun = begun.get(&notification.rule).filter(|begun| begun.id == notification.id);
        begun.map(|begun| begun.rejected.clone())
    }

    /// Takes note of who has not got it by now, and says what that means for all.
    fn note(
        &self,
        notification: &Notification,
        rejected: Vec<Rejected>,
    ) -> Result<(), DeliveryError> {
        let outcome = outcome_of(&rejected, rejected.len() < self.to.len());
        let (rule, mut begun) = (&notification.rule, self.begun.lock());
        if rejected.iter().all(|it| it.is_permanent) {
            begun.remove(rule);
        } else {
            begun.insert(Arc::clone(rule), Begun { id: notification.id.clone(), rejected });
        }
        outcome
    }
}

#[async_trait]
impl Sink for Mail {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let body = format!(
            "{}\r\n\r\n{}\r\n",
            text::lines(notification).join("\r\n"),
            text::labels(notification)
        );
        let mail = self
            .envelope
            .clone()
            .subject(one_line(&notification.title()))
            // The same for each attempt, so that whoever gets two sees that it is one.
            .message_id(Some(format!("<{}@{}>", notification.id, self.domain)))
            .header(ContentType::TEXT_PLAIN)
            .body(body);
        let mail = mail.map_err(|error| DeliveryError::Refused { why: error.to_string() })?;
        let (mut rejected, to) = match self.rejected(notification) {
            None => (Vec::new(), self.to.clone()),
            Some(rejected) => {
                let (for_good, for_later): (Vec<_>, Vec<_>) =
                    rejected.into_iter().partition(|it| it.is_permanent);
                (for_good, for_later.into_iter().map(|it| it.address).collect())
            }
        };
        rejected.extend(self.server.send(&mail, &to).await?);
        self.note(notification, rejected)
    }

    fn habits(&self) -> Habits {
        Habits { minimum_severity: Severity::Critical, ..Habits::default() }
    }
}

/// What it means for a mail that these did not get it, and perhaps some others did.
fn outcome_of(rejected: &[Rejected], is_with_some: bool) -> Result<(), DeliveryError> {
    let for_later = rejected.iter().find(|it| !it.is_permanent);
    let Some(Rejected { address, why, is_permanent }) = for_later.or(rejected.first()) else {
        return Ok(());
    };
    let others = match rejected.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let why = format!("{why}; not for {address}{others}");
    Err(if is_with_some {
        DeliveryError::Partly { why, again: !is_permanent }
    } else {
        outcome(why, *is_permanent)
    })
}

/// A pool may be called anything; what follows a line's end would be another header.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn mailbox(field: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Mailbox> {
    let mailbox = text.parse::<Mailbox>().ok();
    if mailbox.is_none() {
        let why = if text.is_empty() { MISSING } else { "not an address" };
        let allowed = "such as \"pools@example.com\" or \"Pools <pools@example.com>\"";
        problems.push(Problem::invalid(field, text, why, allowed));
    }
    mailbox
}

fn tls(options: &MailOptions, problems: &mut Vec<Problem>) -> Option<Tls> {
    let MailOptions { server, tls, root_certificates, .. } = options;
    if server.is_empty() {
        problems.push(Problem::invalid("server", "", MISSING, "the host of a mail server"));
    }
    if *tls == MailTls::Off {
        if !server.is_empty() && !is_loopback(server) {
            let why = "a server that is not on loopback";
            problems.push(Problem::invalid("tls", "off", why, "starttls, implicit"));
        }
        return Some(Tls::None);
    }
    let mut parameters = TlsParameters::builder(server.clone());
    if let Some(file) = root_certificates {
        match certificate(file) {
            Ok(certificate) => parameters = parameters.add_root_certificate(certificate),
            Err(why) => {
                let allowed = "a file of certificates, as PEM";
                let file = file.display().to_string();
                problems.push(Problem::invalid("root_certificates", file, why, allowed));
            }
        }
    }
    match parameters.build() {
        Ok(parameters) if *tls == MailTls::Implicit => Some(Tls::Wrapper(parameters)),
        Ok(parameters) => Some(Tls::Required(parameters)),
        Err(_) if server.is_empty() => None,
        Err(error) => {
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            problems.push(Problem::invalid("server", server, why, "a host's name"));
            None
        }
    }
}

fn certificate(file: &Path) -> Result<Certificate, String> {
    let text = read_text(file, 1 << 20)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err("it holds no certificate".to_owned());
    }
    Certificate::from_pem(text.as_bytes()).map_err(|_| "it is not PEM".to_owned())
}

fn is_loopback(server: &str) -> bool {
    let address = server.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    server == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn credentials(options: &MailOptions, problems: &mut Vec<Problem>) -> Option<Credentials> {
    match (&options.user, &options.password) {
        (Some(user), Some(password)) => {
            Some(Credentials::new(user.clone(), password.expose().to_owned()))
        }
        (None, None) => None,
        (Some(_), None) => {
            problems.push(Problem::not_shown("password", MISSING, "one, or no user"));
            None
        }
        (None, Some(_)) => {
            problems.push(Problem::invalid("user", "", MISSING, "one, or no password"));
            None
        }
    }
}

pub(super) fn read(table: &Table<'_, '_>) -> Option<Arc<dyn Sink>> {
    let options = MailOptions {
        server: table.text("server", "the host of a mail server").unwrap_or_default(),
        port: table.value("port", "a port, 1 to 65535", |value| {
            value.as_integer()?.to_string().parse().ok().filter(|port| *port > 0)
        }),
        tls: table.choice("tls", &MailTls::NAMES).unwrap_or_default(),
        user: table.text("user", "text"),
        password: table.secret("password"),
        from: table.text("from", "an address").unwrap_or_default(),
        to: table.list("to", "a list of addresses").unwrap_or_default(),
        root_certificates: table.text("root_certificates", "a path").map(PathBuf::from),
    };
    match Mail::new(&options) {
        Ok(sink) => Some(Arc::new(sink)),
        Err(error) => {
            table.note_all(error.problems().to_vec());
            None
        }
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").finish_non_exhaustive()
    }
}
