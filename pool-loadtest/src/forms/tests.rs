//! Sweeps, searches and comparisons in every form.

use serde_json::{Value, json};

use super::*;
use crate::compare::Comparison;
use crate::samples;
use crate::sweep::SweepReport;
use crate::tune::TuneReport;

/// A sweep of these settings, whose cells have these throughputs.
fn sweep(settings: &Value, cells: &[(&[&str], f64)]) -> SweepReport {
    let sample = serde_json::to_value(samples::report()).expect("JSON");
    let estimate = |mean: f64| json!({ "mean": mean, "low": mean * 0.95, "high": mean * 1.05 });
    let cells = cells.iter().enumerate().map(|(number, (values, throughput))| {
        json!({
            "values": values, "throughput": estimate(*throughput),
            "response_p50": estimate(2_000.0), "response_p99": estimate(9_000.0),
            "errors": 0.0, "utilisation": 0.9, "failed": [],
            "runs": [{
                "number": number + 1, "repeat": 1, "throughput": throughput,
                "response_p50": 2_000.0, "response_p99": null, "service_mean": 1_500.0,
                "operations": 900, "errors": 0, "utilisation": 0.9, "generator_saturated": false,
                "arrivals": 900,
            }],
        })
    });
    let report = json!({
        "schema_version": sample["schema_version"], "kind": "sweep",
        "provenance": sample["provenance"], "system": "postgresql", "database": "orders",
        "outcome": "completed", "duration_seconds": 30.0, "seed": 1, "workload": "bank",
        "load": sample["load"], "config": sample["config"], "settings": settings, "repeats": 1,
        "run_seconds": 2.0, "cells": cells.collect::<Vec<_>>(),
        "scalability": {
            "lambda": 1_000.0, "sigma": 0.05, "kappa": 0.001, "r_squared": 0.99, "peak": 30.8,
        },
        "verdict": {
            "is_conclusive": true, "summary": "max_open = 2 is <enough>", "best": 2, "enough": 1,
            "knee": null,
        },
        "warnings": [],
    });
    serde_json::from_value(report).expect("a sweep")
}

fn of_one_setting() -> SweepReport {
    let settings = json!([{ "field": "max_open", "values": ["1", "2", "4"] }]);
    sweep(&settings, &[(&["1"], 1_000.0), (&["2"], 1_900.0), (&["4"], 1_950.0)])
}

fn tune() -> TuneReport {
    let sample = serde_json::to_value(samples::report()).expect("JSON");
    let step = |value: usize, verifies: bool, p99: f64| {
        json!({
            "value": value, "verifies": verifies, "seconds": 2.0, "throughput": 1_000.0,
            "response_p50": 2_000.0, "response_p99": p99, "errors": 0, "violations": [],
        })
    };
    let report = json!({
        "schema_version": sample["schema_version"], "kind": "tune",
        "provenance": sample["provenance"], "system": "postgresql", "database": "orders",
        "outcome": "completed", "duration_seconds": 30.0, "seed": 1, "workload": "bank",
        "load": sample["load"], "config": sample["config"], "field": "max_open", "most": 32,
        "objective": "response.p99<20ms",
        "steps": [step(1, false, 60_000.0), step(4, false, 15_000.0), step(4, true, 16_000.0)],
        "conclusion": "found", "summary": "max_open = 4 is the smallest", "best_seen": 4,
        "recommendation": {
            "field": "max_open", "value": 4, "confidence": "high", "reason": "it was confirmed",
            "paste": {
                "toml": "[pool]\nmax_open = 4\n", "url": "postgres://db/x?pool_max_open=4",
                "environment": "POOL_MAX_OPEN=4", "rust": "PoolConfig { max_open: 4 }",
            },
        },
        "warnings": [],
    });
    serde_json::from_value(report).expect("a search")
}

/// Every figure of its page is that of its JSON, and every form is written.
#[track_caller]
fn expect_whole(result: &impl Printable, forms: &[Form]) -> String {
    for form in forms {
        let text = printed(result, *form).expect("written");
        assert!(!text.contains("NaN") && text.len() > 100, "{form:?}: {text}");
    }
    let json: Value = serde_json::from_str(&result.json().expect("JSON")).expect("JSON");
    let page = printed(result, Form::Html).expect("written");
    let figures: Vec<_> = page.split("data-metric=\"").skip(1).collect();
    assert!(figures.len() >= 6, "{page}");
    for figure in figures {
        let mut parts = figure.split('"');
        let path = parts.next().expect("a name");
        let value = parts.nth(1).expect("a value").parse::<f64>().ok();
        let found = json.pointer(&format!("/{}", path.replace('.', "/")));
        let found = found.unwrap_or_else(|| panic!("{path} is not in {json}"));
        assert_eq!(value, found.as_f64(), "{path}");
    }
    let lines = printed(result, Form::Ndjson).expect("written");
    assert!(lines.lines().all(|line| line.starts_with("{\"type\":\"")), "{lines}");
    page
}

#[test]
fn a_sweep_has_every_form_with_the_law_and_what_is_sure() {
    let report = of_one_setting();
    let page = expect_whole(&report, &Form::OF_SEVERAL_RUNS);
    for part in [
        "<code>max_open = 2</code> is enough",
        "max_open = 2 is &lt;enough&gt;",
        ">the law<",
        ">95 % confidence<",
        "<td>950/s\u{a0}to\u{a0}1\u{a0}050/s</td>",
        "<td>best</td>",
    ] {
        assert!(page.contains(part), "{part} not in {page}");
    }
    let rows = printed(&report, Form::Csv).expect("written");
    let rows: Vec<_> = rows.lines().collect();
    assert!(rows[0].starts_with("max_open,number,repeat,throughput,"), "{}", rows[0]);
    assert_eq!(rows[1], "1,1,1,1000,2000,,1500,900,0,0.9,false,900");
    assert_eq!(rows.len(), 4);
    assert!(
        printed(&report, Form::Hdr).is_err_and(|error| error.to_string().contains("only a run"))
    );
}

