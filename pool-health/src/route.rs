//! Reads to replicas, writes to the primary: whichever of the servers that is at present.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{Circuit, Driver, Pool, PoolState, PoolStats, Role};
#[cfg(feature = "manager")]
use pool_core::{ConnectionManager, PoolLookupError, Problem};

use crate::check::{Finding, LagBelow};
use crate::checker::HealthChecker;
use crate::health::Health;
use crate::options::{HealthError, HealthOptions};

/// What a lag check is called in reports.
const LAG: &str = "lag";

/// How a [`Router`] works.
#[derive(Clone, Debug)]
pub struct RouterOptions {
    /// How far a replica may be behind to be read from. Default: 10 s.
    pub max_lag: Duration,
    /// How its servers are asked. The lag is asked for beside its checks, and the role.
    pub health: HealthOptions,
}

impl Default for RouterOptions {
    /// Probes each second: a failover is noticed by them.
    fn default() -> Self {
        let health = HealthOptions {
            interval: Duration::from_secs(1),
            doubt_interval: Duration::from_millis(200),
            timeout: Duration::from_secs(1),
            ..HealthOptions::default()
        };
        Self { max_lag: Duration::from_secs(10), health }
    }
}

/// Several pools of one database: a primary, and replicas of it. Which is which the servers say, and are
/// asked again and again, so that it is known anew after a failover.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = pool_testkit::FakeServer::new(std::sync::Arc::new(pool_core::runtime::TokioRuntime::new()));
/// # let driver = pool_testkit::FakeDriver::new(&server);
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// # let (east, west) = (pool.clone(), pool);
/// use pool_health::{RouteError, Router, RouterOptions};
///
/// let router = Router::start([east, west], RouterOptions::default())?;
/// assert!(matches!(router.write(), Err(RouteError::NoPrimary { .. }))); // nobody was asked yet
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Router<D: Driver> {
    members: Vec<Member<D>>,
}

#[derive(Debug)]
struct Member<D: Driver> {
    pool: Pool<D>,
    checker: Arc<HealthChecker>,
}

/// Why there is no pool to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// None of the servers takes writes.
    #[error("no server takes writes: {}", states.join(", "))]
    NoPrimary {
        /// Every pool with what is known of it.
        states: Vec<String>,
    },
    /// More than one takes writes. Whichever was chosen, what is written could be lost.
    #[error("more than one server takes writes: {}", pools.join(", "))]
    SeveralPrimaries {
        /// The pools of those.
        pools: Vec<String>,
    },
    /// None of the servers can be read from.
    #[error("no server can be read from: {}", states.join(", "))]
    NoServer {
        /// Every pool with what is known of it.
        states: Vec<String>,
    },
}

