//! Comments of an SQL file that mean something: `-- name: KIND weight=3`, `-- set NAME = ...`,
//! `-- setup`, `-- teardown`, `-- verify`.

use pool_core::nearest;

use super::generator::{Generator, Refused, functions};
use super::problem::Problem;
use super::scanner::{Position, starts_word};

/// How the comments are written that mean something.
pub(super) const FORMS: &str = "-- name: KIND weight=NUMBER, -- set NAME = FUNCTION(...), -- setup, -- teardown, \
     -- verify";
const SECTIONS: [&str; 3] = ["setup", "teardown", "verify"];
/// How long a name may be.
const MOST_NAME: usize = 64;
const MOST_WEIGHT: u32 = 1_000_000;

/// What a comment says.
#[derive(Debug)]
pub(super) enum Directive<'a> {
    /// The statements of a kind follow.
    Kind {
        name: &'a str,
        weight: u32,
    },
    /// The statements of another section follow.
    Setup,
    Teardown,
    Verify,
    /// The statements of a section follow, but nobody knows of which.
    Unclear,
    /// What a parameter is drawn from, if that is understood.
    Set {
        name: &'a str,
        at: Position,
        generator: Option<Generator>,
    },
}

/// Reads a comment that begins at `at`, and adds what is wrong with it; none if it is a mere comment.
pub(super) fn read<'a>(
    comment: &'a str,
    at: Position,
    problems: &mut Vec<Problem>,
) -> Option<Directive<'a>> {
    let comment = Place { all: comment, at };
    let body = comment.all.trim_start_matches('-').trim();
    let (first, rest) = body.split_at(body.find(char::is_whitespace).unwrap_or(body.len()));
    if let Some((name, rest)) = body.split_once(':').filter(|(name, _)| is_name(name)) {
        if name.eq_ignore_ascii_case("name") {
            return Some(kind(comment, rest.trim(), problems));
        }
        let meant = nearest(&name.to_lowercase(), ["name"].into_iter())?;
        problems.push(Problem::nearly(comment.of(body), name, meant, FORMS));
        return Some(Directive::Unclear);
    }
    if rest.is_empty() {
        return section(comment, first, problems);
    }
    // Words that merely begin with "set" are a comment.
    let (name, expression) = rest.split_once('=')?;
    let is_set = first.eq_ignore_ascii_case("set");
    is_set.then(|| set(comment, name.trim(), expression.trim(), problems))?
}

fn section<'a>(
    comment: Place<'a>,
    word: &'a str,
    problems: &mut Vec<Problem>,
) -> Option<Directive<'a>> {
    match &*word.to_lowercase() {
        "setup" => Some(Directive::Setup),
        "teardown" => Some(Directive::Teardown),
        "verify" => Some(Directive::Verify),
        other => {
            let meant = nearest(other, SECTIONS.into_iter()).filter(|_| is_name(word))?;
            problems.push(Problem::nearly(comment.of(word), word, meant, FORMS));
            Some(Directive::Unclear)
        }
    }
}

fn kind<'a>(comment: Place<'a>, text: &'a str, problems: &mut Vec<Problem>) -> Directive<'a> {
    let mut words = text.split_whitespace();
    let (name, mut weight) = (words.next().unwrap_or_default(), 1);
    for word in words {
        match word.split_once('=') {
            Some(("weight", number)) => match number.parse() {
                Ok(number) if (1..=MOST_WEIGHT).contains(&number) => weight = number,
                _ => {
                    let allowed = format!("weight=NUMBER, from 1 to {MOST_WEIGHT}");
                    problems.push(Problem::new(comment.of(word), "a weight that is none", allowed));
                }
            },
            Some((name, _)) if is_name(name) => {
                let options = ["weight"].into_iter();
                problems.push(Problem::unknown(comment.of(word), "the option", name, options));
            }
            _ => {
                let why = "after the name of a kind come its options only";
                problems.push(Problem::new(comment.of(word), why, "weight=NUMBER"));
            }
        }
    }
    let is_plain = |char: char| char.is_alphanumeric() || "_-.".contains(char);
    if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(is_plain) {
        let allowed = "-- name: KIND, of up to 64 letters, digits, _, - and .";
        problems.push(Problem::new(comment.of(text), "the kind has no name that fits", allowed));
        return Directive::Unclear;
    }
    Directive::Kind { name, weight }
}

fn set<'a>(
    comment: Place<'a>,
    name: &'a str,
    expression: &'a str,
    problems: &mut Vec<Problem>,
) -> Option<Directive<'a>> {
    let at = comment.of(expression);
    let generator = match Generator::read(expression) {
        Ok(generator) => Some(generator),
        Err(refused) => {
            problems.push(match refused {
                Refused::Unknown(name) if is_name(&name) => {
                    Problem::unknown(at, "the function", &name, functions())
                }
                Refused::Unknown(_) => {
                    let allowed = functions().collect::<Vec<_>>().join(", ");
                    Problem::new(at, "this is no function", allowed)
                }
                Refused::Misused(form) => Problem::new(at, "this cannot be drawn from", form),
            });
            None
        }
    };
    let at = comment.of(name);
    if is_name(name) {
        return Some(Directive::Set { name, at, generator });
    }
    let allowed = "-- set NAME = FUNCTION(...), NAME of up to 64 letters, digits and _";
    problems.push(Problem::new(at, "the parameter has no name that fits", allowed));
    None
}

/// Whether it can be the name of a parameter, and can be repeated in a message.
fn is_name(name: &str) -> bool {
    let is_plain = |char: char| char.is_alphanumeric() || char == '_';
    name.starts_with(starts_word) && name.len() <= MOST_NAME && name.chars().all(is_plain)
}

/// A comment and where it begins.
#[derive(Clone, Copy)]
struct Place<'a> {
    all: &'a str,
    at: Position,
}

impl Place<'_> {
    /// Where a part of the comment begins, which is one line.
    fn of(self, part: &str) -> Position {
        let before = part.as_ptr() as usize - self.all.as_ptr() as usize;
        let column = self.at.column + self.all[..before].chars().count();
        Position { column, ..self.at }
    }
}
