//! The step `peers`: the packages outside the workspace compile, and their lock files are what they need;
//! what judges the figures of the engine passes its tests.
//!
//! Their dependencies are not to enter the workspace's lock file, so few other steps see them. Nothing
//! is measured here, and the models run in `loom` and `shuttle`.

use std::fs;

use anyhow::{Context, Result};
use toml::Table;

use super::verdict::Verdict;
use crate::child;

/// The one that has tests; of the others, there is no need to generate code.
const WITH_TESTS: &str = "pool-core/peers/Cargo.toml";

pub(super) fn check() -> Result<Verdict> {
    for manifest in manifests()? {
        let target = child::root().join("target").join("peers");
        let verb = if manifest == WITH_TESTS { "test" } else { "check" };
        let mut command = child::cargo(&[verb, "--locked", "--manifest-path", &manifest]);
        child::run(command.arg("--target-dir").arg(target))?;
    }
    Ok(Verdict::Passed)
}

/// The manifests of the packages outside the workspace.
///
/// # Errors
///
/// The workspace's manifest cannot be read.
pub(super) fn manifests() -> Result<Vec<String>> {
    let manifest = fs::read_to_string(child::root().join("Cargo.toml"))?;
    excluded(&manifest)
}

/// The manifests of the packages that the workspace of `manifest` leaves out.
fn excluded(manifest: &str) -> Result<Vec<String>> {
    let manifest: Table = manifest.parse().context("Cargo.toml of the workspace")?;
    let exclude = manifest.get("workspace").and_then(|workspace| workspace.get("exclude"));
    let packages = exclude.and_then(|exclude| exclude.as_array()).into_iter().flatten();
    Ok(packages.filter_map(|package| Some(format!("{}/Cargo.toml", package.as_str()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_left_out_are_those_that_the_workspace_excludes() {
        let manifest = "[workspace]\nmembers = [\"a\"]\nexclude = [\"b/peers\", \"c/peers\"]\n";
        assert_eq!(
            excluded(manifest).expect("valid"),
            ["b/peers/Cargo.toml", "c/peers/Cargo.toml"]
        );
    }
}
