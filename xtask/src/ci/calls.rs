//! The steps that only call another program or command: `fmt`, `clippy`, `doc`, `test`, `sim`, `loom`,
//! `shuttle`, `mutants`, `itest`, `typos`.

use anyhow::Result;

use super::peers;
use super::verdict::Verdict;
use crate::models::Tool;
use crate::plugin::{CLIPPY, NEXTEST, Plugin, RUSTFMT, TYPOS};
use crate::{child, itest, loom, metadata, mutants, shuttle, sim};

/// A slice: the rest is asked for by hand.
const SCHEDULES: u64 = 120_000;

const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

pub(super) fn fmt() -> Result<Verdict> {
    // What `--all` does not find.
    for manifest in peers::manifests()? {
        run_plugin(&RUSTFMT, &["--check", "--manifest-path", &manifest])?;
    }
    run_plugin(&RUSTFMT, &["--all", "--check"])
}

pub(super) fn clippy() -> Result<Verdict> {
    if CLIPPY.is_present() {
        for tool in Tool::ALL {
            child::run(&mut tool.clippy())?;
        }
    }
    run_plugin(&CLIPPY, &["--workspace", "--all-features", "--all-targets", "--", "-D", "warnings"])
}

pub(super) fn doc() -> Result<Verdict> {
    let mut command = child::cargo(&["doc", "--no-deps"]);
    child::run(command.args(EVERYTHING).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Verdict::Passed)
}

pub(super) fn test() -> Result<Verdict> {
    // The test kit's own tests start every server and receiver, and test runners hide what is said
    // meanwhile.
    itest::provide_others();
    // The step `itest` runs those with servers or receivers.
    let elsewhere = itest::packages_with_others();
    let members = metadata::members()?;
    let elsewhere = members.iter().filter(|package| elsewhere.contains(&&*package.name));
    let without = elsewhere.flat_map(|package| ["--exclude", &package.name]);
    let selection = EVERYTHING.into_iter().chain(without);
    let words = itest::tests_with_others();
    child::run(&mut if NEXTEST.is_present_or_else("`cargo test` runs the tests") {
        let mut tests = NEXTEST.command(&["run"]);
        tests.args(selection).args(["--filterset", &none_of(&words)]);
        tests
    } else {
        // Asked for certain targets, it would not build the examples that tests run.
        let mut tests = child::cargo(&["test"]);
        tests.args(selection).arg("--").args(words.iter().flat_map(|word| ["--skip", word]));
        tests
    })?;
    // nextest runs no doc tests.
    child::run(child::cargo(&["test", "--doc"]).args(EVERYTHING))?;
    Ok(Verdict::Passed)
}

/// For nextest: the tests with none of these words in their names.
fn none_of(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("test({word})")).collect();
    format!("not ({})", words.join(" | "))
}

pub(super) fn loom() -> Result<Verdict> {
    loom::run(None)?;
    Ok(Verdict::Passed)
}

pub(super) fn shuttle() -> Result<Verdict> {
    shuttle::run(SCHEDULES, 0)?;
    Ok(Verdict::Passed)
}

pub(super) fn itest() -> Result<Verdict> {
    itest::run_with_others()?;
    Ok(Verdict::Passed)
}

pub(super) fn typos() -> Result<Verdict> {
    run_plugin(&TYPOS, &[])
}

pub(super) fn sim() -> Result<Verdict> {
    sim::run_slice()?;
    Ok(Verdict::Passed)
}

pub(super) fn mutants() -> Result<Verdict> {
    mutants::catch_all()?;
    Ok(Verdict::Passed)
}

fn run_plugin(plugin: &'static Plugin, arguments: &[&str]) -> Result<Verdict> {
    if !plugin.is_present() {
        return Ok(Verdict::Lacks(plugin));
    }
    child::run(&mut plugin.command(arguments))?;
    Ok(Verdict::Passed)
}
