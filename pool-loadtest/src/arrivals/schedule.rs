//! When the arrivals of an open loop are meant to start. There is no clock here.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pool_core::{ConfigError, Problem};

use super::curve::{Line, Wave};
use super::think_time::exponential;

/// The highest rate there is, in arrivals per second.
pub(super) const MOST_PER_SECOND: f64 = 10e6;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// What a rate may be, in words.
const RATES: &str = "more than 0/s and at most 10 million a second";

/// When the arrivals of an open loop are meant to start. As text:
///
/// - `constant 2000/s`
/// - `poisson 2000/s`: at random, independent of each other
/// - `ramp 0/s..2000/s over 10s`, and stages with commas between them, such as
///   `ramp 0/s..1000/s over 5s, constant 1000/s for 20s`; the last stage's rate stays
/// - `burst 100 every 1s`: so many at once
/// - `sine 500/s..1500/s every 30s`
/// - `trace FILE.csv`: when a file says. Its lines begin with seconds since the load's beginning,
///   seconds of Unix time, or times such as `2026-05-01T12:00:00Z`; further columns and a heading
///   are passed over. The load ends with its last arrival.
///
/// ```
/// use std::time::Duration;
///
/// use pool_loadtest::Schedule;
///
/// let schedule: Schedule = "burst 2 every 1s".parse()?;
/// let offsets: Vec<_> = schedule.offsets(1).take(5).map(|it| it.as_secs()).collect();
/// assert_eq!((offsets, schedule.to_string()), (vec![0, 0, 1, 1, 2], "burst 2 every 1s".into()));
/// # Ok::<(), pool_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(pub(super) Shape);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Constant { rate: f64 },
    Poisson { rate: f64 },
    Stages(Vec<Stage>),
    Burst { count: u32, every: Duration },
    Sine { low: f64, high: f64, period: Duration },
    Trace { file: String, nanos: Arc<[u64]> },
}

/// A part of a schedule, in which the rate goes from one to another in a straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Arrivals per second at its beginning.
    pub from: f64,
    /// Arrivals per second at its end.
    pub to: f64,
    /// How long it lasts.
    pub length: Duration,
}

impl Schedule {
    /// Arrivals at even distances, so many per second.
    ///
    /// # Errors
    ///
    /// If the rate is not more than 0 and at most 10 million a second.
    pub fn constant(rate: f64) -> Result<Self, ConfigError> {
        Ok(Self(Shape::Constant { rate: possible(rate)? }))
    }

    /// Arrivals at random, independent of each other, so many per second on average.
    ///
    /// # Errors
    ///
    /// If the rate is not more than 0 and at most 10 million a second.
    pub fn poisson(rate: f64) -> Result<Self, ConfigError> {
        Ok(Self(Shape::Poisson { rate: possible(rate)? }))
    }

    /// One stage after the other. The rate of the last one's end stays.
    ///
    /// # Errors
    ///
    /// If there is none, one has no length or no arrivals, or a rate is impossible.
    pub fn stages(stages: Vec<Stage>) -> Result<Self, ConfigError> {
        if stages.is_empty() {
            return Err(refused("", "no stages", "at least one"));
        }
        for Stage { from, to, length } in &stages {
            at_least_zero(*from)?;
            at_least_zero(*to)?;
            possible(from.max(*to))?;
            long_enough(*length)?;
        }
        Ok(Self(Shape::Stages(stages)))
    }

    /// So many at once, again and again.
    ///
    /// # Errors
    ///
    /// If `count` or `every` is zero, or that comes to more than 10 million a second.
    pub fn burst(count: u32, every: Duration) -> Result<Self, ConfigError> {
        long_enough(every)?;
        if count == 0 {
            return Err(refused("0", "a burst of nothing", "at least 1 at once"));
        }
        possible(f64::from(count) / every.as_secs_f64())?;
        Ok(Self(Shape::Burst { count, every }))
    }

    /// A rate that swings between two, beginning in the middle and rising; `period` is the time from
    /// one top to the next.
    ///
    /// # Errors
    ///
    /// If a rate is impossible, `low` is more than `high`, or `period` is zero.
    pub fn sine(low: f64, high: f64, period: Duration) -> Result<Self, ConfigError> {
        at_least_zero(low)?;
        possible(high)?;
        long_enough(period)?;
        if low > high {
            let given = format!("{low}/s..{high}/s");
            return Err(refused(given, "the lower rate is the higher one", "LOW/s..HIGH/s"));
        }
        Ok(Self(Shape::Sine { low, high, period }))
    }

