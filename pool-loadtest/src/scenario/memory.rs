//! Memory that this process uses, watched over a long run.

/// Samples that are kept; then every other one is dropped, and half as many are taken.
const MOST: usize = 512;
/// What grows by less is noise.
const NOISE: f64 = 0.05;
/// Bytes that are noise in any case: an allocator takes as much at a time.
const NOISE_BYTES: f64 = 4e6;
/// A page of Linux on the machines that this suite is for.
const PAGE: u64 = 4096;

/// Fewer samples say nothing: a process takes memory in its first seconds.
pub(crate) const ENOUGH: usize = 40;

/// Bytes in use, at even distances in time.
#[derive(Debug)]
pub(crate) struct Memory {
    samples: Vec<u64>,
    /// One look in so many is kept.
    every: u64,
    /// Looks so far.
    looks: u64,
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
        Self { samples: Vec::new(), every: 1, looks: 0 }
    }
}

impl Memory {
    /// Looks how much is in use. To be called at even distances in time.
    pub(crate) fn look(&mut self) {
        if let Some(bytes) = in_use() {
            self.add(bytes);
        }
    }

    fn add(&mut self, bytes: u64) {
        if self.looks.is_multiple_of(self.every) {
            self.samples.push(bytes);
        }
        self.looks += 1;
        if self.samples.len() == MOST {
            let mut number = 0_usize;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
    }

    /// What the samples say.
    ///
    /// # Errors
    ///
    /// If there are too few: how many there are.
    pub(crate) fn course(&self) -> Result<Course, usize> {
        let samples = self.samples.len();
        if samples < ENOUGH {
            return Err(samples);
        }
        let quarters = [1, 2, 3].map(|quarter| {
            let part = &self.samples[samples * quarter / 4..samples * (quarter + 1) / 4];
            part.iter().map(|bytes| *bytes as f64).sum::<f64>() / part.len() as f64
        });
        let most = self.samples.iter().copied().max().unwrap_or_default();
        Ok(Course { quarters, most, samples })
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
        (0..5_000).for_each(|look| memory.add(bytes(look)));
        assert!(memory.samples.len() < MOST, "bounded");
        memory.course().expect("enough")
    }

    #[test]
    fn memory_that_is_taken_at_first_does_not_grow() {
        let taken = course(|look| 50_000_000 + look.min(500) * 100_000 + look % 7 * 10_000);
        assert!(!taken.grows(), "{taken:?}");
    }

    #[test]
    fn memory_that_is_taken_all_the_time_grows() {
        let taken = course(|look| 50_000_000 + look * 10_000);
        assert!(taken.grows(), "{taken:?}");
        assert!(taken.most > 95_000_000);
    }

    #[test]
    fn a_few_samples_say_nothing() {
        let mut memory = Memory::default();
        (1..ENOUGH as u64).for_each(|look| memory.add(look * 100_000_000));
        assert_eq!(memory.course(), Err(ENOUGH - 1));
        memory.add(0);
        assert!(memory.course().expect("enough").most > 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_uses_memory() {
        assert!(in_use().is_some_and(|bytes| bytes > 100_000));
    }
}
