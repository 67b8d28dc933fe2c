//! A report that has something of everything, in each form.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::*;
use crate::forms::junit::{Case, CaseOutcome};
use crate::forms::{hdr, html, markdown};
use crate::report::{Histograms, Invariant, Outcome};

/// A report with something in every part, as JSON.
const SAMPLE: &str = include_str!("sample.json");

fn sample() -> Report {
    serde_json::from_str(SAMPLE).expect("a report")
}

fn page(report: &Report) -> String {
    html::page(&document(report, &[(0.0, "healthy".to_owned())]))
}

/// Names and values of the figures in a page.
fn figures(page: &str) -> Vec<(String, String)> {
    let figures = page.split("data-metric=\"").skip(1);
    let up_to_quote = |text: &str| text.split('"').next().expect("a quote").to_owned();
    figures
        .map(|rest| {
            let value = rest.split("data-value=\"").nth(1).expect("a value");
            (up_to_quote(rest), up_to_quote(value))
        })
        .collect()
}

/// What a report has at a path, where elements of an array are found by their name.
fn at<'a>(report: &'a Value, path: &str) -> &'a Value {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let named = |array: &str, name: &str, key: &str, field: &str| {
        let mut elements = report[array].as_array().expect("an array").iter();
        elements.find(|element| element[key] == name).map(|element| &element[field])
    };
    let found = match first {
        "error_groups" => named("error_groups", rest, "kind", "count"),
        "server" => {
            let counters = report["server"]["counters"].as_array().expect("counters");
            let counter = counters.iter().find(|counter| counter["name"] == rest);
            counter.map(|counter| &counter["value"])
        }
        "kinds" => {
            let (name, field) = rest.split_once('.').expect("a field");
            let kinds = report["kinds"].as_array().expect("kinds").iter();
            let kind = kinds.clone().find(|kind| kind["name"] == name);
            kind.and_then(|kind| kind.pointer(&format!("/{}", field.replace('.', "/"))))
        }
        _ => report.pointer(&format!("/{}", path.replace('.', "/"))),
    };
    found.unwrap_or_else(|| panic!("{path} is not in the report"))
}

#[test]
fn every_figure_of_a_page_is_that_of_the_json_under_the_same_name() {
    let (report, page) = (serde_json::from_str(SAMPLE).expect("JSON"), page(&sample()));
    let figures = figures(&page);
    assert!(figures.len() > 60, "{figures:?}");
    for (metric, value) in figures {
        let expected = at(&report, &metric).as_f64();
        assert_eq!(value.parse().ok(), expected, "{metric}");
    }
}

#[test]
fn a_page_begins_with_the_verdict_and_what_to_set() {
    let page = page(&sample());
    let summary = sample().verdict.summary;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not in the page"));
    let order = ["<h1>", "data-verdict=\"pool-limited\"", &summary, "<code>max_open = 12</code>"]
        .map(place);
    assert!(order.is_sorted() && order[3] < place("data-metric="), "{order:?}");
}

#[test]
fn no_foreign_text_is_taken_for_a_part_of_the_page() {
    const EVIL: &str = "</title><script>alert(1)</script><img src=x onerror=\"x\">'\"&\u{1b}";
    let mut report = sample();
    report.database = Some(EVIL.to_owned());
    report.workload = EVIL.to_owned();
    report.warnings = vec![EVIL.to_owned()];
    report.verdict.summary = EVIL.to_owned();
    report.changes[0].detail = EVIL.to_owned();
    report.error_groups[0].kind = EVIL.to_owned();
    report.error_groups[0].first = EVIL.to_owned();
    report.kinds[0].name = EVIL.to_owned();
    report.server.as_mut().expect("one").counters[0].name = EVIL.to_owned();
    let health = [(1.0, EVIL.to_owned())];
    let document = document(&report, &health);
    let page = html::page(&document);
    for part in ["<script", "<img", "onerror=\"x\"", "\u{1b}"] {
        assert!(!page.contains(part), "{part}");
    }
    assert_eq!(page.matches("</title>").count(), 1 + 2 * page.matches("<figure").count());
    assert!(!markdown::text(&document).contains("<script"));
    assert!(!suite(&report, Vec::new()).text().contains("<script"));
}

#[test]
fn a_report_without_a_series_is_a_page_without_plots_over_time() {
    let mut report = sample();
    report.series = Vec::new();
    let page = page(&report);
    assert_eq!(page.matches("<figure").count(), 1, "that of the distribution");
    assert!(page.contains("<figure id=\"distribution\""));
}

