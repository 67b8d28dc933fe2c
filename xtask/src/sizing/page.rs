//! What was measured, as a part of the page.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Subject;

const BEGIN: &str = "<!-- sizing:begin -->";
const END: &str = "<!-- sizing:end -->";
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
        if let Some(law) = sweep["scalability"].as_object() {
            let (sigma, kappa, fit) = (&law["sigma"], &law["kappa"], &law["r_squared"]);
            let [sigma, kappa, fit] = [sigma, kappa, fit].map(|it| it.as_f64().unwrap_or(f64::NAN));
            // Where it peaks, the verdict says if the law can be relied on.
            let words = format!(
                "The fit has sigma {sigma:.3} and kappa {kappa:.5}, and an R^2 of {fit:.2}."
            );
            writeln!(text, "{}", wrapped(&words))?;
        }
        writeln!(text, "{}", wrapped(&self.found()))?;
        Ok(text)
    }

    /// What `tune` found, beside what the sweep knows.
    fn found(&self) -> String {
        let share = self.share_of_time() * 100.0;
        match (self.value(), self.share_of_best()) {
            (Some(value), Some(part)) => format!(
                "`tune` found {value} in {share:.0} % of the sweep's time, {:.0} % of the best \
                 throughput in the sweep.",
                part * 100.0
            ),
            (Some(value), None) => {
                format!(
                    "`tune` found {value}, which the sweep did not try, in {share:.0} % of its time."
                )
            }
            (None, _) => format!("`tune` found nothing: {}.", self.tune["summary"]),
        }
    }

    /// What `tune` recommends.
    fn value(&self) -> Option<u64> {
        self.tune["recommendation"]["value"].as_u64()
    }

    /// The throughput at that value as a share of the best. Between two values of the sweep it lies on a
    /// straight line.
    fn share_of_best(&self) -> Option<f64> {
        let value = self.value()? as f64;
        let cells = self.sweep["cells"].as_array()?;
        let points = cells.iter().filter_map(|cell| {
            let at: f64 = cell["values"][0].as_str()?.parse().ok()?;
            Some((at, cell["throughput"]["mean"].as_f64()?))
        });
        let points: Vec<_> = points.collect();
        let best = points.iter().map(|(_, throughput)| *throughput).fold(0.0, f64::max);
        let below = points.iter().rfind(|(at, _)| *at <= value)?;
        let above = points.iter().find(|(at, _)| *at >= value)?;
        let way = if above.0 > below.0 { (value - below.0) / (above.0 - below.0) } else { 0.0 };
        Some((below.1 + (above.1 - below.1) * way) / best)
    }

    fn share_of_time(&self) -> f64 {
        let seconds = |report: &Value| report["duration_seconds"].as_f64().unwrap_or(f64::NAN);
        seconds(&self.tune) / seconds(&self.sweep)
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

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// In lines of at most 110 columns.
fn wrapped(words: &str) -> String {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.last_mut().expect("bug: there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= 110 {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

/// The page with what was measured between its marks.
pub(super) fn filled(page: &str, tables: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no {END}"))?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", tables.trim_end()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sizing::SUBJECTS;

    fn measured(value: u64, seconds: f64) -> Measured {
        let cell = |value: &str, throughput: f64| {
            json!({
                "values": [value],
                "throughput": {"mean": throughput, "low": throughput - 10.0, "high": throughput + 10.0},
                "response_p50": {"mean": 1500.0}, "response_p99": null,
            })
        };
        let sweep = json!({
            "repeats": 3, "run_seconds": 3.0, "duration_seconds": 100.0, "load": {"tasks": 32},
            "cells": [cell("1", 1000.0), cell("2", 1900.0), cell("4", 2000.0)],
            "verdict": {"summary": "2 is enough"},
            "scalability": {"sigma": 0.1, "kappa": 0.01, "r_squared": 0.98, "peak": 9.5},
        });
        let tune = json!({"recommendation": {"value": value}, "duration_seconds": seconds});
        Measured { subject: &SUBJECTS[0], sweep, tune }
    }

    #[test]
    fn a_row_has_the_figures_of_its_size_and_the_text_what_follows() {
        let text = measured(2, 40.0).in_markdown().expect("written");
        for part in [
            "### SQLite\n",
            "| 2 | 1 900 (1 890 to 1 910) | 1.50 ms | - |\n",
            "The sweep: 2 is enough.\n",
            "The fit has sigma 0.100 and kappa 0.01000, and an R^2 of 0.98.\n",
            "`tune` found 2 in 40 % of the sweep's time, 95 % of the best throughput in the sweep.\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn what_is_too_slow_or_too_far_from_the_best_is_missed() {
        assert!(measured(2, 50.0).missed().is_empty());
        assert!(measured(3, 50.0).missed().is_empty(), "on the line between 2 and 4");
        let missed = measured(1, 51.0).missed();
        assert_eq!(missed.len(), 2, "{missed:?}");
    }

    #[test]
    fn a_page_keeps_what_is_around_its_marks() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let filled = filled(&page, "\nnew\n").expect("marked");
        assert_eq!(filled, format!("a\n{BEGIN}\n\nnew\n{END}\nb\n"));
        assert!(super::filled("a", "new").is_err());
    }
}
