//! How a step ended.

use std::fmt;

use anyhow::{Result, bail};

use crate::plugin::Plugin;

/// How a step ended that did not fail.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    /// Nothing was checked, for lack of this.
    Lacks(&'static Plugin),
}

/// Passes if a step found no `problems`; otherwise prints them all.
pub(super) fn judge(problems: &[impl fmt::Display]) -> Result<Verdict> {
    for problem in problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => Ok(Verdict::Passed),
        1 => bail!("1 problem"),
        count => bail!("{count} problems"),
    }
}
