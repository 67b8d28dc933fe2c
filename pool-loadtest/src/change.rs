//! What can be done to a pool while it is under load, and its form as text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pool_core::{
    ConfigError, ControlHandle, FIELDS, Field, PoolConfig, Problem, Reconfigured, may_hold_password,
};

use crate::words::counted;

/// Something that is done to the pool during the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, since the load was measured, which is after its warm-up.
    pub at: Duration,
    /// What.
    pub action: Action,
}

/// What can be done to a pool. As text: settings with commas between them, or one of `pause`,
/// `resume`, `invalidate` and `renew`.
///
/// ```
/// use pool_loadtest::Action;
///
/// let action: Action = "max_open=4, acquire_timeout=1m 30s".parse()?;
/// assert_eq!(action.to_string(), "max_open=4, acquire_timeout=1m 30s");
/// let refused = "max_opn=4".parse::<Action>().unwrap_err();
/// assert_eq!(refused.problems()[0].nearest.as_deref(), Some("max_open"));
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Fields and their values, which were understood.
    Set(Vec<(&'static str, String)>),
    Do(Command),
}

/// What is done by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Pause,
    Resume,
    Invalidate,
    Renew,
}

impl Command {
    const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Invalidate, Self::Renew];

    const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Invalidate => "invalidate",
            Self::Renew => "renew",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name() == name)
    }

    /// Does it; what came of it.
    fn apply(self, pool: &ControlHandle) -> String {
        match self {
            Self::Pause => {
                pool.pause();
                "paused".to_owned()
            }
            Self::Resume => {
                pool.resume();
                "resumed".to_owned()
            }
            Self::Invalidate => {
                format!("invalidated {}", counted(pool.invalidate() as u64, "connection"))
            }
            Self::Renew => format!("renewing {}", counted(pool.renew() as u64, "connection")),
        }
    }
}

impl Action {
    pub(crate) const PAUSE: Self = Self(Kind::Do(Command::Pause));
    pub(crate) const RESUME: Self = Self(Kind::Do(Command::Resume));

    /// Sets in `config` what it sets in a pool.
    pub(crate) fn set(&self, config: &mut PoolConfig) {
        if let Kind::Set(settings) = &self.0 {
            for (field, value) in settings {
                config.set(field, value).expect("bug: it was understood before");
            }
        }
    }

    /// Whether it closes every connection there is, sooner or later.
    #[cfg(feature = "cli")]
    pub(crate) fn closes_all(&self) -> bool {
        matches!(self.0, Kind::Do(Command::Invalidate | Command::Renew))
    }

    /// Does it; what came of it, or why it was refused.
    pub(crate) fn apply(&self, pool: &ControlHandle) -> Result<String, ConfigError> {
        if let Kind::Do(command) = self.0 {
            return Ok(command.apply(pool));
        }
        let mut config = pool.config();
        self.set(&mut config);
        pool.reconfigure(config).map(|done| changed(&done))
    }
}

