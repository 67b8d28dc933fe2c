//! `pool-loadtest completions` and `pool-loadtest man`: what shells and `man` know of the program,
//! made from its command line.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use anyhow::{Context as _, anyhow};
use clap::builder::PossibleValuesParser;
use clap::{Args, Command, CommandFactory as _, ValueEnum};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::Failure;
use super::arguments::Arguments;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell that is to complete.
    #[arg(value_name = "SHELL", value_parser = shells())]
    shell: String,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The command; without it, the whole program.
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
}

fn shells() -> PossibleValuesParser {
    PossibleValuesParser::new(
        Shell::value_variants().iter().filter_map(ValueEnum::to_possible_value),
    )
}

/// Prints the script of a shell.
///
/// # Errors
///
/// [`Failure::Run`] if it cannot be printed.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let shell = Shell::from_str(&arguments.shell, true).expect("bug: a shell that was parsed");
    let mut command = Arguments::command();
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    generate(shell, &mut command, &*name, &mut script);
    print(&if shell == Shell::Bash { mended(&name, &script) } else { script })
}

/// The script for bash, which loses its way in a name with a hyphen: what it calls the program where
/// it finds a command is not what it calls it where it knows the options of that command. See
/// <https://github.com/clap-rs/clap/issues/6421>; of a script without the fault this changes nothing.
fn mended(name: &str, script: &[u8]) -> Vec<u8> {
    let (found, known) = (name.replace('-', "__"), name.replace('-', "__subcmd__"));
    let label = |name: &str| format!("        {name}__subcmd__");
    String::from_utf8_lossy(script).replace(&label(&known), &label(&found)).into_bytes()
}

/// Prints a page in the form that `man` reads: of one command, or of the program and every command.
///
/// # Errors
///
/// [`Failure::Usage`] if there is no such command; [`Failure::Run`] if it cannot be printed.
pub(crate) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let mut root = Arguments::command();
    root.build();
    let page = match &arguments.command[..] {
        [] => whole(&root),
        path => page(find(&root, path)?),
    };
    print(&page.context("cannot make the page").map_err(Failure::Run)?)
}

fn find<'a>(root: &'a Command, path: &[String]) -> Result<&'a Command, Failure> {
    path.iter().try_fold(root, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            let known = command.get_subcommands().map(Command::get_name);
            let known = known.collect::<Vec<_>>().join(", ");
            // The name is not repeated: it may be anything.
            let allowed = if known.is_empty() { "none" } else { &*known };
            Failure::Usage(anyhow!(
                "no such command; allowed below {}: {allowed}",
                command.get_name()
            ))
        })
    })
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man_of(command).render(&mut page)?;
    Ok(page)
}

fn man_of(command: &Command) -> Man {
    let name = command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-");
    // The name of the page, and in it how the command is called.
    let version = env!("CARGO_PKG_VERSION");
    Man::new(command.clone()).title(name.to_uppercase()).source(format!("pool-loadtest {version}"))
}

/// The page of the program, and what each command takes under a heading of its own.
fn whole(root: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = page(root)?;
    append(root, &mut page)?;
    Ok(page)
}

fn append(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let is_shown = |inner: &&Command| inner.get_name() != "help" && !inner.is_hide_set();
    for inner in command.get_subcommands().filter(is_shown) {
        let mut heading = String::new();
        let name = inner.get_bin_name().unwrap_or(inner.get_name()).to_uppercase();
        let _ = writeln!(heading, ".SH \"{name}\"");
        page.extend(heading.into_bytes());
        let man = man_of(inner);
        let mut part = Vec::new();
        man.render_description_section(&mut part)?;
        if inner.get_arguments().next().is_some() {
            man.render_options_section(&mut part)?;
        }
        page.extend(below(&part));
        append(inner, page)?;
    }
    Ok(())
}

/// The same with its sections one level below.
fn below(part: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(part);
    let lines = text.lines().map(|line| match line.strip_prefix(".SH ") {
        Some(heading) => format!(".SS {heading}\n"),
        None => format!("{line}\n"),
    });
    lines.collect::<String>().into_bytes()
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = stdout();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.context("cannot print").map_err(Failure::Run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_program_has_every_command_and_every_option() {
        fn check(command: &Command, page: &str) {
            for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
                let shown = format!("\\-\\-{}", argument.replace('-', "\\-"));
                assert!(page.contains(&shown), "{shown} of {} is missing", command.get_name());
            }
            let is_shown = |inner: &&Command| inner.get_name() != "help" && !inner.is_hide_set();
            for inner in command.get_subcommands().filter(is_shown) {
                let name = inner.get_bin_name().expect("built").to_uppercase();
                assert!(page.contains(&format!(".SH \"{name}\"\n")), "{name} is missing");
                check(inner, page);
            }
        }
        let mut root = Arguments::command();
        root.build();
        let page = String::from_utf8(whole(&root).expect("made")).expect("text");
        assert_eq!(page.matches(".TH ").count(), 1, "one page");
        check(&root, &page);
    }

    #[test]
    fn a_command_that_is_none_is_not_repeated() {
        let arguments = ManArguments { command: vec!["hunter2".to_owned()] };
        let Err(Failure::Usage(error)) = man(&arguments) else { panic!("no such command") };
        let words = error.to_string();
        assert!(words.contains("run") && !words.contains("hunter2"), "{words}");
    }
}
