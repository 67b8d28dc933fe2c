//! The control plane: one type-erased handle to a pool, for everything that is not a query.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::capability::CapabilitySet;
use crate::config::{ConfigError, PoolConfig, Reconfigured};
use crate::driver::{Driver, Metadata};
use crate::error::{CloseReport, Holder, OpenError};
use crate::health::{HealthState, ToldHealth};
use crate::listeners::Subscription;
use crate::observer::Observer;
use crate::probe::{Probe, ProbeConnection};
use crate::runtime::Instant;
use crate::shared::Shared;
use crate::sizing::Sizing;
use crate::stats::{Circuit, DbStats, PoolState, PoolStats};
use crate::steering::Steering;

/// A cheaply cloned control handle. It does not keep the pool open: once the last
/// [`Pool`](crate::Pool) is gone, [`Control::state`] says so.
pub type ControlHandle = Arc<dyn Control>;

/// What monitors, health checks, tuners and consoles see of a pool, whatever its driver.
///
/// Implemented by this crate only.
pub trait Control: sealed::Sealed + Send + Sync {
    /// The pool's name. Two pools may have the same.
    fn name(&self) -> &str;

    /// Tells pools apart: the same for all handles of one pool, and for no other pool while any of them
    /// exists.
    fn id(&self) -> usize;

    /// What is known of the database. Nothing secret.
    fn metadata(&self) -> Metadata;

    /// Whether the pool serves acquires.
    fn state(&self) -> PoolState;

    /// Whether connects succeed.
    fn circuit(&self) -> Circuit {
        self.stats().circuit
    }

    /// One consistent snapshot.
    fn stats(&self) -> PoolStats;

    /// The snapshot in the words of Go's `database/sql`.
    fn db_stats(&self) -> DbStats {
        self.stats().db_stats()
    }

    /// The configuration in force.
    fn config(&self) -> PoolConfig;

    /// Applies a new configuration; see [`Pool::reconfigure`](crate::Pool::reconfigure).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem; nothing has changed then.
    fn reconfigure(&self, config: PoolConfig) -> Result<Reconfigured, ConfigError>;

    /// The call sites that hold connections, longest first.
    fn holders(&self) -> Vec<Holder>;

    /// Retires every connection there is, without interrupting its user: idle ones now, others
    /// when they come back. Returns how many. For failovers; after a change of credentials,
    /// [`renew`](Self::renew) is gentler.
    fn invalidate(&self) -> usize;

    /// Replaces every connection there is, one at a time, without anybody noticing: each is closed
    /// once the one that replaces it is open. Returns how many. For rotated credentials.
    ///
    /// While connects fail, those there are go on; for who has to wait it is an outage as any other, so
    /// that waiting ends once nobody has brought one back for the
    /// [`outage_grace`](PoolConfig::outage_grace). Where there is no room for both, one is closed first,
    /// an idle one or one that comes back; the next only after its replacement is open. So a pool of
    /// one connection is without while its replacement is being opened, and as long as that fails.
    /// While more are open than an [opening lease](Steering::opening) allows, none is replaced.
    /// About four are replaced each second. Those that must not be used any longer are to be
    /// [invalidated](Self::invalidate).
    fn renew(&self) -> usize;

    /// Lets acquires wait (for their deadline at most) instead of serving them. Connections in use
    /// are untouched.
    fn pause(&self);

    /// Serves again, those who waited first.
    fn resume(&self);

    /// Lays other sizes over the configuration, in place of those that were laid over it before;
    /// [`Steering::default`] is none. Where that changes a size, surplus goes as in
    /// [`reconfigure`](Self::reconfigure); the configuration, and its generation, stay what they are.
    fn steer(&self, steering: Steering);

    /// What is laid over the configuration now.
    fn steering(&self) -> Steering;

    /// What time it is by the pool's clock.
    fn now(&self) -> Instant;

    /// Tells `observer` what happens, until the subscription is dropped.
    fn observe(&self, observer: Arc<dyn Observer>) -> Subscription;

    /// Has the pool's observers told, by [`Observer::health_changed`], what whoever checks it has found;
    /// also whoever asks for [`health`](Self::health) afterwards. To say the same again tells nobody.
    ///
    /// Of two who check one pool, what is told last counts.
    fn tell_health(&self, state: HealthState, probe_circuit: Circuit, reasons: &[String]);

