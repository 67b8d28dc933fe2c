//! Where pools are tried: a database, and what can befall it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;

use crate::subject::Subject;

/// A database of its own, and what can befall it. Everything here blocks.
pub(crate) trait Place: Send + Sync {
    type Driver: Subject;

    fn name(&self) -> String;

    /// The driver of the pool that lives as long as the run. Its hygiene is strict.
    fn driver(&self) -> Result<Self::Driver>;

    /// One for a pool that is soon gone, its database perhaps before it.
    fn other_driver(&self, random: &mut Rng) -> Result<Self::Driver>;

    /// Does some harm, and mends it as soon as `pause` says so.
    fn befall(&self, random: &mut Rng, pause: &Pause<'_>) -> Result<()>;

    /// The sessions that the database knows of, and what they do.
    fn sessions(&self) -> Result<Vec<String>>;

    /// Whether there are connections to break and connects to fail.
    fn has_a_server(&self) -> bool {
        true
    }

    /// Of the descriptors, which it may keep for the next connection while there is another.
    fn kept_descriptors(&self) -> usize {
        0
    }
}

/// How long harm lasts: as drawn, and shorter when the cycle ends.
#[derive(Debug)]
pub(crate) struct Pause<'a>(pub(crate) &'a AtomicBool);

impl Pause<'_> {
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_over() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10).min(until - Instant::now()));
        }
    }

    /// Sleeps for some part of this.
    pub(crate) fn sleep_up_to(&self, most: Duration, random: &mut Rng) {
        self.sleep(most.mul_f64(random.f64()));
    }
}
