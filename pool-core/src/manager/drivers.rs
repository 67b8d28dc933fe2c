//! Which driver opens which URL, and pools whose driver is known to themselves only.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::sources::Asked;
use crate::config::{ConfigError, Loaded, PoolConfig, Problem, Reconfigured, Resolved, url_scheme};
use crate::contain::contain;
use crate::control::ControlHandle;
use crate::driver::{Driver, Metadata};
use crate::error::OpenError;
use crate::pool::{Pool, PoolOptions};
use crate::runtime::Instant;

/// The drivers of a manager, by URL scheme.
///
/// ```
/// # use std::sync::Arc;
/// # use pool_core::runtime::TokioRuntime;
/// # use pool_testkit::{FakeDriver, FakeServer};
/// # let server = FakeServer::new(Arc::new(TokioRuntime::new()));
/// use pool_core::Drivers;
///
/// let drivers = Drivers::default().register(&["fake"], move |_url| Ok(FakeDriver::new(&server)));
/// assert_eq!(format!("{drivers:?}"), r#"{"fake"}"#);
/// ```
#[derive(Clone, Default)]
pub struct Drivers {
    factories: BTreeMap<String, Factory>,
}

type Factory = Arc<dyn Fn(&str) -> Result<Box<dyn AnyDriver>, ConfigError> + Send + Sync>;

impl Drivers {
    /// Has `factory` make the drivers of URLs with one of `schemes`; the last one registered for a
    /// scheme counts. It is given the URL without the pool's own parameters, whenever the sources
    /// are read; what it says about a URL must not repeat a password.
    #[must_use]
    pub fn register<D: Driver>(
        mut self,
        schemes: &[&str],
        factory: impl Fn(&str) -> Result<D, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        let factory: Factory =
            Arc::new(move |url| factory(url).map(|driver| Box::new(driver) as Box<dyn AnyDriver>));
        for scheme in schemes {
            self.factories.insert(scheme.to_lowercase(), Arc::clone(&factory));
        }
        self
    }

    /// The driver for a URL.
    pub(super) fn make(&self, url: &str) -> Result<Box<dyn AnyDriver>, ConfigError> {
        // What is registered is no secret, whatever follows: an SQLite path may hold an `@`.
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme).to_lowercase();
        if let Some(factory) = self.factories.get(&scheme) {
            return factory(url);
        }
        let Some(scheme) = url_scheme(url) else {
            return Err(Problem::invalid("url", "", "no scheme", self.forms()).into());
        };
        let schemes = self.factories.keys().map(String::as_str);
        Err(Problem::unknown("url scheme", scheme, schemes).into())
    }

    /// What is wrong with a pool for which no source names a URL.
    pub(super) fn missing(&self, asked: &Asked) -> Problem {
        let problem = Problem::invalid("url", "", "a pool without a database", self.forms());
        problem.at(asked.origin.clone())
    }

    /// What a URL begins with, for messages.
    fn forms(&self) -> String {
        let forms: Vec<_> = self.factories.keys().map(|scheme| format!("{scheme}:...")).collect();
        if forms.is_empty() { "none: no driver is registered".to_owned() } else { forms.join(", ") }
    }
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

/// A driver whose type only itself knows.
pub(super) trait AnyDriver: Send + Sync {
    /// What the sources come to for it.
    fn settle(&self, loaded: Loaded) -> Result<Resolved, ConfigError>;

    fn into_pool(self: Box<Self>, options: PoolOptions) -> Result<Arc<dyn AnyPool>, OpenError>;