impl FromStr for Action {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        if may_hold_password(text) {
            let names = names().collect::<Vec<_>>().join(", ");
            return Err(Problem::not_shown("change", "unknown", names).into());
        }
        if let Some(command) = Command::named(text.trim()) {
            return Ok(Self(Kind::Do(command)));
        }
        let (mut settings, mut problems) = (Vec::new(), Vec::new());
        for part in text.split(',') {
            match setting(part.trim()) {
                Ok((field, _)) if settings.iter().any(|(known, _)| *known == field) => {
                    problems.push(Problem::invalid(
                        "change",
                        field,
                        "given twice",
                        "each field once",
                    ));
                }
                Ok(setting) => settings.push(setting),
                Err(problem) => problems.push(problem),
            }
        }
        ConfigError::from_problems(problems)?;
        Ok(Self(Kind::Set(settings)))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Do(command) => f.write_str(command.name()),
            Kind::Set(settings) => {
                let settings = settings.iter().map(|(field, value)| format!("{field}={value}"));
                f.write_str(&settings.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// What a change may begin with.
fn names() -> impl Iterator<Item = &'static str> + Clone {
    let fields = FIELDS.iter().map(|field| field.name);
    Command::ALL.into_iter().map(Command::name).chain(fields)
}

/// Reads `FIELD=VALUE`.
fn setting(text: &str) -> Result<(&'static str, String), Problem> {
    let Some((field, value)) = text.split_once('=') else {
        return Err(no_setting(text));
    };
    let (field, value) = (Field::named(field.trim())?.name, value.trim());
    if value.contains('=') {
        let why = "two settings without a comma between them";
        return Err(Problem::invalid(field, value, why, "FIELD=VALUE, FIELD=VALUE"));
    }
    PoolConfig::default().set(field, value)?;
    Ok((field, value.to_owned()))
}

fn no_setting(text: &str) -> Problem {
    if Command::named(text).is_some() {
        Problem::invalid("change", text, "beside settings", "a change of its own")
    } else if Field::named(text).is_ok() {
        Problem::invalid("change", text, "no value", "FIELD=VALUE, such as max_open=4")
    } else {
        Problem::unknown("change", text, names())
    }
}

/// What a reconfiguration did, in words.
fn changed(done: &Reconfigured) -> String {
    if done.changes.is_empty() {
        return "set as it was before".to_owned();
    }
    let changes = done.changes.iter().map(|it| format!("{} {} -> {}", it.field, it.from, it.to));
    let mut words = vec![changes.collect::<Vec<_>>().join(", ")];
    if done.closed > 0 {
        words.push(format!("{} closed", counted(done.closed as u64, "idle connection")));
    }
    if done.awaiting_return > 0 {
        let late = counted(done.awaiting_return as u64, "connection");
        words.push(format!("{late} too many until they come back"));
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let refused = text.parse::<Action>().expect_err(text);
        refused.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_are_separated_by_commas_as_a_value_may_have_spaces() {
        let mut config = PoolConfig::default();
        let action: Action = " max_open = 4,acquire_timeout=1m 30s ".parse().expect("right");
        action.set(&mut config);
        assert_eq!((config.max_open, config.acquire_timeout), (4, Duration::from_secs(90)));
        assert_eq!(
            problems("max_open=4 min_idle=2"),
            ["max_open = \"4 min_idle=2\": two settings without a comma between them; allowed: \
              FIELD=VALUE, FIELD=VALUE"]
        );
    }

    #[test]
    fn every_problem_of_a_change_names_what_was_given_and_what_is_allowed() {
        for (text, expected) in [
            ("paus", "change = \"paus\": unknown; allowed: pause, resume, invalidate, "),
            ("paus", "did you mean \"pause\"?"),
            ("max_open", "change = \"max_open\": no value; allowed: FIELD=VALUE, such as"),
            ("max_opn=4", "field = \"max_opn\": unknown; allowed: max_open, "),
            ("max_open=four", "max_open = \"four\": not understood; allowed: a whole number"),
            ("max_open=4, pause", "change = \"pause\": beside settings; allowed: a change of its"),
            ("max_open=4, max_open=5", "change = \"max_open\": given twice; allowed: each field"),
            ("", "change = \"\": unknown; allowed: pause, "),
        ] {
            let problems = problems(text);
            assert!(problems.len() == 1 && problems[0].contains(expected), "{text}: {problems:?}");
        }
        assert_eq!(problems("max_opn=4, max_idle=x, resum").len(), 3);
    }

    #[test]
    fn what_may_hold_a_password_is_not_repeated() {
        for text in ["postgres://me:hunter2@db/x", "pass=hunter2", "max_open=hunter2@db, hunter2=1"]
        {
            assert!(!problems(text).concat().contains("hunter2"), "{text}");
        }
    }
}
