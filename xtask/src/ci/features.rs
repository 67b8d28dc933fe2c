//! The step `features`: each feature of each of our crates compiles alone without a warning, and so
//! does none.
//!
//! All features together are compiled by the step `clippy`.

use anyhow::Result;

use super::verdict::Verdict;
use crate::child;
use crate::metadata::{self, Package};
use crate::plugin::CLIPPY;

pub(super) fn check() -> Result<Verdict> {
    // Not `cargo check`: to make an error of a warning there, every dependency is compiled anew.
    if !CLIPPY.is_present() {
        return Ok(Verdict::Lacks(&CLIPPY));
    }
    let packages = metadata::members()?;
    for selection in packages.iter().flat_map(selections) {
        let mut command = CLIPPY.command(&["--no-default-features"]);
        child::run(command.args(selection).args(["--", "-D", "warnings"]))?;
    }
    Ok(Verdict::Passed)
}

/// The arguments that select no feature of `package`, then each one.
fn selections(package: &Package) -> Vec<Vec<&str>> {
    let none = vec!["--package", &package.name];
    let each =
        package.features.iter().map(|feature| [&none[..], &["--features", feature]].concat());
    [none.clone()].into_iter().chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_feature_comes_first_then_each_one_alone() {
        let package = Package {
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            licence: None,
            source: None,
            features: vec!["x".to_owned(), "y".to_owned()],
            dependencies: Vec::new(),
        };
        let expected = ["--package a", "--package a --features x", "--package a --features y"];
        let selections: Vec<_> =
            selections(&package).iter().map(|selection| selection.join(" ")).collect();
        assert_eq!(selections, expected);
    }
}
