//! The lock and the flag through which threads meet in a pool. So that their interleavings can be
//! tried one by one, `--cfg pool_loom` puts loom's in their place, and `--cfg pool_shuttle`
//! shuttle's. The names are our own because crates below us react to `--cfg loom`. Only the package
//! `pool-core/models` has these tools, so only there does either build.
//!
//! Left as they are in those builds: counted references; the set of observers (an event that races
//! with a subscription is told or is not) and the numbers of statements, on which no transition
//! depends; what is told of a pool's health, for which the same is true; and a manager's mutex, for models
//! have pools without one.

#[cfg(not(any(pool_loom, pool_shuttle)))]
pub(crate) use self::real::{AtomicBool, Lock, MutexGuard, Ordering};
#[cfg(any(pool_loom, pool_shuttle))]
pub(crate) use self::tried::{AtomicBool, Lock, MutexGuard, Ordering};

#[cfg(not(any(pool_loom, pool_shuttle)))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};

    pub(crate) use parking_lot::MutexGuard;

    pub(crate) use crate::lock::Lock;
}

#[cfg(any(pool_loom, pool_shuttle))]
mod tried {
    use std::sync::PoisonError;

    #[cfg(pool_loom)]
    use loom::sync as tool;
    #[cfg(pool_shuttle)]
    use shuttle::sync as tool;

    pub(crate) use self::tool::MutexGuard;
    pub(crate) use self::tool::atomic::{AtomicBool, Ordering};

    /// Without the looks before it sleeps: in a model, each would be a step that leads nowhere.
    pub(crate) struct Lock<T>(tool::Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(tool::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            // parking_lot knows no poison.
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
