//! Alerts: rules as data, looked at again and again, and told to those who are to know.
//!
//! An [`AlertManager`] is started with [`AlertOptions`], which are read from the table `[alerts]` of a
//! TOML file (where the settings of pools may be, too) or written in code:
//!
//! ```toml
#![doc = include_str!("example.toml")]
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
#[cfg(all(test, feature = "webhooks", feature = "mail"))]
mod files_with_sinks;
mod glob;
mod grouping;
mod manager;
#[cfg(test)]
mod model;
mod options;
mod rule;
#[cfg(any(feature = "webhooks", feature = "mail"))]
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
