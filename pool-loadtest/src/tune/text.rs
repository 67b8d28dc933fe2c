//! A search as text for people.

use std::fmt::{self, Display, Formatter};

use crate::report::Outcome;
use crate::words::{grouped, paragraph, time};

use super::report::{TuneConclusion, TuneReport, TuneStep};

impl Display for TuneReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => writeln!(f, "{}, {database}", self.system)?,
            None => writeln!(f, "{}", self.system)?,
        }
        if let Some(load) = &self.load {
            writeln!(f, "{}, {}", self.workload, load.in_words())?;
        }
        let Self { field, most, objective, duration_seconds, seed, .. } = self;
        write!(f, "search for {field} up to {most}, for {objective}; ")?;
        write!(f, "{duration_seconds:.1} s, seed {seed}")?;
        match self.outcome {
            Outcome::Completed => writeln!(f, "\n")?,
            Outcome::Interrupted => writeln!(f, "; interrupted, so this is a part\n")?,
            Outcome::Running => writeln!(f, "; not ended, so this is a part\n")?,
            Outcome::Died => writeln!(f, "; died half-way, so this is a part\n")?,
        }
        let width = field.len() + 2;
        writeln!(f, "{field:<width$}{:>12}{:>11}{:>11}", "throughput", "p50", "p99")?;
        self.steps.iter().try_for_each(|step| step.row(f, width))?;
        writeln!(f)?;
        let conclusion = match self.conclusion {
            TuneConclusion::Found => "found",
            TuneConclusion::Missed => "missed",
            TuneConclusion::Inconclusive => "inconclusive",
        };
        paragraph(f, "verdict", &format!("{conclusion}: {}", self.summary))?;
        if let Some(it) = &self.recommendation {
            let confidence = it.confidence.name();
            paragraph(f, "confidence", &format!("{confidence}: {}", it.reason))?;
            writeln!(f)?;
            // As they are, so that they can be copied.
            for (label, text) in [
                ("file", &it.paste.toml),
                ("url", &it.paste.url),
                ("environment", &it.paste.environment),
                ("rust", &it.paste.rust),
            ] {
                for (number, line) in text.lines().enumerate() {
                    writeln!(f, "{:<12}{line}", if number == 0 { label } else { "" })?;
                }
            }
        }
        self.warnings.iter().try_for_each(|warning| paragraph(f, "warning", warning))
    }
}

impl TuneStep {
    fn row(&self, f: &mut Formatter<'_>, width: usize) -> fmt::Result {
        let throughput = grouped(self.throughput.round() as u64) + "/s";
        write!(f, "{:<width$}{throughput:>12}", self.value)?;
        for micros in [self.response_p50, self.response_p99] {
            write!(f, "{:>11}", micros.map_or_else(|| "-".to_owned(), time))?;
        }
        let longer = self.verifies.then(|| "longer".to_owned());
        let missed = self.violations.first().map(|it| format!("missed {}", it.condition));
        let remarks: Vec<_> = longer.into_iter().chain(missed).collect();
        if !remarks.is_empty() {
            write!(f, "  {}", remarks.join(", "))?;
        }
        writeln!(f)
    }
}
