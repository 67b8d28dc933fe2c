//! Reading [`PostgresOptions`] from a connection string of `key=value` pairs.

use std::iter::Peekable;
use std::str::{Chars, FromStr};

use pool_core::{ConfigError, Problem};

use crate::options::PostgresOptions;
use crate::parameters::Draft;

const FORM: &str = "key=value pairs, separated by spaces; a value with spaces in single quotes, \
                    with \\ before a quote or a \\ in it";

impl PostgresOptions {
    /// Reads a connection string such as `host=db user=shop password='it\'s secret' dbname=orders`.
    /// The keys are the parameters of [`from_url`](Self::from_url).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem at once; never a password.
    pub fn from_dsn(text: &str) -> Result<Self, ConfigError> {
        let mut draft = Draft::new();
        let mut chars = text.chars().peekable();
        loop {
            skip_spaces(&mut chars);
            if chars.peek().is_none() {
                return draft.finish();
            }
            match read_pair(&mut chars) {
                Ok((name, value)) => draft.set(&name, &value),
                // What stands here may be the rest of a password with a space in it.
                Err(why) => {
                    draft.problems.push(Problem::invalid("connection string", "", why, FORM));
                    return draft.finish();
                }
            }
        }
    }
}

/// A URL or a connection string of pairs, whichever it is.
impl FromStr for PostgresOptions {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        if text.contains("://") && !text.split("://").next().unwrap_or_default().contains('=') {
            Self::from_url(text)
        } else {
            Self::from_dsn(text)
        }
    }
}

fn skip_spaces(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
}

fn read_pair(chars: &mut Peekable<Chars<'_>>) -> Result<(String, String), &'static str> {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
        name.push(c);
    }
    skip_spaces(chars);
    if chars.next() != Some('=') {
        return Err("a key without = after it; not repeated here, it may be a part of a password");
    }
    skip_spaces(chars);
    let quoted = chars.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match chars.peek().copied() {
            None if quoted => return Err("a quote that is not closed"),
            None => break,
            Some('\'') if quoted => {
                chars.next();
                break;
            }
            Some(c) if !quoted && c.is_whitespace() => break,
            Some('\\') => {
                chars.next();
                value.push(chars.next().ok_or("a \\ at the end")?);
            }
            Some(c) => {
                chars.next();
                value.push(c);
            }
        }
    }
    Ok((name, value))
}
