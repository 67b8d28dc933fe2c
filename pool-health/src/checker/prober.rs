//! One probe: a connection of its own, the questions, and what follows from the answers.
//!
//! Whether the server answers judges it; what checks find besides counts if it says that it cannot serve.
//! What cannot be found out, for want of time, of a connection or of a privilege, is a complaint.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pool_core::runtime::Instant;
use pool_core::{Brief, Circuit, Metadata, Probe, Role};

use super::Inner;
use super::asked::Asked;
use super::schedule::Scheduled;
use crate::check::{Finding, Ping, causes};
use crate::health::CheckReport;
use crate::judge::{Judge, Outcome, Verdict};

pub(super) struct Prober {
    pub(super) inner: Arc<Inner>,
    connection: Option<Connection>,
    pub(super) judge: Judge,
    ping: Asked,
    /// The checks that are asked with each probe.
    asked: Vec<Asked>,
    /// How far the latest probe has come.
    stage: Stage,
    /// What the server said of its role last, until it is down.
    pub(super) role: Option<Role>,
    /// Whether the latest probe has opened a connection.
    pub(super) has_connected: bool,
    /// Why the latest probe could not open a fresh connection beside the one it has.
    unfreshened: Option<String>,
    pub(super) probed: Option<(SystemTime, Duration)>,
    jitter: fastrand::Rng,
    /// Since when acquires wait for a full pool.
    pub(super) full_since: Option<Instant>,
}

/// What a probe is at.
#[derive(Clone, Copy)]
enum Stage {
    Ping,
    Role,
    Check(usize),
    Freshen,
}

struct Connection {
    probe: Box<dyn Probe>,
    opened: Instant,
    /// Where the driver led to before it was opened.
    to: Metadata,
}

impl Connection {
    async fn open(inner: &Inner) -> Result<Self, String> {
        let to = inner.pool.metadata();
        let probe = inner.pool.probe().await.map_err(|error| causes(&error))?;
        Ok(Self { probe, opened: inner.runtime.now(), to })
    }
}

