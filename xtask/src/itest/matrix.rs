//! The closing table of `itest`: a line for each run of a suite. Not here: running them.

use std::fmt;
use std::time::Duration;

use super::count::Count;

/// How one run of a suite ended.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) servers: String,
    pub(super) suite: &'static str,
    pub(super) outcome: Outcome,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Ran {
        count: Count,
        /// What was not tried, a line each, with the reasons.
        not_tried: Vec<String>,
        took: Duration,
    },
    /// It did not run, and that is no failure: why, in as many lines as that takes.
    Skipped(String),
    /// It did not run, and should have.
    Failed(String),
}

/// The cells so far.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    pub(super) cells: Vec<Cell>,
}

impl Cell {
    pub(super) fn has_failed(&self) -> bool {
        match &self.outcome {
            Outcome::Ran { count, .. } => count.failed > 0,
            Outcome::Skipped(_) => false,
            Outcome::Failed(_) => true,
        }
    }
}

impl Matrix {
    pub(super) fn has_failed(&self) -> bool {
        self.cells.iter().any(Cell::has_failed)
    }

    fn count(&self, counted: impl Fn(&Cell) -> bool) -> usize {
        self.cells.iter().filter(|cell| counted(cell)).count()
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.cells.iter().map(|cell| cell.servers.len()).max().unwrap_or(0).max(6);
        let not_tried = "not tried";
        writeln!(
            f,
            "{:<widest$}  {:<14}{:>8}{:>8}{not_tried:>11}{:>10}",
            "server", "suite", "passed", "failed", "seconds"
        )?;
        for Cell { servers, suite, outcome } in &self.cells {
            write!(f, "{servers:<widest$}  {suite:<14}")?;
            match outcome {
                Outcome::Ran { count: Count { passed, failed }, not_tried, took } => {
                    let (untried, took) = (not_tried.len(), took.as_secs_f64());
                    writeln!(f, "{passed:>8}{failed:>8}{untried:>11}{took:>10.1}")?;
                }
                Outcome::Skipped(why) => writeln!(f, "  SKIPPED: {}", brief(why))?,
                Outcome::Failed(why) => writeln!(f, "  FAILED: {}", brief(why))?,
            }
        }
        for Cell { servers, suite, outcome } in &self.cells {
            if let Outcome::Ran { not_tried, .. } = outcome {
                for line in not_tried {
                    writeln!(f, "{suite} on {servers}: {line}")?;
                }
            }
        }
        let skipped = self.count(|cell| matches!(cell.outcome, Outcome::Skipped(_)));
        let failed = self.count(Cell::has_failed);
        write!(f, "\n{} passed, {failed} failed", self.cells.len() - failed - skipped)?;
        if skipped > 0 { write!(f, ", {skipped} skipped") } else { Ok(()) }
    }
}

/// What failed, and the last that was said about it. All of it was shown when it happened.
fn brief(why: &str) -> String {
    let mut lines = why.lines();
    [lines.next(), lines.next_back()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_line_and_the_last_line_counts_them() {
        let ran = |passed, failed| Outcome::Ran {
            count: Count { passed, failed },
            not_tried: vec!["not tried: a: because".to_owned()],
            took: Duration::from_millis(1_250),
        };
        let cell =
            |servers: &str, outcome| Cell { servers: servers.to_owned(), suite: "pool-x", outcome };
        let matrix = Matrix {
            cells: vec![
                cell("postgres-15", ran(12, 0)),
                cell("mysql", Outcome::Skipped("it cannot be had".to_owned())),
                cell("-", ran(3, 1)),
                cell("mariadb", Outcome::Failed("it ended:\nready\nno room".to_owned())),
            ],
        };
        let expected = "\
server       suite           passed  failed  not tried   seconds
postgres-15  pool-x              12       0          1       1.2
mysql        pool-x          SKIPPED: it cannot be had
-            pool-x               3       1          1       1.2
mariadb      pool-x          FAILED: it ended: no room
pool-x on postgres-15: not tried: a: because
pool-x on -: not tried: a: because

1 passed, 2 failed, 1 skipped";
        assert_eq!(matrix.to_string(), expected);
        assert!(matrix.has_failed());
    }
}
