//! A comparison in the forms that take more than its structure.

use super::document::{Cell, Document, Finding, Section, Table, Tone};
use super::junit::{Case, Suite};
use super::rows::{Rows, field};
use super::{Lines, Printable};
use crate::compare::{Comparison, ComparisonVerdict, FigureComparison, signed, signless};
use crate::condition::shown;
use crate::metric::{Metric, MetricUnit};

impl Printable for Comparison {
    fn lines(&self) -> serde_json::Result<Lines> {
        let mut lines = Lines::default();
        for figure in &self.figures {
            lines.add("figure", figure)?;
        }
        lines.add("compare", &Self { figures: Vec::new(), ..self.clone() })?;
        Ok(lines)
    }

    /// A row a figure, under the names of its fields in JSON.
    fn rows(&self) -> Rows {
        let fields =
            ["metric", "before", "after", "change", "low", "high", "probability", "verdict"];
        let mut rows = Rows::under(fields);
        rows.rows = self.figures.iter().map(row).collect();
        rows
    }

    fn document(&self) -> Document {
        let threshold = signless(self.threshold);
        let differences = self.differences.iter();
        let notices = differences.map(|it| format!("Hard to compare: {it}")).collect();
        Document {
            title: "Two runs compared".to_owned(),
            subtitle: format!("What differs by less than {threshold} does not matter."),
            notices,
            finding: Some(Finding {
                label: self.verdict.name().to_owned(),
                tone: tone(self.verdict),
                summary: self.summary.clone(),
                advice: None,
            }),
            sections: vec![Section {
                title: "Figures".to_owned(),
                paragraphs: self.notes.clone(),
                tables: vec![table(self)],
                ..Section::default()
            }],
            footer:
                "A figure has changed if it differs by more than the threshold and by more than \
                     chance would have it."
                    .to_owned(),
            ..Document::default()
        }
    }

    fn suite(&self) -> Suite {
        let cases = self.figures.iter().map(|figure| {
            let name = format!("{}: no worse", figure.metric);
            match figure.verdict {
                ComparisonVerdict::Regressed => Case::failed(name, &figure.detail),
                ComparisonVerdict::Inconclusive => Case::skipped(name, &figure.detail),
                ComparisonVerdict::Unchanged | ComparisonVerdict::Improved => Case::passed(name),
            }
        });
        Suite {
            name: "pool-loadtest.compare".to_owned(),
            about: self.summary.clone(),
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
