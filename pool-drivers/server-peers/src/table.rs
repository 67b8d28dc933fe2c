//! What was measured, as a table, and beside its targets.

use pool_testkit::measure::{Figure, Report, Target};

use crate::contender::{Contender, Round};

/// The contenders of a server; the first is the raw connections.
pub(crate) struct Table<'a>(pub(crate) &'a [Contender]);

impl Table<'_> {
    pub(crate) fn print(&self) {
        println!(
            "| | a second | x raw | fairness | p50 ms | p99 ms | p99.9 ms | cpu us | server's |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for Contender { name, rounds, .. } in self.0 {
            let median = |figure: fn(&Round) -> f64| figure_of(rounds, figure).median();
            println!(
                "| {name} | {:.0} | {:.2} | {:.3} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} |",
                median(|round| round.per_second),
                self.beside(name, self.0[0].name).median(),
                median(|round| round.fairness),
                median(|round| round.p50),
                median(|round| round.p99),
                median(|round| round.p999),
                median(|round| round.cpu.ours),
                median(|round| round.cpu.server),
            );
        }
    }

    /// Holds what one did against what another did in the same round.
    pub(crate) fn demand(&self, name: &str, least: f64, of: &str, report: &mut Report) {
        let ratio = self.beside(name, of);
        report.figure(&format!("{name} / {of}"), &ratio, Target::AtLeast(least));
    }

    /// Holds one against what every pool owes its users.
    pub(crate) fn demand_fairness(&self, name: &str, report: &mut Report) {
        let rounds = &self.find(name).rounds;
        let fairness = figure_of(rounds, |round| round.fairness);
        report.figure(&format!("{name}, fairness"), &fairness, Target::AtLeast(0.97));
        let tail = figure_of(rounds, |round| round.p999 / round.p50);
        report.figure(&format!("{name}, p99.9 / p50"), &tail, Target::AtMost(4.0));
    }

    fn beside(&self, name: &str, of: &str) -> Figure {
        let rounds = self.find(name).rounds.iter().zip(&self.find(of).rounds);
        Figure::new(rounds.map(|(one, other)| one.per_second / other.per_second).collect())
    }

    fn find(&self, name: &str) -> &Contender {
        self.0.iter().find(|contender| contender.name == name).expect("a contender of the table")
    }
}

fn figure_of(rounds: &[Round], figure: fn(&Round) -> f64) -> Figure {
    Figure::new(rounds.iter().map(figure).collect())
}