impl Prober {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let regular = inner.options.checks.iter().filter(|check| check.every().is_none());
        Self {
            connection: None,
            judge: Judge::new(inner.options.rise, inner.options.fall),
            ping: Asked::new(Arc::new(Ping)),
            asked: regular.map(|check| Asked::new(Arc::clone(check))).collect(),
            stage: Stage::Ping,
            role: None,
            has_connected: false,
            unfreshened: None,
            probed: None,
            jitter: fastrand::Rng::with_seed(inner.runtime.seed()),
            full_since: None,
            inner,
        }
    }

    /// Asks all that is asked each time.
    pub(super) async fn probe(&mut self) {
        self.stage = Stage::Ping;
        self.has_connected = false;
        self.unfreshened = None;
        if !self.ping().await {
            self.asked.iter_mut().for_each(|asked| asked.report = None);
            return;
        }
        if self.inner.options.learn_role {
            self.stage = Stage::Role;
            self.learn_role().await;
        }
        let mut unconnected = None;
        for index in 0..self.asked.len() {
            self.stage = Stage::Check(index);
            if unconnected.is_none() {
                unconnected = self.connect().await.err();
            }
            match &unconnected {
                Some(why) => {
                    let finding = Finding::Unknown(format!("no connection: {why}"));
                    self.asked[index].heard(finding, Duration::ZERO);
                }
                None => self.ask(index).await,
            }
        }
        self.stage = Stage::Freshen;
        self.freshen().await;
    }

    /// Whether the server answers: on the connection there is, or, as that alone may have been lost, on a
    /// fresh one.
    async fn ping(&mut self) -> bool {
        let was_open = self.connection.is_some();
        self.ping_once().await || (was_open && self.ping_once().await)
    }

    async fn ping_once(&mut self) -> bool {
        if let Err(why) = self.connect().await {
            self.ping.heard(Finding::Failed(why), Duration::ZERO);
            return false;
        }
        let Some(connection) = &mut self.connection else { return false };
        let is_lost = self.ping.ask(&self.inner, &mut *connection.probe).await;
        let answers = !self.ping.has_failed();
        self.connection.take_if(|_| is_lost || !answers);
        answers
    }

    async fn learn_role(&mut self) {
        if let Some(connection) = &mut self.connection {
            let said = connection.probe.role().await.and_then(Result::ok);
            self.role = said.or(self.role);
            self.connection.take_if(|connection| connection.probe.is_lost());
        }
    }

    async fn ask(&mut self, index: usize) {
        let Some(connection) = &mut self.connection else { return };
        let is_lost = self.asked[index].ask(&self.inner, &mut *connection.probe).await;
        // What fails may do so because this connection leads to the wrong server.
        let has_failed = self.asked[index].has_failed();
        self.connection.take_if(|_| is_lost || has_failed);
    }

    async fn connect(&mut self) -> Result<(), String> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.inner).await?);
            self.has_connected = true;
        }
        Ok(())
    }

    /// Opens another connection in place of one that is old or leads to what was the pool's database before,
    /// or if the pool's own connects fail. Otherwise the one there is is kept: where others have taken all
    /// connections that a server has, it still tells how the server is for those who have theirs.
    async fn freshen(&mut self) {
        let (now, fresh_after) = (self.inner.runtime.now(), self.inner.options.fresh_after);
        let is_stale = self.connection.as_ref().is_some_and(|it| {
            it.opened.after(fresh_after) <= now || it.to != self.inner.pool.metadata()
        });
        let is_doubted = self.inner.pool.circuit() != Circuit::Closed && !self.has_connected;
        if is_stale || is_doubted {
            match Connection::open(&self.inner).await {
                Ok(fresh) => {
                    self.connection = Some(fresh);
                    self.has_connected = true;
                }
                Err(why) => self.unfreshened = Some(why),
            }
        }
    }

    /// The latest probe took too long, and was dropped.
    pub(super) fn gave_up(&mut self) {
        let timeout = self.inner.options.timeout;
        let why = format!("no answer within {}", Brief(timeout));
        match self.stage {
            Stage::Ping => {
                self.connection = None;
                self.ping.heard(Finding::Failed(why), timeout);
                self.asked.iter_mut().for_each(|asked| asked.report = None);
            }
            Stage::Role => self.not_asked_from(0),
            Stage::Check(index) => {
                self.asked[index].heard(Finding::Unknown(why), timeout);
                self.not_asked_from(index + 1);
            }
            Stage::Freshen => self.unfreshened = Some(why),
        }
        // A question that was cut short has lost it.
        self.connection.take_if(|connection| connection.probe.is_lost());
    }

    fn not_asked_from(&mut self, index: usize) {
        for asked in &mut self.asked[index..] {
            asked.heard(Finding::Unknown("no time was left to ask".to_owned()), Duration::ZERO);
        }
    }

    /// Judges by the latest probe, which began then.
    pub(super) fn conclude(&mut self, began: Instant) {
        let took = self.inner.runtime.now().since(began);
        self.probed = Some((SystemTime::now(), took));
        let is_good = self.failures().is_empty();
        self.judge.hear(if is_good { Outcome::Good } else { Outcome::Bad });
        if self.judge.verdict() == Verdict::Down {
            // A server that fails is asked on a fresh connection, which may lead to another one.
            self.connection = None;
            self.role = None;
        }
    }

    /// How long from the beginning of the latest probe to the next.
    pub(super) fn pause(&mut self) -> Duration {
        let options = &self.inner.options;
        let is_doubtful = self.judge.is_in_doubt();
        let interval = if is_doubtful { options.doubt_interval } else { options.interval };
        interval.mul_f64(1.0 - 0.1 * self.jitter.f64())
    }

    pub(super) fn reports(&self) -> Vec<CheckReport> {
        let scheduled = self.inner.scheduled.iter().filter_map(Scheduled::report);
        let regular = [&self.ping].into_iter().chain(&self.asked);
        regular.filter_map(|asked| asked.report.clone()).chain(scheduled).collect()
    }

    /// What the latest probe, and the latest of each check on a schedule, failed by.
    pub(super) fn failures(&self) -> Vec<String> {
        let failed = |report: CheckReport| match report.finding {
            Finding::Failed(why) => Some(format!("{}: {why}", report.check)),
            _ => None,
        };
        let mut failures: Vec<_> = self.reports().into_iter().filter_map(failed).collect();
        if let Some(why) = &self.unfreshened
            && !self.has_own()
        {
            failures.push(format!("no connection can be opened, and the pool has none: {why}"));
        }
        failures
    }

    /// What serves, and wants to be looked at.
    pub(super) fn complaints(&self, now: Instant) -> Vec<String> {
        let complaint = |report: CheckReport| match report.finding {
            Finding::Degraded(why) => Some(format!("{}: {why}", report.check)),
            Finding::Unknown(why) => Some(format!("{}: unknown: {why}", report.check)),
            _ => None,
        };
        let unfreshened = self.unfreshened.iter().filter(|_| self.has_own());
        let unfreshened = unfreshened.map(|why| format!("no fresh connection: {why}"));
        let overdue = self.inner.scheduled.iter().filter(|scheduled| scheduled.is_overdue(now));
        let overdue =
            overdue.map(|scheduled| format!("{}: no answer for too long", scheduled.name));
        unfreshened.chain(self.reports().into_iter().filter_map(complaint)).chain(overdue).collect()
    }

    /// Whether the pool has connections, which may serve though no other can be opened.
    fn has_own(&self) -> bool {
        let stats = self.inner.pool.stats();
        stats.idle + stats.in_use > 0
    }
}
