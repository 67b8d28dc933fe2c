//! The drawing: panels, two in a row, with the time of the spike shaded.

use std::path::Path;

use anyhow::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const PANEL: (u32, u32) = (560, 260);
const FONT: &str = "sans-serif";
const SHADE: RGBColor = RGBColor(242, 236, 224);
const COLOURS: [RGBColor; 3] =
    [RGBColor(200, 30, 30), RGBColor(30, 90, 180), RGBColor(110, 110, 110)];

/// Curves in one frame.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) curves: Vec<Curve>,
}

/// Values by seconds since the start.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Draws them into a file.
///
/// # Errors
///
/// It cannot be written.
pub(crate) fn write(path: &Path, panels: &[Panel], spike: (f64, f64)) -> Result<()> {
    let rows = panels.len().div_ceil(2);
    let size = (2 * PANEL.0, rows as u32 * PANEL.1);
    let root = SVGBackend::new(path, size).into_drawing_area();
    // A page may be dark; the text is not.
    root.fill(&WHITE).map_err(failed)?;
    for (panel, area) in panels.iter().zip(root.split_evenly((rows, 2))) {
        panel.draw(&area, spike)?;
    }
    root.present().map_err(failed)
}

impl Panel {
    fn draw(&self, area: &Area<'_>, spike: (f64, f64)) -> Result<()> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let last = points().map(|(at, _)| *at).fold(1.0, f64::max);
        let most = points().map(|(_, value)| *value).fold(1.0, f64::max);
        // Room for the names above the curves.
        let top = most * 1.7;
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..last, 0.0..top)
            .map_err(failed)?;
        let shade = Rectangle::new([(spike.0, 0.0), (spike.1, top)], SHADE.filled());
        chart.plotting_area().draw(&shade).map_err(failed)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc("seconds")
            .y_labels(6)
            .x_label_formatter(&|at| format!("{at:.0}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .label_style((FONT, 13))
            .draw()
            .map_err(failed)?;
        // The first last, above the others.
        for (curve, colour) in self.curves.iter().zip(COLOURS).rev() {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line).map_err(failed)?.label(curve.name).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2))
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .label_font((FONT, 13))
            .draw()
            .map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::msg(error.to_string())
}
