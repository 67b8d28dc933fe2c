//! A changed file, applied by what differs.

use std::fmt;
use std::sync::Arc;

use super::drivers::{AnyDriver, TakenOver};
use super::prepare::Prepared;
use super::sources::{Asked, NamedSources, Read, join_problems};
use super::{ConnectionManager, Current, Inner, Managed};
use crate::config::{Change, ConfigError, Reconfigured, Resolved, Secret};
use crate::runtime::Instant;

/// What a manager's reconfiguration did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ManagerReconfigured {
    /// Every pool, in the order in which the manager has them; then those that were added to the
    /// sources.
    pub pools: Vec<PoolOutcome>,
    /// Whether the routes differ, which takes effect when the program starts anew.
    pub routes_changed: bool,
}

/// What a manager's reconfiguration did to one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOutcome {
    /// The pool's name.
    pub pool: Arc<str>,
    /// What was applied, and what waits for connections to come back; `None` if no setting differs.
    pub applied: Option<Reconfigured>,
    /// How many connections are being replaced, one at a time, because the driver has taken over a
    /// changed URL of the same database; `None` if it has not.
    pub renewed: Option<usize>,
    /// How many connections are closed, idle ones now and others when they come back, because the
    /// driver has taken over the URL of another database; `None` if it has not.
    pub invalidated: Option<usize>,
    /// What takes effect when the program starts anew.
    pub restart: Option<RestartReason>,
}

/// What cannot be changed in a manager that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RestartReason {
    /// The URL differs from the one that the pool's driver was made from, and the driver cannot take it
    /// over: it is for another database system, for example. Or the driver panicked over it.
    UrlChanged,
    /// The sources name a pool that the manager does not have.
    Added,
    /// The sources no longer name the pool. It goes on with the settings it has.
    Removed,
}

impl fmt::Display for RestartReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UrlChanged => "the changed URL needs a restart",
            Self::Added => "the new pool needs a restart",
            Self::Removed => "no longer named; to remove it needs a restart",
        })
    }
}

impl ManagerReconfigured {
    /// Whether anything needs a restart to take effect.
    #[must_use]
    pub fn needs_restart(&self) -> bool {
        self.routes_changed || self.pools.iter().any(|pool| pool.restart.is_some())
    }
}

/// A line for each pool.
impl fmt::Display for ManagerReconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pools.iter().try_for_each(|pool| writeln!(f, "{pool}"))?;
        f.write_str(routes_line(self.routes_changed))
    }
}

const fn routes_line(changed: bool) -> &'static str {
    if changed { "the changed routes need a restart\n" } else { "" }
}

impl fmt::Display for PoolOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(Reconfigured { changes, closed, awaiting_return, .. }) = &self.applied {
            parts.extend(changes.iter().map(ToString::to_string));
            if *closed > 0 {
                parts.push(format!("{closed} idle closed as surplus"));
            }
            if *awaiting_return > 0 {
                parts.push(format!("{awaiting_return} in use to be closed on return"));
            }
        }
        parts.extend(self.renewed.map(|count| format!("new URL, {count} open to be replaced")));
        let moved = |count| format!("new URL of another database, {count} open are retired");
        parts.extend(self.invalidated.map(moved));
        parts.extend(self.restart.map(|reason| reason.to_string()));
        write_line(f, &self.pool, &parts)
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, pool: &str, parts: &[String]) -> fmt::Result {
    let parts = if parts.is_empty() { "unchanged" } else { &parts.join(", ") };
    write!(f, "{pool}: {parts}")
}

/// What a manager's reconfiguration would do, with all it takes to do it: nothing is read again.
///
/// Two are equal if the sources said the same both times, the files that they name for URLs as well, and
/// so did the pools.
#[non_exhaustive]
#[must_use]
pub struct ManagerPlan {
    /// Every pool, in the order in which the manager has them; then those that were added to the
    /// sources.
    pub pools: Vec<PoolPlan>,
    /// Whether the routes differ, which would take effect when the program starts anew.
    pub routes_changed: bool,
    manager: ConnectionManager,
    sources: NamedSources,
    /// For each pool there is; `None` if the sources no longer name it.
    steps: Vec<Option<Step>>,
}

