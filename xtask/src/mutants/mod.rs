//! `cargo xtask mutants`: the engine's tests can fail.
//!
//! Each patch under `pool-core/tests/mutants` breaks the engine in one place. It is applied to a copy of
//! the workspace, and the tests that need no real clock must catch it, or the model that it names
//! (`asked`): one of them fails, or they hang. A patch that no longer applies, or does not compile, or
//! crashes the tests before one of them has failed, proves nothing and is a failure, too; but a patch may
//! say above its first line that it [is to crash](EXPECTS_CRASH).

mod asked;
mod copy;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use diffy::Patch;
use serde_json::Value;

use self::asked::Asked;
use self::copy::Copied;
use crate::child::{self, End};

const PATCHES: &str = "pool-core/tests/mutants";

/// Far more than the tests take of an engine that goes on.
const TESTS_WITHIN: Duration = Duration::from_mins(3);
const COMPILES_WITHIN: Duration = Duration::from_mins(30);

/// What the description of a patch says if the tests are to abort without one that fails.
const EXPECTS_CRASH: &str = "The tests crash.";

/// What becomes of a mutant.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    CaughtBy(Vec<String>),
    Hung,
    /// As its description says.
    Crashed,
    Survived,
}

/// Break the engine in several ways, and see that its tests catch each.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// Tries every patch.
///
/// # Errors
///
/// One survives, no longer applies or does not compile, or the tests fail without any.
pub(crate) fn catch_all() -> Result<()> {
    let root = child::root();
    let patches = patches(&root.join(PATCHES))?;
    let copied = Copied::new(&root, &root.join("target").join("mutants"))?;
    for asked in all_asked(&patches)? {
        let (end, printed) = ask(&asked, &copied)?;
        ensure!(end == End::Succeeded, "without any mutant the tests {end}:\n{printed}");
    }
    let mut at_large = Vec::new();
    for patch in &patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        let verdict = try_one(&copied, patch).with_context(|| format!("the mutant {name}"))?;
        println!("{name}: {verdict}");
        if verdict == Verdict::Survived {
            at_large.push(name.into_owned());
        }
    }
    if !at_large.is_empty() {
        bail!("no test catches {}", at_large.join(", "));
    }
    println!("{} mutants caught", patches.len());
    Ok(())
}

fn patches(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    let mut patches = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    ensure!(!patches.is_empty(), "no patch in {}", folder.display());
    Ok(patches)
}

/// Everybody who is to catch one of the mutants.
fn all_asked(patches: &[PathBuf]) -> Result<BTreeSet<Asked>> {
    patches.iter().map(|patch| Ok(Asked::about(&fs::read_to_string(patch)?))).collect()
}

fn try_one(copied: &Copied, patch: &Path) -> Result<Verdict> {
    let text = fs::read_to_string(patch)?;
    let target = target(&text)?;
    let healthy = copied.read(target)?;
    copied.write(target, &broken(&text, &healthy)?)?;
    let outcome = ask(&Asked::about(&text), copied);
    copied.write(target, &healthy)?;
    let (end, printed) = outcome?;
    judge(&text, end, &printed)
}

/// What a patch says of itself above its first line.
fn description(patch: &str) -> &str {
    patch.find("--- ").map_or(patch, |start| &patch[..start])
}

/// The file that a patch is for.
fn target(patch: &str) -> Result<&str> {
    let line = patch.lines().find_map(|line| line.strip_prefix("+++ b/"));
    line.context("it names no file: no line `+++ b/...`")
}

/// What the patch makes of a file.
fn broken(patch: &str, healthy: &str) -> Result<String> {
    let patch = Patch::from_str(patch)?;
    diffy::apply(healthy, &patch).map_err(|error| anyhow!("it no longer applies: {error}"))
}

/// How the tests end on the copy, and what they print.
fn ask(asked: &Asked, copied: &Copied) -> Result<(End, String)> {
    // Itself, not by way of cargo, which would leave it running when killed.
    let mut tests = Command::new(compile(asked, copied)?);
    let package = copied.root.join(asked.package());
    tests.args(asked.tests()).current_dir(&package).env("CARGO_MANIFEST_DIR", &package);
    child::listen(&mut tests, TESTS_WITHIN)
}

/// The test program of the copy.
fn compile(asked: &Asked, copied: &Copied) -> Result<PathBuf> {
    let mut command = asked.cargo_test(&copied.root);
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let (end, printed) = child::listen(&mut command, COMPILES_WITHIN)?;
    ensure!(end == End::Succeeded, "it does not compile:\n{printed}");
    executable(&printed).context("cargo does not say where the tests are")
}

