//! Schedules as text.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use humantime::format_duration;
use pool_core::{ConfigError, Problem, may_hold_password, parse_duration};

use super::schedule::{Schedule, Shape, Stage};

/// What a schedule may look like.
const FORMS: &str = "constant 2000/s, poisson 2000/s, ramp 0/s..2000/s over 10s, stages with commas \
                     between them such as ramp 0/s..1000/s over 5s, constant 1000/s for 20s, burst \
                     100 every 1s, sine 500/s..1500/s every 30s, trace FILE.csv";
const KINDS: [&str; 6] = ["constant", "poisson", "ramp", "burst", "sine", "trace"];

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shape::Constant { rate } => write!(f, "constant {rate}/s"),
            Shape::Poisson { rate } => write!(f, "poisson {rate}/s"),
            Shape::Burst { count, every } => {
                write!(f, "burst {count} every {}", format_duration(*every))
            }
            Shape::Sine { low, high, period } => {
                write!(f, "sine {low}/s..{high}/s every {}", format_duration(*period))
            }
            Shape::Trace { file, .. } => write!(f, "trace {file}"),
            Shape::Stages(stages) => {
                let stages: Vec<_> = stages.iter().map(ToString::to_string).collect();
                f.write_str(&stages.join(", "))
            }
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, length } = self;
        let length = format_duration(*length);
        if from.to_bits() == to.to_bits() {
            write!(f, "constant {from}/s for {length}")
        } else {
            write!(f, "ramp {from}/s..{to}/s over {length}")
        }
    }
}

