//! A pool that adapts itself: to its load, by a [tuner](crate::tuner), and to its share of a server, by
//! a [fleet's](crate::fleet) budget. The grant bounds the tuner.
//!
//! Both work through the pool's control handle only, and both by one governor, which alone steers. What
//! they say is told to the pool ([`Control::tell_sizing`](pool_core::Control::tell_sizing)), where
//! metrics, advice, health checks and reports find it.

mod governor;
mod membership;
mod meter;
mod options;
mod tuning;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pool_core::runtime::default_runtime;
use pool_core::{ControlHandle, Sizing};

use self::governor::Governor;
use self::membership::Membership;
pub use self::options::{
    AdaptiveError, AdaptiveOptions, BudgetSource, FleetOptions, TunerMode, TunerOptions,
};
use self::tuning::Tuning;

/// Adapts one pool, until it is dropped or the pool is closed.
///
/// An observer of the pool may ask for what is [said](Self::sizing), and must not drop it: it may be
/// told something just while the pool is steered.
///
/// Dropping it takes back the tuner's sizes. A pool that is a member of a fleet opens nothing once its
/// lease has run out, then, and keeps what it has: [`leave`](Self::leave) gives its share back first. A
/// pool that is closed gives it back by itself, which takes a second or two: who ends the program then
/// awaits `leave` between.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = pool_core::Pool::new(pool_testkit::Nothing, pool_core::PoolConfig::default())?;
/// use pool_monitor::adaptive::{AdaptiveOptions, AdaptiveSize, TunerMode, TunerOptions};
///
/// let tuner = TunerOptions { mode: TunerMode::Shadow, ..TunerOptions::default() };
/// let options = AdaptiveOptions { tuner, ..AdaptiveOptions::default() };
/// let adaptive = AdaptiveSize::start(&pool.control(), options)?;
/// assert_eq!(adaptive.sizing().recommended, None); // it has only begun to look
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the adaptation"]
pub struct AdaptiveSize {
    governor: Arc<Governor>,
    tuning: Option<Tuning>,
    membership: Option<Membership>,
}

impl AdaptiveSize {
    /// Starts adapting `pool`. One pool is adapted by one only: another one can be started once this is
    /// dropped and its tasks, which go on for a moment, have ended.
    ///
    /// # Errors
    ///
    /// [`AdaptiveError`]: the options do not fit the pool, or the calling thread is not inside an async
    /// runtime. Nothing has changed then.
    pub fn start(pool: &ControlHandle, options: AdaptiveOptions) -> Result<Self, AdaptiveError> {
        let AdaptiveOptions { tuner, fleet, runtime } = options;
        let runtime = runtime.map_or_else(default_runtime, Ok)?;
        let governor = Arc::new(Governor::new(pool)?);
        // What a tuner does is taken back if the rest cannot be started; a fleet is not left so easily.
        let tuning = match tuner.mode {
            TunerMode::Off => None,
            _ => Some(Tuning::start(&governor, tuner, &runtime)?),
        };
        // Last: from here on, nothing is opened that was not granted.
        let membership = match fleet {
            Some(options) => Some(Membership::start(&governor, options, &runtime)?),
            None => None,
        };
        Ok(Self { governor, tuning, membership })
    }

    /// What is said of the pool's size at present.
    #[must_use]
    pub fn sizing(&self) -> Sizing {
        self.governor.sizing()
    }

    /// Leaves the fleet: opens nothing more, and gives back what it has as it comes back, for at most
    /// `deadline`. Returns how many connections it still held then; 0 if it has left, or was in none.
    ///
    /// # Cancel safety
    ///
    /// It goes on leaving for as long as the program runs, whether or not the future is awaited to its
    /// end.
    pub async fn leave(mut self, deadline: Duration) -> usize {
        drop(self.tuning.take());
        match self.membership.take() {
            Some(membership) => membership.leave(deadline).await,
            None => 0,
        }
    }
}

impl fmt::Debug for AdaptiveSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveSize").field("sizing", &self.sizing()).finish_non_exhaustive()
    }
}
