//! The steps of `ci`, in order, by name. Not here: what they do.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;

use super::verdict::Verdict;
use super::{calls, deny, edges, features, peers, smoke, tidy};

/// A step of `ci`. They run in the order written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// The code is formatted.
    Fmt,
    /// Clippy and the compiler have nothing to say.
    Clippy,
    /// The documentation builds without a warning.
    Doc,
    /// Every test passes that needs no driver's server and no receiver of telemetry, those in the
    /// documentation too.
    Test,
    /// The engine's races hold in every order with at most two (or three) preemptions.
    Loom,
    /// Small crowds at the engine lose nothing under some thousand schedules.
    Shuttle,
    /// The drivers' tests pass against real servers, the monitor's beside real receivers, those of
    /// health on servers that something befalls.
    Itest,
    /// Each crate compiles without a warning with each of its features alone, and with none.
    Features,
    /// Clippy has nothing to say of the packages outside the workspace: the models, the benchmarks
    /// beside peers, the soak. What judges in them passes its tests: the verdict on the engine's
    /// figures beside its peers', and what the soak calls wrong.
    Peers,
    /// Our crates depend on each other as ARCHITECTURE.md says.
    Edges,
    /// Licences, banned crates and sources are as deny.toml says.
    Deny,
    /// The house rules hold.
    Tidy,
    /// Words are spelt correctly.
    Typos,
    /// A pool under load for a few seconds makes no mistake.
    Smoke,
    /// A slice of the simulation: whatever happens, the engine breaks no rule.
    Sim,
    /// The engine's tests catch engines that were broken on purpose.
    Mutants,
}

impl Step {
    pub(super) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    pub(super) fn run(self) -> Result<Verdict> {
        match self {
            Self::Fmt => calls::fmt(),
            Self::Clippy => calls::clippy(),
            Self::Doc => calls::doc(),
            Self::Test => calls::test(),
            Self::Loom => calls::loom(),
            Self::Shuttle => calls::shuttle(),
            Self::Itest => calls::itest(),
            Self::Features => features::check(),
            Self::Peers => peers::check(),
            Self::Edges => edges::check(),
            Self::Deny => deny::check(),
            Self::Tidy => tidy::check(),
            Self::Typos => calls::typos(),
            Self::Smoke => smoke::check(),
            Self::Sim => calls::sim(),
            Self::Mutants => calls::mutants(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("bug: no step is hidden");
        f.pad(value.get_name())
    }
}
