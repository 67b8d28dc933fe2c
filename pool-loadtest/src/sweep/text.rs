//! A sweep as text for people.

use std::fmt::{self, Display, Formatter};

use crate::report::Outcome;
use crate::words::{counted, grouped, paragraph, percent, time};

use super::report::{Estimate, SweepCell, SweepReport};

/// The titles of the figures, and how wide they are.
const COLUMNS: [(&str, usize); 6] =
    [("throughput", 11), ("with 95 %", 17), ("p50", 9), ("p99", 9), ("errors", 8), ("busy", 7)];

impl Display for SweepReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        self.table(f)?;
        writeln!(f)?;
        for cell in &self.cells {
            if let Some(first) = cell.failed.first() {
                let name = cell.values.join(", ");
                let failed = counted(cell.failed.len() as u64, "run");
                paragraph(f, "failed", &format!("{name}: {failed}, first: {}", first.detail))?;
            }
        }
        if let Some(law) = &self.scalability {
            let words = format!(
                "lambda {:.1}/s, sigma {:.4} (contention), kappa {:.6} (coherency), R² {:.3}",
                law.lambda, law.sigma, law.kappa, law.r_squared
            );
            paragraph(f, "scalability", &words)?;
        }
        paragraph(f, "verdict", &self.verdict.summary)?;
        self.warnings.iter().try_for_each(|warning| paragraph(f, "warning", warning))
    }
}

impl SweepReport {
    fn heading(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => writeln!(f, "{}, {database}", self.system)?,
            None => writeln!(f, "{}", self.system)?,
        }
        if let Some(load) = &self.load {
            writeln!(f, "{}, {}", self.workload, load.in_words())?;
        }
        let fields: Vec<_> = self.settings.iter().map(|setting| &*setting.field).collect();
        let (cells, repeats) = (self.cells.len() as u64, u64::from(self.repeats));
        write!(
            f,
            "sweep of {}: {} with {} of {:.1} s each, seed {}",
            fields.join(" and "),
            counted(cells, "cell"),
            counted(repeats, "run"),
            self.run_seconds,
            self.seed
        )?;
        match self.outcome {
            Outcome::Completed => writeln!(f, "\n"),
            Outcome::Interrupted => writeln!(f, "; interrupted, so this is a part\n"),
            Outcome::Running => writeln!(f, "; not ended, so this is a part\n"),
            Outcome::Died => writeln!(f, "; died half-way, so this is a part\n"),
        }
    }

    /// The settings' values on the left, figures on the right.
    fn table(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self
            .settings
            .iter()
            .map(|setting| {
                let longest = setting.values.iter().map(|value| value.chars().count()).max();
                longest.unwrap_or(0).max(setting.field.len()) + 2
            })
            .collect();
        for (setting, &width) in self.settings.iter().zip(&widths) {
            write!(f, "{:<width$}", setting.field)?;
        }
        COLUMNS.iter().try_for_each(|(title, width)| write!(f, "{title:>width$}"))?;
        writeln!(f)?;
        for (number, cell) in self.cells.iter().enumerate() {
            for (value, &width) in cell.values.iter().zip(&widths) {
                write!(f, "{value:<width$}")?;
            }
            cell.row(f)?;
            let marks = [
                (self.verdict.best, "best"),
                (self.verdict.enough, "enough"),
                (self.verdict.knee, "knee"),
            ];
            let marks: Vec<_> = marks
                .iter()
                .filter(|(cell, _)| *cell == Some(number))
                .map(|(_, mark)| *mark)
                .collect();
            if !marks.is_empty() {
                write!(f, "  {}", marks.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl SweepCell {
    fn row(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let none = || "-".to_owned();
        let rate = |rate: f64| grouped(rate.round() as u64);
        let throughput = self.throughput.map_or_else(none, |it| rate(it.mean) + "/s");
        let interval = match self.throughput {
            Some(Estimate { low: Some(low), high: Some(high), .. }) => {
                format!("{}-{}", rate(low), rate(high))
            }
            _ => none(),
        };
        let latency =
            |latency: Option<Estimate>| latency.map_or_else(none, |latency| time(latency.mean));
        let share = |share: Option<f64>| match share {
            Some(share) if share > 0.0 && share < 0.01 => "<1 %".to_owned(),
            share => share.map_or_else(none, percent),
        };
        let figures = [
            throughput,
            interval,
            latency(self.response_p50),
            latency(self.response_p99),
            share(self.errors),
            share(self.utilisation),
        ];
        let columns = figures.iter().zip(COLUMNS);
        columns.into_iter().try_for_each(|(figure, (_, width))| write!(f, "{figure:>width$}"))
    }
}
