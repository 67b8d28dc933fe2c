//! What limited a run, in plain words, and what to set.
//!
//! A verdict from one run is a hint; measuring several settings is not here.

use pool_core::{AcquireErrorKind, AcquirePhase, ConfigError, PoolConfig};
use serde::{Deserialize, Serialize};

use crate::recorder::AcquireCause;
use crate::report::GeneratorReport;
use crate::words::{grouped, percent};

/// A pool that is in use for less than this share of its capacity has connections to spare.
const BUSY: f64 = 0.5;
/// A wait of at least this share of the whole response is felt.
const FELT: f64 = 0.1;
/// An operation that takes this much longer in company than alone is slowed down by the company.
const SLOWED: f64 = 2.0;
/// Fewer operations than this say nothing.
const ENOUGH: u64 = 300;
/// More failures than this share of all operations are what is wrong.
const FAILING: f64 = 0.01;

/// What limited a run, and what to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verdict {
    /// What limited it.
    pub limit: Limit,
    /// Why, in plain words.
    pub summary: String,
    /// What to set, if anything. The pool and its driver accept it.
    pub recommendation: Option<Recommendation>,
}

/// What limits a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Errors: more than one operation in a hundred failed.
    Failing,
    /// Tasks wait for connections that the database could serve.
    Pool,
    /// Connections wait for the database, or for a processor.
    Database,
    /// Nothing: there is room to spare.
    Idle,
    /// Too little was done to tell, or the pool was changed meanwhile.
    Unknown,
}

impl Limit {
    /// The name used in text reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Pool => "pool-limited",
            Self::Database => "database-limited",
            Self::Idle => "idle",
            Self::Unknown => "unknown",
        }
    }
}

/// A setting to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Recommendation {
    /// The field of the pool's settings.
    pub field: String,
    /// Its value, as [`PoolConfig::set`] takes it.
    pub value: String,
    /// What to expect of it, for better and for worse.
    pub effect: String,
}

/// What a verdict is made from. Times are averages in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) tasks: usize,
    pub(crate) config: PoolConfig,
    /// Whether the figures are of a pool that was changed meanwhile.
    pub(crate) is_mixed: bool,
    /// Processor cores of this machine.
    pub(crate) cores: usize,
    /// Operations that succeeded.
    pub(crate) operations: u64,
    /// Operations that failed, and most of them how.
    pub(crate) errors: u64,
    pub(crate) most_errors: Option<MostErrors>,
    /// Operations per second.
    pub(crate) throughput: f64,
    pub(crate) wait: f64,
    pub(crate) service: f64,
    /// An operation while one task ran alone.
    pub(crate) alone: Option<f64>,
    /// Average share of the connections in use, 0 to 1.
    pub(crate) utilisation: f64,
    pub(crate) peak_in_use: usize,
    /// How the load generator fared.
    pub(crate) generator: GeneratorReport,
}

/// The errors there were most of.
#[derive(Clone, Debug)]
pub(crate) struct MostErrors {
    pub(crate) kind: String,
    pub(crate) count: u64,
    pub(crate) acquire: Option<AcquireCause>,
}

/// A setting that would help, if it can be.
struct Advice {
    field: &'static str,
    value: String,
    effect: &'static str,
}

impl Verdict {
    /// Judges a run. What is recommended has passed `validate`.
    ///
    /// Operations that take at least twice as long in company as alone wait inside the database or
    /// for a core, and more connections would only make them wait longer. By Little's law,
    /// throughput times the time an operation takes alone is the number of connections that really
    /// work at once.
    pub(crate) fn of(
        evidence: &Evidence,
        validate: impl Fn(&PoolConfig) -> Result<(), ConfigError>,
    ) -> Self {
        let (limit, summary, advice) = evidence.judge();
        let Some(Advice { field, value, effect }) = advice else {
            return Self { limit, summary, recommendation: None };
        };
        let mut changed = evidence.config.clone();
        let set = changed.set(field, &value).map_err(ConfigError::from);
        match set.and_then(|()| validate(&changed)) {
            Ok(()) if changed == evidence.config => Self { limit, summary, recommendation: None },
            Ok(()) => {
                let (field, effect) = (field.to_owned(), effect.to_owned());
                let recommendation = Some(Recommendation { field, value, effect });
                Self { limit, summary, recommendation }
            }
            Err(error) => {
                let why = &error.problems()[0].why;
                let summary = format!("{summary}. {field} = {value} cannot be set: {why}");
                Self { limit, summary, recommendation: None }
            }
        }
    }
}

