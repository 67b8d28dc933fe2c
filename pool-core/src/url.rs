//! What drivers share in reading URLs: escapes, and tables of parameters.
//!
//! Which parameters there are, and what a URL looks like before them, is each driver's own. What may
//! be a secret is repeated in no message.

use crate::config::{Problem, may_hold_password};

/// A parameter that a driver understands; its options are an `O`.
///
/// ```
/// use pool_core::url::Parameter;
///
/// struct Options { cache: usize }
/// const PARAMETERS: &[Parameter<Options>] = &[Parameter {
///     name: "cache",
///     allowed: "a whole number",
///     write: |options, text| {
///         options.cache = text.parse().ok()?;
///         Some(())
///     },
/// }];
///
/// let (mut options, mut problems) = (Options { cache: 0 }, Vec::new());
/// for (name, value) in Parameter::read(PARAMETERS, "cache=64&cahce=x", &mut problems) {
///     let set = Parameter::named(PARAMETERS, &name).and_then(|it| it.set(&mut options, &value));
///     problems.extend(set.err());
/// }
/// assert_eq!((options.cache, problems.len()), (64, 1));
/// assert_eq!(problems[0].nearest.as_deref(), Some("cache"));
/// ```
#[derive(Debug)]
pub struct Parameter<O> {
    /// Its name in a URL.
    pub name: &'static str,
    /// What is allowed, in words.
    pub allowed: &'static str,
    /// Sets it from text; `None` if that is not understood.
    pub write: fn(&mut O, &str) -> Option<()>,
}

impl<O> Parameter<O> {
    /// The parameter of `table` that is called `name`.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that lists every name and the nearest one.
    pub fn named<'t>(table: &'t [Self], name: &str) -> Result<&'t Self, Problem> {
        let names = table.iter().map(|parameter| parameter.name);
        let found = table.iter().find(|parameter| parameter.name == name);
        found.ok_or_else(|| Problem::unknown("parameter", name, names))
    }

    /// Sets it from text.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that says what is allowed.
    pub fn set(&self, options: &mut O, value: &str) -> Result<(), Problem> {
        (self.write)(options, value)
            .ok_or_else(|| Problem::invalid(self.name, value, "not understood", self.allowed))
    }

    /// The parameters of a query, decoded, in their order and each once. Of those that are not in
    /// `table` no value is repeated. Reading stops at one that must be a password and is not in
    /// `table`: what follows may be the rest of the password.
    pub fn read(table: &[Self], query: &str, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
        let about = |name: &str, problem: Problem| match Self::named(table, name) {
            Ok(_) => problem,
            Err(_) => Problem::invalid("parameter", name, problem.why, problem.allowed),
        };
        let mut pairs = Vec::<(String, String)>::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if is_unknown_password(table, name) {
                pairs.push((name.to_owned(), String::new()));
                break;
            }
            match (decode("parameter", name), decode(name, value)) {
                (Ok(name), Ok(value)) if pairs.iter().any(|(known, _)| *known == name) => {
                    let problem = Problem::invalid(&*name, value, "given twice", "one value");
                    problems.push(about(&name, problem));
                }
                (Ok(name), Ok(value)) => pairs.push((name, value)),
                (Err(problem), _) => problems.push(problem),
                (_, Err(problem)) => problems.push(about(name, problem)),
            }
        }
        pairs
    }
}

/// Whether a name that is not in `table` is that of a password.
fn is_unknown_password<O>(table: &[Parameter<O>], name: &str) -> bool {
    let name = decode("parameter", name).unwrap_or_else(|_| name.to_owned());
    may_hold_password(&format!("{name}=")) && Parameter::named(table, &name).is_err()
}

/// The one of `all` that is called `text`, in small letters or capitals.
pub fn choice<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|value| name(*value).eq_ignore_ascii_case(text))
}

/// Percent-decodes. A plus sign is a plus sign.
///
/// # Errors
///
/// A [`Problem`] of `field` with the text as it was given.
pub fn decode(field: &str, text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => {
                    let why = "a % without two hexadecimal digits";
                    return Err(Problem::invalid(field, text, why, "%25 for a % itself"));
                }
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| {
        Problem::invalid(field, text, "not UTF-8 once decoded", "percent-encoded UTF-8")
    })
}

/// Percent-decodes what may be a secret.
///
/// # Errors
///
/// A [`Problem`] of `field` without the text.
pub fn decode_secret(field: &str, text: &str) -> Result<String, Problem> {
    decode(field, text).map_err(|problem| Problem::not_shown(field, problem.why, problem.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_behind_a_password_that_is_no_parameter() {
        let table = [Parameter { name: "a", allowed: "", write: |(): &mut (), _| Some(()) }];
        for name in ["password", "Pwd", "%70assword"] {
            let mut problems = Vec::new();
            let query = format!("a=1&{name}=x&hunter2&hunter2%&a=hunter2");
            let read = Parameter::read(&table, &query, &mut problems);
            let (a, password) =
                (("a".to_owned(), "1".to_owned()), (name.to_owned(), String::new()));
            assert_eq!((read, problems), (vec![a, password], Vec::new()));
        }
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_is_a_problem() {
        assert_eq!(decode("f", "1h%2030m%C3%A4+x").as_deref(), Ok("1h 30mä+x"));
        for (text, why) in [("a%2", "a %"), ("a%zz", "a %"), ("%+5", "a %"), ("%FF", "not UTF-8")] {
            let problem = decode("f", text).expect_err(text);
            assert!(problem.why.starts_with(why) && problem.value == text, "{problem}");
            assert_eq!(decode_secret("f", text).expect_err(text).value, "(not shown)");
        }
    }
}