/// What a manager's reconfiguration would do to one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolPlan {
    /// The pool's name.
    pub pool: Arc<str>,
    /// The settings that would change.
    pub changes: Vec<Change>,
    /// Whether the driver would take over a changed URL of the same database, and every connection be
    /// replaced, one at a time.
    pub renews: bool,
    /// Whether the driver would take over the URL of another database, and every connection be closed.
    pub invalidates: bool,
    /// What would take effect when the program starts anew.
    pub restart: Option<RestartReason>,
}

impl ManagerPlan {
    /// Whether anything would change now. What needs a restart does not.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        let changes = |it: &PoolPlan| it.renews || it.invalidates || !it.changes.is_empty();
        self.pools.iter().any(changes)
    }

    /// Whether anything would need a restart to take effect.
    #[must_use]
    pub fn needs_restart(&self) -> bool {
        self.routes_changed || self.pools.iter().any(|pool| pool.restart.is_some())
    }
}

impl PartialEq for ManagerPlan {
    fn eq(&self, other: &Self) -> bool {
        self.pools == other.pools
            && self.routes_changed == other.routes_changed
            && self.sources == other.sources
            && self.steps == other.steps
    }
}

impl fmt::Debug for ManagerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerPlan")
            .field("pools", &self.pools)
            .field("routes_changed", &self.routes_changed)
            .finish_non_exhaustive()
    }
}

/// A line for each pool.
impl fmt::Display for ManagerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pools.iter().try_for_each(|pool| writeln!(f, "{pool}"))?;
        f.write_str(routes_line(self.routes_changed))
    }
}

impl fmt::Display for PoolPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<_> = self.changes.iter().map(ToString::to_string).collect();
        parts.extend(self.renews.then(|| "new URL".to_owned()));
        parts.extend(self.invalidates.then(|| "new URL of another database".to_owned()));
        parts.extend(self.restart.map(|reason| reason.to_string()));
        write_line(f, &self.pool, &parts)
    }
}

/// What the sources say of a pool there is, ready to be applied.
struct Step {
    settings: Resolved,
    url: Secret,
    /// The driver for the URL, if that of the pool can take it over.
    successor: Option<Box<dyn AnyDriver>>,
}

/// The driver is made from the URL, which the settings hold.
impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Step {
    /// What a restart is needed for, with a driver made from `url`.
    fn restart(&self, url: &Secret) -> Option<RestartReason> {
        let refused = self.successor.is_none() && self.url != *url;
        refused.then_some(RestartReason::UrlChanged)
    }

    /// What it would do to a pool with a driver made from `url`.
    fn preview(&self, managed: &Managed, url: &Secret) -> PoolPlan {
        let successor = self.successor.as_deref().filter(|_| self.url != *url);
        let elsewhere = successor.map(|successor| managed.pool.leads_elsewhere(successor));
        PoolPlan {
            changes: Change::between(&managed.pool.control().config(), self.settings.config()),
            renews: elsewhere == Some(false),
            invalidates: elsewhere == Some(true),
            restart: self.restart(url),
            ..PoolPlan::new(&managed.name)
        }
    }

    /// Does it to a pool with a driver made from `url`. What is left to be done calls foreign code.
    fn apply<'a>(
        self,
        managed: &'a Managed,
        kept: &mut Resolved,
        url: &mut Secret,
        now: Instant,
        left: &mut Vec<Box<dyn FnOnce() + 'a>>,
    ) -> PoolOutcome {
        let restart = self.restart(url);
        let mut outcome = PoolOutcome { restart, ..PoolOutcome::new(&managed.name) };
        if let Some(successor) = self.successor.filter(|_| self.url != *url) {
            if let Some((taken_over, rest)) = managed.pool.take_over(successor, now) {
                match taken_over {
                    TakenOver::Renewed(count) => outcome.renewed = Some(count),
                    TakenOver::Invalidated(count) => outcome.invalidated = Some(count),
                }
                left.push(rest);
                *url = self.url;
            } else {
                outcome.restart = Some(RestartReason::UrlChanged);
            }
        }
        let config = self.settings.config().clone();
        *kept = self.settings;
        if config != managed.pool.control().config() {
            let (applied, rest) = managed.pool.apply(config, now);
            outcome.applied = Some(applied);
            left.push(rest);
        }
        outcome
    }
}

