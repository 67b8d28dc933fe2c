//! The clocks: an exact one, and on Linux a cheap one on the same scale.

use std::sync::OnceLock;
use std::time::Instant as StdInstant;

use super::Instant;

/// The same point in time on both scales. Not taken from a runtime, whose clock may be paused.
#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) std: StdInstant,
    pub(super) instant: Instant,
}

pub(super) fn epoch() -> &'static Epoch {
    static EPOCH: OnceLock<Epoch> = OnceLock::new();
    EPOCH.get_or_init(|| {
        let instant = monotonic();
        Epoch { std: StdInstant::now(), instant }
    })
}

/// A time of the standard library's clock on our scale.
pub(super) fn from_std(time: StdInstant) -> Instant {
    let epoch = epoch();
    epoch.instant.after(time.saturating_duration_since(epoch.std))
}

/// The kernel's tick (1 to 10 ms): 7 ns a read where the exact clock takes 23 ns, and 50 to
/// 115 ns on a busy virtual machine.
#[cfg(target_os = "linux")]
pub(super) fn coarse() -> Instant {
    read(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(target_os = "linux")]
fn monotonic() -> Instant {
    read(rustix::time::ClockId::Monotonic)
}

#[cfg(target_os = "linux")]
fn read(clock: rustix::time::ClockId) -> Instant {
    let time = rustix::time::clock_gettime(clock);
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(not(target_os = "linux"))]
fn monotonic() -> Instant {
    Instant::from_nanos(1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_cheap_clock_follows_the_exact_one_within_its_tick() {
        for _ in 0..1000 {
            let recent = coarse();
            let now = from_std(StdInstant::now());
            assert!(recent <= now.after(Duration::from_micros(100)), "{recent:?} ahead of {now:?}");
            assert!(
                now.since(recent) < Duration::from_millis(500),
                "{recent:?} far behind {now:?}"
            );
        }
    }
}
