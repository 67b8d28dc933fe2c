//! The models of the engine (`pool-core/models`) under a tool that chooses their interleavings: how
//! they are built and listed. What is run of them, and what a failure leads to, is in the
//! commands named after the tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::child;
use crate::plugin::CLIPPY;

const MANIFEST: &str = "pool-core/models/Cargo.toml";

/// What chooses the interleavings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Loom,
    Shuttle,
}

impl Tool {
    pub(crate) const ALL: [Self; 2] = [Self::Loom, Self::Shuttle];

    const fn name(self) -> &'static str {
        match self {
            Self::Loom => "loom",
            Self::Shuttle => "shuttle",
        }
    }

    /// Everything is built anew under the tool's `--cfg`, so it has a folder of its own.
    pub(crate) fn folder(self) -> PathBuf {
        child::root().join("target").join(self.name())
    }

    /// `cargo test ARGUMENTS -- ...`
    pub(crate) fn tests(self, arguments: &[&str]) -> Command {
        let mut command = self.builds(child::cargo(&["test"]), &self.folder());
        command.args(arguments).arg("--");
        command
    }

    /// Clippy on the engine and its models as the tool sees them.
    pub(crate) fn clippy(self) -> Command {
        let mut command = self.builds(CLIPPY.command(&[]), &self.folder());
        command.args(["--", "-D", "warnings"]);
        command
    }

    /// `command` of cargo, for the test program of the models, built in `folder`.
    pub(crate) fn builds(self, mut command: Command, folder: &Path) -> Command {
        command.args(["--release", "--locked", "--test", "it", "--manifest-path", MANIFEST]);
        command.arg("--target-dir").arg(folder);
        command.env("RUSTFLAGS", format!("--cfg pool_{} -D warnings", self.name()));
        command
    }

    /// The names of the models, with `filter` in them if there is one.
    ///
    /// # Errors
    ///
    /// They do not compile, or there is none.
    pub(crate) fn models(self, filter: Option<&str>) -> Result<Vec<String>> {
        let mut command = self.tests(&[]);
        let listed = child::read(command.arg("--list").args(filter))?;
        let models = models_in(&listed);
        ensure!(!models.is_empty(), "no model for {} has that name", self.name());
        Ok(models)
    }
}

/// Out of what a test program lists.
fn models_in(listed: &str) -> Vec<String> {
    listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_the_tests_that_a_test_program_lists() {
        let listed = "races::a: test\nraces::b: test\n\n2 tests, 0 benchmarks\n";
        assert_eq!(models_in(listed), ["races::a", "races::b"]);
    }
}
