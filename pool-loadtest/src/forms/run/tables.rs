//! The tables of a run. One that would have no row is left out.

use pool_core::FIELDS;

use super::Happening;
use super::series::merged;
use crate::forms::document::{Cell, Table};
use crate::report::{Invariant, Latency, Report};
use crate::words::{grouped, percent, time};

/// More rows than anybody reads; the CSV form has them all.
const MOST_SECONDS: usize = 120;

fn count(metric: impl Into<String>, count: u64) -> Cell {
    Cell::number(metric, count as f64, |_| grouped(count))
}

fn with_rows(tables: impl IntoIterator<Item = Table>) -> Vec<Table> {
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// What failed, and each second.
pub(super) fn errors(report: &Report) -> Vec<Table> {
    let mut errors = Table::new("Errors by kind", &["kind", "count", "the first of them"]);
    for group in &report.error_groups {
        errors.rows.push(vec![
            Cell::text(&group.kind),
            count(format!("error_groups.{}", group.kind), group.count),
            Cell::text(&group.first),
        ]);
    }
    with_rows([errors, seconds(report)])
}

fn seconds(report: &Report) -> Table {
    let points = merged(&report.series, MOST_SECONDS);
    let head = ["second", "operations/s", "errors", "p50", "p99", "longest", "in use", "waiting"];
    let mut table = Table::new("The same second by second", &head);
    if points.len() < report.series.len() {
        "The same over time, several seconds together".clone_into(&mut table.caption);
    }
    table.is_folded = true;
    let latency = |value: Option<f64>| Cell::text(value.map_or_else(|| "-".to_owned(), time));
    for point in points {
        let rate = point.operations as f64 / point.seconds.max(1e-9);
        table.rows.push(vec![
            Cell::text(format!("{:.1}", point.at_seconds)),
            Cell::text(grouped(rate.round() as u64)),
            Cell::text(grouped(point.errors)),
            latency(point.response_p50),
            latency(point.response_p99),
            latency(point.response_max),
            Cell::text(grouped(point.in_use as u64)),
            Cell::text(grouped(point.waiting as u64)),
        ]);
    }
    table
}

/// Wait, service and response, and the same for each kind of operation.
pub(super) fn latencies(report: &Report) -> Vec<Table> {
    let head = ["", "mean", "p50", "p90", "p99", "p99.9", "max", "count"];
    let mut all = Table::new("Latencies", &head);
    let named =
        [("wait", &report.wait), ("service", &report.service), ("response", &report.response)];
    all.rows = named.map(|(name, latency)| latency_row(name, name, latency)).into();
    if let Some(lateness) = &report.generator.lateness {
        all.rows.push(latency_row("generator's lateness", "generator.lateness", lateness));
    }
    let head = ["kind", "operations", "errors", "wait p99", "service p99", "p50", "p99", "max"];
    let mut kinds = Table::new("Kinds of operations; the last columns are the response", &head);
    for kind in &report.kinds {
        let metric = |field: &str| format!("kinds.{}.{field}", kind.name);
        kinds.rows.push(vec![
            Cell::code(&kind.name),
            count(metric("operations"), kind.operations),
            count(metric("errors"), kind.errors),
            Cell::number(metric("wait.p99"), kind.wait.p99, time),
            Cell::number(metric("service.p99"), kind.service.p99, time),
            Cell::number(metric("response.p50"), kind.response.p50, time),
            Cell::number(metric("response.p99"), kind.response.p99, time),
            Cell::number(metric("response.max"), kind.response.max, time),
        ]);
    }
    with_rows([all, kinds])
}

fn latency_row(name: &str, metric: &str, latency: &Latency) -> Vec<Cell> {
    let Latency { mean, p50, p90, p99, p99_9, max, count: timed, .. } = *latency;
    let fields =
        [("mean", mean), ("p50", p50), ("p90", p90), ("p99", p99), ("p99_9", p99_9), ("max", max)];
    let cells = fields.map(|(field, value)| Cell::number(format!("{metric}.{field}"), value, time));
    let (name, timed) = (Cell::text(name), count(format!("{metric}.count"), timed));
    [name].into_iter().chain(cells).chain([timed]).collect()
}

/// How acquires ended, and what became of connections.
pub(super) fn pool(report: &Report) -> Vec<Table> {
    let acquires = &report.pool.acquires;
    let mut ends = Table::new("How acquires ended", &["", "acquires"]);
    for (words, field, number) in [
        ("at once", "immediate", acquires.immediate),
        ("after waiting", "waited", acquires.waited),
        ("after a connect", "opened", acquires.opened),
        ("timed out", "timed_out", acquires.timed_out),
        ("refused by a full queue", "queue_full", acquires.queue_full),
        ("refused by a closed pool", "closed", acquires.closed),
        ("failed to connect", "connect_failed", acquires.connect_failed),
        ("without a runtime", "no_runtime", acquires.no_runtime),
        ("given up, or waiting when time was up", "cancelled", acquires.cancelled),
    ] {
        if number > 0 {
            let metric = format!("pool.acquires.{field}");
            ends.rows.push(vec![Cell::text(words), count(metric, number)]);
        }
    }
    let mut connections = Table::new("Connections", &["", "connections"]);
    let opened = count("pool.opened", report.pool.opened);
    connections.rows.push(vec![Cell::text("opened"), opened]);
    if report.pool.open_failed > 0 {
        let failed = count("pool.open_failed", report.pool.open_failed);
        connections.rows.push(vec![Cell::text("failed to open"), failed]);
    }
    for (reason, number) in report.pool.closed.iter().filter(|(_, number)| **number > 0) {
        let number = count(format!("pool.closed.{reason}"), *number);
        connections.rows.push(vec![Cell::text(format!("closed: {reason}")), number]);
    }
    let peak = if report.pool.peak_is_exact { "at most" } else { "at least" };
    for (words, metric, number) in [
        (&*format!("in use at once, {peak}"), "pool.peak_in_use", report.pool.peak_in_use),
        ("open at the end", "pool.open", report.pool.open),
        ("in use at the end", "in_use", report.in_use),
    ] {
        connections.rows.push(vec![Cell::text(words), count(metric, number as u64)]);
    }
    with_rows([ends, connections])
}

/// What was done to the pool, and how its health was.
pub(super) fn happenings(report: &Report, health: &[Happening]) -> Vec<Table> {
    let at = |seconds: f64| Cell::text(format!("{seconds:.1} s"));
    let mut changes = Table::new("Changes of the pool", &["when", "what"]);
    for change in &report.changes {
        changes.rows.push(vec![at(change.at_seconds), Cell::text(change.to_string())]);
    }
    let mut incidents = Table::new("What befell the server", &["when", "what"]);
    for incident in &report.incidents {
        incidents.rows.push(vec![at(incident.at_seconds), Cell::text(incident.to_string())]);
    }
    let mut states = Table::new("Health of the pool", &["since", "state"]);
    states.rows =
        health.iter().map(|(seconds, words)| vec![at(*seconds), Cell::text(words)]).collect();
    with_rows([changes, incidents, states])
}

/// What speaks for the figures, and what against them.
pub(super) fn checks(report: &Report) -> Vec<Table> {
    let mut checks = Table::new("Checks of this run", &["check", "result", "detail"]);
    let mut row = |check: &str, result: &str, detail: &str| {
        checks.rows.push([check, result, detail].map(Cell::text).into());
    };
    let invariant = match report.invariant {
        Invariant::Held => "held",
        Invariant::Broken => "BROKEN",
        Invariant::Unchecked => "could not be checked",
    };
    row("invariant of the workload", invariant, &report.invariant_detail);
    let kept_up = if report.generator.saturated { "SATURATED" } else { "kept up" };
    row("load generator", kept_up, &report.generator.detail);
    if let Some(law) = &report.littles_law {
        row("Little's law", if law.holds { "holds" } else { "does not hold" }, &law.detail);
    }
    if let Some(aftermath) = &report.aftermath {
        let detail = format!("{}: {}", aftermath.expected, aftermath.detail);
        row("what the scenario was to show", aftermath.verdict(), &detail);
    }
    if let Some(budget) = &report.budget {
        row("server's connections", if budget.fits { "fits" } else { "OVERRUN" }, &budget.detail);
    }
    let head =
        ["operations/s x service time", "connections in use, as the pool counted", "difference"];
    let mut laws = Table::new("Little's law: connections in use on average", &head);
    if let Some(law) = &report.littles_law {
        let two = |value: f64| format!("{value:.2}");
        laws.rows.push(vec![
            Cell::number("littles_law.rate_times_service", law.rate_times_service, two),
            Cell::number("littles_law.in_use", law.in_use, two),
            Cell::number("littles_law.difference", law.difference, percent),
        ]);
    }
    with_rows([checks, laws])
}

/// What the server counted.
pub(super) fn server(report: &Report) -> Vec<Table> {
    let Some(server) = &report.server else { return Vec::new() };
    let version = server.version.as_deref().unwrap_or("the server");
    let caption = format!(
        "What {version} counted during the load; of what goes up and down, the most that was seen"
    );
    let mut counters = Table::new(&caption, &["counter", "figure", "unit"]);
    for counter in &server.counters {
        let metric = format!("server.{}", counter.name);
        let shown = |value: f64| match value {
            value if value.fract() == 0.0 && value >= 0.0 => grouped(value as u64),
            value => format!("{value:.1}"),
        };
        counters.rows.push(vec![
            Cell::text(&counter.name),
            Cell::number(metric, counter.value, shown),
            Cell::text(&counter.unit),
        ]);
    }
    let mut missing = Table::new("What could not be asked", &["why"]);
    missing.rows = server.missing.iter().map(|why| vec![Cell::text(why)]).collect();
    with_rows([counters, missing])
}

/// The load, the pool's settings, and where it was measured.
pub(super) fn setting(report: &Report) -> Vec<Table> {
    let mut load = Table::new("Load and machine", &["what", "value"]);
    let mut row = |what: &str, value: Cell| load.rows.push(vec![Cell::text(what), value]);
    let provenance = &report.provenance;
    row("database", Cell::text(report.database.as_deref().unwrap_or(&report.system)));
    row("workload", Cell::text(&report.workload));
    if let Some(scenario) = &report.scenario {
        row("scenario", Cell::text(scenario));
    }
    row("arrivals", Cell::text(&report.load.arrivals));
    if let Some(tasks) = report.load.tasks {
        row("tasks", count("load.tasks", tasks as u64));
    }
    if let Some(limit) = report.load.in_flight_limit {
        row("most operations under way", count("load.in_flight_limit", limit as u64));
    }
    let seconds = |seconds: f64| format!("{seconds:.1} s");
    row("duration", Cell::number("duration_seconds", report.duration_seconds, seconds));
    row("warm-up", Cell::number("load.warm_up_seconds", report.load.warm_up_seconds, seconds));
    row("seed", Cell::text(report.seed.to_string()));
    row("one operation alone", Cell::number("baseline_us", report.baseline_us, time));
    row("cores", count("provenance.cores", provenance.cores as u64));
    let cores = |cores: f64| format!("{cores:.2}");
    row(
        "cores that the load generator used",
        Cell::number("generator.cores_used", report.generator.cores_used, cores),
    );
    let machine = format!("{}, {}", provenance.os, provenance.architecture);
    row("machine", Cell::text(machine));
    let mut settings =
        Table::new("Settings of the pool when the load began", &["setting", "value"]);
    for field in FIELDS {
        let value = field.text(&report.config);
        settings.rows.push(vec![Cell::code(field.name), Cell::code(value)]);
    }
    settings.is_folded = true;
    with_rows([load, settings])
}
