//! What the parameters of an SQL file are drawn from: `uniform(1, 1000)` and its like.

use std::iter::repeat_with;
use std::sync::atomic::{AtomicI64, Ordering};

use fastrand::Rng;

use super::zipf::Zipf;
use crate::database::Value;

/// How long a text may be that is drawn.
const MOST_TEXT: i64 = 65_536;
/// Beyond it, numbers are no longer told apart where they are drawn.
const MOST_ZIPF: i64 = 1 << 52;

const FUNCTIONS: [(&str, &str); 5] = [
    ("choice", "choice('a', 'b', 3): texts or whole numbers"),
    ("sequence", "sequence(FIRST): a whole number"),
    ("text", "text(LENGTH): from 1 to 65536 letters and digits"),
    ("uniform", "uniform(LEAST, MOST): whole numbers, the first not above the second"),
    ("zipf", "zipf(LEAST, MOST, EXPONENT): whole numbers, and an exponent above 0 and up to 10"),
];

/// The names of what parameters may be drawn from.
pub(super) fn functions() -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// What a parameter is drawn from.
#[derive(Debug)]
pub(super) enum Generator {
    /// Each number as often as any other.
    Uniform { least: i64, most: i64 },
    /// The first numbers far more often than the last ones.
    Zipf { least: i64, zipf: Zipf },
    /// One number after the other, for all tasks together.
    Sequence { next: AtomicI64 },
    /// Each as often as any other.
    Choice(Vec<Value>),
    /// Letters and digits.
    Text { length: usize },
}

/// Why an expression is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no function of the name.
    Unknown(String),
    /// It is not written so, or its arguments do not fit.
    Misused(&'static str),
}

#[derive(Debug)]
enum Argument<'a> {
    Number(&'a str),
    Text(String),
}

impl Generator {
    /// Reads an expression such as `uniform(1, 1000)`.
    pub(super) fn read(expression: &str) -> Result<Self, Refused> {
        const FORM: &str = "FUNCTION(ARGUMENT, ...), such as uniform(1, 1000)";
        let (name, rest) = expression.split_once('(').ok_or(Refused::Misused(FORM))?;
        let name = name.trim();
        let known = FUNCTIONS.iter().find(|(known, _)| *known == name);
        let (_, form) = known.ok_or_else(|| Refused::Unknown(name.to_owned()))?;
        let arguments = rest.trim_end().strip_suffix(')').and_then(arguments);
        let generator = arguments.and_then(|arguments| Self::of(name, arguments));
        generator.ok_or(Refused::Misused(form))
    }

    fn of(name: &str, arguments: Vec<Argument<'_>>) -> Option<Self> {
        let mut numbers = arguments.iter().map(|argument| match argument {
            Argument::Number(number) => Some(*number),
            Argument::Text(_) => None,
        });
        let integer = |number: Option<Option<&str>>| number??.parse::<i64>().ok();
        let generator = match name {
            "uniform" => {
                let (least, most) = (integer(numbers.next())?, integer(numbers.next())?);
                (least <= most).then_some(Self::Uniform { least, most })?
            }
            "zipf" => {
                let (least, most) = (integer(numbers.next())?, integer(numbers.next())?);
                let exponent: f64 = numbers.next()??.parse().ok()?;
                let count = most.checked_sub(least)?.checked_add(1)?;
                let fits = (1..=MOST_ZIPF).contains(&count) && exponent > 0.0 && exponent <= 10.0;
                fits.then(|| Self::Zipf { least, zipf: Zipf::new(count as f64, exponent) })?
            }
            "sequence" => Self::Sequence { next: AtomicI64::new(integer(numbers.next())?) },
            "text" => {
                let length = integer(numbers.next()).filter(|it| (1..=MOST_TEXT).contains(it))?;
                Self::Text { length: length.try_into().ok()? }
            }
            _ => return Self::choice(arguments),
        };
        numbers.next().is_none().then_some(generator)
    }

