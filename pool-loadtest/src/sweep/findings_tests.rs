//! Tests of what sweeps come to.

use pool_core::PoolConfig;

use super::super::plan::{Plan, Turn};
use super::super::report::{Circumstances, SweepReport, SweepVerdict};
use crate::report::{LoadModel, Outcome, Report};
use crate::samples;

/// A sweep whose runs have these throughputs, cell by cell.
fn swept(settings: &[&str], throughputs: &[&[f64]]) -> SweepReport {
    swept_with(settings, throughputs, |_, _| {})
}

fn swept_with(
    settings: &[&str],
    throughputs: &[&[f64]],
    change: impl Fn(usize, &mut Report),
) -> SweepReport {
    let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
    let plan = Plan::read(&settings, 3, 1).expect("understood");
    let sample = samples::report();
    let mut report = SweepReport::begin(
        &plan,
        Circumstances {
            provenance: sample.provenance.clone(),
            system: "sqlite".to_owned(),
            database: None,
            workload: "bank".to_owned(),
            config: PoolConfig::default(),
            run_seconds: 1.0,
        },
    );
    for (cell, runs) in throughputs.iter().enumerate() {
        for (throughput, repeat) in runs.iter().zip(1..) {
            let mut run = Report { throughput: *throughput, errors: 0, ..sample.clone() };
            // As many are at work as there are connections, so each takes so much longer.
            let connections = plan.cells()[cell][0].parse().unwrap_or(1.0);
            run.service.mean = Some(connections / throughput * 1e6);
            change(cell, &mut run);
            report.add(cell * 3 + repeat as usize, Turn { cell, repeat }, Ok(&run));
        }
    }
    report.end(Outcome::Completed, 21.0);
    report
}

const RISING: [&[f64]; 5] = [
    &[1_000.0, 1_010.0, 990.0],
    &[1_900.0, 1_910.0, 1_890.0],
    &[2_480.0, 2_500.0, 2_490.0],
    &[2_510.0, 2_530.0, 2_520.0],
    &[2_000.0, 2_010.0, 1_990.0],
];

#[test]
fn the_smallest_within_five_percent_of_the_best_is_enough() {
    let report = swept(&["max_open=1..16"], &RISING);
    let verdict = &report.verdict;
    assert!(verdict.is_conclusive);
    assert_eq!((verdict.best, verdict.enough), (Some(3), Some(2)), "{verdict:?}");
    for words in [
        "max_open = 8 has the best throughput, 2 520/s, p99 9.00 ms",
        "max_open = 4 is enough: 99 % of that (with a confidence of 95 % at least 98 %)",
        "By the Universal Scalability Law throughput peaks at",
    ] {
        assert!(verdict.summary.contains(words), "{words} not in {}", verdict.summary);
    }
}

#[test]
fn what_is_within_five_percent_by_luck_only_is_not_enough() {
    let mut noisy = RISING;
    noisy[2] = &[2_900.0, 2_100.0, 2_480.0];
    let verdict = swept(&["max_open=1..16"], &noisy).verdict;
    assert_eq!((verdict.best, verdict.enough), (Some(3), Some(3)), "{verdict:?}");
    assert!(verdict.summary.contains("no smaller one is within 5 % of it for certain"));
}

#[test]
fn one_run_of_each_is_said_to_be_a_matter_of_luck() {
    let once: Vec<_> = RISING.iter().map(|runs| &runs[..1]).collect();
    let report = swept(&["max_open=1..16"], &once);
    assert_eq!(report.cells[0].throughput.map(|it| (it.low, it.high)), Some((None, None)));
    assert_eq!(report.verdict.enough, Some(2));
    assert!(report.verdict.summary.contains("luck"), "{}", report.verdict.summary);
}

#[test]
fn the_knee_is_where_more_connections_stop_to_pay() {
    let report = swept(&["max_open=1..16"], &RISING);
    // 1000²/1, 1900²/2, 2490²/4: each connection still brings more than it costs until 2.
    assert_eq!(report.verdict.knee, Some(1));
    assert_eq!(swept(&["max_open=1,2", "max_idle=1,2"], &RISING[..4]).verdict.knee, None);
    let other = swept(&["acquire_timeout=1s..16s"], &RISING).verdict;
    assert_eq!(other.knee, None, "of time nothing can be had too much: {}", other.summary);
    let last = swept(&["max_open=1,2"], &RISING[..2]).verdict;
    assert_eq!(last.knee, None, "nothing is known beyond the last: {}", last.summary);
}

#[test]
fn a_cell_that_fails_at_once_is_no_knee_and_bends_no_law() {
    let fine = swept(&["max_open=1..16"], &RISING);
    let report = swept_with(&["max_open=1..16"], &RISING, |cell, run| {
        if cell == 2 {
            (run.errors, run.service.mean, run.throughput) = (run.operations, Some(1.0), 1.0);
        }
    });
    assert_eq!(report.verdict.knee, fine.verdict.knee);
    let lambda = |report: &SweepReport| report.scalability.expect("fitted").lambda;
    let share = lambda(&report) / lambda(&fine);
    assert!((0.9..1.1).contains(&share), "{share}");
}

