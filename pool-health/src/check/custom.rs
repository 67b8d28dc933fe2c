//! A check of the user's own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pool_core::{Probe, async_trait};

use super::{Check, Finding, causes};

/// A check by a closure.
///
/// ```
/// use std::time::Duration;
/// use pool_health::{CustomCheck, Finding};
///
/// let quick = CustomCheck::new("quick", |probe| Box::pin(async move {
///     match probe.ping().await {
///         Ok(took) if took < Duration::from_millis(50) => Finding::Fine,
///         Ok(took) => Finding::Degraded(format!("an answer took {took:?}")),
///         Err(error) => Finding::Failed(error.to_string()),
///     }
/// }));
/// # let _ = quick;
/// ```
pub struct CustomCheck {
    name: Cow<'static, str>,
    every: Option<Duration>,
    limit: Duration,
    ask: Box<Ask>,
}

type Ask = dyn for<'a> Fn(&'a mut dyn Probe) -> BoxFuture<'a, Finding> + Send + Sync;

impl CustomCheck {
    /// One that is asked with each probe.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        ask: impl for<'a> Fn(&'a mut dyn Probe) -> BoxFuture<'a, Finding> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), every: None, limit: Duration::from_mins(1), ask: Box::new(ask) }
    }

    /// One that asks on the driver's own connection. What it leaves behind there is cleaned; nothing is known
    /// if that fails, or if the pool's driver has another type of connections.
    ///
    /// ```
    /// # use pool_testkit::FakeConnection as DriversConnection;
    /// use pool_health::{CustomCheck, Finding};
    ///
    /// let jobs = CustomCheck::on_connection("jobs", |connection: &mut DriversConnection| {
    ///     Box::pin(async move {
    ///         match connection.query("select ...") {
    ///             Ok(()) => Finding::Fine,
    ///             Err(error) => Finding::Unknown(error.to_string()),
    ///         }
    ///     })
    /// });
    /// # let _ = jobs;
    /// ```
    pub fn on_connection<C: Send + 'static>(
        name: impl Into<Cow<'static, str>>,
        ask: impl for<'a> Fn(&'a mut C) -> BoxFuture<'a, Finding> + Send + Sync + 'static,
    ) -> Self {
        let ask = Arc::new(ask);
        Self::new(name, move |probe| {
            let ask = Arc::clone(&ask);
            Box::pin(async move {
                let mut lent = match probe.lend() {
                    Ok(lent) => lent,
                    Err(error) => return Finding::Unknown(causes(&*error)),
                };
                let finding = match lent.connection() {
                    Some(connection) => ask(connection).await,
                    None => Finding::Unknown("the pool's driver has other connections".to_owned()),
                };
                match lent.give_back().await {
                    Ok(()) => finding,
                    Err(error) => Finding::Unknown(causes(&*error)),
                }
            })
        })
    }

    /// The same, asked only this often, at least a second apart, and for at most this long.
    #[must_use]
    pub fn every(self, interval: Duration, limit: Duration) -> Self {
        Self { every: Some(interval), limit, ..self }
    }
}

impl fmt::Debug for CustomCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomCheck")
            .field("name", &self.name)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Check for CustomCheck {
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    fn every(&self) -> Option<Duration> {
        self.every
    }

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        (self.ask)(probe).await
    }
}
