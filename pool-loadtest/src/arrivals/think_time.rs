//! How long a task of a closed loop pauses between two operations.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;
use humantime::format_duration;
use pool_core::{ConfigError, Problem, parse_duration};

/// How long a task of a closed loop pauses between two operations. As text: `20ms`,
/// `exponential 20ms` or `none`.
///
/// Timers are precise to a millisecond. What a pause was too long or too short by is made up for in
/// the next ones, so that pauses are right on average, however short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThinkTime {
    /// Not at all.
    #[default]
    None,
    /// For as long each time.
    Fixed(Duration),
    /// For a random time, exponentially distributed with this mean, as people do.
    Exponential(Duration),
}

impl ThinkTime {
    /// The next pause.
    pub(crate) fn draw(self, rng: &mut Rng) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(time) => time,
            Self::Exponential(mean) => {
                let times = exponential(rng);
                Duration::try_from_secs_f64(mean.as_secs_f64() * times).unwrap_or(Duration::MAX)
            }
        }
    }
}

/// A random number, exponentially distributed with the mean 1: at most about 37.
pub(super) fn exponential(rng: &mut Rng) -> f64 {
    // Of what is at least 0 and less than 1, so that there is a logarithm.
    -(-rng.f64()).ln_1p()
}

impl fmt::Display for ThinkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Fixed(time) => format_duration(*time).fmt(f),
            Self::Exponential(mean) => write!(f, "exponential {}", format_duration(*mean)),
        }
    }
}

impl FromStr for ThinkTime {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let (make, time): (fn(Duration) -> Self, _) = match text.split_once(char::is_whitespace) {
            _ if text == "none" => return Ok(Self::None),
            Some(("exponential", mean)) => (Self::Exponential, mean),
            _ => (Self::Fixed, text),
        };
        let allowed = "a time such as 20ms, exponential 20ms, or none";
        match parse_duration(time) {
            Some(time) if time.is_zero() => Ok(Self::None),
            Some(time) => Ok(make(time)),
            None => Err(Problem::invalid("think time", text, "not understood", allowed).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_think_time_is_read_as_it_is_written() {
        for text in ["none", "20ms", "1m 30s", "exponential 20ms"] {
            assert_eq!(text.parse::<ThinkTime>().expect(text).to_string(), text);
        }
        assert_eq!("exponential 0s".parse(), Ok(ThinkTime::None));
    }

    #[test]
    fn a_think_time_that_makes_no_sense_says_what_is_allowed() {
        for text in ["", "20", "exponential", "uniform 20ms", "-1s"] {
            let error = text.parse::<ThinkTime>().expect_err(text).to_string();
            assert!(error.contains("a time such as 20ms, exponential 20ms, or none"), "{error}");
        }
    }

    #[test]
    fn exponential_pauses_have_their_mean_and_are_those_of_their_seed() {
        let mean = Duration::from_millis(20);
        let sum_of = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..10_000).map(|_| ThinkTime::Exponential(mean).draw(&mut rng)).sum::<Duration>()
        };
        // The standard error of the mean of ten thousand is one percent.
        let average = sum_of(1) / 10_000;
        assert!(average.abs_diff(mean) < mean / 25, "{average:?}");
        assert!(sum_of(1) == sum_of(1) && sum_of(1) != sum_of(2));
    }
}
