//! Options from every source, in their order, and what is wrong with them.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::super::arguments::{Command, RunArguments};
use super::*;

fn read_run(line: &[&str], variables: &[(&str, &str)]) -> RunArguments {
    let line = [&["pool-loadtest"], line].concat().into_iter().map(OsString::from).collect();
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    match read(line, variables).expect("understood").chosen() {
        Command::Run(arguments) => arguments,
        other => panic!("not a run: {other:?}"),
    }
}

fn problems(arguments: &RunArguments) -> Vec<String> {
    arguments.settings.layers.problems.iter().map(ToString::to_string).collect()
}

fn origin(arguments: &RunArguments, name: &str) -> String {
    let mut options = arguments.settings.layers.options.iter();
    options.find(|option| option.name == name).expect("an option").origin.to_string()
}

/// A file with this text, and the arguments that name it.
fn file(text: &str) -> (TempDir, String) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("pool.toml");
    fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text").to_owned();
    (directory, path)
}

#[test]
fn the_command_line_counts_more_than_the_environment_and_that_more_than_the_table() {
    let text = "[loadtest]\ntasks = 3\nduration = \"3s\"\nseed = 3\n[pool]\nmax_open = 4\n";
    let (_directory, path) = file(text);
    let variables =
        [("LOADTEST_TASKS", "2"), ("LOADTEST_DURATION", "2s"), ("POOL_MAX_OPEN", "no matter")];
    for line in [&["run", "--file", &path, "--tasks", "1"][..], &["--file", &path, "--tasks", "1"]]
    {
        let run = read_run(line, &variables);
        assert_eq!(problems(&run), [""; 0]);
        assert_eq!(
            (run.load.tasks, run.duration, run.seed),
            (Some(1), Some(Duration::from_secs(2)), 3)
        );
        assert_eq!(origin(&run, "tasks"), "command line --tasks");
        assert_eq!(origin(&run, "duration"), "LOADTEST_DURATION");
        assert_eq!(origin(&run, "seed"), format!("{path}:4"));
        assert_eq!(origin(&run, "output"), "default");
    }
}

