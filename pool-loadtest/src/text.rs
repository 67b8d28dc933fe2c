//! A report as text for people.

use std::fmt::{self, Display, Formatter};

use pool_core::PoolConfig;

use crate::recorder::Unfinished;
use crate::report::{
    Aftermath, ErrorGroup, GeneratorReport, Invariant, KindReport, Latency, LoadModel, LoadReport,
    Outcome, Report, ServerCounter,
};
use crate::verdict::{Limit, Verdict};
use crate::words::{counted, grouped, heading, paragraph, time};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        self.latencies(f)?;
        self.pool(f)?;
        self.changes(f)?;
        self.server(f)?;
        self.incidents(f)?;
        self.findings(f)
    }
}

impl Report {
    fn heading(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { system, workload, load, duration_seconds, seed, .. } = self;
        match &self.database {
            Some(database) => writeln!(f, "{system}, {database}")?,
            None => writeln!(f, "{system}")?,
        }
        let connections = match self.config.max_open {
            PoolConfig::UNLIMITED => "any number of connections".to_owned(),
            most => format!("at most {}", counted(most as u64, "connection")),
        };
        let who = load.in_words();
        let warm_up = match load.warm_up_seconds {
            seconds if seconds > 0.0 => format!(" after a warm-up of {seconds:.1} s"),
            _ => String::new(),
        };
        let outcome = match self.outcome {
            Outcome::Completed => "",
            Outcome::Interrupted => "; interrupted, so this is a part",
            Outcome::Running => "; not ended, so this is a part",
            Outcome::Died => "; died half-way, so this is a part",
        };
        let time = format!("{duration_seconds:.1} s{warm_up}");
        heading(f, &format!("{workload}, {who} over {connections}, {time}, seed {seed}{outcome}"))?;
        writeln!(f)?;
        let operations = counted(self.operations, "operation");
        let errors = counted(self.errors, "error");
        let throughput = grouped(self.throughput.round() as u64);
        writeln!(f, "throughput  {throughput}/s ({operations}, {errors})")?;
        for ErrorGroup { kind, count, first } in &self.error_groups {
            paragraph(f, "", &format!("{} x {kind}", grouped(*count)))?;
            if first != kind {
                paragraph(f, "", &format!("such as: {first}"))?;
            }
        }
        if load.model == LoadModel::Open {
            let GeneratorReport { arrivals, dropped, .. } = self.generator;
            let arrivals = counted(arrivals, "arrival");
            writeln!(f, "arrivals    {arrivals}, {} dropped", grouped(dropped))?;
        }
        Ok(())
    }