impl Evidence {
    fn judge(&self) -> (Limit, String, Option<Advice>) {
        if self.is_mixed {
            let summary = "the pool was changed meanwhile, so these are figures of several pools";
            return (Limit::Unknown, summary.to_owned(), None);
        }
        if self.generator.saturated {
            return (Limit::Unknown, self.generator.detail.clone(), None);
        }
        let attempts = self.operations + self.errors;
        if self.errors as f64 > attempts as f64 * FAILING {
            return self.failing();
        }
        if self.operations < ENOUGH {
            let done = grouped(self.operations);
            let summary = format!("{done} operations are too few to tell what limits them");
            return (Limit::Unknown, summary, None);
        }
        let Some(alone) = self.alone.filter(|alone| *alone > 0.0) else {
            let summary = "no operation was done while one task ran alone, so there is nothing to \
                           compare with";
            return (Limit::Unknown, summary.to_owned(), None);
        };
        let slowdown = self.service / alone;
        let waiting = self.wait / (self.wait + self.service).max(f64::MIN_POSITIVE);
        if self.utilisation < BUSY && waiting < FELT {
            self.idle(waiting)
        } else if slowdown >= SLOWED {
            self.database_limited(slowdown, alone)
        } else if waiting >= FELT {
            self.pool_limited(slowdown, waiting)
        } else {
            let (busy, waits) = (percent(self.utilisation), percent(waiting));
            let summary = format!(
                "in balance: {busy} of the connections are in use on average, and waiting is \
                 {waits} of the response time"
            );
            (Limit::Idle, summary, None)
        }
    }

    fn idle(&self, waiting: f64) -> (Limit, String, Option<Advice>) {
        let (peak, busy) = (self.peak_in_use.max(1), percent(self.utilisation));
        let summary = format!(
            "the pool has room to spare: {busy} of its connections are in use on average, {peak} \
             at most, and waiting is {} of the response time",
            percent(waiting)
        );
        let effect = "fewer connections to keep; no reserve for a higher peak";
        (Limit::Idle, summary, max_open(peak.min(self.config.max_open), effect))
    }

    fn database_limited(&self, slowdown: f64, alone: f64) -> (Limit, String, Option<Advice>) {
        let at_work = ((self.throughput * alone / 1e6).ceil() as usize).max(1);
        let connections = if at_work == 1 { "connection" } else { "connections" };
        let cores = self.cores;
        let summary = format!(
            "operations wait in the database or for a core (this machine has {cores}): one takes \
             {slowdown:.1} times as long as alone. {at_work} {connections} at work without a pause \
             could have done all of it; the others wait for each other"
        );
        // One more than work at once, so that the next is ready when one is done.
        let enough = (at_work + 1).min(self.config.max_open);
        let effect = "p99 should fall; throughput may fall too";
        (Limit::Database, summary, max_open(enough, effect))
    }

    fn pool_limited(&self, slowdown: f64, waiting: f64) -> (Limit, String, Option<Advice>) {
        let (busy, waits) = (percent(self.utilisation), percent(waiting));
        let service = if slowdown < 1.1 {
            "no longer than alone".to_owned()
        } else {
            format!("{slowdown:.1} times as long as alone")
        };
        let summary = format!(
            "tasks wait for connections: {busy} of these are in use on average, waiting is {waits} \
             of the response time, and once it has a connection an operation takes {service}"
        );
        (Limit::Pool, summary, self.more_connections())
    }

    fn failing(&self) -> (Limit, String, Option<Advice>) {
        let attempts = self.operations + self.errors;
        let (errors, share) = (grouped(self.errors), self.errors as f64 / attempts as f64);
        let failed =
            format!("{errors} of {} operations failed ({})", grouped(attempts), percent(share));
        let Some(most) = &self.most_errors else { return (Limit::Failing, failed, None) };
        let summary = format!("{failed}; {} of these: {}", grouped(most.count), most.kind);
        let advice = match most.acquire {
            Some((AcquireErrorKind::QueueFull, _)) => Some(Advice {
                field: "max_waiters",
                value: self.tasks.to_string(),
                effect: "acquires wait for their turn instead of being refused",
            }),
            // Without one operation done, whoever holds the connections does not give them back.
            Some((AcquireErrorKind::Timeout, AcquirePhase::Queued)) if self.operations > 0 => {
                let slowed = self.alone.is_some_and(|alone| self.service >= SLOWED * alone);
                let more = self.more_connections().filter(|_| !slowed);
                more.or_else(|| self.more_time())
            }
            _ => None,
        };
        (Limit::Failing, summary, advice)
    }

    /// More connections for tasks that wait, if there are tasks for them.
    fn more_connections(&self) -> Option<Advice> {
        let more = self.tasks.min(self.config.max_open.saturating_mul(2));
        let effect = "waits should fall and throughput rise, until the database is the limit";
        max_open(more, effect).filter(|_| more > self.config.max_open)
    }

    fn more_time(&self) -> Option<Advice> {
        let timeout = self.config.acquire_timeout.checked_mul(2)?;
        let value = humantime::format_duration(timeout).to_string();
        let effect = "fewer acquires time out; they wait longer instead";
        Some(Advice { field: "acquire_timeout", value, effect })
    }
}

fn max_open(value: usize, effect: &'static str) -> Option<Advice> {
    let limited = value < PoolConfig::UNLIMITED;
    limited.then(|| Advice { field: "max_open", value: value.to_string(), effect })
}

#[cfg(test)]
mod tests;