    fn choice(arguments: Vec<Argument<'_>>) -> Option<Self> {
        let value = |argument| match argument {
            Argument::Number(number) => number.parse().ok().map(Value::Integer),
            Argument::Text(text) => Some(Value::Text(text)),
        };
        let values: Option<Vec<_>> = arguments.into_iter().map(value).collect();
        values.filter(|values| !values.is_empty()).map(Self::Choice)
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> Value {
        match self {
            Self::Uniform { least, most } => Value::Integer(rng.i64(*least..=*most)),
            Self::Zipf { least, zipf } => Value::Integer(least - 1 + zipf.draw(rng) as i64),
            Self::Sequence { next } => Value::Integer(next.fetch_add(1, Ordering::Relaxed)),
            Self::Choice(values) => values[rng.usize(..values.len())].clone(),
            Self::Text { length } => {
                Value::Text(repeat_with(|| rng.alphanumeric()).take(*length).collect())
            }
        }
    }

    /// Draws for what is undone again: a sequence stays where it is.
    pub(super) fn draw_without_effect(&self, rng: &mut Rng) -> Value {
        match self {
            Self::Sequence { next } => Value::Integer(next.load(Ordering::Relaxed)),
            other => other.draw(rng),
        }
    }
}

/// Texts in single quotes, two of which are one inside, and whatever else there is between commas.
fn arguments(text: &str) -> Option<Vec<Argument<'_>>> {
    let (mut arguments, mut rest) = (Vec::new(), text.trim());
    loop {
        if let Some(mut quoted) = rest.strip_prefix('\'') {
            let mut text = String::new();
            loop {
                let (part, after) = quoted.split_once('\'')?;
                text.push_str(part);
                let Some(more) = after.strip_prefix('\'') else {
                    rest = after.trim_start();
                    break;
                };
                text.push('\'');
                quoted = more;
            }
            arguments.push(Argument::Text(text));
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            arguments.push(Argument::Number(number.trim()));
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(expression: &str, count: usize) -> Vec<Value> {
        let generator = Generator::read(expression).expect(expression);
        let mut rng = Rng::with_seed(3);
        repeat_with(|| generator.draw(&mut rng)).take(count).collect()
    }

    #[test]
    fn numbers_are_within_their_bounds_and_reach_them() {
        for expression in ["uniform(-2, 2)", "zipf(-2,2,1)", " uniform ( -2 , 2 ) "] {
            let drawn = drawn(expression, 1000);
            for number in -2..=2 {
                assert!(drawn.contains(&Value::Integer(number)), "{expression}: {number}");
            }
            let within = |value: &Value| matches!(value, Value::Integer(-2..=2));
            assert!(drawn.iter().all(within), "{expression}: {drawn:?}");
        }
        let extremes = format!("uniform({}, {})", i64::MIN, i64::MAX);
        assert_eq!(drawn(&extremes, 3).len(), 3);
    }

    #[test]
    fn a_sequence_goes_on_and_is_only_looked_at_without_effect() {
        let generator = Generator::read("sequence(7)").expect("right");
        let mut rng = Rng::with_seed(1);
        assert_eq!(generator.draw_without_effect(&mut rng), Value::Integer(7));
        assert_eq!([(); 3].map(|()| generator.draw(&mut rng)), [7, 8, 9].map(Value::Integer));
    }

    #[test]
    fn choices_are_texts_and_numbers_with_quotes_and_commas_in_them() {
        let drawn = drawn("choice('it''s, a (text)', '', 5)", 100);
        for value in [Value::Text("it's, a (text)".into()), Value::Text(String::new()), 5.into()] {
            assert!(drawn.contains(&value), "{value:?} not in {drawn:?}");
        }
    }

    #[test]
    fn a_text_has_its_length() {
        let drawn = drawn("text(20)", 2);
        assert!(matches!(&*drawn, [Value::Text(one), Value::Text(other)]
            if one.len() == 20 && other.len() == 20 && one != other));
    }

    #[test]
    fn what_makes_no_sense_says_what_does() {
        for (expression, form) in [
            ("uniform", "FUNCTION("),
            ("uniform(1)", "uniform(LEAST"),
            ("uniform(2, 1)", "uniform(LEAST"),
            ("uniform(1, 2, 3)", "uniform(LEAST"),
            ("uniform(1, 'a')", "uniform(LEAST"),
            ("uniform(1, 2", "uniform(LEAST"),
            ("uniform(1, 2) or so", "uniform(LEAST"),
            ("zipf(1, 10, 0)", "zipf(LEAST"),
            ("zipf(1, 10, NaN)", "zipf(LEAST"),
            ("zipf(-9223372036854775808, 9223372036854775807, 1)", "zipf(LEAST"),
            ("sequence()", "sequence(FIRST"),
            ("text(0)", "text(LENGTH"),
            ("text(65537)", "text(LENGTH"),
            ("choice()", "choice('a'"),
            ("choice('a' 'b')", "choice('a'"),
            ("choice('a, 'b')", "choice('a'"),
        ] {
            match Generator::read(expression) {
                Err(Refused::Misused(allowed)) => {
                    assert!(allowed.starts_with(form), "{expression}: {allowed}");
                }
                other => panic!("{expression}: {other:?}"),
            }
        }
        let unknown = Generator::read("unifrom(1, 2)").expect_err("unknown");
        assert_eq!(unknown, Refused::Unknown("unifrom".to_owned()));
    }
}
