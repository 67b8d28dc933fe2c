//! A sweep in the forms that take more than its structure.

use pool_core::parse_duration;

use super::document::{Advice, Cell, Document, Finding, KeyFigure, Section, Table, Tone};
use super::junit::{Case, Suite};
use super::rows::{Rows, field};
use super::svg::{Axis, Colour, Layer, Place, Plot, Shape, Spread, Unit};
use super::{Lines, Printable, unfinished, utc};
use crate::scalability::Scalability;
use crate::sweep::{Estimate, GOOD_FIT, SweepCell, SweepReport};
use crate::words::{counted, grouped, percent, time};

/// Of the second setting, so many values have a colour.
const COLOURS: [Colour; 6] =
    [Colour::Blue, Colour::Orange, Colour::Green, Colour::Purple, Colour::Red, Colour::Grey];
/// How finely the law is drawn.
const STEPS: u32 = 80;

impl Printable for SweepReport {
    fn lines(&self) -> serde_json::Result<Lines> {
        let mut lines = Lines::default();
        for cell in &self.cells {
            lines.add("cell", cell)?;
        }
        lines.add("sweep", &Self { cells: Vec::new(), ..self.clone() })?;
        Ok(lines)
    }

    /// A row a run, under the names of the settings and of a run's fields in JSON.
    fn rows(&self) -> Rows {
        let settings = self.settings.iter().map(|setting| &*setting.field);
        let fields = [
            "number",
            "repeat",
            "throughput",
            "response_p50",
            "response_p99",
            "service_mean",
            "operations",
            "errors",
            "utilisation",
            "generator_saturated",
            "arrivals",
        ];
        let mut rows = Rows::under(settings.chain(fields));
        for cell in &self.cells {
            rows.rows.extend(cell.runs.iter().map(|run| {
                let fields = [
                    run.number.to_string(),
                    run.repeat.to_string(),
                    run.throughput.to_string(),
                    field(run.response_p50),
                    field(run.response_p99),
                    field(run.service_mean),
                    run.operations.to_string(),
                    run.errors.to_string(),
                    run.utilisation.to_string(),
                    run.generator_saturated.to_string(),
                    run.arrivals.to_string(),
                ];
                cell.values.iter().cloned().chain(fields).collect()
            }));
        }
        rows
    }

    fn document(&self) -> Document {
        let began = utc(self.provenance.began_unix_seconds);
        let mut notices: Vec<_> = unfinished(self.outcome, "sweep").into_iter().collect();
        notices.extend(self.warnings.iter().map(|warning| format!("Warning: {warning}")));
        Document {
            title: title(self),
            subtitle: about(self),
            notices,
            finding: Some(finding(self)),
            key_figures: key_figures(self),
            sections: vec![
                Section {
                    title: "Throughput".to_owned(),
                    paragraphs: law(self).into_iter().collect(),
                    plots: throughput(self),
                    tables: vec![table(self)],
                },
                Section {
                    title: "Response times".to_owned(),
                    plots: responses(self),
                    ..Section::default()
                },
                failures(self),
            ]
            .into_iter()
            .filter(|part| !part.plots.is_empty() || !part.tables.is_empty())
            .collect(),
            footer: format!(
                "Measured by pool-loadtest {} from {began} on.",
                self.provenance.version
            ),
        }
    }

    fn suite(&self) -> Suite {
        let ended = "the sweep came to its end";
        let mut cases = vec![match unfinished(self.outcome, "sweep") {
            None => Case::passed(ended),
            Some(why) => Case::failed(ended, why),
        }];
        for cell in &self.cells {
            let name = format!("every run of {} came to an end", named(self, cell));
            cases.push(match cell.failed.first() {
                None => Case::passed(name),
                Some(first) => Case::failed(name, &first.detail),
            });
        }
        let conclusive = "the figures say which is enough";
        cases.push(if self.verdict.is_conclusive {
            Case::passed(conclusive)
        } else {
            Case::failed(conclusive, &self.verdict.summary)
        });
        Suite {
            name: "pool-loadtest.sweep".to_owned(),
            about: about(self),
            seconds: self.duration_seconds,
            began_unix_seconds: self.provenance.began_unix_seconds,
            cases,
            output: self.to_string(),
        }
    }
}

fn title(report: &SweepReport) -> String {
    let fields: Vec<_> = report.settings.iter().map(|setting| &*setting.field).collect();
    let database = report.database.as_ref().map_or_else(String::new, |name| format!(", {name}"));
    format!("Sweep of {} on {}{database}", fields.join(" and "), report.system)
}

fn about(report: &SweepReport) -> String {
    let (cells, repeats) = (report.cells.len() as u64, u64::from(report.repeats));
    format!(
        "{}: {} with {} of {:.1} s each, seed {}",
        report.workload,
        counted(cells, "cell"),
        counted(repeats, "run"),
        report.run_seconds,
        report.seed
    )
}

