//! One setting and the values it is to take, as in `max_open=1..64` or `acquire_timeout=10ms,1s`.

use std::str::FromStr;
use std::time::Duration;

use humantime::format_duration;
use pool_core::{ConfigError, Field, PoolConfig, Problem, may_hold_password, parse_duration};

/// Most values of one setting.
const MOST_VALUES: usize = 100;
const ALLOWED: &str = "FIELD=FROM..TO, which doubles, 'FIELD=FROM..TO x3', 'FIELD=FROM..TO +2' or \
                       FIELD=VALUE,VALUE, such as max_open=1..64";

/// A field and the values that it takes, ascending and each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) field: &'static str,
    /// As [`PoolConfig::set`] takes them.
    pub(crate) values: Vec<String>,
}

/// What is counted in steps: a whole number, or nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Count(u64),
    Nanos(u64),
}

/// How a range goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Times(u64),
    Plus(Number),
}

impl Number {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let count = text.replace('_', "").parse().ok().map(Self::Count);
        count.or_else(|| u64::try_from(parse_duration(text)?.as_nanos()).ok().map(Self::Nanos))
    }

    fn amount(self) -> u64 {
        match self {
            Self::Count(amount) | Self::Nanos(amount) => amount,
        }
    }

    fn with(self, amount: u64) -> Self {
        match self {
            Self::Count(_) => Self::Count(amount),
            Self::Nanos(_) => Self::Nanos(amount),
        }
    }

    fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Count(_), Self::Count(_)) | (Self::Nanos(_), Self::Nanos(_)))
    }

    fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Nanos(nanos) => format_duration(Duration::from_nanos(nanos)).to_string(),
        }
    }
}

/// Where a value stands among others: `unlimited` and `off` come last.
pub(crate) fn rank(value: &str) -> u64 {
    let plain = value.trim().trim_end_matches('%');
    Number::read(plain).map_or(u64::MAX, Number::amount)
}

impl FromStr for Axis {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        if may_hold_password(text) {
            return Err(Problem::not_shown("sweep", "not understood", ALLOWED).into());
        }
        let Some((field, values)) = text.split_once('=') else {
            return Err(Problem::invalid("sweep", text, "no values", ALLOWED).into());
        };
        let field = Field::named(field.trim())?.name;
        let invalid = |why: &str| Problem::invalid(field, values.trim(), why, ALLOWED);
        let mut values = match values.split_once("..") {
            Some((from, rest)) => range(from, rest).map_err(invalid)?,
            None if values.trim().is_empty() => return Err(invalid("no values").into()),
            None => values.split(',').map(|value| value.trim().to_owned()).collect(),
        };
        let mut config = PoolConfig::default();
        let refused = values.iter().filter_map(|value| config.set(field, value).err());
        ConfigError::from_problems(refused.collect())?;
        values.sort_by_key(|value| rank(value));
        values.dedup();
        if values.len() > MOST_VALUES {
            let why = format!("{} values, more than {MOST_VALUES}", values.len());
            return Err(
                Problem::invalid(field, text, why, "a wider step or a shorter range").into()
            );
        }
        Ok(Self { field, values })
    }
}

/// The values of `FROM..TO` with whatever pace, its end among them; what is wrong with it, if it has
/// none.
fn range(from: &str, rest: &str) -> Result<Vec<String>, &'static str> {
    let (to, pace) = match rest.split_once(['x', '+']) {
        Some((to, pace)) => (to, Some(pace.trim())),
        None => (rest, None),
    };
    let is_sum = rest.contains('+');
    let (Some(from), Some(to)) = (Number::read(from), Number::read(to)) else {
        return Err("a range goes from one number or time to another");
    };
    if !from.is_like(to) {
        return Err("a range has the same unit at both ends");
    }
    if from.amount() > to.amount() {
        return Err("the range begins after its end, so it is empty");
    }
    let pace = match pace {
        None => Pace::Times(2),
        Some(pace) if is_sum => match Number::read(pace) {
            Some(step) if step.amount() > 0 && step.is_like(from) => Pace::Plus(step),
            _ => return Err("the step after + is more than zero and in the unit of the range"),
        },
        Some(pace) => match pace.parse() {
            Ok(factor) if factor > 1 => Pace::Times(factor),
            _ => return Err("the factor after x is a whole number of at least 2"),
        },
    };
    if from.amount() == 0 && matches!(pace, Pace::Times(_)) && to.amount() > 0 {
        return Err("zero times anything stays zero; give the step with +, as in '0..10 +2'");
    }
    let mut values = Vec::new();
    let mut amount = from.amount();
    // One more than is allowed, so that too many are noticed.
    while amount < to.amount() && values.len() <= MOST_VALUES {
        values.push(from.with(amount).text());
        amount = match pace {
            Pace::Times(factor) => amount.saturating_mul(factor),
            Pace::Plus(step) => amount.saturating_add(step.amount()),
        };
    }
    values.push(to.text());
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        text.parse::<Axis>().unwrap_or_else(|error| panic!("{text}: {error}")).values
    }

    #[test]
    fn a_range_doubles_unless_it_is_told_otherwise() {
        assert_eq!(values("max_open=1..64"), ["1", "2", "4", "8", "16", "32", "64"]);
        assert_eq!(values("max_open = 1..64 x4"), ["1", "4", "16", "64"]);
        assert_eq!(values("max_open=1..4+1"), ["1", "2", "3", "4"]);
        assert_eq!(values("max_idle=0..10 +5"), ["0", "5", "10"]);
        assert_eq!(values("acquire_timeout=10ms..1s x10"), ["10ms", "100ms", "1s"]);
    }

    #[test]
    fn the_end_of_a_range_is_among_its_values() {
        assert_eq!(values("max_open=1..50"), ["1", "2", "4", "8", "16", "32", "50"]);
        assert_eq!(values("max_open=3..3"), ["3"]);
    }

    #[test]
    fn listed_values_ascend_and_come_once() {
        assert_eq!(values("max_open=16, 4,8,4"), ["4", "8", "16"]);
        assert_eq!(values("acquire_timeout=1s,10ms"), ["10ms", "1s"]);
        assert_eq!(values("max_idle=unlimited,2"), ["2", "unlimited"]);
    }

    #[test]
    fn what_makes_no_sweep_is_refused_and_says_why() {
        for (text, words) in [
            ("max_open", "no values"),
            ("max_open=", "no values"),
            ("max_opn=1..8", "did you mean \"max_open\"?"),
            ("max_open=8..1", "it is empty"),
            ("max_open=1..", "from one number or time to another"),
            ("max_open=1..1s", "the same unit"),
            ("max_open=1..8 x1", "at least 2"),
            ("max_open=1..8 +0", "more than zero"),
            ("max_idle=0..8", "stays zero"),
            ("max_open=1..100000 +1", "more than 100"),
            ("max_open=4,many", "max_open = \"many\": not understood"),
            ("max_open=postgres://app:hunter2@db", "(not shown)"),
        ] {
            let error = text.parse::<Axis>().expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