/// Of a trace the file is read.
impl FromStr for Schedule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        // A path may well hold an `@`; what is wrong with a trace is said with it.
        if let Some(path) = text.strip_prefix("trace ") {
            return Self::trace(Path::new(path.trim()));
        }
        if may_hold_password(text) {
            return Err(Problem::not_shown("rate", "not understood", FORMS).into());
        }
        let parts: Vec<_> = text.split(',').map(str::trim).collect();
        match parts[..] {
            [one] if !is_stage(one) => read_one(one),
            _ => Self::stages(parts.into_iter().map(read_stage).collect::<Result<_, _>>()?),
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn is_stage(text: &str) -> bool {
    text.starts_with("ramp") || words(text).contains(&"for")
}

fn read_one(text: &str) -> Result<Schedule, ConfigError> {
    match words(text)[..] {
        ["constant", of] => Schedule::constant(rate(of)?),
        ["poisson", of] => Schedule::poisson(rate(of)?),
        ["burst", count, "every", ref every @ ..] => {
            let count = count.parse().map_err(|_| {
                Problem::invalid("rate", count, "not understood", "a whole number, as in burst 100")
            })?;
            Schedule::burst(count, time(every)?)
        }
        ["sine", of, "every", ref period @ ..] => {
            let (low, high) = rates(of)?;
            Schedule::sine(low, high, time(period)?)
        }
        [of] if number(of).is_some() => {
            let mut bare = Problem::invalid("rate", of, "of no kind", FORMS);
            let meant = number(of).and_then(|rate| Schedule::constant(rate).ok());
            bare.nearest = meant.map(|schedule| schedule.to_string().into());
            Err(bare.into())
        }
        [kind, ..] if !KINDS.contains(&kind) => {
            let mut unknown = Problem::unknown("rate", kind, KINDS.into_iter());
            FORMS.clone_into(&mut unknown.allowed);
            Err(unknown.into())
        }
        _ => Err(not_understood(text, FORMS)),
    }
}

fn read_stage(text: &str) -> Result<Stage, ConfigError> {
    match words(text)[..] {
        ["ramp", of, "over", ref length @ ..] => {
            let (from, to) = rates(of)?;
            Ok(Stage { from, to, length: time(length)? })
        }
        ["constant", of, "for", ref length @ ..] => {
            let rate = rate(of)?;
            Ok(Stage { from: rate, to: rate, length: time(length)? })
        }
        _ => {
            let allowed = "a stage such as ramp 0/s..1000/s over 5s or constant 1000/s for 20s";
            Err(not_understood(text, allowed))
        }
    }
}

fn not_understood(text: &str, allowed: &str) -> ConfigError {
    Problem::invalid("rate", text, "not understood", allowed).into()
}

/// Reads a rate that does not say how it comes, such as `2000` or `2000/s`.
fn number(text: &str) -> Option<f64> {
    text.strip_suffix("/s").unwrap_or(text).parse().ok().filter(|rate: &f64| rate.is_finite())
}

/// Reads `2000/s`.
fn rate(text: &str) -> Result<f64, ConfigError> {
    let number = text.strip_suffix("/s").and_then(|number| number.parse().ok());
    number.ok_or_else(|| not_understood(text, "a number per second, such as 2000/s"))
}

/// Reads `500/s..1500/s`.
fn rates(text: &str) -> Result<(f64, f64), ConfigError> {
    let two = text.split_once("..");
    let (from, to) = two.ok_or_else(|| not_understood(text, "two rates, such as 0/s..2000/s"))?;
    Ok((rate(from)?, rate(to)?))
}

fn time(words: &[&str]) -> Result<Duration, ConfigError> {
    let text = words.join(" ");
    parse_duration(&text).ok_or_else(|| not_understood(&text, "a time such as 10s or 1m 30s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in [
            "constant 2000/s",
            "constant 0.1/s",
            "poisson 12.5/s",
            "ramp 0/s..2000/s over 10s",
            "constant 1000/s for 20s",
            "ramp 0/s..1000/s over 5s, constant 1000/s for 1m 30s, ramp 1000/s..0/s over 5ms",
            "burst 100 every 1s",
            "sine 500/s..1500/s every 30s",
        ] {
            let schedule: Schedule = text.parse().expect(text);
            assert_eq!(schedule.to_string(), text);
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
        let loosely = " ramp  0/s..10/s  over 1m30s ,constant 10/s for 5s ".parse::<Schedule>();
        assert_eq!(
            loosely.expect("understood").to_string(),
            "ramp 0/s..10/s over 1m 30s, constant 10/s for 5s"
        );
    }

    #[test]
    fn a_rate_of_no_kind_is_taken_for_a_constant_one() {
        for (text, nearest) in [("50/s", "constant 50/s"), ("0.5", "constant 0.5/s")] {
            let error = text.parse::<Schedule>().expect_err(text);
            assert_eq!(error.problems()[0].nearest.as_deref(), Some(nearest));
        }
        let impossible = "1e12/s".parse::<Schedule>().expect_err("too many");
        assert_eq!(impossible.problems()[0].nearest, None);
    }

    #[test]
    fn what_is_wrong_with_a_schedule_names_what_was_given_and_what_is_allowed() {
        for (text, expected) in [
            ("", "\"\": not understood; allowed: constant 2000/s, poisson"),
            ("2000", "\"2000\": of no kind; allowed: constant 2000/s"),
            ("50/s", "\"50/s\": of no kind; allowed: constant 2000/s"),
            ("poison 5/s", "did you mean \"poisson\"?"),
            ("constant", "\"constant\": not understood; allowed: constant 2000/s"),
            ("constant 2000", "\"2000\": not understood; allowed: a number per second, such as"),
            ("constant 0/s", "\"0/s\": impossible; allowed: more than 0/s and at most 10 million"),
            ("poisson NaN/s", "\"NaN/s\": impossible; allowed"),
            ("poisson -5/s", "\"-5/s\": impossible; allowed"),
            ("constant 1e9/s", "\"1000000000/s\": impossible; allowed"),
            ("ramp 0/s over 10s", "\"0/s\": not understood; allowed: two rates"),
            ("ramp 0/s..0/s over 10s", "\"0/s\": impossible"),
            ("ramp 0/s..9/s over soon", "\"soon\": not understood; allowed: a time such as"),
            ("ramp 0/s..9/s over 0s", "\"0s\": no time; allowed: more than zero"),
            ("ramp 0/s..9/s over 1s,", "\"\": not understood; allowed: a stage such as"),
            ("constant 5/s, poisson 5/s", "\"constant 5/s\": not understood; allowed: a stage"),
            ("burst many every 1s", "\"many\": not understood; allowed: a whole number"),
            ("sine 9/s..5/s every 1s", "\"9/s..5/s\": the lower rate is the higher one"),
            ("postgres://me:hunter2@db/x", "\"(not shown)\": not understood"),
        ] {
            let error = text.parse::<Schedule>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
