//! A line of the table that is printed.

use std::fmt;

/// What is asked of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// A figure with all its values, sorted.
#[derive(Debug)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
    target: Option<Target>,
}

impl Figure {
    pub(crate) fn new(
        name: impl Into<String>,
        unit: &'static str,
        mut values: Vec<f64>,
        target: Option<Target>,
    ) -> Self {
        assert!(!values.is_empty(), "bug: a figure is measured at least once");
        values.sort_by(f64::total_cmp);
        Self { name: name.into(), unit, values, target }
    }

    fn quantile(&self, part: f64) -> f64 {
        self.values[((self.values.len() - 1) as f64 * part).round() as usize]
    }

    /// By its median.
    pub(crate) fn is_missed(&self) -> bool {
        match self.target {
            Some(Target::AtMost(most)) => self.quantile(0.5) > most,
            Some(Target::AtLeast(least)) => self.quantile(0.5) < least,
            None => false,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, target, values } = self;
        write!(f, "| {name} | {:.1} {unit} | ", self.quantile(0.5))?;
        match values.len() {
            1 => write!(f, "one value | ")?,
            _ => write!(f, "{:.1} to {:.1} | ", self.quantile(0.1), self.quantile(0.9))?,
        }
        match target {
            Some(Target::AtMost(most)) => write!(f, "at most {most} {unit}")?,
            Some(Target::AtLeast(least)) => write!(f, "at least {least} {unit}")?,
            None => {}
        }
        write!(f, "{} |", if self.is_missed() { ", missed" } else { "" })
    }
}
