//! `--at`: what is to be done to the pool while it is under load, and what is wrong with that.

use std::sync::Arc;
use std::time::Duration;

use humantime::format_duration;
use pool_core::{ConfigError, Driver, Origin, PoolConfig, Problem, parse_duration};

use crate::change::Change;

/// Reads the times and changes of a load that takes so long, and says what is wrong with them.
pub(super) fn read(arguments: &[String], duration: Duration) -> (Vec<Change>, Vec<Problem>) {
    let (mut changes, mut problems) = (Vec::new(), Vec::new());
    for pair in arguments.chunks_exact(2) {
        let at = at(&pair[0], duration);
        let name = at.as_ref().map_or_else(|_| "--at".to_owned(), |at| name(*at));
        match (at, pair[1].parse()) {
            (Ok(at), Ok(action)) => changes.push(Change { at, action }),
            (at, action) => {
                problems.extend(at.err());
                problems.extend(action.err().iter().flat_map(|error| located(error, &name)));
            }
        }
    }
    (changes, problems)
}

fn at(time: &str, duration: Duration) -> Result<Duration, Problem> {
    match parse_duration(time) {
        Some(at) if at < duration => Ok(at),
        Some(_) => {
            let allowed = format!("less than {} (--duration)", format_duration(duration));
            Err(Problem::invalid("--at", time, "the run is over by then", allowed))
        }
        None => {
            let allowed = "a time since the load began, such as 3s or 1m 30s";
            Err(Problem::invalid("--at", time, "not understood", allowed))
        }
    }
}

/// After which connections are closed, to ask whether that may be.
const LIFETIME: Duration = Duration::from_mins(30);
/// What is wrong with closing every connection of some databases, and with what it can be done.
pub(super) const GONE: [&str; 2] = [
    "it closes every connection, and this database is gone with its last one",
    "with a database that outlives its connections, such as a file",
];

/// Whether the driver's database is gone with its last connection.
pub(super) fn is_fleeting<D: Driver>(config: &PoolConfig, driver: &D) -> bool {
    // Its driver objects to whatever closes connections.
    let closing = PoolConfig { max_lifetime: Some(LIFETIME), ..config.clone() };
    !driver.objections(&closing).is_empty()
}

/// Finds out whether each change leads to settings that the pool and its driver take, from `config`,
/// which they do, and whether the database stands it; every problem of every change.
pub(super) fn check<D: Driver>(
    changes: &[Change],
    config: &PoolConfig,
    driver: &D,
) -> Vec<Problem> {
    let (mut config, mut problems) = (config.clone(), Vec::new());
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by_key(|change| change.at);
    for Change { at, action } in changes {
        if action.closes_all() && is_fleeting(&config, driver) {
            let [why, allowed] = GONE;
            let problem = Problem::invalid("change", action.to_string(), why, allowed);
            problems.extend(located(&problem.into(), &name(*at)));
        }
        let mut next = config.clone();
        action.set(&mut next);
        let objections = || ConfigError::from_problems(driver.objections(&next));
        match next.validate().and_then(|()| objections()) {
            Ok(()) => config = next,
            Err(error) => problems.extend(located(&error, &name(*at))),
        }
    }
    problems
}

/// The problems of a change that messages call so.
fn located(error: &ConfigError, name: &str) -> Vec<Problem> {
    let origin = Origin::Code { name: Arc::from(name) };
    error.problems().iter().map(|problem| problem.clone().at(origin.clone())).collect()
}

/// What messages call a change.
fn name(at: Duration) -> String {
    format!("--at {}", format_duration(at))
}
