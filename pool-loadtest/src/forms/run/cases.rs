//! A run as a test suite: what must hold of every run.

use crate::forms::junit::{Case, Suite};
use crate::report::{Invariant, Outcome, Report};
use crate::verdict::Limit;
use crate::words::counted;

/// The suite of a run, with `thresholds` that were asked for.
pub(crate) fn suite(report: &Report, thresholds: Vec<Case>) -> Suite {
    let mut cases = vec![ended(report), invariant(report), given_back(report), succeeded(report)];
    cases.push(kept_up(report));
    let law = "Little's law holds";
    cases.push(match &report.littles_law {
        None => Case::skipped(law, "too little was done to tell"),
        Some(it) if it.holds => Case::passed(law),
        // It doubts the figures, which is no failure of the pool; the program ends well, too.
        Some(it) => Case::skipped(law, &it.detail),
    });
    if let Some(budget) = &report.budget {
        let name = "all replicas fit into the server's connections";
        let case =
            if budget.fits { Case::passed(name) } else { Case::failed(name, &budget.detail) };
        cases.push(case);
    }
    if let Some(aftermath) = &report.aftermath {
        let name = format!("the scenario shows: {}", aftermath.expected);
        cases.push(match aftermath.seen {
            Some(true) => Case::passed(name),
            Some(false) => Case::failed(name, &aftermath.detail),
            None => Case::skipped(name, &aftermath.detail),
        });
    }
    cases.extend(thresholds);
    Suite {
        name: "pool-loadtest.run".to_owned(),
        about: super::load(report),
        seconds: report.duration_seconds,
        began_unix_seconds: report.provenance.began_unix_seconds,
        cases,
        output: report.to_string(),
    }
}

fn ended(report: &Report) -> Case {
    let name = "the run came to its end";
    match report.outcome {
        Outcome::Completed => Case::passed(name),
        Outcome::Interrupted => Case::failed(name, "it was interrupted"),
        Outcome::Running => Case::failed(name, "it was still under way when this was written"),
        Outcome::Died => Case::failed(name, "it died half-way"),
    }
}

fn invariant(report: &Report) -> Case {
    let (name, detail) = ("the workload's invariant held", &report.invariant_detail);
    match report.invariant {
        Invariant::Held => Case::passed(name),
        Invariant::Broken => Case::failed(name, detail),
        Invariant::Unchecked => Case::failed(name, format!("it could not be checked: {detail}")),
    }
}

fn given_back(report: &Report) -> Case {
    let name = "every connection was given back";
    match report.in_use {
        0 => Case::passed(name),
        left => Case::failed(name, format!("{} still in use", counted(left as u64, "connection"))),
    }
}

fn succeeded(report: &Report) -> Case {
    let name = "operations succeed";
    match report.verdict.limit {
        Limit::Failing => Case::failed(name, &report.verdict.summary),
        _ if report.operations + report.late == 0 => Case::failed(name, "not one did"),
        _ => Case::passed(name),
    }
}

fn kept_up(report: &Report) -> Case {
    let name = "the load generator kept up";
    if report.generator.saturated {
        Case::failed(name, &report.generator.detail)
    } else {
        Case::passed(name)
    }
}