    fn as_any(&self) -> &dyn Any;

    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<D: Driver> AnyDriver for D {
    fn settle(&self, loaded: Loaded) -> Result<Resolved, ConfigError> {
        loaded.resolve_for(self)
    }

    fn into_pool(self: Box<Self>, options: PoolOptions) -> Result<Arc<dyn AnyPool>, OpenError> {
        Ok(Arc::new(Pool::new(*self, options)?))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// What becomes of how many connections once a driver has taken over a changed URL.
pub(super) enum TakenOver {
    Renewed(usize),
    Invalidated(usize),
}

/// A pool whose driver's type only itself knows.
pub(super) trait AnyPool: Send + Sync {
    fn as_any(&self) -> &dyn Any;

    /// The type of its driver.
    fn driver(&self) -> &'static str;

    fn control(&self) -> ControlHandle;

    /// Opens and checks one connection.
    fn open_first(&self) -> BoxFuture<'_, Result<(), OpenError>>;

    /// What the sources come to for its driver.
    fn settle(&self, loaded: Loaded) -> Result<Resolved, ConfigError>;

    /// Applies a valid configuration. What is left to be done calls foreign code: whom it wakes,
    /// observers, the driver.
    fn apply(&self, config: PoolConfig, now: Instant) -> (Reconfigured, Box<dyn FnOnce() + '_>);

    /// Whether its driver can take over what `successor` was made from.
    fn can_take_over(&self, successor: &dyn AnyDriver) -> bool;

    /// Whether what `successor` was made from names another database than its driver has.
    fn leads_elsewhere(&self, successor: &dyn AnyDriver) -> bool;

    /// Has its driver take over what a driver that it can take over was made from. Every connection is
    /// renewed, or invalidated if they lead elsewhere now. What is left to be done wakes somebody, and
    /// may call observers and the driver. Nothing is done if the driver panics: `None`.
    fn take_over(
        &self,
        successor: Box<dyn AnyDriver>,
        now: Instant,
    ) -> Option<(TakenOver, Box<dyn FnOnce() + '_>)>;

    /// Tells observers of a configuration that is not applied.
    fn tell_refused(&self, error: &ConfigError);
}

impl<D: Driver> AnyPool for Pool<D> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn driver(&self) -> &'static str {
        type_name::<D>()
    }

    fn control(&self) -> ControlHandle {
        self.control()
    }

    fn open_first(&self) -> BoxFuture<'_, Result<(), OpenError>> {
        self.open_first().boxed()
    }

    fn settle(&self, loaded: Loaded) -> Result<Resolved, ConfigError> {
        loaded.resolve_for(self.driver())
    }

    fn apply(&self, config: PoolConfig, now: Instant) -> (Reconfigured, Box<dyn FnOnce() + '_>) {
        let (outcome, effects) = self.shared().apply(config, now);
        let told = outcome.clone();
        (outcome, Box::new(move || self.shared().announce(&told, effects)))
    }

    fn can_take_over(&self, successor: &dyn AnyDriver) -> bool {
        let successor = successor.as_any().downcast_ref::<D>();
        successor.is_some_and(|successor| self.driver().can_take_over(successor))
    }

    fn leads_elsewhere(&self, successor: &dyn AnyDriver) -> bool {
        let successor = successor.as_any().downcast_ref::<D>();
        successor.is_some_and(|successor| {
            let (then, now) = (successor.metadata(), self.driver().metadata());
            // What connections call themselves is no place.
            then != Metadata { application: then.application.clone(), ..now }
        })
    }

    fn take_over(
        &self,
        successor: Box<dyn AnyDriver>,
        now: Instant,
    ) -> Option<(TakenOver, Box<dyn FnOnce() + '_>)> {
        let elsewhere = contain(|| {
            let elsewhere = self.leads_elsewhere(&*successor);
            let successor = successor.into_any().downcast::<D>();
            self.driver()
                .take_over(*successor.expect("bug: of a driver that cannot be taken over"));
            elsewhere
        })?;
        let shared = self.shared();
        let (taken_over, effects) = shared.transition_alone(|state, effects| {
            if elsewhere {
                TakenOver::Invalidated(state.invalidate(now, effects))
            } else {
                TakenOver::Renewed(state.renew(now, effects))
            }
        });
        Some((taken_over, Box::new(move || shared.carry_out(effects))))
    }

    fn tell_refused(&self, error: &ConfigError) {
        self.shared().tell_refused(error);
    }
}