#[test]
fn a_sweep_of_two_settings_has_a_line_for_each_value_of_the_second() {
    let settings = json!([
        { "field": "max_open", "values": ["2", "unlimited"] },
        { "field": "acquire_timeout", "values": ["10ms", "1s"] },
    ]);
    let cells: [(&[&str], f64); 4] = [
        (&["2", "10ms"], 1.0),
        (&["2", "1s"], 2.0),
        (&["unlimited", "10ms"], 3.0),
        (&["unlimited", "1s"], 4.0),
    ];
    let report = SweepReport { scalability: None, ..sweep(&settings, &cells) };
    let page = expect_whole(&report, &Form::OF_SEVERAL_RUNS);
    for part in [">acquire_timeout = 10ms<", ">acquire_timeout = 1s<", ">unlimited</text>"] {
        assert!(page.contains(part), "{part} not in {page}");
    }
}

#[test]
fn a_sweep_that_found_nothing_is_still_a_page() {
    let mut report = of_one_setting();
    report.outcome = Outcome::Interrupted;
    for cell in &mut report.cells {
        (cell.throughput, cell.response_p50, cell.response_p99) = (None, None, None);
        (cell.errors, cell.utilisation) = (None, None);
        cell.runs.clear();
    }
    report.scalability = None;
    let page = printed(&report, Form::Html).expect("written");
    assert!(page.contains("The sweep was interrupted") && !page.contains("<svg"), "{page}");
}

#[test]
fn a_search_ends_in_forms_ready_to_paste() {
    let page = expect_whole(&tune(), &Form::OF_SEVERAL_RUNS);
    for part in ["<code>[pool]\nmax_open = 4</code>", "POOL_MAX_OPEN=4", "with high confidence: "] {
        assert!(page.contains(part), "{part} not in {page}");
    }
    let text = printed(&tune(), Form::Markdown).expect("written");
    assert!(text.contains("| a TOML file | `[pool]`<br>`max_open = 4` |"), "{text}");
}

#[test]
fn a_comparison_has_a_case_for_each_figure() {
    let before = samples::report();
    let mut after = samples::report();
    after.series.iter_mut().for_each(|point| point.operations /= 2);
    let comparison = Comparison::of(&before, &after);
    let runs = ComparedRuns { comparison: &comparison, before: &before, after: &after };
    let page = expect_whole(&runs, &Form::OF_SEVERAL_RUNS);
    assert!(page.contains("data-verdict=\"regressed\""), "{page}");
    let suite = printed(&runs, Form::Junit).expect("written");
    assert!(suite.contains("<testcase name=\"throughput: no worse\""), "{suite}");
    assert!(suite.contains(" failures=\"2\" "), "{suite}");
}

#[test]
fn a_comparison_draws_the_seconds_of_both_runs_and_how_sure_each_change_is() {
    let before = samples::report();
    let mut after = samples::report();
    for (number, point) in after.series.iter_mut().enumerate() {
        point.operations = 1_700 + number as u64;
        point.response_p50 = Some(1_000.0 - number as f64);
    }
    let comparison = Comparison::of(&before, &after);
    let runs = ComparedRuns { comparison: &comparison, before: &before, after: &after };
    let page = expect_whole(&runs, &Form::OF_SEVERAL_RUNS);
    for part in [
        "<figure id=\"throughput\">",
        "<path class=\"line dashed orange\"",
        "<path class=\"line blue\"",
        "<figure id=\"changes\">",
        "<line class=\"line red\"",
        "<line class=\"line green\"",
        "<circle class=\"dot blue\"",
        ">p99</text>",
        ">-10 %</text>",
        ">threshold</text>",
    ] {
        assert!(page.contains(part), "{part} not in {page}");
    }
    assert!(!page.contains(">errors</text>"), "their change is no ratio: {page}");
}

#[test]
fn a_comparison_shows_shares_as_points_and_its_threshold_as_it_was_given() {
    let before = samples::report();
    let mut after = before.clone();
    for point in &mut after.series {
        point.errors += point.operations / 20;
    }
    let comparison = Comparison::beyond(0.005, &before, &after);
    let runs = ComparedRuns { comparison: &comparison, before: &before, after: &after };
    let page = expect_whole(&runs, &Form::OF_SEVERAL_RUNS);
    for part in ["differs by less than 0.5 % does", ">1.00 %</span>", ">+4.67 points</span>"] {
        assert!(page.contains(part), "{part} not in {page}");
    }
}

#[test]
fn a_comparison_of_too_few_seconds_is_a_page_without_plots() {
    let short = Report { series: Vec::new(), ..samples::report() };
    let comparison = Comparison::of(&short, &short);
    let runs = ComparedRuns { comparison: &comparison, before: &short, after: &short };
    let page = printed(&runs, Form::Html).expect("written");
    assert!(
        page.contains("<td>has 0 seconds to compare, and at least 8 are needed</td>"),
        "{page}"
    );
    assert!(!page.contains("<svg"), "{page}");
}
