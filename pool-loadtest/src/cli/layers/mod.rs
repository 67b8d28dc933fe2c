//! The load test's own options from other places than the command line: variables `LOADTEST_...` of
//! the environment, and the table `[loadtest]` of `--file`.
//!
//! They become arguments, as if they had been typed, so that one parser and its checks serve every
//! source, and an option that is added to a command comes along by itself. What `SettingsArguments`
//! has belongs to the pool, which has sources of its own.

mod names;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use pool_core::{Origin, Problem, TomlFile, TomlValue, may_hold_password};

use self::names::{Names, PREFIX, TABLE};
use self::value::{Tokens, check, tokens};
use super::arguments::Arguments;

/// What the help says about it.
pub(crate) const HELP: &str = "\
Each option can also be set in the table [loadtest] of --file, as duration = \"30s\", and each
with one value in the environment, as LOADTEST_DURATION=30s. The command line counts more than
the environment, and that more than the table. --file, --preset, --pool and --url are the pool's:
it has POOL_* variables and the table [pool]";

/// What was found out about the options of a command.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// The file with settings, if there is one.
    pub(crate) file: Option<Result<TomlFile, Problem>>,
    /// What is wrong with variables and table.
    pub(crate) problems: Vec<Problem>,
    /// Each option in effect.
    pub(crate) options: Vec<OptionInEffect>,
    /// What is set of options that only other commands have.
    pub(crate) of_others: Vec<OptionInEffect>,
}

impl Layers {
    /// The options that are not from the command line, as messages call them, and where they came from.
    pub(crate) fn elsewhere(&self) -> BTreeMap<String, Origin> {
        let is_elsewhere =
            |origin: &Origin| matches!(origin, Origin::Environment { .. } | Origin::File { .. });
        let options = self.options.iter().filter(|option| is_elsewhere(&option.origin));
        options
            .map(|option| (format!("--{}", option.name.replace('_', "-")), option.origin.clone()))
            .collect()
    }
}

/// An option and where its value came from.
#[derive(Debug)]
pub(crate) struct OptionInEffect {
    pub(crate) name: String,
    /// `None` if it is not set and has no default.
    pub(crate) value: Option<String>,
    pub(crate) origin: Origin,
}

/// A command line that is not understood, with what was added to it from elsewhere.
#[derive(Debug)]
pub(crate) struct NotUnderstood {
    pub(crate) error: clap::Error,
    pub(crate) arguments: Vec<OsString>,
}

/// Reads a command line, the first of which names the program, with the environment and the file that
/// it names. Blocks while it does.
///
/// # Errors
///
/// If the command line makes no sense, or asks for help. What is wrong elsewhere is in the [`Layers`]
/// of its settings.
pub(crate) fn read(
    line: Vec<OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Arguments, NotUnderstood> {
    let root = Arguments::command();
    let given = match root.clone().try_get_matches_from(&line) {
        Ok(given) => given,
        // The table may have what is missing.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            let tolerant = root.clone().ignore_errors(true);
            match tolerant.try_get_matches_from(&line) {
                Ok(given) => given,
                Err(_) => return Err(NotUnderstood { error, arguments: line }),
            }
        }
        Err(error) => return Err(NotUnderstood { error, arguments: line }),
    };
    let Some(place) = Place::find(&root, &given) else { return finish(&root, line, None) };
    let mut folding = Folding::new(&root, &place, &line);
    folding.environment(environment);
    folding.table();
    let position = (1 + place.path.len()).min(line.len());
    let mut arguments = line;
    arguments.splice(position..position, folding.added.iter().cloned());
    finish(&root, arguments, Some((&place.path, folding)))
}

fn finish(
    root: &Command,
    line: Vec<OsString>,
    folding: Option<(&[String], Folding<'_>)>,
) -> Result<Arguments, NotUnderstood> {
    let parsed = root.clone().try_get_matches_from(&line).and_then(|matches| {
        let mut arguments = Arguments::from_arg_matches(&matches)?;
        if let Some(((path, folding), settings)) = folding.zip(arguments.settings_mut()) {
            settings.layers = folding.end(innermost(&matches, path));
        }
        Ok(arguments)
    });
    parsed.map_err(|error| NotUnderstood { error, arguments: line })
}

/// The command whose options are meant, inside of the others.
struct Place<'a> {
    path: Vec<String>,
    command: &'a Command,
    matches: &'a ArgMatches,
}

impl<'a> Place<'a> {
    /// `None` if the command has no such options.
    fn find(root: &'a Command, given: &'a ArgMatches) -> Option<Self> {
        let (mut path, mut command, mut matches) = (Vec::new(), root, given);
        while let Some((name, inner)) = matches.subcommand() {
            command = command.find_subcommand(name)?;
            matches = inner;
            path.push(name.to_owned());
        }
        names::is_load(&path).then_some(Self { path, command, matches })
    }
}

fn innermost<'a>(matches: &'a ArgMatches, path: &[String]) -> &'a ArgMatches {
    path.iter().fold(matches, |matches, name| matches.subcommand_matches(name).unwrap_or(matches))
}

