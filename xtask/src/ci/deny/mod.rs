//! The step `deny`: licences, banned crates and sources are as `deny.toml` says.
//!
//! cargo-deny does it where it is installed; else we check licences, banned crates and sources from
//! `cargo metadata`, and leave out wildcards and duplicates. Neither looks for advisories: their
//! database is in no package registry, so it cannot be had offline.

mod licence;
mod settings;

use std::fs;

use anyhow::{Context, Result};

use self::settings::Settings;
use super::verdict::{self, Verdict};
use crate::child;
use crate::metadata::{self, Package};
use crate::plugin::DENY;

const FILE: &str = "deny.toml";

pub(super) fn check() -> Result<Verdict> {
    println!("NOTE: advisories are not checked: their database cannot be had offline");
    if DENY.is_present_or_else("we check from `cargo metadata`") {
        let arguments = ["--offline", "check", "licenses", "bans", "sources"];
        child::run(&mut DENY.command(&arguments))?;
        return Ok(Verdict::Passed);
    }
    let file = fs::read_to_string(child::root().join(FILE))
        .with_context(|| format!("cannot read {FILE}"))?;
    let settings = Settings::parse(&file).context(FILE)?;
    let packages = metadata::everything()?;
    println!("{} packages", packages.len());
    verdict::judge(&packages.iter().flat_map(|it| problems(it, &settings)).collect::<Vec<_>>())
}

fn problems(package: &Package, settings: &Settings) -> Vec<String> {
    let found = [
        licence_problem(package, &settings.licences),
        ban_problem(package, &settings.banned),
        source_problem(package),
    ];
    let Package { name, version, .. } = package;
    found.into_iter().flatten().map(|problem| format!("{name} {version}: {problem}")).collect()
}

fn licence_problem(package: &Package, allowed: &[String]) -> Option<String> {
    let Some(expression) = &package.licence else {
        return Some("its manifest states no licence; use another crate".to_owned());
    };
    match licence::is_satisfied(expression, allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "its licence `{expression}` is not allowed; use another crate, or add to \
             licenses.allow in {FILE} what it needs"
        )),
        Err(error) => Some(format!("cannot understand its licence `{expression}`: {error}")),
    }
}

fn ban_problem(package: &Package, banned: &[String]) -> Option<String> {
    banned.contains(&package.name).then(|| {
        let name = &package.name;
        format!("banned in {FILE}, which says why; `cargo tree -i {name}` says who needs it")
    })
}

/// A path of ours has no source.
fn source_problem(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?;
    let from_registry = source.starts_with("registry+");
    (!from_registry).then(|| format!("it comes from {source}; take it from a path or a registry"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Package {
        Package {
            name: "good".to_owned(),
            version: "1.2.3".to_owned(),
            licence: Some("MIT".to_owned()),
            source: Some("registry+https://index.example".to_owned()),
            features: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    fn found(package: &Package) -> String {
        let settings =
            Settings { licences: vec!["MIT".to_owned()], banned: vec!["bad".to_owned()] };
        problems(package, &settings).join("\n")
    }

    #[test]
    fn an_allowed_crate_from_a_registry_or_a_path_passes() {
        assert_eq!(found(&good()), "");
        assert_eq!(found(&Package { source: None, ..good() }), "");
    }

    #[test]
    fn a_licence_that_is_absent_unknown_or_not_allowed_is_a_problem() {
        let with = |licence: Option<&str>| {
            found(&Package { licence: licence.map(str::to_owned), ..good() })
        };
        assert_eq!(with(None), "good 1.2.3: its manifest states no licence; use another crate");
        assert_eq!(
            with(Some("MIT AND GPL-3.0")),
            "good 1.2.3: its licence `MIT AND GPL-3.0` is not allowed; use another crate, or add \
             to licenses.allow in deny.toml what it needs"
        );
        let fault = with(Some("MIT AND"));
        assert!(
            fault.starts_with("good 1.2.3: cannot understand its licence `MIT AND`"),
            "{fault}"
        );
    }

    #[test]
    fn a_banned_crate_is_a_problem() {
        assert_eq!(
            found(&Package { name: "bad".to_owned(), ..good() }),
            "bad 1.2.3: banned in deny.toml, which says why; `cargo tree -i bad` says who needs it"
        );
    }

    #[test]
    fn a_repository_is_a_problem() {
        let source = Some("git+https://example.org/it".to_owned());
        assert_eq!(
            found(&Package { source, ..good() }),
            "good 1.2.3: it comes from git+https://example.org/it; take it from a path or a registry"
        );
    }
}
