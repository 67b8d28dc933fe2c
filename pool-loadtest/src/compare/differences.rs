//! What two runs differ in beside their figures.

use pool_core::FIELDS;

use crate::report::{LoadModel, LoadReport, Outcome, Provenance, Report};

/// What two runs are to have in common: all of it is known before a run begins.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) system: String,
    pub(crate) workload: String,
    pub(crate) scenario: Option<String>,
    pub(crate) load: LoadReport,
    pub(crate) provenance: Provenance,
    /// Whether the pool is changed during the run.
    pub(crate) is_changed: bool,
}

/// A fact of a run, in words.
type Of<'a> = &'a dyn Fn(&Setup) -> String;

impl Setup {
    fn of(report: &Report) -> Self {
        Self {
            system: report.system.clone(),
            workload: report.workload.clone(),
            scenario: report.scenario.clone(),
            load: report.load.clone(),
            provenance: report.provenance.clone(),
            is_changed: !report.changes.is_empty(),
        }
    }

    /// What would make a run of this setup hard to compare with an earlier one.
    pub(crate) fn obstacles(&self, before: &Report) -> Vec<String> {
        let unfinished = unfinished("before", before);
        Self::of(before).unlike(self).into_iter().chain(unfinished).collect()
    }

    /// In what `after` is not like this one.
    fn unlike(&self, after: &Self) -> Vec<String> {
        let model = |setup: &Self| match setup.load.model {
            LoadModel::Closed => "a closed loop".to_owned(),
            LoadModel::Open => "an open loop".to_owned(),
        };
        let tasks = |setup: &Self| {
            setup.load.tasks.map_or_else(|| "no number of".to_owned(), |tasks| tasks.to_string())
        };
        let scenario =
            |setup: &Self| setup.scenario.clone().unwrap_or_else(|| "no scenario".to_owned());
        let build = |setup: &Self| {
            let optimised = setup.provenance.optimised;
            if optimised { "an optimised build" } else { "a debug build" }.to_owned()
        };
        let machine = |setup: &Self| {
            let it = &setup.provenance;
            format!("{} {} with {} cores", it.os, it.architecture, it.cores)
        };
        let in_flight = |setup: &Self| match setup.load.in_flight_limit {
            Some(limit) => limit.to_string(),
            None => "no limit".to_owned(),
        };
        let warm_up = |setup: &Self| format!("{} s", setup.load.warm_up_seconds);
        let asked: [(&str, Of<'_>); 10] = [
            ("the system", &|setup| setup.system.clone()),
            ("the workload", &|setup| setup.workload.clone()),
            ("the scenario", &scenario),
            ("the load", &model),
            ("the arrivals", &|setup| setup.load.arrivals.clone()),
            ("the tasks", &tasks),
            ("the operations under way at most", &in_flight),
            ("the warm-up", &warm_up),
            ("the load tester", &build),
            ("the machine", &machine),
        ];
        let unlike = asked.iter().filter_map(|(what, of)| {
            let (before, after) = (of(self), of(after));
            (before != after).then(|| format!("{what}: {before} before, {after} after"))
        });
        let changed = [("before", self), ("after", after)].into_iter().filter(|it| it.1.is_changed);
        let changed = changed.map(|(when, _)| format!("the pool is changed during the run {when}"));
        unlike.chain(changed).collect()
    }
}

/// What makes them hard to compare.
pub(super) fn obstacles(before: &Report, after: &Report) -> Vec<String> {
    let unfinished = unfinished("after", after);
    Setup::of(after).obstacles(before).into_iter().chain(unfinished).collect()
}

fn unfinished(when: &str, report: &Report) -> Option<String> {
    let is_whole = report.outcome == Outcome::Completed;
    (!is_whole).then(|| format!("the run {when} did not come to its end"))
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
