//! What a probe asks: one question each, usable alone.

mod custom;
mod lag;
mod server;
mod upkeep;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use pool_core::{Probe, SharedError, async_trait};

pub use self::custom::CustomCheck;
pub use self::lag::LagBelow;
pub use self::server::{Headroom, Ping, RoleIs};
pub use self::upkeep::{OldestTransaction, QuickCheck, WalBelow};

/// What a check has found. The reasons are for people, and hold nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing is wrong.
    Fine,
    /// The database serves, and something wants to be looked at.
    Degraded(String),
    /// It cannot serve.
    Failed(String),
    /// It could not be found out, which wants to be looked at, too.
    Unknown(String),
}

impl Finding {
    /// The name used in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Degraded(_) => "degraded",
            Self::Failed(_) => "failed",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why it is not fine.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Fine => None,
            Self::Degraded(reason) | Self::Failed(reason) | Self::Unknown(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str(self.name()),
            Some(reason) => write!(f, "{}: {reason}", self.name()),
        }
    }
}

/// A question to a database about its health.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = pool_testkit::FakeServer::new(std::sync::Arc::new(pool_core::runtime::TokioRuntime::new()));
/// # let driver = pool_testkit::FakeDriver::new(&server);
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use pool_health::{Check, Finding, Ping};
///
/// let mut probe = pool.control().probe().await?;
/// assert_eq!(Ping.run(&mut *probe).await, Finding::Fine);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Check: Send + Sync + 'static {
    /// What it is called in reports.
    fn name(&self) -> Cow<'static, str>;

    /// How often it is asked: `None` for with each probe, within its `timeout` and on its connection;
    /// otherwise, a second or more, on a schedule and a connection of its own, so that it holds up no probe.
    /// One that has had no answer for twice as long is overdue, which degrades the pool's health.
    fn every(&self) -> Option<Duration> {
        None
    }

    /// How long it may take on a schedule; not nothing.
    fn limit(&self) -> Duration {
        Duration::from_mins(1)
    }

    /// Whether a failure that it finds says that connections lead to the wrong server: then every one
    /// there is is retired, once, and those opened since when it is fine again.
    fn retires_connections(&self) -> bool {
        false
    }

    /// Asks. A panic is contained, and nothing is known then.
    ///
    /// # Cancel safety
    ///
    /// Dropped when it takes too long; its connection is not used again then.
    async fn run(&self, probe: &mut dyn Probe) -> Finding;
}

/// What an answer says. Without one nothing is known: that may be for a privilege that is missing, and
/// whether the server answers at all is asked for by itself.
fn answered<T>(
    answer: Option<Result<T, SharedError>>,
    question: &str,
    judge: impl FnOnce(T) -> Finding,
) -> Finding {
    match answer {
        None => Finding::Unknown(format!("the driver cannot ask for {question}")),
        Some(Err(error)) => Finding::Unknown(causes(&*error)),
        Some(Ok(answer)) => judge(answer),
    }
}

/// An error with what it came from.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some repeat what they came from.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
