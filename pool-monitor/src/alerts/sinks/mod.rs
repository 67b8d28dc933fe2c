//! Where alerts are sent to, and what can go wrong with that.

#[cfg(feature = "webhooks")]
mod alertmanager;
#[cfg(feature = "webhooks")]
mod http;
#[cfg(feature = "mail")]
mod mail;
#[cfg(feature = "webhooks")]
mod slack;
#[cfg(feature = "mail")]
mod smtp;
#[cfg(any(feature = "webhooks", feature = "mail"))]
mod text;
#[cfg(feature = "webhooks")]
mod tls;
#[cfg(feature = "webhooks")]
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use pool_core::async_trait;
use thiserror::Error;

use super::alert::Notification;
#[cfg(any(feature = "webhooks", feature = "mail"))]
use super::document::MISSING;
use super::document::Table;
use super::rule::Severity;

#[cfg(feature = "webhooks")]
pub use self::alertmanager::{Alertmanager, AlertmanagerOptions};
#[cfg(feature = "mail")]
pub use self::mail::{Mail, MailOptions, MailTls};
#[cfg(feature = "webhooks")]
pub use self::slack::{Slack, SlackOptions};
#[cfg(feature = "webhooks")]
pub use self::webhook::{Webhook, WebhookOptions};

/// Where alerts are sent to: one of ours, or one of your own.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Tries once to deliver it. Runs in a thread of the [`AlertManager`](super::AlertManager), on a
    /// tokio runtime, one call at a time, and is dropped after 10 s.
    ///
    /// All sinks share that thread: it must not block it, or nobody is told of anything. What blocks
    /// belongs into `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Says whether it is of any use to try again. Must not show a secret.
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError>;

    /// What [`SinkOptions`](super::SinkOptions) are by default. Asked for when those are made and when the
    /// manager starts, and not later.
    fn habits(&self) -> Habits {
        Habits::default()
    }
}

/// How a kind of sink likes to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// What is less bad is not for it. Default: a warning.
    pub minimum_severity: Severity,
    /// How long alerts are gathered. Default: 10 s.
    pub group_wait: Duration,
    /// After how long it is told again. Default: four hours, as in Alertmanager.
    pub repeat: Duration,
    /// The least time between two messages. Default: zero.
    pub pause: Duration,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            minimum_severity: Severity::Warning,
            group_wait: Duration::from_secs(10),
            repeat: Duration::from_hours(4),
            pause: Duration::ZERO,
        }
    }
}

/// Why a notification was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The receiver may take it later: it could not be reached, or is busy.
    #[error("{why}")]
    Retry {
        /// What went wrong.
        why: String,
        /// How long it wishes to be left alone.
        after: Option<Duration>,
    },
    /// It is with some of those it is for, and is not to be sent to these again.
    ///
    /// With `again` the sink is given the same notification again, by its
    /// [`id`](Notification::id), and must itself leave out those who have it. Whatever goes wrong then,
    /// it counts as delivered to some and is not told again as lost.
    #[error("{why}")]
    Partly {
        /// What went wrong for the others.
        why: String,
        /// Whether the others may take it later.
        again: bool,
    },
    /// The receiver will never take it: trying again at once would only annoy it. What is still so is
    /// told again in a few minutes, as after any loss.
    #[error("{why}")]
    Refused {
        /// What went wrong.
        why: String,
    },
}

/// What stands for a secret that nobody gave.
#[cfg(feature = "webhooks")]
fn none() -> pool_core::Secret {
    pool_core::Secret::new("")
}

/// What a file calls them.
pub(crate) const TYPES: [&str; 4] = ["slack", "webhook", "alertmanager", "mail"];

const SLACK: &[&str] = &["url", "url_file", "url_env", "root_certificates"];
const WEBHOOK: &[&str] =
    &["url", "url_file", "url_env", "secret", "secret_file", "secret_env", "root_certificates"];
const ALERTMANAGER: &[&str] =
    &["url", "url_file", "url_env", "token", "token_file", "token_env", "root_certificates"];
const MAIL: &[&str] = &[
    "server",
    "port",
    "tls",
    "user",
    "password",
    "password_file",
    "password_env",
    "from",
    "to",
    "root_certificates",
];

/// The keys of each type's own.
pub(crate) const KEYS: [&[&str]; TYPES.len()] = [SLACK, WEBHOOK, ALERTMANAGER, MAIL];

/// The keys of one type's own.
pub(crate) fn keys(kind: &str) -> &'static [&'static str] {
    let at = TYPES.iter().position(|name| *name == kind);
    at.map_or(&[], |at| KEYS[at])
}

/// Makes a sink of what a table says; what is wrong is noted.
pub(crate) fn read(kind: &str, table: &Table<'_, '_>) -> Option<Arc<dyn Sink>> {
    match kind {
        #[cfg(feature = "webhooks")]
        "slack" => slack::read(table),
        #[cfg(feature = "webhooks")]
        "webhook" => webhook::read(table),
        #[cfg(feature = "webhooks")]
        "alertmanager" => alertmanager::read(table),
        #[cfg(feature = "mail")]
        "mail" => mail::read(table),
        _ => {
            let feature = if kind == "mail" { "mail" } else { "webhooks" };
            let why = format!("this program was built without the feature {feature}");
            let start = table.get("type").map_or(table.start, |entry| entry.start);
            table.note("type", start, kind, &why, "a type that it was built with");
            None
        }
    }
}
