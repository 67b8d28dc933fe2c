//! What watches the pool of a run from outside, if that is asked for: exporters to a collector, an
//! endpoint for scrapers, a tuner, and then also the advisor. Without that, nothing of it is there, so that it
//! costs the run nothing.

mod arguments;
mod collector;
mod sampling;
mod scrapes;
mod tuner;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use pool_core::{ControlHandle, Problem};
use pool_monitor::adaptive::AdaptiveSize;
use pool_monitor::{Advice, Deployment, MonitorOptions, PoolMonitor, PoolView, advise};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::arguments::MonitorArguments;
use self::collector::{Arrival, Exporting, Sent};
use self::scrapes::Scrapes;
use self::tuner::Recommended;
pub(crate) use self::tuner::TunerChoice;
use super::say;
use crate::words::paragraph;

/// What is younger the advisor knows nothing of.
const ENOUGH: Duration = Duration::from_mins(1);

/// What will watch.
pub(crate) struct Monitor {
    exporting: Option<Exporting>,
    scrapes: Option<Scrapes>,
    tuner: TunerChoice,
}

impl Monitor {
    /// Starts what is asked for, and says what is wrong with that.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub(crate) fn start(arguments: &MonitorArguments) -> anyhow::Result<(Self, Vec<Problem>)> {
        let mut problems = Vec::new();
        let exporting = Exporting::start(arguments, &mut problems)?;
        let scrapes = Scrapes::start(arguments, &mut problems)?;
        Ok((Self { exporting, scrapes, tuner: arguments.tuner }, problems))
    }

    /// Watches this pool. Needs a tokio runtime around it.
    pub(crate) fn watch(self, pool: &ControlHandle) -> anyhow::Result<Watching> {
        let Self { exporting, scrapes, tuner } = self;
        let tuning = tuner.start(pool)?;
        let sent = exporting.as_ref().map(|exporting| exporting.watch(pool));
        if let Some(scrapes) = &scrapes {
            scrapes.watch(pool);
        }
        let is_wanted = exporting.is_some() || scrapes.is_some() || tuning.is_some();
        let monitor = is_wanted.then(|| PoolMonitor::start(MonitorOptions::default()));
        let monitor = monitor.transpose()?;
        if let Some(monitor) = &monitor {
            monitor.watch(pool);
        }
        Ok(Watching { exporting, scrapes, tuning, monitor, _sent: sent })
    }
}

/// What watches.
pub(crate) struct Watching {
    exporting: Option<Exporting>,
    scrapes: Option<Scrapes>,
    tuning: Option<AdaptiveSize>,
    monitor: Option<PoolMonitor>,
    _sent: Option<Sent>,
}

impl Watching {
    /// What the run shows until now.
    pub(crate) fn advice(&self) -> Seen {
        let Some(monitor) = &self.monitor else { return Seen { monitor: None } };
        monitor.look();
        let views = monitor.views();
        let is_known = |view: &&PoolView| view.history.span() >= ENOUGH;
        let view = views.first().filter(is_known);
        let advice = view
            .map(|view| advise(view, &Deployment::default()).iter().map(Advised::from).collect());
        let tuning = self.tuning.as_ref();
        let tuner = tuning.and_then(|tuning| tuning.sizing().recommended).map(Recommended::from);
        Seen { monitor: Some(Findings { advice, telemetry: None, tuner }) }
    }

    /// The pool is closed: sends the last to the collector, says on standard error what is missing
    /// there, and adds it to what was seen.
    pub(crate) async fn deliver(&mut self, seen: Seen) -> Seen {
        let mut seen = seen;
        if let Some(scrapes) = &mut self.scrapes {
            scrapes.end();
        }
        let Some(exporting) = self.exporting.take() else { return seen };
        match exporting.end().await {
            Ok(delivered) => {
                delivered.missing().iter().for_each(|line| say(&format!("warning: {line}")));
                if let Some(findings) = &mut seen.monitor {
                    findings.telemetry = Some(delivered);
                }
            }
            Err(error) => say(&format!("warning: the collector's part is not known: {error:#}")),
        }
        seen
    }

    /// Lets a scraper see the end, unless `stop` comes before.
    pub(crate) async fn be_scraped(self, stop: impl Future<Output = ()>) {
        if let Some(scrapes) = self.scrapes {
            scrapes.last(stop).await;
        }
    }
}

/// What is added to the report: nothing, if nobody watched.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Seen {
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<Findings>,
}

#[derive(JsonSchema, Serialize)]
struct Findings {
    /// `None` after a run that is too short to advise on.
    advice: Option<Vec<Advised>>,
    /// `None` without a collector.
    telemetry: Option<Arrival>,
    /// `None` without a tuner, and after a run that is too short for it.
    tuner: Option<Recommended>,
}

#[derive(JsonSchema, Serialize)]
struct Advised {
    rule: &'static str,
    evidence: String,
    remedy: String,
    field: Option<&'static str>,
    value: Option<String>,
}

impl From<&Advice> for Advised {
    fn from(advice: &Advice) -> Self {
        let Advice { rule, evidence, remedy, setting, .. } = advice.clone();
        let (field, value) = setting.unzip();
        Self { rule: rule.name(), evidence, remedy, field, value }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Findings { advice, tuner, .. }) = &self.monitor else { return Ok(()) };
        for Advised { evidence, remedy, .. } in advice.iter().flatten() {
            paragraph(f, "advice", &format!("{evidence}: {remedy}"))?;
        }
        tuner.iter().try_for_each(|tuner| paragraph(f, "tuner", &tuner.to_string()))
    }
}
