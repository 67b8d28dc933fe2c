//! Memory that this process uses, watched over a long run.

use std::time::Duration;

/// Samples that are kept; then every other one is dropped, and half as many are taken.
const MOST: usize = 512;
/// What grows by less is noise.
const NOISE: f64 = 0.05;
/// Bytes that are noise in any case: an allocator takes as much at a time.
const NOISE_BYTES: f64 = 4e6;
/// A page of Linux on the machines that this suite is for.
const PAGE: u64 = 4096;

/// Bytes in use, at even distances in time.
#[derive(Debug)]
pub(crate) struct Memory {
    samples: Vec<u64>,
    /// Each how many seconds one is kept.
    every: u64,
    /// Seconds so far.
    seconds: u64,
}

/// What the samples say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Course {
    /// Bytes on average in the second, third and fourth quarter of the time.
    pub(crate) quarters: [f64; 3],
    /// The most there was.
    pub(crate) most: u64,
    /// How many samples there are.
    pub(crate) samples: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { samples: Vec::new(), every: 1, seconds: 0 }
    }
}

impl Memory {
    /// Looks how much is in use, if a second has begun since the last time.
    pub(crate) fn look(&mut self, elapsed: Duration) {
        if self.seconds <= elapsed.as_secs()
            && let Some(bytes) = in_use()
        {
            self.add(elapsed.as_secs(), bytes);
        }
    }

    fn add(&mut self, second: u64, bytes: u64) {
        self.samples.push(bytes);
        if self.samples.len() == MOST {
            let mut number = 0_usize;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
        self.seconds = second + self.every;
    }

    /// What the samples say; `None` if there are too few.
    pub(crate) fn course(&self) -> Option<Course> {
        let samples = self.samples.len();
        if samples < 8 {
            return None;
        }
        let quarters = [1, 2, 3].map(|quarter| {
            let part = &self.samples[samples * quarter / 4..samples * (quarter + 1) / 4];
            part.iter().map(|bytes| *bytes as f64).sum::<f64>() / part.len() as f64
        });
        Some(Course { quarters, most: self.samples.iter().copied().max()?, samples })
    }
}

impl Course {
    /// Whether each quarter after the first, in which everything is made that is needed, has more
    /// than the one before, and the last much more than the second.
    pub(crate) fn grows(&self) -> bool {
        let [second, third, fourth] = self.quarters;
        second < third && third < fourth && fourth - second > (second * NOISE).max(NOISE_BYTES)
    }
}

/// Bytes of memory that this process has in use; `None` where the system does not say.
fn in_use() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(bytes: impl Fn(u64) -> u64) -> Course {
        let mut memory = Memory::default();
        for second in 0..5_000 {
            if memory.seconds <= second {
                memory.add(second, bytes(second));
            }
        }
        assert!(memory.samples.len() < MOST, "bounded");
        memory.course().expect("enough")
    }

    #[test]
    fn memory_that_is_taken_at_first_does_not_grow() {
        let taken = course(|second| 50_000_000 + second.min(500) * 100_000 + second % 7 * 10_000);
        assert!(!taken.grows(), "{taken:?}");
    }

    #[test]
    fn memory_that_is_taken_all_the_time_grows() {
        let taken = course(|second| 50_000_000 + second * 10_000);
        assert!(taken.grows(), "{taken:?}");
        assert!(taken.most > 95_000_000);
    }

    #[test]
    fn a_few_samples_say_nothing() {
        let mut memory = Memory::default();
        memory.add(0, 1);
        assert_eq!(memory.course(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_uses_memory() {
        assert!(in_use().is_some_and(|bytes| bytes > 100_000));
    }
}
