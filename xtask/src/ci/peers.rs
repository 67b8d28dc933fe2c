//! The step `peers`: the packages outside the workspace, those that measure us beside our peers and the
//! soak, are held to what the other steps hold its members to; and what judges in them passes its tests.
//!
//! Their dependencies are not to enter the workspace's lock file, so no other step sees them. Nothing
//! is measured here.

use std::fs;

use anyhow::{Context, Result};
use toml::Table;

use super::verdict::Verdict;
use crate::child;
use crate::plugin::{CLIPPY, RUSTFMT};

/// Those that judge, and so have tests; of the others, there is no need to generate code.
const WITH_TESTS: [&str; 2] = ["pool-core/peers", "pool-drivers/soak"];

pub(super) fn check() -> Result<Verdict> {
    for plugin in [&RUSTFMT, &CLIPPY] {
        if !plugin.is_present() {
            return Ok(Verdict::Lacks(plugin));
        }
    }
    let manifest = fs::read_to_string(child::root().join("Cargo.toml"))?;
    for package in excluded(&manifest)? {
        let manifest = format!("{package}/Cargo.toml");
        child::run(&mut RUSTFMT.command(&["--check", "--manifest-path", &manifest]))?;
        let target = child::root().join("target").join("peers");
        let of_it = ["--locked", "--manifest-path", &manifest, "--target-dir"];
        let mut clippy = CLIPPY.command(&of_it);
        clippy.arg(&target).args(["--all-targets", "--", "-D", "warnings"]);
        child::run(&mut clippy)?;
        if WITH_TESTS.contains(&&*package) {
            child::run(child::cargo(&["test"]).args(of_it).arg(&target))?;
        }
    }
    Ok(Verdict::Passed)
}

/// The packages that the workspace of `manifest` leaves out.
fn excluded(manifest: &str) -> Result<Vec<String>> {
    let manifest: Table = manifest.parse().context("Cargo.toml of the workspace")?;
    let exclude = manifest.get("workspace").and_then(|workspace| workspace.get("exclude"));
    let packages = exclude.and_then(|exclude| exclude.as_array()).into_iter().flatten();
    Ok(packages.filter_map(|package| package.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_left_out_are_those_that_the_workspace_excludes() {
        let manifest = "[workspace]\nmembers = [\"a\"]\nexclude = [\"b/peers\", \"c/peers\"]\n";
        assert_eq!(excluded(manifest).expect("valid"), ["b/peers", "c/peers"]);
    }
}
