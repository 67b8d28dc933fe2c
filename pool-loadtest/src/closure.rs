//! A workload that is one closure.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use pool_core::{Driver, Pool};

use crate::workload::{Checked, Step, StepError, Workload, WorkloadError};

/// What a step of a [closure](workload_of) returns.
pub type StepFuture<'a> = Pin<Box<dyn Future<Output = Result<(), StepError>> + Send + 'a>>;

/// A workload that has nothing to prepare or verify: `step` is called for each operation, and
/// `name` is what reports call it.
///
/// ```
/// use std::time::Duration;
///
/// use pool_core::{Pool, PoolConfig};
/// use pool_loadtest::{LoadOptions, LoadTester, workload_of};
/// # use std::sync::Arc;
/// # use pool_core::runtime::TokioRuntime;
/// # use pool_testkit::{FakeDriver, FakeServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let driver = FakeDriver::new(&FakeServer::new(Arc::new(TokioRuntime::new())));
/// let pool = Pool::new(driver, PoolConfig { max_open: 4, ..PoolConfig::default() })?;
/// let reads = workload_of::<FakeDriver>("reads", |step| {
///     Box::pin(async move { Ok(step.connection.query("select 1")?) })
/// });
/// let options = LoadOptions { duration: Duration::from_millis(50), ..LoadOptions::default() };
/// let report = LoadTester::new(pool, reads, options).run().await?;
/// assert!(report.operations > 0 && report.errors == 0);
/// # Ok(())
/// # }
/// ```
///
/// What several operations share, such as the number of the next order, goes into the closure as an
/// `Arc`, whose clone goes into the future. Of the futures holds what is said of
/// [`Workload::step`].
pub fn workload_of<D: Driver>(
    name: impl Into<Cow<'static, str>>,
    step: impl for<'a> Fn(Step<'a, D>) -> StepFuture<'a> + Send + Sync + 'static,
) -> impl Workload<D> {
    Closure { name: name.into(), step, driver: PhantomData }
}

struct Closure<D, F> {
    name: Cow<'static, str>,
    step: F,
    driver: PhantomData<fn() -> D>,
}

impl<D, F> fmt::Debug for Closure<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closure").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<D, F> Workload<D> for Closure<D, F>
where
    D: Driver,
    F: for<'a> Fn(Step<'a, D>) -> StepFuture<'a> + Send + Sync + 'static,
{
    async fn prepare(&self, _: &Pool<D>) -> Result<(), WorkloadError> {
        Ok(())
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    async fn step(&self, step: Step<'_, D>) -> Result<(), StepError> {
        (self.step)(step).await
    }

    async fn verify(&self, _: &Pool<D>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("there is nothing to verify".to_owned()))
    }
}
