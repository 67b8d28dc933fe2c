//! One probe: a connection of its own, the questions, and what follows from the answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use pool_core::runtime::Instant;
use pool_core::{Brief, Circuit, Probe, Role};

use super::Inner;
use crate::check::{Check, Finding, causes};
use crate::health::CheckReport;
use crate::judge::{Judge, Outcome, Verdict};

pub(super) struct Prober {
    pub(super) inner: Arc<Inner>,
    connection: Option<Connection>,
    pub(super) judge: Judge,
    asked: Vec<Asked>,
    /// What the server said of its role, if the latest probe learnt it.
    pub(super) role: Option<Role>,
    /// Why the latest probe failed as a whole: no connection, no time.
    trouble: Option<String>,
    pub(super) probed: Option<(SystemTime, Duration)>,
    jitter: fastrand::Rng,
    /// Since when acquires wait for a full pool.
    pub(super) full_since: Option<Instant>,
}

struct Connection {
    probe: Box<dyn Probe>,
    opened: Instant,
}

/// A check, when it is next asked, and what it found last.
struct Asked {
    check: Arc<dyn Check>,
    name: Arc<str>,
    every: Option<Duration>,
    due: Instant,
    /// When it has had no answer for too long.
    overdue: Instant,
    report: Option<CheckReport>,
}

impl Prober {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let now = inner.runtime.now();
        let asked = |check: &Arc<dyn Check>| Asked {
            check: Arc::clone(check),
            name: check.name().into(),
            every: check.every(),
            due: Instant::EPOCH,
            overdue: check.every().map_or(Instant::NEVER, |every| now.after(every * 2)),
            report: None,
        };
        Self {
            connection: None,
            judge: Judge::new(inner.options.rise, inner.options.fall),
            asked: inner.options.checks.iter().map(asked).collect(),
            role: None,
            trouble: None,
            probed: None,
            jitter: fastrand::Rng::with_seed(inner.runtime.seed()),
            full_since: None,
            inner,
        }
    }

    /// Asks all that is asked each time.
    pub(super) async fn probe(&mut self) {
        self.trouble = None;
        self.role = None;
        let now = self.inner.runtime.now();
        let fresh_after = self.inner.options.fresh_after;
        // Dropped before it is replaced: it is one connection.
        self.connection.take_if(|connection| connection.opened.after(fresh_after) <= now);
        for index in 0..self.asked.len() {
            if self.asked[index].every.is_some() {
                continue;
            }
            self.ask(index).await;
            if self.trouble.is_some() || self.asked[index].has_failed() {
                // The rest would most likely fail alike, each after a while.
                self.asked[index + 1..].iter_mut().for_each(Asked::forget_failure);
                return;
            }
        }
        if self.inner.options.learn_role {
            self.learn_role().await;
        }
    }

    async fn learn_role(&mut self) {
        if let Some(connection) = &mut self.connection {
            self.role = connection.probe.role().await.and_then(Result::ok);
            self.connection.take_if(|connection| connection.probe.is_lost());
        }
    }

    /// The checks that are asked on a schedule, and are due.
    pub(super) fn due(&self) -> Vec<usize> {
        if self.trouble.is_some() {
            // Nothing would be found out.
            return Vec::new();
        }
        let now = self.inner.runtime.now();
        let is_due = |index: &usize| {
            let asked = &self.asked[*index];
            asked.every.is_some() && asked.due <= now
        };
        (0..self.asked.len()).filter(is_due).collect()
    }

    /// Asks one check.
    pub(super) async fn ask(&mut self, index: usize) {
        if let Err(why) = self.connect().await {
            self.trouble = Some(why);
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        let is_lost = self.asked[index].ask(&self.inner, &mut *connection.probe).await;
        if is_lost {
            self.connection = None;
        }
    }

    /// A check on a schedule took too long, and was dropped: that says nothing against the database, until
    /// it is overdue.
    pub(super) fn gave_up_on(&mut self, index: usize) {
        self.connection = None;
        let (now, timeout) = (self.inner.runtime.now(), self.inner.options.timeout);
        let unknown = Finding::Unknown(format!("no answer within {}", Brief(timeout)));
        self.asked[index].heard(unknown, now, timeout);
    }

    async fn connect(&mut self) -> Result<(), String> {
        if self.connection.is_none() {
            let probe = self.inner.pool.probe().await.map_err(|error| causes(&error))?;
            self.connection = Some(Connection { probe, opened: self.inner.runtime.now() });
        }
        Ok(())
    }

    /// The latest probe took too long, and was dropped.
    pub(super) fn gave_up(&mut self) {
        self.connection = None;
        let timeout = Brief(self.inner.options.timeout);
        self.trouble = Some(format!("no answer within {timeout}"));
    }

    /// Judges by the latest probe, which began then.
    pub(super) fn conclude(&mut self, began: Instant) {
        let took = self.inner.runtime.now().since(began);
        self.probed = Some((SystemTime::now(), took));
        self.judge.hear(self.outcome());
        if self.judge.verdict() == Verdict::Down {
            // A server that fails is asked on a fresh connection, which may lead to another one.
            self.connection = None;
        }
    }

    fn outcome(&self) -> Outcome {
        let serves = |finding: &Finding| matches!(finding, Finding::Fine | Finding::Degraded(_));
        if self.trouble.is_some() || self.asked.iter().any(Asked::has_failed) {
            Outcome::Bad
        } else if self.asked.iter().filter_map(Asked::finding).any(serves) {
            Outcome::Good
        } else {
            Outcome::Unclear
        }
    }

    /// How long from the beginning of the latest probe to the next.
    pub(super) fn pause(&mut self) -> Duration {
        let options = &self.inner.options;
        let is_doubtful = self.judge.is_in_doubt() || self.disagrees();
        let interval = if is_doubtful { options.doubt_interval } else { options.interval };
        interval.mul_f64(1.0 - 0.1 * self.jitter.f64())
    }

    /// Whether the pool's own connects say something else than probes do.
    fn disagrees(&self) -> bool {
        let pool = self.inner.pool.circuit();
        (pool == Circuit::Closed) != (self.judge.circuit() == Circuit::Closed)
    }

    pub(super) fn reports(&self) -> Vec<CheckReport> {
        self.asked.iter().filter_map(|asked| asked.report.clone()).collect()
    }

    /// What the latest probe failed by.
    pub(super) fn failures(&self) -> Vec<String> {
        if let Some(trouble) = &self.trouble {
            return vec![trouble.clone()];
        }
        let failed = self.asked.iter().filter_map(|asked| match asked.finding()? {
            Finding::Failed(why) => Some(format!("{}: {why}", asked.name)),
            _ => None,
        });
        failed.collect()
    }

    /// What serves, and wants to be looked at.
    pub(super) fn complaints(&self, now: Instant) -> Vec<String> {
        let degraded = self.asked.iter().filter_map(|asked| match asked.finding()? {
            Finding::Degraded(why) => Some(format!("{}: {why}", asked.name)),
            _ => None,
        });
        let overdue = self.asked.iter().filter(|asked| asked.overdue <= now);
        let overdue = overdue.map(|asked| format!("{}: no answer for too long", asked.name));
        degraded.chain(overdue).collect()
    }
}

