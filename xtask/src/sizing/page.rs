//! What was measured, as a part of the page.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Subject, doubling};
use crate::page::{grouped, wrapped};

/// How far the throughput at the value that `tune` finds may be below the best.
const WITHIN: f64 = 0.05;
/// The largest share of the sweep's time that `tune` may take.
const SHARE: f64 = 0.5;

/// What was found about one database.
pub(super) struct Measured {
    pub(super) subject: &'static Subject,
    pub(super) sweep: Value,
    pub(super) tune: Value,
}

impl Measured {
    /// A heading, the plot, a row for each size, and what follows.
    pub(super) fn in_markdown(&self) -> Result<String> {
        let Self { subject, sweep, .. } = self;
        let Subject { title, name, workload, .. } = subject;
        let (tasks, seconds) = (&sweep["load"]["tasks"], &sweep["run_seconds"]);
        let mut text = format!(
            "\n### {title}\n\n![throughput and response by connections](plots/sizing-{name}.svg)\n\n\
             `{workload}`, {tasks} tasks, {} runs of {seconds} s each:\n\n\
             | `max_open` | operations/s | p50 | p99 |\n|---|---|---|---|\n",
            sweep["repeats"],
        );
        for cell in sweep["cells"].as_array().context("no cells")? {
            let value = cell["values"][0].as_str().context("no value")?;
            let throughput = match &cell["throughput"] {
                Value::Null => "failed".to_owned(),
                throughput => between(throughput),
            };
            let [p50, p99] = ["response_p50", "response_p99"].map(|name| millis(&cell[name]));
            writeln!(text, "| {value} | {throughput} | {p50} | {p99} |")?;
        }
        let verdict = sweep["verdict"]["summary"].as_str().context("no verdict")?;
        writeln!(text, "\n{}", wrapped(&format!("The sweep: {verdict}.")))?;
        writeln!(text, "{}", wrapped(&self.found()))?;
        Ok(text)
    }

    /// What `tune` found, beside what the sweep knows.
    fn found(&self) -> String {
        let share = self.share_of_time() * 100.0;
        match (recommended(&self.tune), self.share_of_best()) {
            (Some(value), Some(part)) => format!(
                "`tune` found {value} in {share:.0} % of the time of such a sweep, with {:.0} % of \
                 the best throughput in it.",
                part * 100.0
            ),
            (Some(value), None) => {
                format!(
                    "`tune` found {value} in {share:.0} % of the time of such a sweep, which \
                         failed at that size."
                )
            }
            (None, _) => format!("`tune` found nothing: {}.", self.tune["summary"]),
        }
    }

    /// The throughput at the size that `tune` recommends, as a share of the best.
    fn share_of_best(&self) -> Option<f64> {
        let value = recommended(&self.tune)?.to_string();
        let throughput = |cell: &Value| cell["throughput"]["mean"].as_f64();
        let cells = self.sweep["cells"].as_array()?;
        let best = cells.iter().filter_map(throughput).fold(0.0, f64::max);
        let found = cells.iter().find(|cell| cell["values"][0] == *value)?;
        Some(throughput(found)? / best)
    }

    /// The time of `tune` as a share of the sweep's without the size that it would not have tried.
    fn share_of_time(&self) -> f64 {
        let seconds = |report: &Value| report["duration_seconds"].as_f64().unwrap_or(f64::NAN);
        let tried = self.sweep["cells"].as_array().map_or(0, Vec::len);
        let its_own = doubling(self.subject.most).count();
        seconds(&self.tune) / (seconds(&self.sweep) * its_own as f64 / tried as f64)
    }

    /// What is not as it was asked for.
    pub(super) fn missed(&self) -> Vec<String> {
        let title = self.subject.title;
        let mut missed = Vec::new();
        match self.share_of_best() {
            Some(part) if part >= 1.0 - WITHIN => {}
            part => missed.push(format!("{title}: tune reached {part:?} of the best throughput")),
        }
        let share = self.share_of_time();
        if share > SHARE {
            missed.push(format!("{title}: tune took {share:.2} of the sweep's time"));
        }
        missed
    }
}

/// The size that `tune` recommends, if it does.
pub(super) fn recommended(tune: &Value) -> Option<u64> {
    tune["recommendation"]["value"].as_u64()
}

/// A mean with its interval, for people.
fn between(estimate: &Value) -> String {
    let shown = |name: &str| estimate[name].as_f64().map(|it| grouped(it.round() as u64));
    match (shown("mean"), shown("low"), shown("high")) {
        (Some(mean), Some(low), Some(high)) => format!("{mean} ({low} to {high})"),
        (Some(mean), ..) => mean,
        _ => "-".to_owned(),
    }
}

/// Microseconds as milliseconds.
fn millis(estimate: &Value) -> String {
    estimate["mean"].as_f64().map_or_else(|| "-".to_owned(), |us| format!("{:.2} ms", us / 1e3))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sizing::SUBJECTS;

    /// A sweep that found 4 best, with 3 among its sizes, and `tune` beside it.
    fn measured(value: u64, seconds: f64) -> Measured {
        let cell = |value: &str, throughput: f64| {
            json!({
                "values": [value],
                "throughput": {"mean": throughput, "low": throughput - 10.0, "high": throughput + 10.0},
                "response_p50": {"mean": 1500.0}, "response_p99": null,
            })
        };
        let throughputs = [("1", 1000.0), ("2", 1900.0), ("3", 1930.0), ("4", 2000.0)];
        let larger = [("8", 1500.0), ("16", 1200.0), ("32", 900.0)];
        let cells = throughputs.into_iter().chain(larger).map(|(at, mean)| cell(at, mean));
        let sweep = json!({
            "repeats": 3, "run_seconds": 3.0, "duration_seconds": 70.0, "load": {"tasks": 32},
            "cells": cells.collect::<Vec<_>>(),
            "verdict": {"summary": "2 is enough"},
        });
        let tune = json!({"recommendation": {"value": value}, "duration_seconds": seconds});
        Measured { subject: &SUBJECTS[0], sweep, tune }
    }

    #[test]
    fn a_row_has_the_figures_of_its_size_and_the_text_what_follows() {
        let text = measured(2, 24.0).in_markdown().expect("written");
        for part in [
            "### SQLite\n",
            "| 2 | 1 900 (1 890 to 1 910) | 1.50 ms | - |\n",
            "The sweep: 2 is enough.\n",
            "`tune` found 2 in 40 % of the time of such a sweep, with 95 % of the best throughput in it.\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn what_is_too_slow_or_too_far_from_the_best_is_missed() {
        assert_eq!(measured(2, 30.0).missed(), Vec::<String>::new());
        assert_eq!(measured(3, 30.0).missed(), Vec::<String>::new());
        let missed = measured(1, 31.0).missed();
        assert_eq!(missed.len(), 2, "{missed:?}");
    }

    #[test]
    fn the_size_that_was_found_is_among_those_of_the_sweep() {
        assert_eq!(crate::sizing::sizes(8, Some(3)), "1,2,3,4,8");
        assert_eq!(crate::sizing::sizes(8, Some(4)), "1,2,4,8");
        assert_eq!(crate::sizing::sizes(8, None), "1,2,4,8");
    }
}