#[test]
fn every_problem_of_every_source_is_told_with_its_origin_and_what_is_allowed() {
    let text = "[loadtest]\ntsks = 3\ntasks = 0\noutput = \"jsn\"\nurl = \"x\"\nat = [\"3s\"]\n";
    let (_directory, path) = file(text);
    let variables = [
        ("LOADTEST_DURATION", "soon"),
        ("LOADTEST_SEEED", "1"),
        ("LOADTEST_POOL", "max_open=1"),
        ("LOADTEST_tasks", "1"),
        ("LOADTEST_PROGRESS", ""),
        ("LOADTEST_AT", "3s pause"),
    ];
    let run = read_run(&["run", "--file", &path, "--tasks", "5"], &variables);
    let found = problems(&run);
    let expected = [
        "LOADTEST_AT: at = \"3s pause\": one value; allowed: a list of 2 texts",
        "LOADTEST_DURATION: duration = \"soon\": not understood; allowed: a duration such as",
        "variable = \"LOADTEST_POOL\": it is the pool's; allowed: POOL_* variables, or --pool",
        "LOADTEST_PROGRESS: progress = \"\": no value; allowed: auto, live, lines, off",
        "variable = \"LOADTEST_SEEED\": unknown; allowed: LOADTEST_AT, ",
        "variable = \"LOADTEST_tasks\": unknown; allowed: LOADTEST_AT, ",
        &format!("{path}:2: option = \"tsks\": unknown; allowed: at, "),
        &format!("{path}:3: tasks = \"0\": not understood; allowed: a whole number from 1 to"),
        &format!("{path}:4: output = \"jsn\": not understood; allowed: text, json"),
        &format!("{path}:5: option = \"url\": it is the pool's; allowed: the table [pool]"),
        &format!("{path}:6: at = \"\": a list of another length; allowed: lists of 2 texts each"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not {expected}");
    }
    assert!(found[4].ends_with("did you mean \"LOADTEST_SEED\"?"), "{}", found[4]);
    assert!(found[8].ends_with("did you mean \"json\"?"), "{}", found[8]);
    assert_eq!(run.load.tasks, Some(5), "what is wrong elsewhere is told all the same");
}

#[test]
fn a_table_can_hold_what_is_given_several_times() {
    let text = "[loadtest]\nat = [[\"1s\", \"max_open=4\"], [\"2s\", \"pause\"]]\n";
    let (_directory, path) = file(text);
    let run = read_run(&["run", "--file", &path], &[]);
    assert_eq!(run.at, ["1s", "max_open=4", "2s", "pause"]);
    let (_directory, path) = file("[loadtest]\nat = [\"1s\", \"pause\"]\n");
    assert_eq!(read_run(&["run", "--file", &path], &[]).at, ["1s", "pause"]);
}

#[test]
fn nothing_that_looks_like_a_password_is_repeated() {
    let url = "postgres://app:hunter2@db/x";
    let (_directory, path) = file(&format!("[loadtest]\ntasks = \"{url}\"\n\"{url}\" = 1\n"));
    let variables = [("LOADTEST_OUTPUT", url), ("LOADTEST_HUNTER2@X", "1")];
    let run = read_run(&["run", "--file", &path], &variables);
    let found = problems(&run);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(!format!("{found:?} {run:?}").to_lowercase().contains("hunter2@"), "{found:#?}");
}

#[test]
fn a_table_without_a_table_is_a_problem_and_a_file_that_is_missing_is_told_once() {
    let (_directory, path) = file("loadtest = 3\n");
    let run = read_run(&["run", "--file", &path], &[]);
    let expected = format!("{path}:1: loadtest = \"integer\": not a table; ");
    assert!(problems(&run)[0].starts_with(&expected), "{:?}", problems(&run));
    let run = read_run(&["run", "--file", "/nowhere"], &[]);
    assert_eq!(problems(&run), [""; 0]);
    let told = run.settings.layers.file.expect("named").expect_err("not there");
    assert_eq!(told.value, "/nowhere");
}

#[test]
fn commands_that_put_no_load_on_a_pool_take_no_notice() {
    let line = ["pool-loadtest", "config", "schema"].map(OsString::from).to_vec();
    let variables = [("LOADTEST_NONSENSE".into(), "1".into())];
    let chosen = read(line, variables).expect("understood").chosen();
    assert!(matches!(chosen, Command::Config(_)), "{chosen:?}");
}

#[test]
fn every_option_of_a_load_but_those_of_the_pool_has_its_variable() {
    let root = Arguments::command();
    let names = Names::new(&root);
    let run = root.find_subcommand("run").expect("a command");
    for long in run.get_arguments().filter_map(clap::Arg::get_long) {
        let is_of_pool = ["preset", "file", "pool", "url", "help"].contains(&long);
        assert_eq!(names.has(&long.replace('-', "_")), !is_of_pool, "{long}");
    }
}

#[test]
fn every_command_that_puts_a_load_on_a_pool_is_told_what_the_layers_say() {
    let root = Arguments::command();
    for path in names::LOADS {
        let known = path.iter().try_fold(&root, |command, name| command.find_subcommand(name));
        if known.is_none() {
            continue;
        }
        let line = std::iter::once(&"pool-loadtest").chain(path).map(OsString::from).collect();
        let variables = [("LOADTEST_DURATION".into(), "soon".into())];
        // One that misses an argument is not understood, whatever the layers say.
        let Ok(mut arguments) = read(line, variables) else { continue };
        let settings = arguments.settings_mut();
        let told = settings.map(|it| it.layers.problems.len() + it.layers.options.len());
        assert!(told > Some(1), "{path:?}: {told:?}");
    }
}
