//! What an [`AlertManager`](super::AlertManager) is told.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pool_core::{ConfigError, Problem, program_name};

use super::document::read_text;
use super::file;
use super::grouping::Manner;
use super::rule::{NAME, Rules, Severity, is_name, shown_name, shown_time, within};
use super::sinks::Sink;

/// Rules, and who is told.
///
/// ```
/// use pool_monitor::AlertOptions;
///
/// let error = AlertOptions::from_toml(
///     "alerts.toml",
///     "[alerts.rules.wait]\nabov = \"2s\"\nseverity = \"fatal\"\n",
/// )
/// .unwrap_err();
/// let [misspelt, unknown] = error.problems() else { panic!("{error}") };
/// assert_eq!(misspelt.nearest.as_deref(), Some("above"));
/// assert!(unknown.to_string().starts_with("alerts.toml:3: "));
/// ```
#[derive(Clone, Debug)]
pub struct AlertOptions {
    /// When alerts fire. Default: the rules that are shipped.
    pub rules: Rules,
    /// Who is told. Default: nobody; what fires is in the log and in
    /// [`firing`](super::AlertManager::firing).
    pub sinks: Vec<SinkOptions>,
    /// What the program says of itself with each alert: letters, digits and `_`. Default: `service`,
    /// the program's name.
    pub labels: BTreeMap<String, String>,
}

impl Default for AlertOptions {
    fn default() -> Self {
        let service = program_name().map(|name| ("service".to_owned(), name));
        Self { rules: Rules::default(), sinks: Vec::new(), labels: service.into_iter().collect() }
    }
}

impl AlertOptions {
    /// What the table `[alerts]` of a TOML file says; `file` is what messages call it.
    ///
    /// Secrets that are kept in files and environment variables are read now.
    ///
    /// # Errors
    ///
    /// Every problem of the file at once, each with its line, and nothing of a secret.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::read(file, text, &|variable| env::var_os(variable))
    }

    /// The same of the file at `path`.
    ///
    /// # Errors
    ///
    /// It cannot be read, or as for [`from_toml`](Self::from_toml).
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let text = read_text(path.as_ref(), 1 << 20);
        let text = text.map_err(|why| Problem::not_shown("file", why, "a readable TOML file"))?;
        Self::from_toml(&path.as_ref().display().to_string(), &text)
    }

    /// Looks at all of it as a whole.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        if let Err(error) = self.rules.validate() {
            problems.extend(error.problems().iter().cloned());
        }
        for (index, sink) in self.sinks.iter().enumerate() {
            let path = "alerts.sinks";
            if !is_name(&sink.name) {
                problems.push(Problem::invalid(path, shown_name(&sink.name), "not a name", NAME));
            } else if self.sinks[..index].iter().any(|other| other.name == sink.name) {
                let why = "two sinks of one name";
                problems.push(Problem::invalid(path, &sink.name, why, "another name"));
            }
            problems.extend(within(path, &sink.name, sink.problems()));
        }
        problems.extend(self.labels.keys().filter_map(|name| Self::check_label(name).err()));
        ConfigError::from_problems(problems)
    }

    /// Prometheus demands it of the names of labels, and has use for these three itself.
    pub(crate) fn check_label(name: &str) -> Result<(), Problem> {
        let allowed = "a name of a-z, A-Z, 0-9 and _ that does not begin with a digit";
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(Problem::not_shown("alerts.labels", "not a name of a label", allowed));
        }
        match name {
            "alertname" | "pool" | "severity" => {
                let why = "every alert has one of its own";
                Err(Problem::invalid("alerts.labels", name, why, "another name"))
            }
            _ => Ok(()),
        }
    }
}

/// Who is told, of what, and how often.
///
/// ```
/// use pool_monitor::{Severity, SinkOptions};
/// # use pool_monitor::{DeliveryError, Notification, Sink};
/// # struct Pager;
/// # #[pool_core::async_trait]
/// # impl Sink for Pager {
/// #     async fn deliver(&self, _: &Notification) -> Result<(), DeliveryError> { Ok(()) }
/// # }
/// # let pager = std::sync::Arc::new(Pager);
/// let options = SinkOptions {
///     minimum_severity: Severity::Critical,
///     ..SinkOptions::new("pager", pager)
/// };
/// ```
#[derive(Clone)]
pub struct SinkOptions {
    /// What it is called in [`DeliveryStats`](super::DeliveryStats): a-z, 0-9, - and _.
    pub name: String,
    /// What is less bad is not for it. Default: that of its [`Sink`], a warning for most,
    /// critical for a mail.
    pub minimum_severity: Severity,
    /// Whether it is told when it is over. Default: yes. If not, it is never told of what was over
    /// before that could be delivered.
    pub send_resolved: bool,
    /// How long alerts of one rule are gathered before it is told. Default: that of its [`Sink`],
    /// 10 s for most.
    pub group_wait: Duration,
    /// After how long it is told again of what goes on firing. Default: that of its [`Sink`], four
    /// hours for most. At most 30 days. What could not be delivered is told again after five minutes, or
    /// after `group_wait` if that is longer, but not later than this.
    pub repeat: Duration,
    /// What it is.
    pub sink: Arc<dyn Sink>,
}

impl SinkOptions {
    /// A sink with the defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, sink: Arc<dyn Sink>) -> Self {
        let habits = sink.habits();
        Self {
            name: name.into(),
            minimum_severity: habits.minimum_severity,
            send_resolved: true,
            group_wait: habits.group_wait,
            repeat: habits.repeat,
            sink,
        }
    }

    /// What is wrong with it, by fields.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.repeat < SHORTEST_REPEAT {
            let value = shown_time(self.repeat);
            problems.push(Problem::invalid("repeat", value, "too short", "at least 10s"));
        }
        if self.repeat > LONGEST_REPEAT {
            let value = shown_time(self.repeat);
            problems.push(Problem::invalid("repeat", value, "too long", "at most 30d"));
        }
        if self.group_wait > LONGEST_WAIT {
            let value = shown_time(self.group_wait);
            problems.push(Problem::invalid("group_wait", value, "too long", "at most 1h"));
        }
        problems
    }

    pub(crate) fn manner(&self) -> Manner {
        Manner {
            minimum_severity: self.minimum_severity,
            send_resolved: self.send_resolved,
            group_wait: self.group_wait,
            repeat: self.repeat,
        }
    }
}

/// A shorter one is a mistake: `repeat = "4"` hours, perhaps.
const SHORTEST_REPEAT: Duration = Duration::from_secs(10);

/// A longer one is never: nothing goes on firing for so long unseen.
const LONGEST_REPEAT: Duration = Duration::from_hours(30 * 24);

/// Whoever waits longer is not told of an alert, but of history.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

impl fmt::Debug for SinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkOptions")
            .field("name", &shown_name(&self.name))
            .field("minimum_severity", &self.minimum_severity)
            .field("send_resolved", &self.send_resolved)
            .field("group_wait", &self.group_wait)
            .field("repeat", &self.repeat)
            .finish_non_exhaustive()
    }
}
