//! A search for a setting in the forms that take more than its structure.

use std::collections::BTreeSet;

use super::document::{Advice, Cell, Document, Finding, Section, Table, Tone};
use super::junit::{Case, Suite};
use super::rows::{Rows, field};
use super::svg::{Axis, Colour, Layer, Plot, Shape, Spread, Unit};
use super::{Lines, Printable, unfinished, utc};
use crate::tune::{TuneConclusion, TuneReport, TuneStep};
use crate::words::{grouped, time};

impl Printable for TuneReport {
    fn lines(&self) -> serde_json::Result<Lines> {
        let mut lines = Lines::default();
        for step in &self.steps {
            lines.add("step", step)?;
        }
        lines.add("tune", &Self { steps: Vec::new(), ..self.clone() })?;
        Ok(lines)
    }

    /// A row a run, under the names of its fields in JSON.
    fn rows(&self) -> Rows {
        let fields = [
            "value",
            "verifies",
            "seconds",
            "throughput",
            "response_p50",
            "response_p99",
            "errors",
            "violations",
        ];
        let mut rows = Rows::under(fields);
        rows.rows = self.steps.iter().map(row).collect();
        rows
    }

    fn document(&self) -> Document {
        let began = utc(self.provenance.began_unix_seconds);
        let database = self.database.as_ref().map_or_else(String::new, |name| format!(", {name}"));
        let mut notices: Vec<_> = unfinished(self.outcome, "search").into_iter().collect();
        notices.extend(self.warnings.iter().map(|warning| format!("Warning: {warning}")));
        let sections = vec![
            paste(self),
            Section {
                title: "What was tried".to_owned(),
                plots: plots(self),
                tables: vec![steps(self)],
                ..Section::default()
            },
        ];
        let says_something =
            |part: &Section| part.tables.iter().any(|table| !table.rows.is_empty());
        Document {
            title: format!("{} for {}{database}", self.field, self.system),
            subtitle: about(self),
            notices,
            finding: Some(finding(self)),
            key_figures: Vec::new(),
            sections: sections.into_iter().filter(says_something).collect(),
            footer: format!(
                "Measured by pool-loadtest {} from {began} on.",
                self.provenance.version
            ),
        }
    }

    fn suite(&self) -> Suite {
        let ended = "the search came to its end";
        let ended = match unfinished(self.outcome, "search") {
            None => Case::passed(ended),
            Some(why) => Case::failed(ended, why),
        };
        let name = format!("a value of {} meets: {}", self.field, self.objective);
        let found = match self.conclusion {
            TuneConclusion::Found => Case::passed(name),
            TuneConclusion::Missed => Case::failed(name, &self.summary),
            TuneConclusion::Inconclusive => Case::skipped(name, &self.summary),
        };
        Suite {
            name: "pool-loadtest.tune".to_owned(),
            about: about(self),
            seconds: self.duration_seconds,
            began_unix_seconds: self.provenance.began_unix_seconds,
            cases: vec![ended, found],
            output: self.to_string(),
        }
    }
}

fn about(report: &TuneReport) -> String {
    let TuneReport { workload, field, most, objective, seed, .. } = report;
    format!("{workload}: the smallest {field} up to {most} for {objective}, seed {seed}")
}

fn finding(report: &TuneReport) -> Finding {
    let (label, tone) = match report.conclusion {
        TuneConclusion::Found => ("found", Tone::Good),
        TuneConclusion::Missed => ("missed", Tone::Bad),
        TuneConclusion::Inconclusive => ("inconclusive", Tone::Notice),
    };
    let advice = report.recommendation.as_ref().map(|it| Advice {
        code: format!("{} = {}", it.field, it.value),
        words: format!("with {} confidence: {}", it.confidence.name(), it.reason),
    });
    Finding { label: label.to_owned(), tone, summary: report.summary.clone(), advice }
}

fn paste(report: &TuneReport) -> Section {
    let mut table = Table::new("The setting in each form that a pool reads", &["for", "text"]);
    if let Some(it) = &report.recommendation {
        let paste = &it.paste;
        for (place, text) in [
            ("a TOML file", &paste.toml),
            ("the URL", &paste.url),
            ("the environment", &paste.environment),
            ("Rust", &paste.rust),
        ] {
            table.rows.push(vec![Cell::text(place), Cell::code(text.trim_end())]);
        }
    }
    Section { title: "Ready to paste".to_owned(), tables: vec![table], ..Section::default() }
}

fn row(step: &TuneStep) -> Vec<String> {
    vec![
        step.value.to_string(),
        step.verifies.to_string(),
        step.seconds.to_string(),
        step.throughput.to_string(),
        field(step.response_p50),
        field(step.response_p99),
        step.errors.to_string(),
        missed(step),
    ]
}

fn missed(step: &TuneStep) -> String {
    step.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn rate(value: f64) -> String {
    format!("{}/s", grouped(value.round() as u64))
}

fn steps(report: &TuneReport) -> Table {
    let head = [&*report.field, "run", "throughput", "p50", "p99", "errors", "missed"];
    let mut table = Table::new("The runs, in their order", &head);
    for (number, step) in report.steps.iter().enumerate() {
        let path = |field: &str| format!("steps.{number}.{field}");
        let run = if step.verifies { "longer, to be sure" } else { "first look" };
        table.rows.push(vec![
            Cell::code(step.value.to_string()),
            Cell::text(run),
            Cell::number(path("throughput"), step.throughput, rate),
            Cell::number(path("response_p50"), step.response_p50, time),
            Cell::number(path("response_p99"), step.response_p99, time),
            Cell::number(path("errors"), step.errors as f64, |_| grouped(step.errors)),
            Cell::text(missed(step)),
        ]);
    }
    table
}

fn plots(report: &TuneReport) -> Vec<Plot> {
    let tried: BTreeSet<_> = report.steps.iter().map(|step| step.value).collect();
    let plot = |name, title: &str, y: Axis, figure: fn(&TuneStep) -> Option<f64>| {
        let dots = |verifies: bool| {
            let steps = report.steps.iter().filter(|step| step.verifies == verifies);
            Shape::Dots(steps.map(|step| (step.value as f64, figure(step))).collect())
        };
        let mut layers = vec![Layer::new("first look", Colour::Blue, dots(false))];
        layers.push(Layer::new("longer run", Colour::Orange, dots(true)));
        Plot {
            name,
            title: format!("{title} by {}", report.field),
            description: report.summary.clone(),
            x: Axis::new(&report.field, Unit::Plain, Spread::Logarithmic)
                .with_ticks(tried.iter().map(|value| (*value as f64, value.to_string()))),
            y,
            layers,
            marks: Vec::new(),
        }
    };
    let rate = Axis::new("operations per second", Unit::Plain, Spread::Linear);
    let response = Axis::new("response, logarithmic", Unit::Micros, Spread::Logarithmic);
    let throughput = plot("throughput", "Throughput", rate, |step| Some(step.throughput));
    let p99 = plot("p99", "99th percentile of the response", response, |step| step.response_p99);
    [throughput, p99].into_iter().filter(Plot::has_figures).collect()
}