/// The settings of a cell.
fn named(report: &SweepReport, cell: &SweepCell) -> String {
    let pairs = report.settings.iter().zip(&cell.values);
    pairs
        .map(|(setting, value)| format!("{} = {value}", setting.field))
        .collect::<Vec<_>>()
        .join(", ")
}

fn finding(report: &SweepReport) -> Finding {
    let verdict = &report.verdict;
    let enough = verdict.enough.and_then(|number| report.cells.get(number));
    Finding {
        label: if verdict.is_conclusive { "conclusive" } else { "inconclusive" }.to_owned(),
        tone: if verdict.is_conclusive { Tone::Good } else { Tone::Notice },
        summary: verdict.summary.clone(),
        advice: enough
            .map(|cell| Advice { code: named(report, cell), words: "is enough".to_owned() }),
    }
}

fn key_figures(report: &SweepReport) -> Vec<KeyFigure> {
    let marks = [
        ("Best throughput", report.verdict.best),
        ("Enough", report.verdict.enough),
        ("Knee", report.verdict.knee),
    ];
    let figure = |(label, number): (&'static str, Option<usize>)| {
        let number = number?;
        let (cell, path) = (report.cells.get(number)?, format!("cells.{number}.throughput.mean"));
        let mean = cell.throughput.map(|it| it.mean);
        let (value, note) = (Cell::number(path, mean, rate), named(report, cell));
        Some(KeyFigure { label, value, note, tone: Tone::Good })
    };
    marks.into_iter().filter_map(figure).collect()
}

/// The law, if it describes what was measured; else the verdict says that it does not.
fn fitting(report: &SweepReport) -> Option<Scalability> {
    report.scalability.filter(|law| law.r_squared >= GOOD_FIT)
}

fn law(report: &SweepReport) -> Option<String> {
    let law = fitting(report)?;
    Some(format!(
        "The Universal Scalability Law fitted to it: one alone does {}, contention is {:.2} %, coherency \
         {:.4} %; it explains {} of the differences.",
        rate(law.lambda),
        law.sigma * 100.0,
        law.kappa * 100.0,
        percent(law.r_squared.max(0.0)),
    ))
}

fn rate(value: f64) -> String {
    format!("{}/s", grouped(value.round() as u64))
}

fn interval(estimate: Option<Estimate>, show: fn(f64) -> String) -> Cell {
    match estimate {
        Some(Estimate { low: Some(low), high: Some(high), .. }) => {
            // In one line, however narrow the screen is.
            Cell::text(format!("{} to {}", show(low), show(high)).replace(' ', "\u{a0}"))
        }
        _ => Cell::text("-"),
    }
}

fn table(report: &SweepReport) -> Table {
    let fields = report.settings.iter().map(|setting| setting.field.clone());
    let figures =
        ["throughput", "with 95 %", "p50", "p99", "errors", "in use", "note"].map(str::to_owned);
    let mut table = Table::new("Each cell; figures are means of its runs", &[]);
    table.head = fields.chain(figures).collect();
    let verdict = &report.verdict;
    for (number, cell) in report.cells.iter().enumerate() {
        let figure = |name: &str, estimate: Option<Estimate>, show: fn(f64) -> String| {
            let path = format!("cells.{number}.{name}.mean");
            Cell::number(path, estimate.map(|it| it.mean), show)
        };
        let marks = [(verdict.best, "best"), (verdict.enough, "enough"), (verdict.knee, "knee")];
        let marks = marks.into_iter().filter(|(cell, _)| *cell == Some(number));
        let marks: Vec<_> = marks.map(|(_, mark)| mark).collect();
        let cells = [
            figure("throughput", cell.throughput, rate),
            interval(cell.throughput, rate),
            figure("response_p50", cell.response_p50, time),
            figure("response_p99", cell.response_p99, time),
            Cell::number(format!("cells.{number}.errors"), cell.errors, percent),
            Cell::number(format!("cells.{number}.utilisation"), cell.utilisation, percent),
            Cell::text(marks.join(", ")),
        ];
        table.rows.push(cell.values.iter().map(Cell::code).chain(cells).collect());
    }
    table
}

fn failures(report: &SweepReport) -> Section {
    let mut table = Table::new("Runs that came to nothing", &["cell", "repeat", "why"]);
    for cell in &report.cells {
        table.rows.extend(cell.failed.iter().map(|failed| {
            let repeat = failed.repeat.to_string();
            vec![Cell::code(named(report, cell)), Cell::text(repeat), Cell::text(&failed.detail)]
        }));
    }
    let tables = if table.rows.is_empty() { Vec::new() } else { vec![table] };
    Section { title: "Failed runs".to_owned(), tables, ..Section::default() }
}