    fn latencies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let titles = ["p50", "p90", "p99", "p99.9", "max"];
        write!(f, "\n{:<10}", "")?;
        titles.iter().try_for_each(|title| write!(f, "{title:>11}"))?;
        writeln!(f)?;
        let of_all = [("wait", self.wait), ("service", self.service), ("response", self.response)];
        let lateness = self.generator.lateness.map(|lateness| ("lateness", lateness));
        for (name, latency) in of_all.into_iter().chain(lateness) {
            let Latency { p50, p90, p99, p99_9, max, .. } = latency;
            write!(f, "{name:<10}")?;
            for micros in [p50, p90, p99, p99_9, max] {
                write!(f, "{:>11}", micros.map_or_else(|| "-".to_owned(), time))?;
            }
            writeln!(f)?;
        }
        let Unfinished { waiting, dropped } = self.unfinished;
        let ends = [
            (self.late, "finished after the time was up"),
            (waiting, "still waiting then"),
            (dropped, "dropped at work"),
        ];
        if ends.iter().any(|(count, _)| *count > 0) {
            paragraph(f, "", &format!("{}; each is timed up to its end", list(&ends)))?;
        }
        let model = match self.load.model {
            LoadModel::Closed => {
                "closed loop: a task asks again only after its answer, so arrivals that do not wait \
                 for each other would see longer times"
            }
            LoadModel::Open => {
                "open loop: each is timed from the moment it was meant to start; lateness, of which \
                 the load generator is the cause, is part of wait and response"
            }
        };
        paragraph(f, "", model)?;
        self.kinds(f)
    }

    /// The response of each kind of operation, a line each.
    fn kinds(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, kind) in self.kinds.iter().enumerate() {
            let label = if number == 0 { "kinds" } else { "" };
            let KindReport { name, operations, errors, response, .. } = kind;
            let shown = |micros: Option<f64>| micros.map_or_else(|| "-".to_owned(), time);
            let mut words = format!(
                "{name}: {}, response p50 {}, p99 {}",
                counted(*operations, "operation"),
                shown(response.p50),
                shown(response.p99)
            );
            if *errors > 0 {
                words.push_str(", ");
                words.push_str(&counted(*errors, "error"));
            }
            paragraph(f, label, &words)?;
        }
        Ok(())
    }

    fn pool(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let pool = &self.pool;
        let busy = pool.utilisation * 100.0;
        writeln!(
            f,
            "\npool        {} open, {} in use now, {}, {busy:.0} % busy on average",
            pool.open,
            self.in_use,
            pool.peak_in_words()
        )?;
        if let Some(law) = &self.littles_law {
            paragraph(f, "little's law ", &law.detail)?;
        }
        let acquires = &pool.acquires;
        // The others were given up by who asked.
        let waiting = acquires.cancelled.min(self.unfinished.waiting);
        let ends = [
            (acquires.immediate, "at once"),
            (acquires.waited, "after waiting"),
            (acquires.opened, "after a connect"),
            (acquires.timed_out, "timed out"),
            (acquires.queue_full, "refused by a full queue"),
            (acquires.closed, "refused by a closed pool"),
            (acquires.connect_failed, "failed to connect"),
            (acquires.no_runtime, "without a runtime"),
            (acquires.cancelled - waiting, "given up"),
            (waiting, "waiting when time was up"),
        ];
        paragraph(f, "acquires", &list(&ends))?;
        let each = time(pool.opening_seconds * 1e6 / pool.opened.max(1) as f64);
        let in_each = format!("opened in {each} each");
        let opened = match [(pool.opened, &*in_each), (pool.open_failed, "failed to open")] {
            [(0, _), (0, _)] => "none opened".to_owned(),
            opened => list(&opened),
        };
        let closed: Vec<_> =
            pool.closed.iter().map(|(reason, count)| (*count, &**reason)).collect();
        let closed = match closed.iter().map(|(count, _)| count).sum::<u64>() {
            0 => "none closed".to_owned(),
            sum => format!("{} closed ({})", grouped(sum), list(&closed)),
        };
        paragraph(f, "connections", &format!("{opened}, {closed}"))
    }

    /// What was done to the pool, a paragraph each.
    fn changes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, change) in self.changes.iter().enumerate() {
            let label = if number == 0 { "changes" } else { "" };
            paragraph(f, label, &format!("{:.1} s: {change}", change.at_seconds))?;
        }
        Ok(())
    }

    /// What the server counted, and what it has for each replica.
    fn server(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            let counters = server.counters.iter().filter(|counter| counter.value > 0.0);
            let counters = counters.map(|ServerCounter { name, value, unit }| {
                let value = grouped(value.round() as u64);
                // Most names say what is counted.
                match &**unit {
                    "bytes" | "ms" => format!("{name} {value} {unit}"),
                    _ => format!("{name} {value}"),
                }
            });
            let words: Vec<_> = server
                .version
                .iter()
                .cloned()
                .chain(counters)
                .chain(server.findings.clone())
                .collect();
            if !words.is_empty() {
                paragraph(f, "server", &words.join("; "))?;
            }
            server.missing.iter().try_for_each(|missing| paragraph(f, "not asked", missing))?;
        }
        self.budget.iter().try_for_each(|budget| paragraph(f, "budget", &budget.detail))
    }

    /// What befell the server, a paragraph each, and what that was to show.
    fn incidents(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, incident) in self.incidents.iter().enumerate() {
            let label = if number == 0 { "incidents" } else { "" };
            paragraph(f, label, &format!("{:.1} s: {incident}", incident.at_seconds))?;
        }
        let (Some(scenario), Some(aftermath)) = (&self.scenario, &self.aftermath) else {
            return Ok(());
        };
        let Aftermath { expected, detail, .. } = aftermath;
        writeln!(f)?;
        paragraph(f, "scenario", &format!("{scenario}: to be expected: {expected}"))?;
        paragraph(f, "", &format!("{}: {detail}", aftermath.verdict()))
    }

    fn findings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let invariant = match self.invariant {
            Invariant::Held => "held",
            Invariant::Broken => "BROKEN",
            Invariant::Unchecked => "could not be checked",
        };
        writeln!(f)?;
        paragraph(f, "invariant", &format!("{invariant}: {}", self.invariant_detail))?;
        // If it could not keep up, that is the verdict.
        if !self.generator.saturated && self.generator.dropped > 0 {
            paragraph(f, "generator", &self.generator.detail)?;
        }
        let Verdict { limit, summary, would_change, recommendation } = &self.verdict;
        paragraph(f, "verdict", &format!("{}: {summary}", limit.name()))?;
        paragraph(f, "", &format!("it would change with {would_change}"))?;
        let advice = match (recommendation, limit) {
            (Some(it), _) => format!("{} = {} ({})", it.field, it.value, it.effect),
            (None, Limit::Leak) => {
                "find who keeps connections; no setting of the pool mends that".into()
            }
            (None, Limit::Failing) => {
                "look into the errors; no setting of the pool mends them".into()
            }
            (None, Limit::Generator) => {
                "nothing: run it with less load, or from a machine with more cores".to_owned()
            }
            (None, Limit::Unknown) => format!("nothing yet: that takes {would_change}"),
            (None, Limit::Churn) => {
                "find out why they are closed; no setting of the pool mends that".to_owned()
            }
            (None, _) => "leave the settings as they are".to_owned(),
        };
        paragraph(f, "recommended", &advice)?;
        self.provenance.of_build().iter().try_for_each(|words| paragraph(f, "note", words))?;
        self.warnings.iter().try_for_each(|warning| paragraph(f, "warning", warning))
    }
}

impl LoadReport {
    /// Who wants connections.
    pub(crate) fn in_words(&self) -> String {
        let Self { tasks, arrivals, in_flight_limit, .. } = self;
        match (self.model, in_flight_limit) {
            (LoadModel::Open, Some(limit)) => {
                format!("{arrivals} (at most {} under way)", grouped(*limit as u64))
            }
            (LoadModel::Open, None) => arrivals.clone(),
            (LoadModel::Closed, _) => {
                let tasks = counted(tasks.unwrap_or_default() as u64, "task");
                match arrivals.strip_prefix("closed, think ") {
                    Some(think_time) => format!("{tasks} that think for {think_time}"),
                    None => tasks,
                }
            }
        }
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
