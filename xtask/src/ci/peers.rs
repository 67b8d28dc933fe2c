//! The step `peers`: clippy has nothing to say of the packages outside the workspace, their lock files are
//! what they need, and what judges in them passes its tests.
//!
//! Their dependencies are not to enter the workspace's lock file, so few other steps see them. Nothing
//! is measured here; the models run in the steps `loom` and `shuttle`.

use std::fs;

use anyhow::{Context, Result};
use toml::Table;

use super::verdict::Verdict;
use crate::child;
use crate::plugin::CLIPPY;

/// Those that judge, and so have tests; of the others, there is no need to generate code.
const WITH_TESTS: [&str; 2] = ["pool-core/peers/Cargo.toml", "pool-drivers/soak/Cargo.toml"];

pub(super) fn check() -> Result<Verdict> {
    if !CLIPPY.is_present() {
        return Ok(Verdict::Lacks(&CLIPPY));
    }
    let target = child::root().join("target").join("peers");
    for manifest in manifests()? {
        let of_it = ["--locked", "--manifest-path", &manifest, "--target-dir"];
        let mut clippy = CLIPPY.command(&of_it);
        child::run(clippy.arg(&target).args(["--all-targets", "--", "-D", "warnings"]))?;
        if WITH_TESTS.contains(&&*manifest) {
            child::run(child::cargo(&["test"]).args(of_it).arg(&target))?;
        }
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
