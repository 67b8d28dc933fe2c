//! `cargo xtask mutants`: the engine's tests can fail.
//!
//! Each patch under `pool-core/tests/mutants` breaks the engine in one place. It is applied to a copy of
//! the workspace, and the tests that need no real clock must catch it, or the model that it names
//! (`asked`). A patch that no longer applies, or does not compile, proves nothing and is a failure, too.

mod asked;
mod copy;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use diffy::Patch;

use self::asked::Asked;
use self::copy::Copied;
use crate::child;

const PATCHES: &str = "pool-core/tests/mutants";

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
        let (passed, printed) = ask(&asked, &copied)?;
        ensure!(passed, "the tests fail without any mutant:\n{printed}");
    }
    let mut at_large = Vec::new();
    for patch in &patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy();
        let verdict = try_one(&copied, patch).with_context(|| format!("the mutant {name}"))?;
        println!("{name}: {}", verdict.as_deref().unwrap_or("SURVIVED"));
        if verdict.is_none() {
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

fn all_asked(patches: &[PathBuf]) -> Result<BTreeSet<Asked>> {
    patches.iter().map(|patch| Ok(Asked::about(&fs::read_to_string(patch)?))).collect()
}

/// Who caught it, if anybody did.
fn try_one(copied: &Copied, patch: &Path) -> Result<Option<String>> {
    let text = fs::read_to_string(patch)?;
    let target = target(&text)?;
    let healthy = copied.read(target)?;
    copied.write(target, &broken(&text, &healthy)?)?;
    let outcome = ask(&Asked::about(&text), copied);
    copied.write(target, &healthy)?;
    let (passed, printed) = outcome?;
    Ok((!passed).then(|| caught_by(&printed)))
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

/// Whether the tests pass on the copy, and what they print.
fn ask(asked: &Asked, copied: &Copied) -> Result<(bool, String)> {
    let (compiles, printed) = child::listen(asked.cargo_test(&copied.root).arg("--no-run"))?;
    ensure!(compiles, "it does not compile:\n{printed}");
    child::listen(asked.cargo_test(&copied.root).arg("--").args(asked.tests()))
}

fn caught_by(printed: &str) -> String {
    let failed = printed.lines().filter_map(|line| line.strip_suffix(" ... FAILED"));
    let mut failed: Vec<_> = failed.filter_map(|line| line.strip_prefix("test ")).collect();
    failed.sort_unstable();
    match failed[..] {
        [] => "caught, by an end that is none".to_owned(),
        [one] => format!("caught by {one}"),
        [first, ref others @ ..] => format!("caught by {first} and {} more", others.len()),
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

    #[test]
    fn those_that_failed_caught_it() {
        let one = "test a::b ... ok\ntest a::c ... FAILED\n\nfailures:\n    a::c\n";
        assert_eq!(caught_by(one), "caught by a::c");
        let three = "test b ... FAILED\ntest a ... FAILED\ntest c ... FAILED\n";
        assert_eq!(caught_by(three), "caught by a and 2 more");
        assert_eq!(caught_by("aborted\n"), "caught, by an end that is none");
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