    /// When the arrivals are meant to start, since the load's beginning, in order. The random ones
    /// are those of `seed`.
    #[must_use]
    pub fn offsets(&self, seed: u64) -> Offsets {
        Offsets {
            shape: self.0.clone(),
            rng: Rng::with_seed(seed),
            number: 0,
            at: 0.0,
            stage: 0,
            before: 0.0,
        }
    }
}

fn refused(value: impl Into<String>, why: &str, allowed: &str) -> ConfigError {
    Problem::invalid("rate", value, why, allowed).into()
}

fn possible(rate: f64) -> Result<f64, ConfigError> {
    let is_possible = rate > 0.0 && rate <= MOST_PER_SECOND;
    if is_possible { Ok(rate) } else { Err(refused(format!("{rate}/s"), "impossible", RATES)) }
}

fn at_least_zero(rate: f64) -> Result<(), ConfigError> {
    if rate == 0.0 { Ok(()) } else { possible(rate).map(drop) }
}

fn long_enough(time: Duration) -> Result<(), ConfigError> {
    if time.is_zero() { Err(refused("0s", "no time", "more than zero")) } else { Ok(()) }
}

/// When arrivals are meant to start; see [`Schedule::offsets`].
#[derive(Clone, Debug)]
pub struct Offsets {
    shape: Shape,
    rng: Rng,
    /// How many there were.
    number: u64,
    /// When the current stage began, or the last random arrival was, in seconds.
    at: f64,
    /// The current stage, and how many arrivals those before it have.
    stage: usize,
    before: f64,
}

impl Offsets {
    /// When, in seconds, the arrival of this number is due by these stages.
    fn of_stages(&mut self, number: f64) -> Option<f64> {
        let Shape::Stages(stages) = &self.shape else { return None };
        loop {
            let Stage { from, to, length } = *stages.get(self.stage)?;
            let line = Line { from, to, length: length.as_secs_f64() };
            let count = number - self.before;
            if count < line.arrivals() {
                return Some(self.at + line.time_of(count));
            }
            if self.stage + 1 == stages.len() {
                return (to > 0.0).then(|| self.at + line.time_of(count));
            }
            self.before += line.arrivals();
            self.at += line.length;
            self.stage += 1;
        }
    }
}

impl Iterator for Offsets {
    type Item = Duration;

