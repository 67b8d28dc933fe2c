//! Environment variables: which are ours, and which pool each is about.

use std::ffi::OsStr;

use super::super::problem::shown_name;
use super::super::{Origin, Problem};
use super::loaded::two_urls;
use super::{Secret, Setting};

/// What the names of all our variables begin with.
pub(crate) const PREFIX: &str = "POOL_";

/// What the names of the variables of one pool begin with.
pub(crate) fn prefix_of(pool: &str) -> String {
    format!("{PREFIX}{}_", pool.replace('-', "_").to_uppercase())
}

/// The variables that begin with our prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) variables: Vec<(String, Secret)>,
    pub(crate) problems: Vec<Problem>,
}

impl Environment {
    /// Keeps what is ours. Others may be no text at all: they are none of our business.
    pub(crate) fn new<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut ours = Self::default();
        for (name, value) in variables {
            let (name, value) = (name.as_ref(), value.as_ref());
            if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            match (name.to_str(), value.to_str()) {
                (Some(name), _) if shown_name(name) != name => {
                    let why = "not a name";
                    let allowed = "POOL_ and a field";
                    ours.problems.push(Problem::invalid(
                        "variable",
                        shown_name(name),
                        why,
                        allowed,
                    ));
                }
                (Some(name), Some(value)) => {
                    ours.variables.push((name.to_owned(), Secret::new(value)));
                }
                (None, _) => {
                    let name = name.to_string_lossy();
                    let why = "its name is not UTF-8";
                    ours.problems.push(Problem::invalid("variable", name, why, "names in UTF-8"));
                }
                (Some(name), None) => {
                    let problem = Problem::invalid("value", "", "not UTF-8", "text in UTF-8");
                    let variable = name.to_owned();
                    ours.problems.push(problem.at(Origin::Environment { variable }));
                }
            }
        }
        ours
    }

    /// The settings of one pool, those that name it last: they count more.
    pub(crate) fn settings(
        &self,
        pool: Option<&str>,
        other_pools: &[&str],
        problems: &mut Vec<Problem>,
    ) -> Vec<Setting> {
        let own = pool.map(prefix_of);
        let others: Vec<_> = other_pools.iter().map(|pool| prefix_of(pool)).collect();
        let (mut general, mut named) = (Vec::new(), Vec::new());
        for (variable, value) in &self.variables {
            let setting = |prefix: &str| Setting {
                field: variable[prefix.len()..].to_lowercase(),
                value: value.clone(),
                origin: Origin::Environment { variable: variable.clone() },
            };
            // `POOL_ORDERS_EU_URL` is no variable of `orders` if there is an `orders_eu`.
            let prefixes = own.iter().chain(&others).filter(|it| variable.starts_with(&***it));
            match prefixes.max_by_key(|prefix| prefix.len()) {
                None => general.push(setting(PREFIX)),
                Some(prefix) if own.as_ref() == Some(prefix) => named.push(setting(prefix)),
                Some(_) => {}
            }
        }
        problems.extend(two_urls(&general).into_iter().chain(two_urls(&named)));
        general.append(&mut named);
        general
    }
}
