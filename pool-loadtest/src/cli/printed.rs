//! A run with what was seen beside it, which its report does not hold: all that is printed of it.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

use super::criteria::Judgement;
use super::health::HealthSeen;
use super::monitor::Seen;
use crate::forms::{
    Case, CaseOutcome, Cell, Document, Lines, Printable, Rows, Section, Suite, Table, run,
};
use crate::report::Report;

/// What is printed of a run; its JSON is this structure.
#[derive(JsonSchema, Serialize)]
pub(super) struct PrintedRun<'a> {
    #[serde(flatten)]
    pub(super) report: &'a Report,
    /// How the pool was when the load began, and each change since.
    pub(super) health: &'a HealthSeen,
    /// Nothing, if nobody watched.
    #[serde(flatten)]
    pub(super) seen: &'a Seen,
    /// What the run was held to; nothing, if it was to nothing.
    #[serde(flatten)]
    pub(super) judgement: &'a Judgement,
}

impl Display for PrintedRun<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { report, health, seen, judgement } = self;
        write!(f, "{report}{health}{seen}{judgement}")
    }
}

impl Printable for PrintedRun<'_> {
    fn lines(&self) -> serde_json::Result<Lines> {
        let mut lines = Lines::default();
        for point in &self.report.series {
            lines.add("point", point)?;
        }
        let totals = Report { series: Vec::new(), histograms: None, ..self.report.clone() };
        lines.add("run", &PrintedRun { report: &totals, ..*self })?;
        Ok(lines)
    }

    fn rows(&self) -> Rows {
        run::rows(self.report)
    }

    fn document(&self) -> Document {
        let mut document = run::document(self.report, &self.health.happenings());
        document.sections.extend(thresholds(&self.judgement.cases()));
        let advice = self.seen.to_string();
        if !advice.is_empty() {
            let paragraphs = vec![advice.split_whitespace().collect::<Vec<_>>().join(" ")];
            let title = "What the advisor says".to_owned();
            document.sections.push(Section { title, paragraphs, ..Section::default() });
        }
        document
    }

    fn suite(&self) -> Suite {
        run::suite(self.report, self.judgement.cases())
    }

    fn run(&self) -> Option<&Report> {
        Some(self.report)
    }
}

/// What the run was held to, if it was to anything.
fn thresholds(cases: &[Case]) -> Option<Section> {
    let head = ["threshold", "result", "detail"];
    let mut table = Table::new("What the run was held to", &head);
    table.rows = cases
        .iter()
        .map(|case| {
            let (result, detail) = match &case.outcome {
                CaseOutcome::Passed => ("kept", ""),
                CaseOutcome::Failed(why) => ("MISSED", &**why),
                CaseOutcome::Skipped(why) => ("not known", &**why),
            };
            [&*case.name, result, detail].map(Cell::text).into()
        })
        .collect();
    let title = "Thresholds".to_owned();
    (!cases.is_empty()).then(|| Section { title, tables: vec![table], ..Section::default() })
}
