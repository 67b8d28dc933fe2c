//! A comparison in the forms that take more than its structure.

mod plots;

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::document::{Cell, Document, Finding, Section, Table, Tone};
use super::junit::{Case, Suite};
use super::rows::{Rows, field};
use super::{Lines, Printable};
use crate::compare::{Comparison, ComparisonVerdict, FigureComparison, signed, signless};
use crate::condition::shown;
use crate::metric::{Metric, MetricUnit};
use crate::report::Report;

/// A comparison beside the runs that it is of, whose seconds its page shows. Its JSON is the comparison.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct ComparedRuns<'a> {
    pub(crate) comparison: &'a Comparison,
    #[serde(skip)]
    pub(crate) before: &'a Report,
    #[serde(skip)]
    pub(crate) after: &'a Report,
}

impl Display for ComparedRuns<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.comparison.fmt(f)
    }
}

impl Printable for ComparedRuns<'_> {
    fn lines(&self) -> serde_json::Result<Lines> {
        let mut lines = Lines::default();
        for figure in &self.comparison.figures {
            lines.add("figure", figure)?;
        }
        let whole = Comparison { figures: Vec::new(), ..self.comparison.clone() };
        lines.add("compare", &whole)?;
        Ok(lines)
    }

    /// A row a figure, under the names of its fields in JSON.
    fn rows(&self) -> Rows {
        let fields =
            ["metric", "before", "after", "change", "low", "high", "probability", "verdict"];
        let mut rows = Rows::under(fields);
        rows.rows = self.comparison.figures.iter().map(row).collect();
        rows
    }

    fn document(&self) -> Document {
        let Self { comparison, before, after } = self;
        let threshold = signless(comparison.threshold);
        let differences = comparison.differences.iter();
        let notices = differences.map(|it| format!("Hard to compare: {it}")).collect();
        let seconds = plots::throughput(before, after).map(|plot| Section {
            title: "Seconds".to_owned(),
            plots: vec![plot],
            ..Section::default()
        });
        let figures = Section {
            title: "Figures".to_owned(),
            paragraphs: comparison.notes.clone(),
            plots: plots::changes(comparison).into_iter().collect(),
            tables: vec![table(comparison)],
        };
        Document {
            title: "Two runs compared".to_owned(),
            subtitle: format!("What differs by less than {threshold} does not matter."),
            notices,
            finding: Some(Finding {
                label: comparison.verdict.name().to_owned(),
                tone: tone(comparison.verdict),
                summary: comparison.summary.clone(),
                advice: None,
            }),
            sections: [figures].into_iter().chain(seconds).collect(),
            footer:
                "A figure has changed if it differs by more than the threshold and by more than \
                     chance would have it; it is unchanged if a change of twice the threshold can be \
                     excluded."
                    .to_owned(),
            ..Document::default()
        }
    }

    fn suite(&self) -> Suite {
        let cases = self.comparison.figures.iter().map(|figure| {
            let name = format!("{}: no worse", figure.metric);
            match figure.verdict {
                ComparisonVerdict::Regressed => Case::failed(name, &figure.detail),
                ComparisonVerdict::Inconclusive => Case::skipped(name, &figure.detail),
                ComparisonVerdict::Unchanged | ComparisonVerdict::Improved => Case::passed(name),
            }
        });
        Suite {
            name: "pool-loadtest.compare".to_owned(),
            about: self.comparison.summary.clone(),
            seconds: 0.0,
            began_unix_seconds: 0,
            cases: cases.collect(),
            output: self.to_string(),
        }
    }
}

const fn tone(verdict: ComparisonVerdict) -> Tone {
    match verdict {
        ComparisonVerdict::Unchanged | ComparisonVerdict::Improved => Tone::Good,
        ComparisonVerdict::Regressed => Tone::Bad,
        ComparisonVerdict::Inconclusive => Tone::Notice,
    }
}

fn row(figure: &FigureComparison) -> Vec<String> {
    vec![
        figure.metric.clone(),
        field(figure.before),
        field(figure.after),
        field(figure.change),
        field(figure.low),
        field(figure.high),
        field(figure.probability),
        figure.verdict.name().to_owned(),
    ]
}

fn table(comparison: &Comparison) -> Table {
    let head = ["figure", "before", "after", "change", "with 95 %", "verdict"];
    let mut table = Table::new("The earlier run and the later one", &head);
    for (number, figure) in comparison.figures.iter().enumerate() {
        let unit = figure.metric.parse().map_or(MetricUnit::Count, |it: Metric| it.unit());
        let show = |value| shown(value, unit);
        let signed = |share| signed(share, unit);
        let path = |field: &str| format!("figures.{number}.{field}");
        let interval = match (figure.low, figure.high) {
            // In one line, however narrow the screen is.
            (Some(low), Some(high)) => {
                format!("{} to {}", signed(low), signed(high)).replace(' ', "\u{a0}")
            }
            _ => figure.detail.clone(),
        };
        table.rows.push(vec![
            Cell::code(&figure.metric),
            Cell::number(path("before"), figure.before, show),
            Cell::number(path("after"), figure.after, show),
            Cell::number(path("change"), figure.change, signed),
            Cell::text(interval),
            Cell::text(figure.verdict.name()),
        ]);
    }
    table
}