#[test]
fn a_law_says_nothing_of_what_was_not_tried() {
    let growing: [&[f64]; 5] = [&[100.0], &[190.0], &[350.0], &[620.0], &[1_000.0]];
    let report = swept(&["max_open=1..16"], &growing);
    let peak = report.scalability.expect("fitted").peak;
    assert!(peak.is_none_or(|peak| peak > 16.0), "{peak:?}");
    let summary = &report.verdict.summary;
    assert!(!summary.contains("peaks at"), "{summary}");
    let linear: [&[f64]; 3] = [&[100.0], &[200.0], &[400.0]];
    let summary = swept(&["max_open=1..4"], &linear).verdict.summary;
    assert!(summary.contains("throughput grows as the connections do"), "{summary}");
}

#[test]
fn a_table_of_a_sweep_fits_a_terminal_and_its_columns_stay_apart() {
    let report = swept_with(&["max_open=1..16"], &RISING, |_, run| run.pool.utilisation = 0.004);
    let text = report.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("sweep of max_open: 5 cells with 3 runs of 1.0 s each"), "{text}");
    assert!(text.contains("\nbank, "), "what was run is said: {text}");
    let row = text.lines().find(|line| line.starts_with("16 ")).expect("a row");
    assert!(row.ends_with("   <1 %"), "{row}");
}

#[test]
fn the_best_at_the_end_of_the_range_may_not_be_the_best() {
    let verdict = swept(&["max_open=1,2,4"], &RISING[..3]).verdict;
    assert!(verdict.summary.contains("a larger one may be better"), "{}", verdict.summary);
}

#[test]
fn a_saturated_generator_leads_to_no_recommendation() {
    let report = swept_with(&["max_open=1..16"], &RISING, |cell, run| {
        run.generator.saturated = cell == 4;
    });
    let verdict = &report.verdict;
    assert_eq!((verdict.is_conclusive, verdict.best, verdict.enough), (false, None, None));
    assert!(verdict.summary.contains("in 3 of 15 runs"), "{}", verdict.summary);
}

#[test]
fn a_cell_that_fails_is_no_candidate_however_fast_it_is() {
    let report = swept_with(&["max_open=1..16"], &RISING, |cell, run| {
        run.errors = if cell == 3 { run.operations / 10 } else { 0 };
    });
    assert_eq!(report.verdict.best, Some(2));
    let all = swept_with(&["max_open=1..16"], &RISING, |_, run| run.errors = run.operations);
    assert!(!all.verdict.is_conclusive && all.verdict.summary.contains("look into the errors"));
}

#[test]
fn a_sweep_without_a_run_says_so() {
    let mut report = swept(&["max_open=1,2"], &[]);
    report.add(1, Turn { cell: 0, repeat: 1 }, Err("refused".to_owned()));
    report.end(Outcome::Interrupted, 0.1);
    assert_eq!(report.verdict.summary, "not one run came to an end");
    assert_eq!((report.cells[0].failed.len(), report.scalability), (1, None));
}

#[test]
fn connections_that_no_task_can_use_scale_nothing() {
    let two = swept_with(&["max_open=1..16"], &RISING, |_, run| run.load.tasks = Some(2));
    assert_eq!(two.scalability, None, "only one and two connections are told apart");
    let other = swept(&["max_waiters=1..16"], &RISING);
    assert_eq!(other.scalability, None);
}

#[test]
fn the_report_survives_the_way_through_json() {
    let report = swept(&["max_open=1..16"], &RISING);
    let json = serde_json::to_string(&report).expect("written");
    let read: SweepReport = serde_json::from_str(&json).expect("read");
    assert_eq!((read.cells, read.verdict), (report.cells, report.verdict));
    assert!(json.contains("\"kind\":\"sweep\""), "{json}");
}

#[test]
fn in_an_open_loop_the_value_with_the_shortest_p99_is_best_if_it_keeps_up() {
    let rates: [&[f64]; 4] =
        [&[700.0, 690.0, 710.0], &[999.0, 1_001.0, 1_000.0], &[1_000.0; 3], &[1_000.0; 3]];
    let p99s = [1_000.0, 9_000.0, 4_000.0, 3_950.0];
    let report = swept_with(&["max_open=1..8"], &rates, |cell, run| {
        run.load.model = LoadModel::Open;
        run.generator.arrivals = if cell == 0 { 2 * run.operations } else { run.operations };
        run.response.p99 = Some(p99s[cell] * (1.0 + run.throughput / 1e6));
    });
    let SweepVerdict { best, enough, knee, summary, .. } = report.verdict;
    assert_eq!((best, enough, knee), (Some(3), Some(2), None), "{summary}");
    let words = "max_open = 8 has the shortest p99, 3.95 ms at 1 000/s";
    assert!(summary.starts_with(words), "{summary}");
    assert!(summary.contains("max_open = 4 is enough: p99 4.00 ms, 99 % as prompt"), "{summary}");
}

#[test]
fn a_sweep_without_its_smaller_values_claims_nothing_of_them() {
    let report = swept(&["max_open=1..4"], &[&[], &[1_000.0], &[2_000.0]]);
    let summary = &report.verdict.summary;
    assert!(summary.contains("; not all smaller ones were run"), "{summary}");
}

#[test]
fn where_no_value_keeps_up_with_the_arrivals_none_is_best() {
    let report = swept_with(&["max_open=1..2"], &[&[1_000.0], &[1_200.0]], |_, run| {
        run.load.model = LoadModel::Open;
        run.generator.arrivals = 2 * (run.operations + run.late);
    });
    let SweepVerdict { is_conclusive, best, summary, .. } = report.verdict;
    assert_eq!((is_conclusive, best), (false, None), "{summary}");
    assert!(summary.starts_with("with no value arrivals are kept up with"), "{summary}");
}
