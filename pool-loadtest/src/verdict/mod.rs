//! What limited a run, in plain words, and what to set: the order in which the diagnoses are tried.
//! Each of them has a file of its own.
//!
//! A verdict from one run is a hint; measuring several settings is not here.

#[cfg(feature = "cli")]
mod afterwards;
mod balance;
mod churn;
mod database;
mod evidence;
mod failing;
mod generator;
mod leak;
mod network;
mod uncompared;
mod waiting;

use pool_core::{ConfigError, PoolConfig};
use serde::{Deserialize, Serialize};

pub(crate) use self::evidence::{Churned, Evidence, MostErrors, Network};
use crate::words::{counted, percent};

/// A pool that is in use for less than this share of its capacity has connections to spare.
const BUSY: f64 = 0.5;
/// In a pool that is in use for less than this share and never was in full, nobody waits for a
/// connection, whatever part of a short operation it takes to be handed one on a busy machine.
const QUIET: f64 = 0.1;
/// A wait of at least this share of the whole response is felt.
const FELT: f64 = 0.1;
/// An operation that takes this much longer in company than alone is slowed down by the company.
const SLOWED: f64 = 2.0;
/// Fewer operations than this say nothing.
const ENOUGH: u64 = 300;

/// What limited a run, and what to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verdict {
    /// What limited it.
    pub limit: Limit,
    /// Why, in plain words.
    pub summary: String,
    /// What would make it another verdict, in plain words.
    pub would_change: String,
    /// What to set, if anything. The pool and its driver accept it.
    pub recommendation: Option<Recommendation>,
}

/// What limits a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Connections were not given back.
    Leak,
    /// Errors: more than one operation in a hundred failed, or work was lost or done twice.
    Failing,
    /// The load generator could not keep up, so that the figures say more of it than of the pool.
    Generator,
    /// Connections are closed and opened again instead of being kept.
    Churn,
    /// Operations wait for the way to the database and back.
    Network,
    /// Connections wait for the database, or for a processor.
    Database,
    /// Operations wait for connections that the database could serve.
    Pool,
    /// Nothing in particular: the pool is busy, and hardly anybody waits.
    Balanced,
    /// Nothing: there is room to spare.
    Idle,
    /// Too little was done to tell, the pool was changed meanwhile, or the load began cold.
    Unknown,
}

impl Limit {
    /// The name used in text reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Failing => "failing",
            Self::Generator => "generator saturated",
            Self::Churn => "churn",
            Self::Network => "network-limited",
            Self::Database => "database-limited",
            Self::Pool => "pool-limited",
            Self::Balanced => "balanced",
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

/// What one diagnosis has to say.
struct Finding {
    limit: Limit,
    summary: String,
    would_change: String,
    advice: Option<Advice>,
}

impl Finding {
    fn new(limit: Limit, summary: String, would_change: impl Into<String>) -> Self {
        Self { limit, summary, would_change: would_change.into(), advice: None }
    }

    fn advise(self, advice: Option<Advice>) -> Self {
        Self { advice, ..self }
    }

    fn unknown(summary: String, would_change: &str) -> Self {
        Self::new(Limit::Unknown, summary, would_change)
    }

    fn without_advice(self) -> Verdict {
        let Self { limit, summary, would_change, .. } = self;
        Verdict { limit, summary, would_change, recommendation: None }
    }
}

/// A setting that would help, if it can be.
struct Advice {
    field: &'static str,
    value: String,
    effect: &'static str,
}

/// At most so many connections.
fn max_open(value: usize, effect: &'static str) -> Option<Advice> {
    let limited = value < PoolConfig::UNLIMITED;
    limited.then(|| Advice { field: "max_open", value: value.to_string(), effect })
}

impl Verdict {
    /// Judges a run. What is recommended has passed `validate`.
    pub(crate) fn of(
        evidence: &Evidence,
        validate: impl Fn(&PoolConfig) -> Result<(), ConfigError>,
    ) -> Self {
        let mut finding = evidence.judge();
        let Some(Advice { field, value, effect }) = finding.advice.take() else {
            return finding.without_advice();
        };
        let mut changed = evidence.config.clone();
        let set = changed.set(field, &value).map_err(ConfigError::from);
        match set.and_then(|()| validate(&changed)) {
            Ok(()) if changed == evidence.config => finding.without_advice(),
            Ok(()) => {
                let (field, effect) = (field.to_owned(), effect.to_owned());
                let recommendation = Some(Recommendation { field, value, effect });
                Self { recommendation, ..finding.without_advice() }
            }
            Err(error) => {
                let why = &error.problems()[0].why;
                finding.summary =
                    format!("{}. {field} = {value} cannot be set: {why}", finding.summary);
                finding.without_advice()
            }
        }
    }
}

impl Evidence {
    /// What is certain comes first: connections that are gone, operations that failed, a generator
    /// that measured itself. Then what makes the others' figures worthless, and last what compares an
    /// operation in company with one alone.
    fn judge(&self) -> Finding {
        if let Some(leak) = self.leak() {
            return leak;
        }
        if self.is_mixed && self.broken.is_none() {
            let summary = "the pool was changed meanwhile, so these are figures of several pools";
            return Finding::unknown(
                summary.to_owned(),
                "a run with each of the settings by itself",
            );
        }
        if let Some(failing) = self.failing() {
            return self.doubted(failing);
        }
        if let Some(saturated) = self.generator() {
            return saturated;
        }
        if self.operations < ENOUGH {
            let done = counted(self.operations, "operation");
            let verb = if self.operations == 1 { "is" } else { "are" };
            let summary = format!("{done} {verb} too few to tell what limits them");
            return Finding::unknown(summary, "a longer run, or a higher load");
        }
        if let Some(churn) = self.churn() {
            return churn;
        }
        let Some(alone) = self.alone.filter(|alone| *alone > 0.0) else {
            return self.uncompared();
        };
        self.compared(&Compared { alone, slowdown: self.service / alone, waiting: self.waiting() })
    }

    /// Which share of the response is waiting for a connection.
    fn waiting(&self) -> f64 {
        self.wait / (self.wait + self.service).max(f64::MIN_POSITIVE)
    }

    fn is_quiet(&self) -> bool {
        self.utilisation < QUIET && self.peak_in_use < self.config.max_open
    }

    fn has_room(&self, waiting: f64) -> bool {
        self.is_quiet() || (self.utilisation < BUSY && waiting < FELT)
    }

    /// Judges operations in company by what one takes alone.
    fn compared(&self, compared: &Compared) -> Finding {
        let Compared { slowdown, waiting, .. } = *compared;
        if let Some(network) = self.network_limited(compared) {
            network
        } else if let Some(hogged) = self.hogged(compared) {
            hogged
        } else if self.has_room(waiting) {
            self.idle(waiting)
        } else if slowdown >= SLOWED {
            self.database_limited(compared)
        } else if waiting >= FELT {
            self.pool_limited(compared)
        } else {
            self.balanced(waiting)
        }
    }
}

/// An operation in company beside one alone.
struct Compared {
    /// What one takes alone, in microseconds.
    alone: f64,
    /// How many times as long it takes in company.
    slowdown: f64,
    /// Which share of the response is waiting for a connection.
    waiting: f64,
}

impl Compared {
    /// How an operation fares once it has a connection.
    fn service(&self) -> String {
        if self.slowdown < 1.1 {
            "no longer than alone".to_owned()
        } else {
            format!("{:.1} times as long as alone", self.slowdown)
        }
    }

    fn waits(&self) -> String {
        format!("waiting is {} of the response time", percent(self.waiting))
    }
}

#[cfg(test)]
mod tests;
