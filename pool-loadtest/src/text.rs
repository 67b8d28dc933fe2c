//! A report as text for people.

use std::fmt::{self, Display, Formatter};

use pool_core::PoolConfig;

use crate::recorder::Unfinished;
use crate::report::{Invariant, Latency, Outcome, Report};
use crate::verdict::Limit;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        self.latencies(f)?;
        self.pool(f)?;
        self.findings(f)
    }
}

impl Report {
    fn heading(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { system, tasks, duration_seconds, seed, .. } = self;
        let database = self.database.as_deref().unwrap_or("unnamed");
        writeln!(f, "{system} {database}")?;
        let connections = match self.config.max_open {
            PoolConfig::UNLIMITED => "any number of connections".to_owned(),
            1 => "1 connection".to_owned(),
            most => format!("at most {most} connections"),
        };
        write!(f, "{tasks} tasks over {connections}, {duration_seconds:.1} s, seed {seed}")?;
        match self.outcome {
            Outcome::Completed => writeln!(f, "\n")?,
            Outcome::Interrupted => writeln!(f, "; interrupted, so this is a part\n")?,
        }
        let (operations, errors) = (grouped(self.operations), grouped(self.errors));
        let throughput = grouped(self.throughput.round() as u64);
        writeln!(f, "throughput  {throughput}/s ({operations} operations, {errors} errors)")?;
        for group in &self.error_groups {
            writeln!(f, "  {} x {}: {}", grouped(group.count), group.kind, group.first)?;
        }
        Ok(())
    }

    fn latencies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let titles = ["p50", "p90", "p99", "p99.9", "max"];
        write!(f, "\n{:<10}", "")?;
        titles.iter().try_for_each(|title| write!(f, "{title:>11}"))?;
        writeln!(f)?;
        for (name, latency) in
            [("wait", self.wait), ("service", self.service), ("response", self.response)]
        {
            let Latency { p50, p90, p99, p99_9, max, .. } = latency;
            write!(f, "{name:<10}")?;
            [p50, p90, p99, p99_9, max].iter().try_for_each(|t| write!(f, "{:>11}", time(*t)))?;
            writeln!(f)?;
        }
        let Unfinished { waiting, dropped } = self.unfinished;
        let ends = [
            (self.late, "finished after the time was up"),
            (waiting, "still waiting then"),
            (dropped, "dropped at work"),
        ];
        if ends.iter().any(|(count, _)| *count > 0) {
            writeln!(f, "{:<10}  {}; each is timed up to its end", "", list(&ends))?;
        }
        writeln!(
            f,
            "{:<10}  closed loop: a task asks again only after its answer, so arrivals",
            ""
        )?;
        writeln!(f, "{:<10}  that do not wait for each other would see longer times", "")
    }

    fn pool(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let pool = &self.pool;
        let busy = pool.utilisation * 100.0;
        writeln!(
            f,
            "\npool        {} open, {} in use now, at most {} at once, {busy:.0} % busy on average",
            pool.open, self.in_use, pool.peak_in_use
        )?;
        let acquires = &pool.acquires;
        let ends = [
            (acquires.immediate, "at once"),
            (acquires.waited, "after waiting"),
            (acquires.opened, "after a connect"),
            (acquires.timed_out, "timed out"),
            (acquires.queue_full, "refused by a full queue"),
            (acquires.closed, "refused by a closed pool"),
            (acquires.connect_failed, "failed to connect"),
            (acquires.no_runtime, "without a runtime"),
            (acquires.cancelled, "given up"),
        ];
        writeln!(f, "acquires    {}", list(&ends))?;
        let opened = [(pool.opened, "opened"), (pool.open_failed, "failed to open")];
        write!(f, "connections {}", list(&opened))?;
        let closed: Vec<_> = pool.closed.iter().map(|(reason, count)| (*count, *reason)).collect();
        match closed.iter().map(|(count, _)| count).sum::<u64>() {
            0 => writeln!(f, ", none closed"),
            sum => writeln!(f, ", {} closed ({})", grouped(sum), list(&closed)),
        }
    }

    fn findings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let invariant = match self.invariant {
            Invariant::Held => "held",
            Invariant::Broken => "BROKEN",
            Invariant::Unchecked => "could not be checked",
        };
        writeln!(f, "\ninvariant   {invariant}: {}", self.invariant_detail)?;
        let limit = match self.verdict.limit {
            Limit::Pool => "pool-limited",
            Limit::Database => "database-limited",
            Limit::Idle => "idle",
            Limit::Unknown => "unknown",
        };
        writeln!(f, "verdict     {limit}: {}", self.verdict.summary)?;
        match &self.verdict.recommendation {
            Some(it) => writeln!(f, "recommended {} = {}", it.field, it.value),
            None => writeln!(f, "recommended leave the settings as they are"),
        }?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning     {warning}"))
    }
}

/// What there is any of.
fn list(counts: &[(u64, &str)]) -> String {
    let some: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

/// `1234567` as `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// Microseconds to three digits.
fn time(micros: f64) -> String {
    let (amount, unit) = match micros {
        micros if micros < 1e3 => (micros, "us"),
        micros if micros < 1e6 => (micros / 1e3, "ms"),
        micros => (micros / 1e6, "s"),
    };
    let digits = match amount {
        amount if amount < 9.995 => 2,
        amount if amount < 99.95 => 1,
        _ => 0,
    };
    format!("{amount:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn times_have_three_digits_and_one_unit() {
        let shown = [0.06, 12.345, 999.9, 1234.0, 2_500_000.0].map(time);
        assert_eq!(shown, ["0.06 us", "12.3 us", "1000 us", "1.23 ms", "2.50 s"]);
    }
}
