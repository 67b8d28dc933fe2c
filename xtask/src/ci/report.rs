//! The closing table of `ci`. Its last line reads as the end of a test run, which is how those who
//! run `ci` tell how it went.

use std::fmt;
use std::time::Duration;

use super::step::Step;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    Skipped,
    /// An earlier step failed.
    NotRun,
}

/// How the steps so far ended.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    step: Step,
    outcome: Outcome,
    took: Duration,
}

impl Report {
    /// Adds a step that was run, and says so.
    pub(super) fn add(&mut self, step: Step, outcome: Outcome, took: Duration) {
        println!("== {step}: {outcome} ({:.1} s)", took.as_secs_f64());
        self.rows.push(Row { step, outcome, took });
    }

    pub(super) fn add_not_run(&mut self, step: Step) {
        self.rows.push(Row { step, outcome: Outcome::NotRun, took: Duration::ZERO });
    }

    pub(super) fn has_failed(&self) -> bool {
        self.count(Outcome::Failed) > 0
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }

    /// What passed and failed always, the rest if there is any.
    fn closing_line(&self) -> String {
        let count = |(outcome, word)| (self.count(outcome), outcome, word);
        [
            (Outcome::Passed, "passed"),
            (Outcome::Failed, "failed"),
            (Outcome::Skipped, "skipped"),
            (Outcome::NotRun, "not run"),
        ]
        .map(count)
        .iter()
        .filter(|(count, outcome, _)| {
            *count > 0 || matches!(outcome, Outcome::Passed | Outcome::Failed)
        })
        .map(|(count, _, word)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { step, outcome, took } in &self.rows {
            writeln!(f, "{step:<10}{outcome:<10}{:>8.1} s", took.as_secs_f64())?;
        }
        let total: Duration = self.rows.iter().map(|row| row.took).sum();
        writeln!(f, "{:<20}{:>8.1} s\n", "total", total.as_secs_f64())?;
        f.write_str(&self.closing_line())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotRun => "not run",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[Outcome]) -> Report {
        let row = |(step, outcome): (&Step, &Outcome)| Row {
            step: *step,
            outcome: *outcome,
            took: Duration::from_millis(1_250),
        };
        Report { rows: Step::all().iter().zip(outcomes).map(row).collect() }
    }

    #[test]
    fn the_last_line_counts_what_passed_and_failed() {
        let report = report(&[Outcome::Passed, Outcome::Passed]);
        assert_eq!(report.to_string().lines().last(), Some("2 passed, 0 failed"));
        assert!(!report.has_failed());
    }

    #[test]
    fn skipped_steps_and_those_not_run_are_counted_where_there_are_any() {
        let report = report(&[Outcome::Passed, Outcome::Skipped, Outcome::Failed, Outcome::NotRun]);
        assert_eq!(report.closing_line(), "1 passed, 1 failed, 1 skipped, 1 not run");
        assert!(report.has_failed());
    }

    #[test]
    fn the_table_has_a_line_for_each_step_and_the_total() {
        let table = report(&[Outcome::Passed, Outcome::Skipped]).to_string();
        let expected = [
            "fmt       ok             1.2 s",
            "clippy    skipped        1.2 s",
            "total                    2.5 s",
        ];
        assert_eq!(table.lines().take(3).collect::<Vec<_>>(), expected);
    }
}