#[test]
fn a_part_of_a_run_says_so_before_anything_else() {
    for (outcome, words) in [
        (Outcome::Interrupted, "interrupted"),
        (Outcome::Running, "killed"),
        (Outcome::Died, "died"),
    ] {
        let report = Report { outcome, ..sample() };
        let document = document(&report, &[]);
        assert!(document.notices[0].contains(words), "{:?}", document.notices);
    }
    assert!(document(&sample(), &[]).notices.is_empty());
}

#[test]
fn what_did_not_hold_is_a_failed_case_that_says_why() {
    let mut report = sample();
    report.invariant = Invariant::Broken;
    report.in_use = 2;
    report.littles_law = None;
    let thresholds = vec![Case::failed("response.p99 <= 5ms", "10 ms")];
    let suite = suite(&report, thresholds);
    let outcome = |name: &str| {
        let mut cases = suite.cases.iter();
        cases.find(|case| case.name == name).map(|case| case.outcome.clone()).expect(name)
    };
    let failed = |why: &str| CaseOutcome::Failed(why.to_owned());
    assert_eq!(outcome("the run came to its end"), CaseOutcome::Passed);
    assert_eq!(outcome("the workload's invariant held"), failed(&report.invariant_detail));
    assert_eq!(outcome("every connection was given back"), failed("2 connections still in use"));
    let fits = "all replicas fit into the server's connections";
    assert_eq!(outcome(fits), failed(&report.budget.as_ref().expect("one").detail));
    assert_eq!(outcome("response.p99 <= 5ms"), failed("10 ms"));
    assert!(matches!(outcome("Little's law holds"), CaseOutcome::Skipped(_)));
}

#[test]
fn figures_that_are_in_doubt_fail_nobodys_build() {
    let mut report = sample();
    let law = report.littles_law.as_mut().expect("one");
    (law.holds, law.detail) = (false, "8 in use, but 6 by the law".to_owned());
    let cases = suite(&report, Vec::new()).cases;
    let doubted = Case::skipped("Little's law holds", "8 in use, but 6 by the law");
    assert!(cases.contains(&doubted), "{cases:?}");
}

#[test]
fn a_table_of_markdown_has_the_figures_of_the_run() {
    let text = markdown::text(&document(&sample(), &[]));
    for part in [
        "## Load test of postgresql, orders",
        "**pool-limited**: tasks wait for connections",
        "**Recommended:** `max_open = 12` (less waiting",
        "| Response, p99 | 10.0 ms |",
        "| response | 3.11 ms | 2.39 ms |",
        "| `transfer` |",
    ] {
        assert!(text.contains(part), "{part} not in {text}");
    }
}

#[test]
fn a_histogram_log_holds_every_latency() {
    let filled = |nanos: &[u64]| {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("bounds");
        for nanos in nanos {
            histogram.record(*nanos).expect("in range");
        }
        histogram
    };
    let mut report = sample();
    assert!(hdr::log(&report).is_err_and(|error| error.to_string().contains("no histograms")));
    report.histograms = Some(Histograms {
        wait: filled(&[1_000, 2_000_000]),
        service: filled(&[5_000]),
        response: filled(&[6_000, 2_005_000, 3_000_000_000]),
    });
    let log = hdr::log(&report).expect("a log");
    assert!(log.contains("\n#[Histogram log format version 1.3]\n"), "{log}");
    let legend = log.lines().find(|line| line.starts_with('"')).expect("a legend");
    assert_eq!(legend.split(',').count(), 4);
    let log = log.replacen(&format!("{legend}\n"), "", 1);
    let mut found = Vec::new();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let LogEntry::Interval(interval) = entry.expect("understood") else { continue };
        assert_eq!(interval.duration(), Duration::from_secs_f64(report.duration_seconds));
        let bytes = STANDARD.decode(interval.encoded_histogram()).expect("base64");
        let histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram");
        let tag = interval.tag().expect("a tag").as_str().to_owned();
        found.push((tag, histogram.len(), interval.max()));
    }
    let expected = [("wait", 2), ("service", 1), ("response", 3)];
    let counted: Vec<_> = found.iter().map(|(tag, count, _)| (&**tag, *count)).collect();
    assert_eq!(counted, expected);
    assert!((found[2].2 - 3_000.0).abs() < 3.0, "in milliseconds: {found:?}");
}
