//! Who is asked about a mutant: which tests are to catch it, and how they are built.

use std::path::Path;
use std::process::Command;

use super::description;
use crate::child;
use crate::models::Tool;

/// What the description of a patch says, on a line of its own and before the model's name, if one of
/// loom's models is to catch it.
const BY_LOOM: &str = "Caught by: loom ";

/// Who is to catch a mutant.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// The tests that look at everything, in virtual time, so that none hangs.
    Simulation,
    /// The model of this name: what is wrong shows only where threads meet.
    Loom(String),
}

impl Asked {
    /// Who is to catch what a patch breaks.
    pub(super) fn about(patch: &str) -> Self {
        let model = description(patch).lines().find_map(|line| line.strip_prefix(BY_LOOM));
        model.map_or(Self::Simulation, |model| Self::Loom(model.to_owned()))
    }

    /// `cargo test` for the copy of the workspace at `root`.
    pub(super) fn cargo_test(&self, root: &Path) -> Command {
        let mut command = match self {
            Self::Simulation => {
                let mut command = child::cargo(&["test", "--package", "pool-core", "--test", "it"]);
                // Dependencies are compiled already.
                command.arg("--target-dir").arg(child::root().join("target"));
                command
            }
            Self::Loom(_) => {
                // The models' sources lie outside their package: where the original is built, cargo
                // looks at its files, and takes the copy for built.
                let folder = child::root().join("target").join("mutants-loom");
                Tool::Loom.builds(child::cargo(&["test"]), &folder)
            }
        };
        command.current_dir(root);
        command
    }

    /// The package of the tests.
    pub(super) fn package(&self) -> &'static str {
        match self {
            Self::Simulation => "pool-core",
            Self::Loom(_) => "pool-core/models",
        }
    }

    /// What the test program is told to run.
    pub(super) fn tests(&self) -> Vec<&str> {
        match self {
            Self::Simulation => vec!["simulation::", "model::"],
            Self::Loom(model) => vec!["--exact", model],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_a_patch_says_who_is_to_catch_it() {
        let patch = "--- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@\n-one\n+Caught by: loom no\n";
        assert_eq!(Asked::about(&format!("It breaks.\n\n{patch}")), Asked::Simulation);
        let by_loom = Asked::about(&format!("It breaks.\n\nCaught by: loom races::a\n\n{patch}"));
        assert_eq!(by_loom, Asked::Loom("races::a".to_owned()));
        assert_eq!(by_loom.tests(), ["--exact", "races::a"]);
    }
}