    /// `None` if no more come within some centuries.
    fn next(&mut self) -> Option<Duration> {
        let number = self.number as f64;
        self.number += 1;
        let seconds = match &self.shape {
            Shape::Constant { rate } => number / rate,
            Shape::Poisson { rate } => {
                self.at += exponential(&mut self.rng) / rate;
                self.at
            }
            Shape::Sine { low, high, period } => {
                Wave { low: *low, high: *high, period: period.as_secs_f64() }.time_of(number)
            }
            Shape::Burst { count, every } => {
                let bursts = (self.number - 1) / u64::from(*count);
                let nanos = every.as_nanos().checked_mul(u128::from(bursts))?;
                let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
                return Some(Duration::new(seconds, (nanos % NANOS_PER_SECOND) as u32));
            }
            Shape::Trace { nanos, .. } => {
                let index = usize::try_from(self.number - 1).ok()?;
                return nanos.get(index).copied().map(Duration::from_nanos);
            }
            Shape::Stages(_) => self.of_stages(number)?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn schedule(text: &str) -> Schedule {
        text.parse().expect(text)
    }

    /// How many are due in each of the first seconds.
    fn in_seconds(schedule: &Schedule, seconds: usize) -> Vec<usize> {
        let mut counts = vec![0; seconds];
        for offset in schedule.offsets(7) {
            match counts.get_mut(offset.as_secs() as usize) {
                Some(count) => *count += 1,
                None => break,
            }
        }
        counts
    }

    #[test]
    fn a_constant_rate_is_even_and_begins_at_once() {
        let offsets: Vec<_> = schedule("constant 4/s").offsets(1).take(5).collect();
        assert_eq!(offsets, [0, 250, 500, 750, 1_000].map(Duration::from_millis));
        assert_eq!(in_seconds(&schedule("constant 2000/s"), 3), [2_000; 3]);
    }

    #[test]
    fn a_ramp_has_the_integral_of_its_rate_and_keeps_its_last() {
        let ramp = schedule("ramp 0/s..1000/s over 10s");
        let counts = in_seconds(&ramp, 12);
        let expected = [50, 150, 250, 350, 450, 550, 650, 750, 850, 950, 1_000, 1_000];
        let near = counts.iter().zip(expected).all(|(count, it)| count.abs_diff(it) <= 1);
        assert!(near && counts[..10].iter().sum::<usize>() == 5_000, "{counts:?}");
    }

    #[test]
    fn stages_follow_each_other_without_a_gap() {
        let stages =
            schedule("ramp 0/s..100/s over 2s, constant 10/s for 2s, ramp 10/s..0/s over 4s");
        let counts = in_seconds(&stages, 9);
        assert_eq!(counts[..2].iter().sum::<usize>(), 100);
        assert_eq!(counts[2..4], [10, 10]);
        assert_eq!((counts[4..8].iter().sum::<usize>(), counts[8]), (20, 0), "{counts:?}");
        assert_eq!(stages.offsets(1).count(), 140, "it ends at a rate of zero");
    }

    #[test]
    fn a_wave_has_more_in_its_first_half() {
        let counts = in_seconds(&schedule("sine 500/s..1500/s every 4s"), 4);
        let swing = 2.0 * 500.0 * 4.0 / std::f64::consts::TAU;
        assert_eq!(counts.iter().sum::<usize>(), 4_000);
        let first_half = (counts[0] + counts[1]) as f64;
        assert!((first_half - 2_000.0 - swing).abs() <= 1.0, "{counts:?}");
    }

    #[test]
    fn bursts_come_all_at_once() {
        let offsets: Vec<_> = schedule("burst 3 every 500ms").offsets(1).take(7).collect();
        assert_eq!(offsets[..4], [0, 0, 0, 500].map(Duration::from_millis));
        assert_eq!(offsets[6], SECOND);
        let mut later = schedule("burst 1 every 1us").offsets(1);
        later.number = 5_000_000_000;
        assert_eq!(later.next(), Some(Duration::from_secs(5_000)), "more than 32 bits count");
    }

    #[test]
    fn random_arrivals_vary_as_poisson_says_and_are_those_of_their_seed() {
        let poisson = schedule("poisson 1000/s");
        let counts = in_seconds(&poisson, 400);
        let mean = counts.iter().sum::<usize>() as f64 / 400.0;
        let variance =
            counts.iter().map(|count| (*count as f64 - mean).powi(2)).sum::<f64>() / 399.0;
        // Four standard errors: the variance is the mean, of 400 counts.
        assert!((mean - 1_000.0).abs() < 4.0 * (1_000.0_f64 / 400.0).sqrt(), "{mean}");
        assert!((variance / 1_000.0 - 1.0).abs() < 4.0 * (2.0_f64 / 399.0).sqrt(), "{variance}");
        let first = |seed| poisson.offsets(seed).take(10).collect::<Vec<_>>();
        assert!(first(1) == first(1) && first(1) != first(2));
        assert!(first(1).is_sorted());
    }

    #[test]
    fn an_impossible_rate_is_refused_with_what_is_allowed() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 10_000_001.0] {
            for refused in [
                Schedule::constant(rate),
                Schedule::poisson(rate),
                Schedule::sine(0.0, rate, SECOND),
                Schedule::stages(vec![Stage { from: rate, to: rate, length: SECOND }]),
            ] {
                let error = refused.expect_err("impossible").to_string();
                assert!(error.contains("allowed: more than 0/s and at most 10 million"), "{error}");
            }
        }
        assert!(
            Schedule::constant(MOST_PER_SECOND)
                .is_ok_and(|it| it.offsets(1).nth(10_000_000) == Some(SECOND))
        );
    }

    #[test]
    fn schedules_without_stages_times_or_arrivals_are_refused() {
        for (refused, why) in [
            (Schedule::stages(Vec::new()), "no stages; allowed: at least one"),
            (Schedule::burst(0, SECOND), "a burst of nothing; allowed: at least 1"),
            (Schedule::burst(1, Duration::ZERO), "no time; allowed: more than zero"),
            (Schedule::burst(20, Duration::from_micros(1)), "impossible; allowed: more than 0/s"),
            (Schedule::sine(1.0, 2.0, Duration::ZERO), "no time; allowed"),
            (Schedule::sine(2.0, 1.0, SECOND), "the lower rate is the higher one; allowed: LOW/s"),
        ] {
            let error = refused.expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
