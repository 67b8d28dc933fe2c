//! Which options can come from below the command line, and what they are called there.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, ArgAction, Args as _, Command};
use pool_core::Problem;

use super::super::arguments::SettingsArguments;

/// What the names of all variables begin with.
pub(super) const PREFIX: &str = "LOADTEST_";

/// The table in which a file keeps them.
pub(super) const TABLE: &str = "loadtest";

/// The commands that put a load on a pool, and the one that explains what they would take.
pub(super) const LOADS: [&[&str]; 6] =
    [&[], &["run"], &["sweep"], &["tune"], &["fleet"], &["config", "explain"]];

/// Whether a command's options come from variables and tables, too.
pub(super) fn is_load(path: &[String]) -> bool {
    LOADS.iter().any(|load| load.iter().eq(path))
}

/// The options of a command that are the load test's own.
pub(super) fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    let of_pool = of_pool();
    command.get_arguments().filter(move |argument| {
        let is_about = matches!(
            argument.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        );
        !is_about && argument.get_long().is_some_and(|long| !of_pool.contains(long))
    })
}

/// The options of the pool, which has sources of its own.
fn of_pool() -> BTreeSet<String> {
    let settings = SettingsArguments::augment_args(Command::new("settings"));
    settings.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect()
}

pub(super) fn long(argument: &Arg) -> &str {
    argument.get_long().expect("bug: an option without a long name")
}

/// What a table calls an option.
pub(super) fn name(argument: &Arg) -> String {
    long(argument).replace('-', "_")
}

/// What the environment calls an option of this name.
fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

/// The options that cannot be given beside this one, by their ids.
pub(super) fn excluded_by<'a>(
    command: &'a Command,
    argument: &'a Arg,
) -> impl Iterator<Item = &'a str> {
    // Only one of the two may say so.
    command.get_arguments().filter_map(move |other| {
        let excludes = |one: &Arg, two: &Arg| {
            command.get_arg_conflicts_with(one).iter().any(|it| it.get_id() == two.get_id())
        };
        (excludes(argument, other) || excludes(other, argument)).then(|| other.get_id().as_str())
    })
}

/// The names of all options of all commands: a table may serve several of them.
pub(super) struct Names {
    /// By the name of the variable.
    known: BTreeMap<String, String>,
    of_pool: BTreeSet<String>,
}

impl Names {
    pub(super) fn new(root: &Command) -> Self {
        let find = |path: &[&str]| {
            path.iter().try_fold(root, |command, name| command.find_subcommand(name))
        };
        let commands = LOADS.iter().filter_map(|path| find(path));
        let names = commands.flat_map(|command| options(command).map(name).collect::<Vec<_>>());
        Self { known: names.map(|name| (variable(&name), name)).collect(), of_pool: of_pool() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.known.contains_key(&variable(name)) && name == name.to_lowercase()
    }

    pub(super) fn unknown_variable(&self, given: &str, name: &str) -> Problem {
        if self.of_pool.contains(name) {
            let allowed = format!("POOL_* variables, or --{name}");
            return Problem::invalid("variable", given, "it is the pool's", allowed);
        }
        Problem::unknown("variable", given, self.known.keys().map(String::as_str))
    }

    pub(super) fn unknown_key(&self, given: &str) -> Problem {
        if self.of_pool.contains(given) {
            return Problem::invalid("option", given, "it is the pool's", "the table [pool]");
        }
        Problem::unknown("option", given, self.known.values().map(String::as_str))
    }
}
