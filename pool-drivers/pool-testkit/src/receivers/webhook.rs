//! Whether a webhook is signed right, as somebody else's implementation of Standard Webhooks sees it.

use serde_json::{Map, json};

use super::error::ReceiverError;
use super::http::Request;
use super::tool::{Equipment, Tool};
use crate::servers::account::Account;
use crate::servers::directory::Directory;
use crate::servers::program::{PATIENCE, run_for};

/// What a receiver of a webhook thinks of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right.
    Accepted,
    /// Why it is not.
    Refused(String),
}

/// Judges a request by the secret that it should be signed with, `whsec_` before it or not. Its
/// timestamp must be of the last five minutes.
///
/// # Errors
///
/// What judges cannot be had, or the secret or the body is none: the one is Base64, the other JSON.
pub fn verify_webhook(secret: &str, request: &Request) -> Result<Verdict, ReceiverError> {
    let equipment = Equipment::find(Tool::StandardWebhooks)?;
    let directory = Directory::new(Account::present())?;
    let lower = |(name, value): &(String, String)| (name.to_lowercase(), json!(value));
    let headers: Map<_, _> = request.headers.iter().map(lower).collect();
    let sent = json!({ "secret": secret, "headers": headers, "body": request.text() });
    let command = equipment.script(include_str!("verify.py"), &directory)?;
    let said = run_for("verify a webhook", command, &sent.to_string(), PATIENCE)?;
    let why = said.trim();
    Ok(if why.is_empty() { Verdict::Accepted } else { Verdict::Refused(why.to_owned()) })
}