    /// What was told last; `None` if nobody has told anything yet.
    fn health(&self) -> Option<ToldHealth>;

    /// Has the pool's observers told, by [`Observer::sizing_changed`], what whoever adapts it says of its
    /// size, in place of all that was told before; also whoever asks for [`sizing`](Self::sizing)
    /// afterwards. To say the same again tells nobody. It changes no size: [`steer`](Self::steer) does.
    fn tell_sizing(&self, sizing: Sizing);

    /// What was told last; `None` if nobody has told anything yet.
    fn sizing(&self) -> Option<Sizing>;

    /// What the driver can say about its server, through [`probe`](Self::probe).
    fn capabilities(&self) -> CapabilitySet;

    /// Opens a connection outside the pool, beyond `max_open`, counted in
    /// [`PoolStats::probes`]. Bounded by `connect_timeout`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Connect`] if it cannot be opened, [`OpenError::Closed`] once the pool is,
    /// [`OpenError::NoRuntime`] outside an async runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection being opened.
    fn probe(&self) -> BoxFuture<'static, Result<Box<dyn Probe>, OpenError>>;

    /// Closes the pool, waiting at most `deadline`; see [`Pool::close`](crate::Pool::close).
    ///
    /// # Cancel safety
    ///
    /// The pool is closed from the first poll on, whether or not the future is awaited to its end.
    fn close(&self, deadline: Duration) -> BoxFuture<'static, CloseReport>;
}

mod sealed {
    /// Keeps room for further methods.
    pub trait Sealed {}
}

pub(crate) struct Handle<D: Driver> {
    shared: Arc<Shared<D>>,
}

impl<D: Driver> Handle<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared }
    }
}

impl<D: Driver> sealed::Sealed for Handle<D> {}

impl<D: Driver> Control for Handle<D> {
    fn name(&self) -> &str {
        &self.shared.observers.pool
    }

    fn id(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }

    fn metadata(&self) -> Metadata {
        self.shared.driver.metadata()
    }

    fn state(&self) -> PoolState {
        self.shared.lock().gate()
    }

    fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    fn config(&self) -> PoolConfig {
        self.shared.lock().config().clone()
    }

    fn reconfigure(&self, config: PoolConfig) -> Result<Reconfigured, ConfigError> {
        self.shared.reconfigure(config)
    }

    fn holders(&self) -> Vec<Holder> {
        self.shared.holders()
    }

    fn invalidate(&self) -> usize {
        let now = self.shared.now();
        self.shared.transition(|state, effects| state.invalidate(now, effects))
    }

    fn renew(&self) -> usize {
        let now = self.shared.now();
        self.shared.transition(|state, effects| state.renew(now, effects))
    }

    fn pause(&self) {
        self.shared.lock().pause();
    }

    fn resume(&self) {
        let now = self.shared.now();
        self.shared.transition(|state, effects| state.resume(now, effects));
    }

    fn steer(&self, steering: Steering) {
        let now = self.shared.now();
        self.shared.transition(|state, effects| state.steer(steering, now, effects));
    }

    fn steering(&self) -> Steering {
        self.shared.lock().steering()
    }

    fn now(&self) -> Instant {
        self.shared.now()
    }

    fn observe(&self, observer: Arc<dyn Observer>) -> Subscription {
        self.shared.observers.subscribe(observer)
    }

    fn tell_health(&self, state: HealthState, probe_circuit: Circuit, reasons: &[String]) {
        let health = ToldHealth { state, probe_circuit };
        self.shared.health.tell(health, reasons, &self.shared.observers);
    }

    fn health(&self) -> Option<ToldHealth> {
        self.shared.health.last()
    }

    fn tell_sizing(&self, sizing: Sizing) {
        self.shared.sizing.tell(&sizing, &self.shared.observers);
    }

    fn sizing(&self) -> Option<Sizing> {
        self.shared.sizing.last()
    }

    fn capabilities(&self) -> CapabilitySet {
        self.shared.driver.capabilities().set()
    }

    fn probe(&self) -> BoxFuture<'static, Result<Box<dyn Probe>, OpenError>> {
        let shared = Arc::clone(&self.shared);
        async move {
            let probe = ProbeConnection::open(shared).await?;
            Ok(Box::new(probe) as Box<dyn Probe>)
        }
        .boxed()
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'static, CloseReport> {
        let shared = Arc::clone(&self.shared);
        async move { shared.close(deadline).await }.boxed()
    }
}
