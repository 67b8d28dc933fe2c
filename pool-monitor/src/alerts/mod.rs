//! Alerts: rules as data, looked at again and again, and told to those who are to know.
//!
//! An [`AlertManager`] is started with [`AlertOptions`], which are read from the table `[alerts]` of a
//! TOML file (where the settings of pools may be, too) or written in code:
//!
//! ```toml
//! [alerts]
//! shipped_rules = true        # default; false: only the rules below
//!
//! [alerts.labels]             # told with each alert; default: service, the program's name
//! service = "shop"
//!
//! [alerts.rules.wait]         # one that is shipped: only what is written here changes
//! above = "2s"
//!
//! [alerts.rules.churn]
//! enabled = false
//!
//! [alerts.rules.orders_slow]  # one of your own
//! signal = "wait_p99"         # what is looked at, one of `Signal`
//! above = "250ms"             # or below; as the signal demands "90%", "250ms" or a number
//! clear = "100ms"             # default: the threshold; here it stops firing
//! over = "1m"                 # default: 1m; the stretch of time that a rate or a percentile is about
//! for = "2m"                  # default: 0s; so long it must be so before it fires
//! keep_firing = "1m"          # default: 0s; so long it goes on when it is better
//! severity = "critical"       # info, warning (default) or critical
//! minimum_traffic = 10        # default: 0; acquires a minute below which nothing is said
//! pools = ["orders-*"]        # default: every pool
//! summary = "acquires of {pool} wait {value}"
//!
//! [alerts.sinks.team]
//! type = "slack"
//! url_env = "SLACK_URL"       # secrets: url, url_file or url_env
//! minimum_severity = "info"   # default: warning; of mails critical
//! send_resolved = true        # default
//! group_wait = "10s"          # default; so long alerts of one rule are gathered
//! repeat = "4h"               # default; then it is told again of what still fires
//!
//! [alerts.sinks.duty]
//! type = "mail"
//! server = "smtp.example.com"
//! tls = "starttls"            # default; implicit; off only on loopback
//! port = 587                  # default: 587, with implicit TLS 465, without 25
//! user = "alerts"
//! password_file = "/run/secrets/smtp"
//! from = "Pools <pools@example.com>"
//! to = ["duty@example.com"]
//!
//! [alerts.sinks.hook]
//! type = "webhook"            # signed as Standard Webhooks demand
//! url = "https://example.com/hooks/pools"
//! secret_file = "/run/secrets/hook"        # whsec_...
//! root_certificates = "/etc/ssl/own.pem"   # of all sinks: trusted besides the system's
//!
//! [alerts.sinks.prometheus]
//! type = "alertmanager"       # told every minute (repeat) for as long as it fires
//! url = "https://alertmanager.example.com"
//! token_env = "ALERTMANAGER_TOKEN"         # optional
//! ```
//!
//! The rules that are shipped:
//!
//! ```toml
#![doc = include_str!("shipped.toml")]
//! ```

mod alert;
#[cfg(all(test, feature = "webhooks", feature = "mail"))]
mod canary;
mod delivery;
mod document;
mod engine;
mod file;
#[cfg(test)]
mod files;
mod glob;
mod grouping;
mod manager;
#[cfg(test)]
mod model;
mod options;
mod rule;
mod secret;
mod sinks;
mod template;

pub use self::alert::{Alert, Notification};
pub use self::delivery::DeliveryStats;
pub use self::manager::{AlertError, AlertManager, Undelivered};
pub use self::options::{AlertOptions, SinkOptions};
pub use self::rule::{Bound, Rule, Rules, Severity};
#[cfg(feature = "webhooks")]
pub use self::sinks::{
    Alertmanager, AlertmanagerOptions, Slack, SlackOptions, Webhook, WebhookOptions,
};
pub use self::sinks::{DeliveryError, Habits, Sink};
#[cfg(feature = "mail")]
pub use self::sinks::{Mail, MailOptions, MailTls};
