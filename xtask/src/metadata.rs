//! What `cargo metadata` says about packages, as far as the commands need it.
//!
//! No judgement: the steps of `ci` do that.

use std::fmt;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::child;

/// A package of the workspace, or one it depends on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; absent if the manifest names a file, or nothing.
    pub(crate) licence: Option<String>,
    /// Where it comes from; absent for a path.
    pub(crate) source: Option<String>,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a dependency is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Optional,
    Dev,
    Build,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Normal, Self::Optional, Self::Dev, Self::Build];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Optional => "optional",
            Self::Dev => "dev",
            Self::Build => "build",
        })
    }
}

/// The packages of the workspace.
///
/// # Errors
///
/// `cargo metadata` fails, or says something unexpected.
pub(crate) fn members() -> Result<Vec<Package>> {
    packages(&["--no-deps"])
}

/// The packages of the workspace and all they depend on, on any platform, with every feature.
///
/// # Errors
///
/// `cargo metadata` fails, or says something unexpected.
pub(crate) fn everything() -> Result<Vec<Package>> {
    packages(&["--all-features"])
}

/// Fails if the workspace has no package `name`.
///
/// # Errors
///
/// It has none, or `cargo metadata` fails.
pub(crate) fn require_member(name: &str) -> Result<()> {
    if !members()?.iter().any(|package| package.name == name) {
        bail!("the crate `{name}` is not in the workspace; add it to `members` in Cargo.toml");
    }
    Ok(())
}

fn packages(options: &[&str]) -> Result<Vec<Package>> {
    let mut command = child::cargo(&["metadata", "--format-version", "1"]);
    let json = child::read(command.args(options))?;
    parse(&json).context("cannot understand the output of `cargo metadata`")
}

fn parse(json: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(json)?;
    array(&metadata, "packages")?.iter().map(package).collect()
}

fn package(value: &Value) -> Result<Package> {
    let features = value["features"].as_object().context("no table `features`")?;
    Ok(Package {
        name: string(value, "name")?,
        version: string(value, "version")?,
        licence: string(value, "license").ok(),
        source: string(value, "source").ok(),
        features: features.keys().cloned().collect(),
        dependencies: array(value, "dependencies")?
            .iter()
            .map(dependency)
            .collect::<Result<_>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    let kind = match (value["kind"].as_str(), value["optional"].as_bool()) {
        (Some("dev"), _) => Kind::Dev,
        (Some("build"), _) => Kind::Build,
        (None, Some(true)) => Kind::Optional,
        (None, _) => Kind::Normal,
        (Some(other), _) => bail!("unknown kind of dependency `{other}`"),
    };
    Ok(Dependency { name: string(value, "name")?, kind })
}

fn string(value: &Value, key: &str) -> Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("no string `{key}`"))
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key].as_array().with_context(|| format!("no list `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_features_and_kinds_of_dependency() {
        let json = r#"{ "packages": [{
            "name": "a", "version": "1.2.3", "license": "MIT", "source": null,
            "features": { "default": ["x"], "x": [] },
            "dependencies": [
                { "name": "b", "kind": null, "optional": false },
                { "name": "c", "kind": null, "optional": true },
                { "name": "d", "kind": "dev", "optional": false },
                { "name": "e", "kind": "build", "optional": false }
            ]
        }] }"#;
        let dependency = |name: &str, kind| Dependency { name: name.to_owned(), kind };
        let expected = Package {
            name: "a".to_owned(),
            version: "1.2.3".to_owned(),
            licence: Some("MIT".to_owned()),
            source: None,
            features: vec!["default".to_owned(), "x".to_owned()],
            dependencies: vec![
                dependency("b", Kind::Normal),
                dependency("c", Kind::Optional),
                dependency("d", Kind::Dev),
                dependency("e", Kind::Build),
            ],
        };
        assert_eq!(parse(json).expect("valid"), [expected]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = parse(r#"{ "packages": [{ "features": {} }] }"#).expect_err("no name");
        assert_eq!(error.to_string(), "no string `name`");
    }
}
