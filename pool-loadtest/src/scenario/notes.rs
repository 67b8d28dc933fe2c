//! What a scenario notes while it runs, beside the report.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::memory::Memory;
use super::pulse::Pulse;

/// What a scenario notes while it runs.
#[derive(Debug)]
pub(crate) struct Notes {
    /// When operations succeeded.
    pub(crate) pulse: Pulse,
    /// How often the twist did what it does.
    twists: AtomicU64,
    /// Bytes of memory in use, each time that progress is told.
    pub(crate) memory: Mutex<Memory>,
}

impl Notes {
    /// Of a load of this length.
    pub(crate) fn of(duration: Duration) -> Self {
        Self { pulse: Pulse::of(duration), twists: AtomicU64::new(0), memory: Mutex::default() }
    }

    /// The twist did what it does, so many times.
    pub(crate) fn twisted(&self, times: u64) {
        self.twists.fetch_add(times, Ordering::Relaxed);
    }

    /// How often it did.
    pub(crate) fn twists(&self) -> u64 {
        self.twists.load(Ordering::Relaxed)
    }
}