/// Out of what cargo prints: one JSON object a line, among others.
fn executable(printed: &str) -> Option<PathBuf> {
    let messages = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables =
        messages.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    executables.next()
}

/// What a patch comes to whose tests end so.
fn judge(patch: &str, end: End, printed: &str) -> Result<Verdict> {
    let failed = failed(printed);
    Ok(match end {
        End::Succeeded => Verdict::Survived,
        End::Hung => Verdict::Hung,
        End::Failed if !failed.is_empty() => Verdict::CaughtBy(failed),
        End::Failed if description(patch).contains(EXPECTS_CRASH) => Verdict::Crashed,
        End::Failed => bail!("the tests crash before one of them has failed:\n{printed}"),
    })
}

/// The tests that failed, by name.
fn failed(printed: &str) -> Vec<String> {
    let failed = printed.lines().filter_map(|line| line.strip_suffix(" ... FAILED"));
    let failed = failed.filter_map(|line| line.strip_prefix("test "));
    let mut failed: Vec<_> = failed.map(str::to_owned).collect();
    failed.sort_unstable();
    failed
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaughtBy(tests) => match &tests[..] {
                [first, others @ ..] if !others.is_empty() => {
                    write!(f, "caught by {first} and {} more", others.len())
                }
                few => write!(f, "caught by {}", few.concat()),
            },
            Self::Hung => write!(f, "caught: hung for {TESTS_WITHIN:?}"),
            Self::Crashed => write!(f, "caught: crashed, as expected"),
            Self::Survived => write!(f, "SURVIVED"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Two is left out.\n\n--- a/x/y.rs\n+++ b/x/y.rs\n@@ -1,3 +1,2 @@\n one\n\
                         -two\n three\n";

    #[test]
    fn a_patch_names_its_file_and_breaks_it() {
        assert_eq!(target(PATCH).expect("a file"), "x/y.rs");
        assert_eq!(broken(PATCH, "one\ntwo\nthree\n").expect("applies"), "one\nthree\n");
    }

    #[test]
    fn a_patch_of_what_is_there_no_more_is_an_error() {
        let error = broken(PATCH, "one\n2\nthree\n").expect_err("another line");
        assert!(error.to_string().starts_with("it no longer applies: "), "{error}");
        assert!(target("--- a\n").is_err_and(|error| error.to_string().contains("no file")));
    }

    fn verdict(end: End, printed: &str) -> String {
        judge(PATCH, end, printed).expect("a verdict").to_string()
    }

    #[test]
    fn those_that_failed_caught_it() {
        let one = "test a::b ... ok\ntest a::c ... FAILED\n\nfailures:\n    a::c\n";
        assert_eq!(verdict(End::Failed, one), "caught by a::c");
        let three = "test b ... FAILED\ntest a ... FAILED\ntest c ... FAILED\n";
        assert_eq!(verdict(End::Failed, three), "caught by a and 2 more");
    }

    #[test]
    fn tests_that_pass_catch_nothing_and_tests_that_hang_do() {
        assert_eq!(verdict(End::Succeeded, "test a ... ok\n"), "SURVIVED");
        assert_eq!(verdict(End::Hung, "test a ... ok\n"), "caught: hung for 180s");
    }

    #[test]
    fn a_crash_without_a_failed_test_catches_only_what_is_to_crash() {
        let error = judge(PATCH, End::Failed, "aborted\n").expect_err("no catch");
        assert!(error.to_string().ends_with("has failed:\naborted\n"), "{error}");
        let expects = format!("{EXPECTS_CRASH} {PATCH}");
        assert_eq!(judge(&expects, End::Failed, "aborted\n").expect("one"), Verdict::Crashed);
        let below = format!("{PATCH}+// {EXPECTS_CRASH}\n");
        assert!(judge(&below, End::Failed, "aborted\n").is_err());
    }

    #[test]
    fn cargo_says_where_the_tests_are() {
        let printed = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                       {\"reason\":\"compiler-artifact\",\"executable\":\"/x/it-1\"}\n\
                       {\"reason\":\"build-finished\"}\n    Finished\n";
        assert_eq!(executable(printed), Some(PathBuf::from("/x/it-1")));
        assert_eq!(executable("    Finished\n"), None);
    }

    #[test]
    fn every_patch_kept_applies_to_the_engine_there_is() {
        for patch in patches(&child::root().join(PATCHES)).expect("some") {
            let text = fs::read_to_string(&patch).expect("readable");
            let healthy = child::root().join(target(&text).expect("a file"));
            let healthy = fs::read_to_string(healthy).expect("the engine's");
            let broken = broken(&text, &healthy);
            assert!(broken.is_ok_and(|broken| broken != healthy), "{}", patch.display());
        }
    }
}