impl Asked {
    fn finding(&self) -> Option<&Finding> {
        self.report.as_ref().map(|report| &report.finding)
    }

    fn has_failed(&self) -> bool {
        matches!(self.finding(), Some(Finding::Failed(_)))
    }

    fn forget_failure(&mut self) {
        if self.has_failed() {
            self.report = None;
        }
    }

    /// Asks; whether the connection is of no use any more.
    async fn ask(&mut self, inner: &Inner, probe: &mut dyn Probe) -> bool {
        let began = inner.runtime.now();
        let was_failing = self.has_failed();
        let run = AssertUnwindSafe(self.check.run(probe)).catch_unwind().await;
        let has_panicked = run.is_err();
        let finding = run.unwrap_or_else(|_| Finding::Unknown("the check panicked".to_owned()));
        let now = inner.runtime.now();
        let has_failed = matches!(finding, Finding::Failed(_));
        if has_failed && !was_failing && self.check.retires_connections() && !probe.is_lost() {
            let retired = inner.pool.invalidate();
            tracing::warn!(
                target: "pool_health",
                pool = inner.pool.name(),
                check = &*self.name,
                retired,
                "connections lead to the wrong server, and are replaced"
            );
        }
        self.heard(finding, now, now.since(began));
        has_panicked || probe.is_lost()
    }

    /// Keeps what was found, and when to ask again. One that fails is asked with each probe until it does
    /// not any more.
    fn heard(&mut self, finding: Finding, now: Instant, took: Duration) {
        if let Some(every) = self.every {
            let is_known = matches!(finding, Finding::Fine | Finding::Degraded(_));
            self.due = if matches!(finding, Finding::Failed(_)) { now } else { now.after(every) };
            if is_known {
                self.overdue = now.after(every * 2);
            }
        }
        let check = Arc::clone(&self.name);
        self.report = Some(CheckReport { check, finding, at: SystemTime::now(), took });
    }
}
