//! A run in the forms that take more than its structure: as a page, as rows, as a test suite.

mod cases;
mod plots;
mod series;
mod tables;

use pool_core::PoolConfig;

pub(crate) use self::cases::suite;
pub(in crate::forms) use self::plots::operations;
pub(crate) use self::series::rows;

use super::document::{Advice, Cell, Document, Finding, KeyFigure, Section, Tone};
use super::{unfinished, utc};
use crate::report::{LoadModel, Report};
use crate::verdict::Limit;
use crate::words::{counted, grouped, percent, time};

/// Something else that happened to the pool: when, in seconds, and what.
pub(crate) type Happening = (f64, String);

/// The page of a run, with what its health was.
pub(crate) fn document(report: &Report, health: &[Happening]) -> Document {
    let changes = report.changes.iter().map(|change| (change.at_seconds, change.to_string()));
    let incidents = report.incidents.iter().map(|it| (it.at_seconds, it.what.clone()));
    // How the pool was at the start is no event.
    let health_changes = health.iter().filter(|(at, _)| *at > 0.0).cloned();
    let mut marks: Vec<Happening> = changes.chain(incidents).chain(health_changes).collect();
    marks.sort_by(|one, next| one.0.total_cmp(&next.0));
    let mut document = Document {
        title: title(report),
        subtitle: load(report),
        notices: notices(report),
        finding: Some(finding(report)),
        key_figures: key_figures(report),
        sections: Vec::new(),
        footer: footer(report),
    };
    let sections = [
        Section {
            title: "Throughput".to_owned(),
            plots: plots::throughput(report, &marks),
            tables: tables::errors(report),
            ..Section::default()
        },
        Section {
            title: "Response times".to_owned(),
            paragraphs: vec![timed_how(report)],
            plots: plots::latencies(report, &marks),
            tables: tables::latencies(report),
        },
        Section {
            title: "Pool".to_owned(),
            plots: plots::occupancy(report, &marks),
            tables: tables::pool(report),
            ..Section::default()
        },
        Section {
            title: "What happened".to_owned(),
            tables: tables::happenings(report, health),
            ..Section::default()
        },
        Section {
            title: "Can the figures be believed?".to_owned(),
            tables: tables::checks(report),
            ..Section::default()
        },
        Section {
            title: "Server".to_owned(),
            paragraphs: report.server.iter().flat_map(|it| it.findings.clone()).collect(),
            tables: tables::server(report),
            ..Section::default()
        },
        Section {
            title: "How it was measured".to_owned(),
            tables: tables::setting(report),
            ..Section::default()
        },
    ];
    let says_something =
        |section: &Section| !section.plots.is_empty() || !section.tables.is_empty();
    document.sections = sections.into_iter().filter(says_something).collect();
    document
}

fn title(report: &Report) -> String {
    match &report.database {
        Some(database) => format!("Load test of {}, {database}", report.system),
        None => format!("Load test of {}", report.system),
    }
}

/// What was done, in a line.
pub(super) fn load(report: &Report) -> String {
    let Report { load, config, workload, duration_seconds, seed, scenario, .. } = report;
    let connections = match config.max_open {
        PoolConfig::UNLIMITED => "any number of connections".to_owned(),
        most => format!("at most {}", counted(most as u64, "connection")),
    };
    let who = load.in_words();
    let scenario = scenario.as_ref().map_or_else(String::new, |name| format!("scenario {name}, "));
    format!("{scenario}{workload}: {who} over {connections}, {duration_seconds:.1} s, seed {seed}")
}

fn footer(report: &Report) -> String {
    let provenance = &report.provenance;
    let began = utc(provenance.began_unix_seconds);
    format!("Measured by pool-loadtest {} from {began} on.", provenance.version)
}

fn notices(report: &Report) -> Vec<String> {
    let mut notices: Vec<_> = unfinished(report.outcome, "run").into_iter().collect();
    if report.generator.saturated {
        // Which says that it was saturated, and why.
        notices.push(format!("Load {}.", report.generator.detail));
    }
    notices.extend(report.provenance.of_build().map(|words| format!("{words}.")));
    notices.extend(report.warnings.iter().map(|warning| format!("Warning: {warning}")));
    notices
}

fn finding(report: &Report) -> Finding {
    let verdict = &report.verdict;
    let advice = verdict.recommendation.as_ref().map(|it| Advice {
        code: format!("{} = {}", it.field, it.value),
        words: format!("({})", it.effect),
    });
    let tone = match verdict.limit {
        Limit::Idle => Tone::Good,
        Limit::Failing => Tone::Bad,
        _ => Tone::Notice,
    };
    let label = verdict.limit.name().to_owned();
    Finding { label, tone, summary: verdict.summary.clone(), advice }
}

fn key_figures(report: &Report) -> Vec<KeyFigure> {
    let Report { operations, errors, response, wait, pool, generator, .. } = report;
    let rate = |value: f64| format!("{}/s", grouped(value.round() as u64));
    let share = *errors as f64 / (*errors + operations).max(1) as f64;
    let figure = |label, value, note: String| KeyFigure { label, value, note, tone: Tone::Good };
    let mut figures = vec![
        figure(
            "Throughput",
            Cell::number("throughput", report.throughput, rate),
            counted(*operations, "operation"),
        ),
        KeyFigure {
            tone: if *errors > 0 { Tone::Bad } else { Tone::Good },
            ..figure(
                "Errors",
                Cell::number("errors", *errors as f64, |_| grouped(*errors)),
                if *errors > 0 { percent(share) } else { "none failed".to_owned() },
            )
        },
        figure(
            "Response, median",
            Cell::number("response.p50", response.p50, time),
            format!("mean {}", response.mean.map_or_else(|| "-".to_owned(), time)),
        ),
        figure(
            "Response, p99",
            Cell::number("response.p99", response.p99, time),
            format!("longest {}", response.max.map_or_else(|| "-".to_owned(), time)),
        ),
        figure(
            "Wait, p99",
            Cell::number("wait.p99", wait.p99, time),
            "for a connection".to_owned(),
        ),
        figure(
            "Pool in use",
            Cell::number("pool.utilisation", pool.utilisation, percent),
            pool.peak_in_words(),
        ),
    ];
    if generator.dropped > 0 {
        figures.push(KeyFigure {
            tone: Tone::Notice,
            ..figure(
                "Dropped",
                Cell::number("generator.dropped", generator.dropped as f64, |_| {
                    grouped(generator.dropped)
                }),
                format!("of {}", counted(generator.arrivals, "arrival")),
            )
        });
    }
    figures
}

fn timed_how(report: &Report) -> String {
    match report.load.model {
        LoadModel::Closed => {
            "A closed loop: a task asks again only after its answer, so arrivals that do not wait for \
             each other would see longer times."
        }
        LoadModel::Open => {
            "An open loop: arrivals do not wait for each other, and each is timed from the moment it \
             was meant to start."
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
