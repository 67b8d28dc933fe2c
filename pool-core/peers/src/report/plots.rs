//! The plots. Their axes are logarithmic: contenders lie orders of magnitude apart.

use std::ops::Range;
use std::path::Path;

use anyhow::{Error, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use pool_testkit::measure::Figure;

use super::digits;
use crate::contender::Who;
use crate::results::Results;
use crate::shape::Shape;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const PANEL: (u32, u32) = (560, 300);
const FONT: &str = "sans-serif";

/// One quantity of all contenders, a row each.
struct Dots {
    shape: Shape,
    key: &'static str,
    title: &'static str,
}

/// Several quantities of each contender, a line each.
struct Lines {
    shape: Shape,
    keys: &'static [(&'static str, &'static str)],
    title: &'static str,
}

const SPEEDS: [Dots; 6] = [
    Dots { shape: Shape::Uncontended, key: "nanos", title: "uncontended, ns (less is better)" },
    Dots { shape: Shape::TwoOverTwo, key: "mops", title: "2/2, million/s (more is better)" },
    Dots { shape: Shape::EightOverEight, key: "mops", title: "8/8, million/s" },
    Dots { shape: Shape::SixtyFourOverEight, key: "mops", title: "64/8, million/s" },
    Dots { shape: Shape::ThousandOverTen, key: "mops", title: "1000/10, million/s" },
    Dots { shape: Shape::CancelStorm, key: "mops", title: "cancel storm, million served/s" },
];

const LOADS: [Dots; 4] = [
    Dots { shape: Shape::Spike, key: "millis", title: "spike, all served, ms (less is better)" },
    Dots { shape: Shape::Ramp, key: "millis", title: "ramp, all open, ms" },
    Dots { shape: Shape::Fairness, key: "p99", title: "fairness, wait p99, ms" },
    Dots { shape: Shape::Fairness, key: "max", title: "fairness, longest wait, ms" },
];

const SHARES: [(&str, &str); 5] =
    [("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p999", "p99.9"), ("max", "longest")];

const WAITS: [Lines; 4] = [
    Lines { shape: Shape::TwoOverTwo, keys: &SHARES, title: "2/2, wait, us (less is better)" },
    Lines { shape: Shape::EightOverEight, keys: &SHARES, title: "8/8, wait, us" },
    Lines { shape: Shape::SixtyFourOverEight, keys: &SHARES, title: "64/8, wait, us" },
    Lines { shape: Shape::ThousandOverTen, keys: &SHARES, title: "1000/10, wait, us" },
];

const GROWTH: [Lines; 3] = [
    Lines {
        shape: Shape::Connections,
        keys: &[("8", "8 idle"), ("300", "300 idle"), ("10000", "10,000 idle")],
        title: "acquire + release, ns (less is better)",
    },
    Lines {
        shape: Shape::Waiters,
        keys: &[("join_10", "10"), ("join_1000", "1,000"), ("join_100000", "100,000 wait")],
        title: "join the queue and leave, ns",
    },
    Lines {
        shape: Shape::Waiters,
        keys: &[("hand_10", "10"), ("hand_1000", "1,000"), ("hand_100000", "100,000 wait")],
        title: "release, be next, queue again, ns",
    },
];

/// Writes the plots of what was measured, and returns their names.
///
/// # Errors
///
/// They cannot be written.
pub(super) fn write(results: &Results, folder: &Path) -> Result<Vec<&'static str>> {
    let is_measured = |shape| results.has(shape);
    let dots = |panel: &Dots, area: &Area<'_>| panel.draw(results, area);
    let lines = |panel: &Lines, area: &Area<'_>| panel.draw(results, area);
    let written = [
        ("speed.svg", page(&folder.join("speed.svg"), &SPEEDS, |it| is_measured(it.shape), dots)?),
        ("waits.svg", page(&folder.join("waits.svg"), &WAITS, |it| is_measured(it.shape), lines)?),
        ("load.svg", page(&folder.join("load.svg"), &LOADS, |it| is_measured(it.shape), dots)?),
        (
            "growth.svg",
            page(&folder.join("growth.svg"), &GROWTH, |it| is_measured(it.shape), lines)?,
        ),
    ];
    Ok(written.into_iter().filter(|(_, is_written)| *is_written).map(|(name, _)| name).collect())
}

/// Panels side by side, two in a row; whether there was anything to draw.
fn page<P>(
    path: &Path,
    panels: &[P],
    is_measured: impl Fn(&P) -> bool,
    draw: impl Fn(&P, &Area<'_>) -> Result<()>,
) -> Result<bool> {
    let panels: Vec<_> = panels.iter().filter(|panel| is_measured(panel)).collect();
    if panels.is_empty() {
        return Ok(false);
    }
    let columns = panels.len().min(2);
    let rows = panels.len().div_ceil(columns);
    let size = (PANEL.0 * columns as u32, PANEL.1 * rows as u32);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    for (panel, area) in panels.into_iter().zip(root.split_evenly((rows, columns))) {
        draw(panel, &area)?;
    }
    root.present().map_err(failed)?;
    Ok(true)
}

impl Dots {
    fn draw(&self, results: &Results, area: &Area<'_>) -> Result<()> {
        let figure = |who: &Who| Some((*who, results.figure(self.shape, *who, self.key)?));
        let figures: Vec<_> = self.shape.contenders().iter().filter_map(figure).collect();
        let names: Vec<_> = figures.iter().map(|(who, _)| who.to_string()).collect();
        let (left, right) = range(figures.iter().flat_map(|(_, it)| [it.least(), it.most()]));
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 16))
            .margin(12)
            .x_label_area_size(24)
            .y_label_area_size(170)
            // Room for the number behind the last dot.
            .build_cartesian_2d(
                Logarithms(left..right + (right - left) / 8.0),
                (names.len() as f64 - 0.5)..-0.5,
            )
            .map_err(failed)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .y_labels(names.len())
            .y_label_formatter(&|y| name_at(&names, *y))
            .label_style((FONT, 13))
            .draw()
            .map_err(failed)?;
        for (row, (who, figure)) in figures.iter().enumerate() {
            let (y, colour) = (row as f64, colour(*who));
            let [x, least, most] = [figure.median(), figure.least(), figure.most()].map(logarithm);
            let spread = PathElement::new(vec![(least, y), (most, y)], colour.stroke_width(2));
            let text = Text::new(digits(figure.median()), (7, -15), (FONT, 13));
            let dot = EmptyElement::at((x, y)) + Circle::new((0, 0), 4, colour.filled()) + text;
            chart.plotting_area().draw(&spread).map_err(failed)?;
            chart.plotting_area().draw(&dot).map_err(failed)?;
        }
        Ok(())
    }
}

