//! Routes: pools that stand in for each other, by name.

use std::sync::Arc;

use super::sources::{NAME, is_name};
use crate::config::file::NamedRoute;
use crate::config::{Problem, shown_name};

/// Pools of one set of data, such as a primary and its replicas. Which of them is what is learned from
/// the servers, by whoever routes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// The names of its pools, at least one, in the order of the file.
    pub pools: Vec<Arc<str>>,
}

/// The routes of a file, and what is wrong with them. `pools` are those it names, `valid` those whose
/// names can be shown.
pub(super) fn check(
    routes: &[NamedRoute],
    pools: &[&str],
    valid: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<Route> {
    let mut checked = Vec::new();
    for NamedRoute { name, origin, pools: named } in routes {
        if !is_name(name) {
            let problem =
                Problem::invalid("route", shown_name(name), "not a name of a route", NAME);
            problems.push(problem.at(origin.clone()));
        }
        let field = || format!("routes.{}.pools", shown_name(name));
        let Some(named) = named else { continue };
        if named.is_empty() {
            let allowed = "at least one pool, such as [\"orders\"]";
            let problem = Problem::invalid(field(), "[]", "nothing to choose from", allowed);
            problems.push(problem.at(origin.clone()));
        }
        for (index, (pool, origin)) in named.iter().enumerate() {
            let problem = if named[..index].iter().any(|(before, _)| before == pool) {
                Problem::invalid(field(), shown_name(pool), "named twice", "each pool once")
            } else if !pools.contains(&&**pool) {
                Problem::unknown(field(), pool, valid.iter().copied())
            } else {
                continue;
            };
            problems.push(problem.at(origin.clone()));
        }
        let named = named.iter().map(|(pool, _)| pool.as_str().into()).collect();
        checked.push(Route { name: name.as_str().into(), pools: named });
    }
    checked
}
