//! A conversation with a mail server: which recipients it takes, and what its answers mean.

use std::io;

use futures_util::FutureExt as _;
use lettre::Address;
use lettre::message::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Code;

use super::DeliveryError;
use crate::causes::causes;

/// Who takes the mails. Each has a session of its own, bounded by whoever delivers.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
}

/// A recipient whom the server did not take.
#[derive(Clone)]
pub(super) struct Rejected {
    pub(super) address: Address,
    pub(super) why: String,
    pub(super) is_permanent: bool,
}

impl Server {
    /// Sends it to those whom the server takes, and returns the others.
    ///
    /// # Errors
    ///
    /// Nobody has it.
    pub(super) async fn send(
        &self,
        mail: &Message,
        to: &[Address],
    ) -> Result<Vec<Rejected>, DeliveryError> {
        let mut session = self.connect().await.map_err(|error| failure(&error))?;
        let text = mail.formatted();
        let parameters = parameters(&session, mail, to, &text)?;
        let begin = Mail::new(mail.envelope().from().cloned(), parameters);
        let sent = send(&mut session, begin, to, &text).await.map_err(|error| failure(&error));
        // Says farewell and waits for no answer: the mail was taken, and whoever waits in vain would send
        // it again.
        let _answered = session.quit().now_or_never();
        sent
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let (server, name) = ((&*self.host, self.port), ClientId::default());
        let at_once = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let connect = AsyncSmtpConnection::connect_tokio1(server, None, &name, at_once, None);
        let mut session = connect.await?;
        if let Tls::Required(parameters) = &self.tls {
            session.starttls(parameters.clone(), &name).await?;
        }
        if let Some(credentials) = &self.credentials {
            session.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(session)
    }
}

/// Not by lettre's own `send`, which ends at the first recipient whom the server does not take.
async fn send(
    session: &mut AsyncSmtpConnection,
    begin: Mail,
    to: &[Address],
    text: &[u8],
) -> Result<Vec<Rejected>, Error> {
    session.command(begin).await?;
    let mut rejected = Vec::new();
    for address in to {
        match session.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_taken) => {}
            Err(error) => {
                let Some(code) = error.status() else { return Err(error) };
                let (address, why) = (address.clone(), refusal(code));
                rejected.push(Rejected { address, why, is_permanent: error.is_permanent() });
            }
        }
    }
    if rejected.len() < to.len() {
        session.command(Data).await?;
        session.message(text).await?;
    }
    Ok(rejected)
}

/// What the server has to be told beforehand, and to know, for what is not ASCII.
fn parameters(
    session: &AsyncSmtpConnection,
    mail: &Message,
    to: &[Address],
    text: &[u8],
) -> Result<Vec<MailParameter>, DeliveryError> {
    let is_plain = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    let mut needed = Vec::new();
    if !to.iter().chain(mail.envelope().from()).all(is_plain) {
        needed.push((Extension::SmtpUtfEight, MailParameter::SmtpUtfEight));
    }
    if !text.is_ascii() {
        let body = MailParameter::Body(MailBodyParameter::EightBitMime);
        needed.push((Extension::EightBitMime, body));
    }
    let is_missing = |extension| !session.server_info().supports_feature(extension);
    match needed.iter().find(|(extension, _)| is_missing(*extension)) {
        None => Ok(needed.into_iter().map(|(_, parameter)| parameter).collect()),
        Some((missing, _)) => {
            let why = "it takes no addresses with other letters than those of ASCII";
            Err(DeliveryError::Refused { why: format!("{why} (no {missing})") })
        }
    }
}

/// What went wrong.
fn failure(error: &Error) -> DeliveryError {
    match error.status() {
        Some(code) => outcome(refusal(code), error.is_permanent()),
        None => failure_without_code(error),
    }
}

/// What the server said is not repeated but for its code: it may hold what it was told.
fn refusal(code: Code) -> String {
    let code = code.to_string();
    let meaning = match &*code {
        "530" => ": it demands a user and a password",
        "534" | "535" => ": it refused the user or the password",
        "550" | "551" | "553" => ": it refused an address",
        _ => "",
    };
    format!("SMTP {code}{meaning}")
}

/// Words of the system or of TLS are shown; lettre's others may be the server's.
fn failure_without_code(error: &Error) -> DeliveryError {
    let what = match error {
        error if error.is_response() => "the answer is not understood",
        error if error.is_client() => {
            let why = "it offers no STARTTLS, or no way to log in that is known here";
            return outcome(why.to_owned(), true);
        }
        error if error.is_tls() => "no TLS",
        _ => "no connection",
    };
    let cause = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    outcome(cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}")), false)
}

pub(super) const fn outcome(why: String, is_permanent: bool) -> DeliveryError {
    if is_permanent {
        DeliveryError::Refused { why }
    } else {
        DeliveryError::Retry { why, after: None }
    }
}