/// Why there is no router.
#[cfg(feature = "manager")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouterError {
    /// The manager has no such route, or not with this driver.
    #[error(transparent)]
    Lookup(#[from] PoolLookupError),
    /// Its pools cannot be checked.
    #[error(transparent)]
    Health(#[from] HealthError),
}

impl<D: Driver> Router<D> {
    /// Begins to ask the servers of `pools`.
    ///
    /// # Errors
    ///
    /// Every problem of the options; or the calling thread is not inside an async runtime.
    pub fn start(
        pools: impl IntoIterator<Item = Pool<D>>,
        options: RouterOptions,
    ) -> Result<Self, HealthError> {
        let RouterOptions { max_lag, mut health } = options;
        health.learn_role = true;
        health.checks.push(Arc::new(LagBelow::time(max_lag)));
        let member = |pool: Pool<D>| {
            let checker = HealthChecker::start(&pool.control(), health.clone())?;
            Ok(Member { pool, checker: Arc::new(checker) })
        };
        let members = pools.into_iter().map(member).collect::<Result<_, HealthError>>()?;
        Ok(Self { members })
    }

    /// The same for the pools of a manager's route, `[routes.NAME]` in its file, whose drivers are a `D`.
    ///
    /// # Errors
    ///
    /// There is no such route, a pool of it has another driver, or those of [`start`](Self::start).
    #[cfg(feature = "manager")]
    pub fn of_route(
        manager: &ConnectionManager,
        route: &str,
        options: RouterOptions,
    ) -> Result<Self, RouterError> {
        let routes = manager.routes();
        let found = routes.iter().find(|known| &*known.name == route).ok_or_else(|| {
            let known = routes.iter().map(|known| &*known.name);
            PoolLookupError::Unknown(Problem::unknown("route", route, known))
        })?;
        let pools = found.pools.iter().map(|pool| manager.pool(pool));
        let pools: Vec<_> = pools.collect::<Result<_, _>>()?;
        Ok(Self::start(pools, options)?)
    }

    /// The pool whose server takes writes. One that did stays that while probes of it fail, until it is
    /// down, or the latest probe of another one says that that one does.
    ///
    /// # Errors
    ///
    /// No server does, or more than one.
    pub fn write(&self) -> Result<&Pool<D>, RouteError> {
        self.primary().map_err(|claims| {
            if claims.is_empty() {
                return RouteError::NoPrimary { states: self.states() };
            }
            let pools = claims.iter().map(|it| it.checker.pool().name().to_owned());
            RouteError::SeveralPrimaries { pools: pools.collect() }
        })
    }

    /// The pool of the server that takes writes; or all that claim to, if that is not one.
    fn primary(&self) -> Result<&Pool<D>, Vec<&Member<D>>> {
        let claim = |member| claims_writes(member).map(|is_in_doubt| (member, is_in_doubt));
        let claims: Vec<_> = self.members.iter().filter_map(claim).collect();
        if let [(only, _)] = claims[..] {
            return Ok(&only.pool);
        }
        // One that cannot be asked any more was replaced, most likely.
        let mut sure = claims.iter().filter(|(_, is_in_doubt)| !is_in_doubt);
        match (sure.next(), sure.next()) {
            (Some((sure, _)), None) => Ok(&sure.pool),
            _ => Err(claims.iter().map(|(member, _)| *member).collect()),
        }
    }

    /// Of the pools whose servers are replicas that are well and not behind, the one with the fewest
    /// connections in use and acquires waiting; that of the primary if there is no such replica. A pool
    /// that is paused, or whose latest connect failed, is taken only if there is no other: nothing is in
    /// use there because it hands out nothing.
    ///
    /// # Errors
    ///
    /// No server serves.
    pub fn read(&self) -> Result<&Pool<D>, RouteError> {
        let replicas = self.members.iter().filter(|it| is_readable_replica(&it.checker.health()));
        let replicas = replicas.map(|replica| (false, &replica.pool));
        let primary = self.primary().ok().map(|primary| (true, primary));
        let best = replicas.chain(primary).min_by_key(|(is_primary, pool)| {
            let stats = pool.stats();
            (is_impeded(&stats), *is_primary, stats.in_use + stats.waiting)
        });
        best.map(|(_, pool)| pool).ok_or_else(|| RouteError::NoServer { states: self.states() })
    }

    /// The checkers of its pools, for [`Probes`](crate::Probes).
    pub fn checkers(&self) -> impl Iterator<Item = Arc<HealthChecker>> + '_ {
        self.members.iter().map(|member| Arc::clone(&member.checker))
    }

    fn states(&self) -> Vec<String> {
        let state = |member: &Member<D>| {
            let health = member.checker.health();
            let role = match health.role {
                Some(Role::ReadWrite) => ", takes writes",
                Some(_) => ", takes reads only",
                None => "",
            };
            format!("{}{role}", *health)
        };
        self.members.iter().map(state).collect()
    }
}

/// Whether a server claims to take writes; if so, whether its latest probe leaves that in doubt.
fn claims_writes<D: Driver>(member: &Member<D>) -> Option<bool> {
    let health = member.checker.health();
    let is_claimed = health.state.serves() && health.role == Some(Role::ReadWrite);
    is_claimed.then_some(health.is_in_doubt)
}

/// Whether a pool hands out no connections, or only those that it still has.
fn is_impeded(stats: &PoolStats) -> bool {
    stats.state != PoolState::Open || stats.circuit != Circuit::Closed
}

fn is_readable_replica(health: &Health) -> bool {
    // The router's own, and whichever the user has beside it.
    let mut lags = health.checks.iter().filter(|report| &*report.check == LAG).peekable();
    health.role == Some(Role::ReadOnly)
        && health.state.serves()
        && lags.peek().is_some()
        && lags.all(|report| report.finding == Finding::Fine)
}
