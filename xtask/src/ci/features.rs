//! The step `features`: each feature of each of our crates compiles alone, and so does none.
//!
//! All features together are compiled by the step `clippy`.

use anyhow::Result;

use super::verdict::Verdict;
use crate::child;
use crate::metadata::{self, Package};
use crate::plugin::HACK;

pub(super) fn check() -> Result<Verdict> {
    let packages = metadata::members()?;
    if HACK.is_present_or_else("`cargo check` is called for each feature") {
        check_with_hack(&packages)?;
    } else {
        packages.iter().flat_map(selections).try_for_each(|selection| {
            child::run(child::cargo(&["check", "--no-default-features"]).args(selection))
        })?;
    }
    Ok(Verdict::Passed)
}

fn check_with_hack(packages: &[Package]) -> Result<()> {
    let mut command = HACK.command(&["check", "--each-feature", "--exclude-all-features"]);
    for package in packages {
        command.args(["--package", &package.name]);
    }
    child::run(&mut command)
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
