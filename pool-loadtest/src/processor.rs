//! How much of the processor this process uses.

use std::time::{Duration, Instant};

/// Processor time used by a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessorTime {
    at: Instant,
    /// `None` where it cannot be read.
    used: Option<Duration>,
}

impl ProcessorTime {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), used: used() }
    }

    /// How many cores' time was used on average since then; `None` where that cannot be read, and
    /// of a time too short to tell.
    pub(crate) fn cores_since(&self) -> Option<f64> {
        let (elapsed, used) = (self.at.elapsed(), used()?.checked_sub(self.used?)?);
        (elapsed >= Duration::from_millis(100)).then(|| used.as_secs_f64() / elapsed.as_secs_f64())
    }
}

/// As Linux tells: to a hundredth of a second, and of all threads.
fn used() -> Option<Duration> {
    ticks(&std::fs::read_to_string("/proc/self/stat").ok()?)
        // What programs see as a tick is a hundredth of a second on every usual machine.
        .and_then(|ticks| ticks.checked_mul(10))
        .map(Duration::from_millis)
}

/// `utime` and `stime`, which proc(5) counts as fields 14 and 15. The name of the program, in
/// brackets, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11).map(str::parse);
    let (user, system): (u64, u64) = (fields.next()?.ok()?, fields.next()?.ok()?);
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_whatever_the_program_is_called() {
        let stat = "42 (a) b) R 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 3 0 100 0 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("42 (name) R 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_uses_the_processor() {
        let before = used().expect("Linux tells");
        let mut sum = 0_u64;
        while used().expect("Linux tells") < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        assert!(used() > Some(before));
    }
}