impl ManagerPlan {
    /// What `sources` say, once it is known to be valid as a whole. Nothing has changed yet.
    pub(super) fn new(
        manager: &ConnectionManager,
        sources: NamedSources,
    ) -> Result<Self, ConfigError> {
        let inner = &manager.inner;
        let there: Vec<_> = inner.pools.iter().map(|managed| &*managed.name).collect();
        let Read { asked, routes, mut problems } = sources.read(&there);
        let mut failed = Vec::new();
        let mut steps = Vec::with_capacity(inner.pools.len());
        for managed in &inner.pools {
            let asked = asked.iter().find(|asked| asked.name == *managed.name);
            match asked.map(|asked| inner.step(managed, asked)).transpose() {
                Ok(step) => steps.push(step),
                Err(error) => failed.push((&*managed.name, error)),
            }
        }
        let mut added = Vec::new();
        for asked in asked.iter().filter(|asked| !there.contains(&&*asked.name)) {
            match Prepared::new(&inner.drivers, asked) {
                Ok(prepared) => added.push(prepared.name),
                Err(error) => failed.push((&*asked.name, error)),
            }
        }
        problems.extend(join_problems(asked.len(), &failed));
        ConfigError::from_problems(problems)?;
        let urls = inner.asked.lock().urls.clone();
        let there = inner.pools.iter().zip(urls).zip(&steps).map(|((managed, url), step)| {
            let removed = Some(RestartReason::Removed);
            step.as_ref().map_or_else(
                || PoolPlan { restart: removed, ..PoolPlan::new(&managed.name) },
                |step| step.preview(managed, &url),
            )
        });
        let restart = Some(RestartReason::Added);
        let added = added.iter().map(|name| PoolPlan { restart, ..PoolPlan::new(name) });
        Ok(Self {
            pools: there.chain(added).collect(),
            routes_changed: routes != inner.routes,
            manager: manager.clone(),
            sources,
            steps,
        })
    }

    /// Does it, as [`ConnectionManager::reconfigure`] would. What has been changed meanwhile is changed
    /// to what this says.
    pub fn apply(self) -> ManagerReconfigured {
        let Self { pools, routes_changed, manager, sources, steps } = self;
        let inner = &*manager.inner;
        let added = pools.into_iter().skip(steps.len());
        let mut outcomes = Vec::with_capacity(inner.pools.len());
        let now = inner.runtime.now();
        // Held over all of them: of two reconfigurations one is wholly the later one.
        let mut asked = inner.asked.lock();
        let Current { resolved, urls, sources: in_force } = &mut *asked;
        *in_force = sources;
        let mut left = Vec::new();
        let there = inner.pools.iter().zip(resolved).zip(urls);
        for (((managed, kept), url), step) in there.zip(steps) {
            outcomes.push(match step {
                None => {
                    let restart = Some(RestartReason::Removed);
                    PoolOutcome { restart, ..PoolOutcome::new(&managed.name) }
                }
                Some(step) => step.apply(managed, kept, url, now, &mut left),
            });
        }
        drop(asked);
        for rest in left {
            rest();
        }
        let restart = Some(RestartReason::Added);
        outcomes.extend(added.map(|it| PoolOutcome { restart, ..PoolOutcome::new(&it.pool) }));
        ManagerReconfigured { pools: outcomes, routes_changed }
    }
}

impl Inner {
    /// What is to be done with a pool that the sources still name: its settings must do for the
    /// driver it has, and a new URL for the driver it will have.
    fn step(&self, managed: &Managed, asked: &Asked) -> Result<Step, ConfigError> {
        let prepared = Prepared::new(&self.drivers, asked)?;
        let url = prepared.url().clone();
        let Prepared { driver, settings, loaded, .. } = prepared;
        if managed.pool.can_take_over(&*driver) {
            return Ok(Step { settings, url, successor: Some(driver) });
        }
        Ok(Step { settings: managed.pool.settle(loaded)?, url, successor: None })
    }
}

impl PoolOutcome {
    /// That nothing differs.
    fn new(pool: &Arc<str>) -> Self {
        Self {
            pool: Arc::clone(pool),
            applied: None,
            renewed: None,
            invalidated: None,
            restart: None,
        }
    }
}

impl PoolPlan {
    /// That nothing differs.
    fn new(pool: &Arc<str>) -> Self {
        Self {
            pool: Arc::clone(pool),
            changes: Vec::new(),
            renews: false,
            invalidates: false,
            restart: None,
        }
    }
}
