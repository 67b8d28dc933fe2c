//! The tables: one with every target, then one for each shape.

use std::fmt::Write;

use pool_testkit::measure::Figure;

use super::{Report, digits};
use crate::contender::Who;
use crate::machine::version_of;
use crate::results::{Failure, Results};
use crate::shape::{Better, Shape, Target};
use crate::verdict::{Judged, Verdict};

pub(super) fn page(report: &Report<'_>, plots: &[&str]) -> String {
    let mut page = String::from("## Figures\n\n");
    page += &preamble(report);
    page += "\n### Targets\n\n";
    let head = ["shape", "figure", "ours", "best peer", "ours / best", "target", ""];
    let rows = report.judged.iter().map(target_row);
    page += &table(&head.map(str::to_owned), &rows.collect::<Vec<_>>());
    page += &failed(report.results);
    for shape in report.results.shapes() {
        let _ = write!(page, "\n### {}\n\n", shape.title());
        page += &table(&head_of(shape), &rows_of(shape, report.results));
    }
    page += "\n### Plots\n";
    for plot in plots {
        let _ = write!(page, "\n![{plot}](plots/{plot})\n");
    }
    page
}

fn preamble(report: &Report<'_>) -> String {
    let machine = report.machine;
    let versions: Vec<_> = ["asyncband", "bb8", "deadpool", "r2d2", "sqlx", "tokio"]
        .into_iter()
        .filter_map(|package| Some(format!("{package} {}", version_of(package)?)))
        .collect();
    format!(
        "{}, Linux {}; a look at the clock takes {:.0} ns; load before: {}. {}, commit {}. {}. Medians of \
         {} alternating rounds [least .. most]; a ratio is the median of the rounds' own.\n",
        machine.hardware,
        machine.kernel,
        machine.clock_read_nanos,
        machine.load_before,
        machine.compiler,
        machine.commit,
        versions.join(", "),
        report.rounds,
    )
}

/// What has no figure below, or one of fewer rounds; nothing if nothing failed.
fn failed(results: &Results) -> String {
    let failures = results.failures();
    if failures.is_empty() {
        return String::new();
    }
    let row = |failure: &Failure<'_>| {
        let Failure { shape, who, round, why } = failure;
        vec![shape.key(), who.to_string(), round.to_string(), (*why).to_owned()]
    };
    let head = ["shape", "contender", "round", ""].map(str::to_owned);
    format!("\n### Failed\n\n{}", table(&head, &failures.iter().map(row).collect::<Vec<_>>()))
}

fn target_row(judged: &Judged) -> Vec<String> {
    let Judged { shape, quantity, target, ours, best, verdict } = judged;
    let (peer, ratio) = best.as_ref().map_or_else(Default::default, |best| {
        (format!("{} ({})", digits(best.figure.median()), best.who), digits(best.ratio.median()))
    });
    let target = match (target, quantity.better) {
        (Target::AtMost(most), _) => format!("<= {most}"),
        (Target::AtLeast(least), _) => format!(">= {least}"),
        (Target::AtMostAndNever(most, never), _) => format!("<= {most}, never > {never}"),
        (Target::TimesTheBest(times), Better::Less) => format!("<= {times:.2} x best"),
        (Target::TimesTheBest(times), Better::More) => format!(">= {times:.2} x best"),
        (Target::TimesTheBestFair(times), _) => format!("<= {times:.2} x best that is fair"),
    };
    let verdict = match verdict {
        Verdict::Reached => verdict.to_string(),
        Verdict::Missed | Verdict::NotComparable => format!("**{verdict}**"),
    };
    let title = quantity.title.to_owned();
    vec![shape.key(), title, spread(ours), peer, ratio, target, verdict]
}

fn head_of(shape: Shape) -> Vec<String> {
    let titles = shape.quantities().into_iter().map(|quantity| quantity.title.to_owned());
    std::iter::once(String::new()).chain(titles).collect()
}

fn rows_of(shape: Shape, results: &Results) -> Vec<Vec<String>> {
    let row = |who: &Who| {
        let figures = shape.quantities().into_iter().map(|quantity| {
            let figure = results.figure(shape, *who, quantity.key);
            figure.map_or_else(|| "-".to_owned(), |figure| spread(&figure))
        });
        std::iter::once(who.to_string()).chain(figures).collect()
    };
    shape.contenders().iter().map(row).collect()
}

fn spread(figure: &Figure) -> String {
    let [median, least, most] = [figure.median(), figure.least(), figure.most()].map(digits);
    if least == most { median } else { format!("{median} [{least} .. {most}]") }
}

/// Aligned, so that it can be read as it is.
fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells =
            rows.iter().map(Vec::as_slice).chain([head]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default().max(3)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
    [line(head), line(&rule)].into_iter().chain(rows.iter().map(|row| line(row))).collect()
}