/// Where the values of the first setting are on an axis: as the numbers that they are, else one beside
/// the other.
fn places(report: &SweepReport) -> (Axis, Vec<f64>) {
    let Some(first) = report.settings.first() else { return (Axis::time(), Vec::new()) };
    let number = |value: &String| value.parse::<f64>().ok().filter(|number| *number > 0.0);
    let seconds = |value: &String| parse_duration(value).map(|time| time.as_secs_f64() * 1e6);
    let (label, values) = (&first.field, &first.values);
    let all = |read: &dyn Fn(&String) -> Option<f64>| values.iter().map(read).collect();
    let in_order: Vec<_> = (1..=values.len()).map(|place| place as f64).collect();
    let (unit, spread, places) = if let Some(numbers) = all(&number) {
        (Unit::Plain, Spread::Logarithmic, numbers)
    } else if let Some(times) = all(&seconds) {
        (Unit::Micros, Spread::Logarithmic, times)
    } else {
        (Unit::Count, Spread::Linear, in_order)
    };
    let ticks = places.iter().copied().zip(values.iter().cloned());
    (Axis::new(label, unit, spread).with_ticks(ticks), places)
}

/// The cells of each value of the second setting, or all, with their places.
fn rows_of(report: &SweepReport) -> Vec<(String, Vec<(f64, &SweepCell)>)> {
    let (_, places) = places(report);
    let second = report.settings.get(1);
    let count = second.map_or(1, |setting| setting.values.len()).max(1);
    let name = |row: usize| match second {
        Some(setting) => format!("{} = {}", setting.field, setting.values[row]),
        None => "mean of the runs".to_owned(),
    };
    let cells = |row: usize| report.cells.iter().skip(row).step_by(count);
    (0..count).map(|row| (name(row), places.iter().copied().zip(cells(row)).collect())).collect()
}

/// A line through the means, with a bar where the true value lies with a confidence of 95 %.
fn layers(
    report: &SweepReport,
    prefix: &str,
    estimate: fn(&SweepCell) -> Option<Estimate>,
) -> Vec<Layer> {
    let mut layers = Vec::new();
    for ((name, cells), colour) in rows_of(report).into_iter().zip(COLOURS.into_iter().cycle()) {
        let mean = |(x, cell): &(f64, &SweepCell)| (*x, estimate(cell).map(|it| it.mean));
        let bar = |(x, cell): &(f64, &SweepCell)| {
            let it = estimate(cell)?;
            Some((*x, it.low?, it.high?))
        };
        let means: Vec<Place> = cells.iter().map(mean).collect();
        let bars: Vec<_> = cells.iter().filter_map(bar).collect();
        layers.push(Layer::new(format!("{prefix}{name}"), colour, Shape::Line(means.clone())));
        layers.push(Layer::unnamed(colour, Shape::Dots(means)));
        if !bars.is_empty() {
            let shape = Shape::Intervals(bars);
            let is_last = layers.len() + 1 >= 3 * rows_of(report).len();
            layers.push(if is_last && prefix.is_empty() {
                Layer::new("95 % confidence", colour, shape)
            } else {
                Layer::unnamed(colour, shape)
            });
        }
    }
    layers
}

fn throughput(report: &SweepReport) -> Vec<Plot> {
    let (x, places) = places(report);
    let mut layers = layers(report, "", |cell| cell.throughput);
    // It speaks of numbers; values that stand beside each other have none.
    if let (Some(law), [first, .., last], Spread::Logarithmic) =
        (fitting(report), &places[..], x.spread)
    {
        let most =
            report.load.as_ref().and_then(|load| load.tasks).map_or(f64::MAX, |it| it as f64);
        let step = |step: u32| first * (last / first).powf(f64::from(step) / f64::from(STEPS));
        let place = |n: f64| (n, Some(law.throughput(n.min(most))));
        let curve = (0..=STEPS).map(|number| place(step(number))).collect();
        layers.push(Layer::new("the law", Colour::Grey, Shape::Dashed(curve)));
    }
    let plot = Plot {
        name: "throughput",
        title: format!("Throughput by {}", x.label),
        description: report.verdict.summary.clone(),
        x,
        y: Axis::new("operations per second", Unit::Plain, Spread::Linear),
        layers,
        marks: Vec::new(),
    };
    if plot.has_figures() { vec![plot] } else { Vec::new() }
}

fn responses(report: &SweepReport) -> Vec<Plot> {
    let (x, _) = places(report);
    let plot = |name, title: &str, estimate| Plot {
        name,
        title: format!("{title} by {}", x.label),
        description: "What more of it costs, or brings, in response time.".to_owned(),
        x: x.clone(),
        y: Axis::new("response, logarithmic", Unit::Micros, Spread::Logarithmic),
        layers: layers(report, "", estimate),
        marks: Vec::new(),
    };
    let median = plot("median", "Median response", |cell| cell.response_p50);
    let p99 = plot("p99", "99th percentile of the response", |cell| cell.response_p99);
    [median, p99].into_iter().filter(Plot::has_figures).collect()
}
