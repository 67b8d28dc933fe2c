//! What two runs differ in beside their figures.

use pool_core::FIELDS;

use crate::report::{LoadModel, Outcome, Report};

/// A fact of a run, in words.
type Of<'a> = &'a dyn Fn(&Report) -> String;

/// What makes them hard to compare.
pub(super) fn obstacles(before: &Report, after: &Report) -> Vec<String> {
    let model = |report: &Report| match report.load.model {
        LoadModel::Closed => "a closed loop".to_owned(),
        LoadModel::Open => "an open loop".to_owned(),
    };
    let tasks = |report: &Report| {
        report.load.tasks.map_or_else(|| "no number of".to_owned(), |tasks| tasks.to_string())
    };
    let scenario =
        |report: &Report| report.scenario.clone().unwrap_or_else(|| "no scenario".to_owned());
    let build = |report: &Report| {
        let optimised = report.provenance.optimised;
        if optimised { "an optimised build" } else { "a debug build" }.to_owned()
    };
    let machine = |report: &Report| {
        let it = &report.provenance;
        format!("{} {} with {} cores", it.os, it.architecture, it.cores)
    };
    let asked: [(&str, Of<'_>); 8] = [
        ("the system", &|report| report.system.clone()),
        ("the workload", &|report| report.workload.clone()),
        ("the scenario", &scenario),
        ("the load", &model),
        ("the arrivals", &|report| report.load.arrivals.clone()),
        ("the tasks", &tasks),
        ("the load tester", &build),
        ("the machine", &machine),
    ];
    let mut found: Vec<_> = asked
        .iter()
        .filter_map(|(what, of)| {
            let (before, after) = (of(before), of(after));
            (before != after).then(|| format!("{what}: {before} before, {after} after"))
        })
        .collect();
    for (when, report) in [("before", before), ("after", after)] {
        if report.outcome != Outcome::Completed {
            found.push(format!("the run {when} did not come to its end"));
        }
        if !report.changes.is_empty() {
            found.push(format!("the pool was changed during the run {when}"));
        }
    }
    found
}

/// What is worth knowing: most of all the settings, whose effect is probably what is asked for.
pub(super) fn notes(before: &Report, after: &Report) -> Vec<String> {
    let changed = FIELDS.iter().filter_map(|field| {
        let (was, is) = (field.text(&before.config), field.text(&after.config));
        (was != is).then(|| format!("{}: {was} before, {is} after", field.name))
    });
    let saturated =
        [("before", before), ("after", after)].into_iter().filter_map(|(when, report)| {
            let words = format!("the load generator could not keep up in the run {when}");
            report.generator.saturated.then_some(words)
        });
    changed.chain(saturated).collect()
}