impl Lines {
    fn draw(&self, results: &Results, area: &Area<'_>) -> Result<()> {
        let medians = |who: &Who| {
            let median = |(key, _): &(&str, &str)| {
                results.figure(self.shape, *who, key).map(|figure| Figure::median(&figure))
            };
            Some((*who, self.keys.iter().map(median).collect::<Option<Vec<_>>>()?))
        };
        let lines: Vec<_> = self.shape.contenders().iter().filter_map(medians).collect();
        let names: Vec<_> = self.keys.iter().map(|(_, name)| (*name).to_owned()).collect();
        let (bottom, top) = range(lines.iter().flat_map(|(_, medians)| medians.iter().copied()));
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 16))
            .margin(12)
            .x_label_area_size(24)
            .y_label_area_size(60)
            // Room for the legend.
            .build_cartesian_2d(-0.2..names.len() as f64 * 1.6 - 0.6, Logarithms(bottom..top))
            .map_err(failed)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .disable_x_mesh()
            .x_labels(names.len() * 2)
            .x_label_formatter(&|x| name_at(&names, *x))
            .label_style((FONT, 13))
            .draw()
            .map_err(failed)?;
        for (who, medians) in lines {
            let (colour, width) = (colour(who), if who == Who::Ours { 3 } else { 1 });
            let points =
                medians.iter().enumerate().map(|(at, median)| (at as f64, logarithm(*median)));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(width)).point_size(3))
                .map_err(failed)?
                .label(who.to_string())
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(width))
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE)
            .label_font((FONT, 13))
            .draw()
            .map_err(failed)
    }
}

/// The name at a whole number, nothing between.
fn name_at(names: &[String], at: f64) -> String {
    let is_whole = (at - at.round()).abs() < 0.01 && at > -0.5;
    names.get(at.round() as usize).filter(|_| is_whole).cloned().unwrap_or_default()
}

/// From the least to the most, with a margin.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let (least, most) = values
        .map(logarithm)
        .fold(none, |(least, most), value| (least.min(value), most.max(value)));
    let margin = 0.08 * (most - least).max(0.3);
    (least - margin, most + margin)
}

/// An axis whose values are logarithms, with marks at 1, 2 and 5, or at powers of ten where that
/// would be many.
struct Logarithms(Range<f64>);

impl Ranged for Logarithms {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.0.clone()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let Range { start, end } = self.0;
        let steps: &[f64] = if end - start > 1.7 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let marks = (start.floor() as i32..=end.ceil() as i32)
            .flat_map(|power| steps.iter().map(move |step| step.log10() + f64::from(power)));
        marks.filter(|mark| self.0.contains(mark)).collect()
    }

    fn range(&self) -> Range<f64> {
        self.0.clone()
    }
}

impl ValueFormatter<f64> for Logarithms {
    fn format(logarithm: &f64) -> String {
        let value = 10_f64.powf(*logarithm);
        if value < 0.95 {
            let rounded = format!("{value:.3}");
            return rounded.trim_end_matches('0').to_owned();
        }
        format!("{value:.0}")
    }
}

/// A figure of nothing at all has none, and stands at the edge.
fn logarithm(value: f64) -> f64 {
    value.max(1e-3).log10()
}

/// Ours stands out, floors step back.
fn colour(who: Who) -> RGBColor {
    match who {
        Who::Ours => RGBColor(200, 30, 30),
        Who::OursOwned => RGBColor(230, 130, 120),
        Who::Asyncband => RGBColor(30, 90, 180),
        Who::Deadpool => RGBColor(0, 130, 90),
        Who::DeadpoolTimeouts => RGBColor(110, 190, 150),
        Who::Bb8 => RGBColor(150, 80, 170),
        Who::Sqlx => RGBColor(200, 140, 20),
        Who::R2d2 => RGBColor(120, 90, 60),
        Who::Semaphore => RGBColor(120, 120, 120),
        Who::Mutex => RGBColor(180, 180, 180),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::msg(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plotted_is_in_the_tables_too() {
        let dots = SPEEDS.iter().chain(&LOADS).map(|panel| (panel.shape, panel.key));
        let lines = WAITS.iter().chain(&GROWTH);
        let lines = lines.flat_map(|it| it.keys.iter().map(|(key, _)| (it.shape, *key)));
        for (shape, key) in dots.chain(lines) {
            let is_in = shape.quantities().iter().any(|quantity| quantity.key == key);
            assert!(is_in, "{key} of {}", shape.key());
        }
    }
}
