//! One probe: a connection of its own, the questions, and what follows from the answers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pool_core::runtime::Instant;
use pool_core::{Brief, Circuit, Probe, Role};

use super::Inner;
use super::asked::Asked;
use super::schedule::Scheduled;
use crate::check::{Check, Finding, Ping, causes};
use crate::health::CheckReport;
use crate::judge::{Judge, Outcome, Verdict};

pub(super) struct Prober {
    pub(super) inner: Arc<Inner>,
    connection: Option<Connection>,
    pub(super) judge: Judge,
    asked: Vec<Asked>,
    /// What the server said of its role, if the latest probe learnt it.
    pub(super) role: Option<Role>,
    /// Why the connection was kept although it is old.
    unfreshened: Option<String>,
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

impl Connection {
    async fn open(inner: &Inner) -> Result<Self, String> {
        let probe = inner.pool.probe().await.map_err(|error| causes(&error))?;
        Ok(Self { probe, opened: inner.runtime.now() })
    }
}

impl Prober {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let ping: Arc<dyn Check> = Arc::new(Ping);
        let regular = inner.options.checks.iter().filter(|check| check.every().is_none());
        let asked = [&ping].into_iter().chain(regular).map(|check| Asked::new(Arc::clone(check)));
        Self {
            connection: None,
            judge: Judge::new(inner.options.rise, inner.options.fall),
            asked: asked.collect(),
            role: None,
            unfreshened: None,
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
        self.freshen().await;
        for index in 0..self.asked.len() {
            self.ask(index).await;
            if self.trouble.is_some() || self.asked[index].has_failed() {
                // The rest would most likely fail alike, each after a while.
                self.asked[index + 1..].iter_mut().for_each(|later| later.report = None);
                return;
            }
        }
        if self.inner.options.learn_role {
            self.learn_role().await;
        }
    }

    /// Replaces the connection if it is old. It is kept if that cannot be: where others have taken all
    /// connections that a server has, it still tells how the server is for those who have theirs.
    async fn freshen(&mut self) {
        self.unfreshened = None;
        let (now, fresh_after) = (self.inner.runtime.now(), self.inner.options.fresh_after);
        if self.connection.as_ref().is_some_and(|it| it.opened.after(fresh_after) <= now) {
            match Connection::open(&self.inner).await {
                Ok(fresh) => self.connection = Some(fresh),
                Err(why) => self.unfreshened = Some(format!("no fresh connection: {why}")),
            }
        }
    }

    async fn learn_role(&mut self) {
        if let Some(connection) = &mut self.connection {
            self.role = connection.probe.role().await.and_then(Result::ok);
            self.connection.take_if(|connection| connection.probe.is_lost());
        }
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

    async fn connect(&mut self) -> Result<(), String> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.inner).await?);
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
        if self.failures().is_empty() { Outcome::Good } else { Outcome::Bad }
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
        let scheduled = self.inner.scheduled.lock().clone();
        let scheduled = scheduled.into_iter().filter_map(|scheduled| scheduled.report);
        self.asked.iter().filter_map(|asked| asked.report.clone()).chain(scheduled).collect()
    }

    /// What the latest probe, and the latest of each check on a schedule, failed by.
    pub(super) fn failures(&self) -> Vec<String> {
        if let Some(trouble) = &self.trouble {
            return vec![trouble.clone()];
        }
        let failed = |report: CheckReport| match report.finding {
            Finding::Failed(why) => Some(format!("{}: {why}", report.check)),
            _ => None,
        };
        self.reports().into_iter().filter_map(failed).collect()
    }

    /// What serves, and wants to be looked at.
    pub(super) fn complaints(&self, now: Instant) -> Vec<String> {
        let complaint = |report: CheckReport| match report.finding {
            Finding::Degraded(why) => Some(format!("{}: {why}", report.check)),
            Finding::Unknown(why) => Some(format!("{}: unknown: {why}", report.check)),
            _ => None,
        };
        let overdue = self.inner.scheduled.lock().clone().into_iter();
        let overdue = overdue.filter(|scheduled| scheduled.overdue <= now);
        let overdue =
            overdue.map(|Scheduled { name, .. }| format!("{name}: no answer for too long"));
        let unfreshened = self.unfreshened.clone().into_iter();
        unfreshened.chain(self.reports().into_iter().filter_map(complaint)).chain(overdue).collect()
    }
}
