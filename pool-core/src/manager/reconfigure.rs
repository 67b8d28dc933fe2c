//! A changed file, applied by what differs.

use std::fmt;
use std::sync::Arc;

use super::prepare::Prepared;
use super::sources::{Asked, NamedSources, join_problems};
use super::{Current, Inner, Managed};
use crate::config::{ConfigError, Reconfigured, Resolved};

/// What a manager's reconfiguration did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ManagerReconfigured {
    /// Every pool, in the order in which the manager has them; then those that were added to the
    /// sources.
    pub pools: Vec<PoolOutcome>,
}

/// What a manager's reconfiguration did to one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOutcome {
    /// The pool's name.
    pub pool: Arc<str>,
    /// What was applied, and what waits for connections to come back; `None` if no setting differs.
    pub applied: Option<Reconfigured>,
    /// What takes effect when the program starts anew.
    pub restart: Option<RestartReason>,
}

/// What cannot be changed in a manager that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RestartReason {
    /// The URL differs from the one that the pool's driver was made from.
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
        self.pools.iter().any(|pool| pool.restart.is_some())
    }
}

/// A line for each pool.
impl fmt::Display for ManagerReconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pools.iter().try_for_each(|pool| writeln!(f, "{pool}"))
    }
}

impl fmt::Display for PoolOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(Reconfigured { changes, closed, awaiting_return, .. }) = &self.applied {
            let changes = changes.iter();
            parts.extend(changes.map(|it| format!("{} {} -> {}", it.field, it.from, it.to)));
            if *closed > 0 {
                parts.push(format!("{closed} idle closed as surplus"));
            }
            if *awaiting_return > 0 {
                parts.push(format!("{awaiting_return} in use to be closed on return"));
            }
        }
        parts.extend(self.restart.map(|reason| reason.to_string()));
        if parts.is_empty() {
            parts.push("unchanged".to_owned());
        }
        write!(f, "{}: {}", self.pool, parts.join(", "))
    }
}

/// What is to be done with a pool there is.
struct Step {
    /// `None` if the sources no longer name it.
    settings: Option<Resolved>,
    restart: Option<RestartReason>,
}

impl Inner {
    pub(super) fn reconfigure(
        &self,
        sources: NamedSources,
    ) -> Result<ManagerReconfigured, ConfigError> {
        // Refused for one pool, it is refused for all.
        let refuse = |error: &ConfigError| {
            self.pools.iter().for_each(|managed| managed.pool.tell_refused(error));
        };
        let (steps, added) = self.plan(&sources).inspect_err(refuse)?;
        let mut pools = Vec::with_capacity(steps.len() + added.len());
        let now = self.runtime.now();
        // Held over all of them: of two reconfigurations one is wholly the later one.
        let mut asked = self.asked.lock();
        let Current { resolved, sources: in_force } = &mut *asked;
        *in_force = sources;
        let mut left = Vec::new();
        for ((managed, kept), step) in self.pools.iter().zip(resolved).zip(steps) {
            let applied = step.settings.and_then(|settings| {
                let config = settings.config().clone();
                *kept = settings;
                (config != managed.pool.control().config()).then(|| managed.pool.apply(config, now))
            });
            let (applied, rest) = applied.unzip();
            left.extend(rest);
            let pool = Arc::clone(&managed.name);
            pools.push(PoolOutcome { pool, applied, restart: step.restart });
        }
        drop(asked);
        for rest in left {
            rest();
        }
        let restart = Some(RestartReason::Added);
        pools.extend(added.into_iter().map(|pool| PoolOutcome { pool, applied: None, restart }));
        Ok(ManagerReconfigured { pools })
    }

    /// A step for each pool there is, and the names of those that are new. Nothing has changed yet.
    fn plan(&self, sources: &NamedSources) -> Result<(Vec<Step>, Vec<Arc<str>>), ConfigError> {
        let there: Vec<_> = self.pools.iter().map(|managed| &*managed.name).collect();
        let (asked, mut problems) = sources.read(&there);
        let mut failed = Vec::new();
        let mut steps = Vec::with_capacity(self.pools.len());
        for managed in &self.pools {
            let step = match asked.iter().find(|asked| asked.name == *managed.name) {
                None => Ok(Step { settings: None, restart: Some(RestartReason::Removed) }),
                Some(asked) => self.step(managed, asked),
            };
            match step {
                Ok(step) => steps.push(step),
                Err(error) => failed.push((&*managed.name, error)),
            }
        }
        let mut added = Vec::new();
        for asked in asked.iter().filter(|asked| !there.contains(&&*asked.name)) {
            match Prepared::new(&self.drivers, asked) {
                Ok(prepared) => added.push(prepared.name),
                Err(error) => failed.push((&*asked.name, error)),
            }
        }
        problems.extend(join_problems(asked.len(), &failed));
        ConfigError::from_problems(problems)?;
        Ok((steps, added))
    }

    /// What is to be done with a pool that the sources still name: its settings must do for the
    /// driver it has, and a new URL for the driver it will have.
    fn step(&self, managed: &Managed, asked: &Asked) -> Result<Step, ConfigError> {
        let prepared = Prepared::new(&self.drivers, asked)?;
        let restart = (*prepared.url() != managed.url).then_some(RestartReason::UrlChanged);
        let settings = managed.pool.settle(prepared.loaded)?;
        Ok(Step { settings: Some(settings), restart })
    }
}