/// Options from below the command line, the higher source first.
struct Folding<'a> {
    root: &'a Command,
    place: &'a Place<'a>,
    program: OsString,
    names: Names,
    /// What is to be put on the command line.
    added: Vec<OsString>,
    /// Where the options came from that are not from the command line, by their ids.
    origins: BTreeMap<String, Origin>,
    of_others: Vec<OptionInEffect>,
    file: Option<Result<TomlFile, Problem>>,
    problems: Vec<Problem>,
}

impl<'a> Folding<'a> {
    fn new(root: &'a Command, place: &'a Place<'a>, line: &[OsString]) -> Self {
        let path = place.matches.try_get_one::<PathBuf>("file").ok().flatten();
        Self {
            root,
            place,
            program: line.first().cloned().unwrap_or_default(),
            names: Names::new(root),
            added: Vec::new(),
            origins: BTreeMap::new(),
            of_others: Vec::new(),
            file: path.map(TomlFile::read),
            problems: Vec::new(),
        }
    }

    fn environment(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        let is_ours = |name: &OsString| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let mut ours: Vec<_> = variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
        ours.sort();
        for (variable, value) in ours {
            let variable = variable.to_string_lossy().into_owned();
            let name = variable[PREFIX.len()..].to_lowercase();
            let origin = Origin::Environment { variable: variable.clone() };
            if variable != variable.to_uppercase() || !self.names.has(&name) {
                self.problems.push(self.names.unknown_variable(&variable, &name));
            } else if let Some(value) = value.to_str() {
                self.add(&name, &TomlValue::Text(value.to_owned()), origin);
            } else {
                let problem = Problem::invalid("value", "", "not UTF-8", "text in UTF-8");
                self.problems.push(problem.at(origin));
            }
        }
    }

    fn table(&mut self) {
        let Some(Ok(file)) = &self.file else { return };
        let entries = match file.table(TABLE) {
            Ok(entries) => entries,
            Err(problem) => {
                self.problems.push(problem);
                return;
            }
        };
        for entry in entries {
            if self.names.has(&entry.key) {
                self.add(&entry.key, &entry.value, entry.origin);
            } else {
                self.problems.push(self.names.unknown_key(&entry.key).at(entry.origin));
            }
        }
    }

    /// Adds an option, unless a higher source has it or what excludes it. What is wrong with it is told
    /// in any case.
    fn add(&mut self, name: &str, value: &TomlValue, origin: Origin) {
        let command = self.place.command;
        let Some(argument) = names::options(command).find(|it| names::name(it) == name) else {
            self.note(name, value, origin);
            return;
        };
        let tokens = tokens(argument, value).and_then(|Tokens { shown, tokens }| {
            let start = std::iter::once(self.program.clone());
            let path = self.place.path.iter().map(OsString::from);
            let line = start.chain(path).chain(tokens.iter().cloned());
            check(self.root, line.collect(), name, &shown).map(|()| tokens)
        });
        let is_free = !self.is_given(argument.get_id().as_str())
            && !names::excluded_by(command, argument).any(|other| self.is_given(other));
        match tokens {
            Err(problem) => self.problems.push(problem.at(origin)),
            Ok(tokens) if is_free => {
                self.added.extend(tokens);
                self.origins.insert(argument.get_id().to_string(), origin);
            }
            Ok(_) => {}
        }
    }

    /// Notes an option of another command, unless a higher source has it: its value is checked there.
    fn note(&mut self, name: &str, value: &TomlValue, origin: Origin) {
        if self.of_others.iter().all(|other| other.name != name) {
            let value = Some(not_secret(value::words(value)));
            self.of_others.push(OptionInEffect { name: name.to_owned(), value, origin });
        }
    }

    /// Whether an option is on the command line, or in a source that was read already.
    fn is_given(&self, id: &str) -> bool {
        self.place.matches.value_source(id) == Some(ValueSource::CommandLine)
            || self.origins.contains_key(id)
    }

    fn end(self, matches: &ArgMatches) -> Layers {
        let options = names::options(self.place.command).map(|argument| {
            let id = argument.get_id().as_str();
            let on_line = || {
                let name: Arc<str> = format!("command line --{}", names::long(argument)).into();
                Origin::Code { name }
            };
            let is_set = matches.value_source(id) == Some(ValueSource::CommandLine);
            let origin = match self.origins.get(id) {
                Some(origin) => origin.clone(),
                None if is_set => on_line(),
                None => Origin::Default,
            };
            OptionInEffect { name: names::name(argument), value: shown(matches, id), origin }
        });
        let options = options.collect();
        let Self { file, problems, of_others, .. } = self;
        Layers { file, problems, options, of_others }
    }
}

/// The value of an option as it was given, if it cannot be a secret.
fn shown(matches: &ArgMatches, id: &str) -> Option<String> {
    let values = matches.try_get_raw(id).ok()??;
    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
    Some(not_secret(values.join(" ")))
}

fn not_secret(text: String) -> String {
    if may_hold_password(&text) { "(not shown)".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
