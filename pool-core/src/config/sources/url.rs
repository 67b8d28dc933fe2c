//! The pool's own parameters in a database's URL, which its driver is not to see.

use super::super::problem::{NOT_SHOWN, may_hold_password, shown_name};
use super::super::{Field, Origin, PoolConfig, Problem};
use super::{PRESET, Secret, Setting, URL, URL_FILE};
use crate::url::decode_secret;

const PREFIX: &str = "pool_";

/// The scheme of a URL, such as `postgres`; `None` of text that may be no URL, of which nothing is
/// to be shown: it may begin with a password.
#[must_use]
pub fn url_scheme(url: &str) -> Option<&str> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let (scheme, rest) = url.split_once(':')?;
    let is_user = !rest.starts_with("//") && rest.contains('@');
    (!scheme.is_empty() && scheme.chars().all(is_scheme) && !is_user).then_some(scheme)
}

/// Takes the parameters that begin with `pool_` out of a URL's query.
pub(super) fn split(url: &str, problems: &mut Vec<Problem>) -> (String, Vec<Setting>) {
    let Some((base, rest)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    let (query, fragment) = rest.split_once('#').map_or((rest, None), |(q, f)| (q, Some(f)));
    let (ours, theirs): (Vec<_>, Vec<_>) =
        query.split('&').partition(|parameter| parameter.starts_with(PREFIX));
    let mut settings: Vec<Setting> = Vec::new();
    // What stands behind a password or before an `@` may be a part of it, and all this too.
    let is_hidden = may_hold_password(rest);
    for parameter in ours {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let field = name[PREFIX.len()..].to_owned();
        let shown = if is_hidden { "a parameter pool_..." } else { shown_name(name) };
        let origin = Origin::Url { parameter: shown.to_owned() };
        let value = match decode_secret(shown_name(&field), value) {
            Ok(value) => value,
            Err(problem) => {
                problems.push(problem.at(origin));
                continue;
            }
        };
        let wrong = if [URL, URL_FILE].contains(&&*field) {
            Some(Problem::invalid(&field, "", "a URL cannot name another", "settings"))
        } else if settings.iter().any(|setting| setting.field == field) {
            let is_known = Field::find(&field).is_some() && !is_hidden;
            let value = if is_known { &*value } else { "" };
            Some(Problem::invalid(shown_name(&field), value, "given twice", "each once"))
        } else if is_hidden && field != PRESET {
            let wrong = PoolConfig::default().set(&field, &value).err();
            wrong.map(|problem| Problem { value: NOT_SHOWN.to_owned(), ..problem })
        } else {
            None
        };
        match wrong {
            Some(problem) => problems.push(problem.at(origin)),
            None => settings.push(Setting { field, value: Secret::new(value), origin }),
        }
    }
    let mut url = base.to_owned();
    if !theirs.is_empty() {
        url = format!("{url}?{}", theirs.join("&"));
    }
    if let Some(fragment) = fragment {
        url = format!("{url}#{fragment}");
    }
    (url, settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_does_not_see_what_is_the_pools() {
        let mut problems = Vec::new();
        let url = "pg://u:p@h/d?sslmode=require&pool_max_open=7&x=1&pool_idle_grace=1h%2030m#f";
        let (url, settings) = split(url, &mut problems);
        assert_eq!(url, "pg://u:p@h/d?sslmode=require&x=1#f");
        let found: Vec<_> = settings.iter().map(|it| (&*it.field, it.value.expose())).collect();
        assert_eq!(found, [("max_open", "7"), ("idle_grace", "1h 30m")]);
        assert_eq!(split("sqlite:a.db?pool_max_open=1", &mut problems).0, "sqlite:a.db");
        assert_eq!(problems, []);
    }
}
