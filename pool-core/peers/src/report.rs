//! What is written: figures as Markdown and JSON, and plots.

mod json;
mod markdown;
mod plots;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::results::Results;
use crate::verdict::Judged;

#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) rounds: u32,
    pub(crate) results: &'a Results,
    pub(crate) judged: &'a [Judged],
}

impl Report<'_> {
    /// Writes everything into this folder, and returns the tables, which can be pasted into
    /// `docs/benchmarks.md` as they are.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<String> {
        let plots = folder.join("plots");
        // An earlier run may have drawn shapes that are none of this one's.
        if plots.exists() {
            fs::remove_dir_all(&plots)
                .with_context(|| format!("cannot empty {}", plots.display()))?;
        }
        fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
        let page = markdown::page(self, &plots::write(self.results, &plots)?);
        fs::write(folder.join("figures.md"), &page)?;
        let json = serde_json::to_string_pretty(&json::page(self))?;
        fs::write(folder.join("figures.json"), json + "\n")?;
        Ok(page)
    }
}

/// A figure with as many digits as say something.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !size.is_finite() => "-".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
