//! How long the database works for a checkout, compared with what it is wont to.

use std::time::Duration;

use super::reading::{Load, Reading};

/// A database that takes this many times longer than usual is overloaded: by the scalability law, it does
/// so a little beyond the number of sessions that is best.
const OVERLOADED: f64 = 2.6;
/// A database that is not relieved by fewer connections may take this many times as long before it is
/// taken for overloaded again. Who shares it with others that have not let go yet is not to forget all.
const LEARNED: f64 = 1.2;
/// What is usual follows upwards this slowly: a busy hour must not become the measure of itself.
const RISES_WITHIN: Duration = Duration::from_mins(1);
/// What turns out to be faster was only slow for the load it was measured under.
const FALLS_WITHIN: Duration = Duration::from_secs(10);
/// A mean of fewer checkouts says little about any.
const ENOUGH: u64 = 20;
/// Readings in a row: a lock that was waited for shows in one or two, when all it held up comes back.
const IN_A_ROW: u32 = 3;
/// Without much load for so many readings, a pool is not just on its way to more.
const LIGHT_IN_A_ROW: u32 = 10;

/// The slow baseline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Service {
    /// Usually, in seconds; 0 before there was any.
    usual: f64,
    /// Now, in seconds.
    now: f64,
    slow: u32,
    /// Readings in a row without much load.
    light: u32,
    /// Whether it was ever measured without much load.
    is_known: bool,
}

impl Service {
    pub(super) fn push(&mut self, reading: &Reading) {
        let Some(service) = reading.service().filter(|_| reading.completed > 0) else {
            self.slow = 0;
            return;
        };
        let service = service.as_secs_f64();
        let weight = (reading.completed as f64 / ENOUGH as f64).min(1.0);
        if self.usual == 0.0 {
            self.usual = service;
        }
        let is_light = reading.load() == Some(Load::Light);
        let within = match service < self.usual {
            true => FALLS_WITHIN,
            false if is_light => RISES_WITHIN,
            // Frozen: what takes long under saturation is the saturation.
            false => Duration::MAX,
        };
        self.light = if is_light { self.light + 1 } else { 0 };
        self.is_known |= self.light >= LIGHT_IN_A_ROW;
        let part = 1.0 - (-reading.span.as_secs_f64() / within.as_secs_f64()).exp();
        self.usual += (service - self.usual) * part * weight;
        let is_slow = reading.completed >= ENOUGH && service > OVERLOADED * self.usual;
        self.now = service;
        self.slow = if is_slow { self.slow + 1 } else { 0 };
    }

    /// Whether it takes far longer than usual, and not just for a moment.
    pub(super) fn is_overloaded(&self) -> bool {
        self.slow >= IN_A_ROW
    }

    /// Whether what is usual is not just what it was under load.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// It was seen that fewer connections, or those there were before, are no faster.
    pub(super) fn know(&mut self) {
        self.is_known = true;
    }

    /// Whether it took far longer in the last reading.
    pub(super) fn is_slow(&self) -> bool {
        self.slow > 0
    }

    /// How many times as long it may take before it is overloaded.
    pub(super) fn room(&self) -> f64 {
        if self.now > 0.0 { OVERLOADED * self.usual / self.now } else { f64::INFINITY }
    }

    /// The size changes: what was slow before does not count.
    pub(super) fn restart(&mut self) {
        self.slow = 0;
    }

    pub(super) fn now(&self) -> Duration {
        Duration::from_secs_f64(self.now)
    }

    pub(super) fn usual(&self) -> Duration {
        Duration::from_secs_f64(self.usual)
    }

    /// It is the statements that take longer, not their number: this long is not yet overloaded.
    pub(super) fn learn(&mut self, service: Duration) {
        self.usual = self.usual.max(LEARNED * service.as_secs_f64() / OVERLOADED);
        self.slow = 0;
    }
}
