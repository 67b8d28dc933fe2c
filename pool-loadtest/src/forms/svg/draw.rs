//! How a plot becomes the element `svg`: margins, legend, axes, then the layers.

use std::fmt::Write as _;

use super::scale::Scale;
use super::{Layer, Place, Plot, Shape, Size};
use crate::forms::escape::xml;

/// About how wide a letter is, in pixels.
const LETTER: f64 = 6.6;
/// The height of a row of the legend.
const ROW: f64 = 18.0;
/// The height of a row of what happened, and how many there are at most.
const MARK_ROW: f64 = 15.0;
const MARK_ROWS: usize = 3;
/// Letters of what happened at most: the table beside the plot says all of it.
const LONGEST_MARK: usize = 32;
/// What a legend's sample takes, with the room beside it.
const SAMPLE: f64 = 24.0;

/// One plot on its way to text.
pub(super) struct Drawing<'a> {
    plot: &'a Plot,
    size: Size,
    x: Scale,
    y: Scale,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    text: String,
}

/// Figures upon those below them, which areas have.
struct Stacked<'a> {
    layer: &'a Layer,
    /// Where each begins and ends.
    places: Vec<(f64, f64, Option<f64>)>,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(plot: &'a Plot, size: Size) -> Self {
        let stacked = stacked(&plot.layers);
        let tops = stacked.iter().flat_map(|layer| &layer.places).filter_map(|place| place.2);
        let places: Vec<_> = plot.layers.iter().flat_map(|layer| layer.shape.places()).collect();
        let x = Scale::exact(places.iter().map(|(x, _)| *x), plot.x.spread);
        let y = Scale::rounded(tops, plot.y.spread);
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let ticks = y.ticks(4).into_iter().map(|tick| plot.y.unit.write(tick).chars().count());
        let left = ticks.max().unwrap_or(1) as f64 * LETTER + 12.0;
        let rows = legend(&plot.layers, width).last().map_or(0.0, |(_, row, _)| row + 1.0);
        let marks = plot.marks.len().min(MARK_ROWS) as f64;
        let top = rows * ROW + 28.0 + marks * MARK_ROW;
        let (right, bottom) = (width - 14.0, height - 36.0);
        Self { plot, size, x, y, left, right, top, bottom, text: String::new() }
    }

    pub(super) fn finish(mut self, name: &str) -> String {
        let Plot { title, description, layers, .. } = self.plot;
        let Size { width, height } = self.size;
        let _ = writeln!(
            self.text,
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{name}-title \
             {name}-text\" class=\"plot\">\n<title id=\"{name}-title\">{}</title>\n\
             <desc id=\"{name}-text\">{}</desc>",
            xml(title),
            xml(description),
        );
        self.legend();
        self.axes();
        for stacked in stacked(layers) {
            self.layer(&stacked);
        }
        self.marks();
        self.text + "</svg>\n"
    }

    fn legend(&mut self) {
        for (layer, row, left) in legend(&self.plot.layers, f64::from(self.size.width)) {
            let (class, y) = (layer.colour.class(), row * ROW + 9.0);
            let end = left + 16.0;
            let sample = match layer.shape {
                Shape::Area(_) => format!(
                    "<rect class=\"area {class}\" x=\"{left}\" y=\"{}\" width=\"16\" height=\"10\"/>",
                    y - 5.0
                ),
                Shape::Line(_) => line("line", class, left, y, end, y),
                Shape::Dashed(_) => line("line dashed", class, left, y, end, y),
                Shape::Dots(_) => dot(class, left + 8.0, y),
                Shape::Intervals(_) => {
                    line("line", class, left + 8.0, y - 6.0, left + 8.0, y + 6.0)
                }
            };
            let (start, baseline) = (left + SAMPLE - 2.0, y + 4.0);
            let label = xml(&layer.label);
            let _ =
                writeln!(self.text, "{sample}<text x=\"{start}\" y=\"{baseline}\">{label}</text>");
        }
    }

    fn axes(&mut self) {
        let Self { plot, y, left, right, top, bottom, .. } = *self;
        let label = xml(&plot.y.label);
        let marks = plot.marks.len().min(MARK_ROWS) as f64 * MARK_ROW;
        let _ = writeln!(
            self.text,
            "<text class=\"axis\" x=\"4\" y=\"{}\">{label}</text>",
            top - marks - 12.0
        );
        let drawn = |unit: super::Unit| move |tick: &f64| unit.has(*tick);
        for tick in y.ticks(4).into_iter().filter(drawn(plot.y.unit)) {
            let Some(at) = y.place(tick, bottom, top) else { continue };
            let (shown, baseline) = (plot.y.unit.write(tick), at + 4.0);
            let rule = rule("grid", left, at, right, at);
            let place = format!("x=\"{:.1}\" y=\"{baseline:.1}\"", left - 6.0);
            let _ = writeln!(self.text, "{rule}<text class=\"tick end\" {place}>{shown}</text>");
        }
        for (at, shown) in self.ticks_below() {
            let (middle, baseline) = (self.middle_of(at, &shown), bottom + 16.0);
            let (place, shown) = (format!("x=\"{middle:.1}\" y=\"{baseline:.1}\""), xml(&shown));
            let rule = rule("stroke", at, bottom, at, bottom + 4.0);
            let _ = writeln!(self.text, "{rule}<text class=\"tick middle\" {place}>{shown}</text>");
        }
        self.text += &rule("stroke", left, bottom, right, bottom);
        let (middle, baseline) = (f64::midpoint(left, right), bottom + 32.0);
        let place = format!("x=\"{middle:.1}\" y=\"{baseline:.1}\"");
        let label = xml(&plot.x.label);
        let _ = writeln!(self.text, "<text class=\"axis middle\" {place}>{label}</text>");
    }

    /// What stands below the figures, and where: no label runs into the one before it.
    fn ticks_below(&self) -> Vec<(f64, String)> {
        let Self { plot: Plot { x: axis, .. }, x, left, right, .. } = *self;
        let placed = |(tick, shown): (f64, String)| Some((x.place(tick, left, right)?, shown));
        if axis.ticks.is_empty() {
            let wanted = ((right - left) / 75.0) as usize;
            let ticks = x.ticks(wanted.max(2)).into_iter().filter(|tick| axis.unit.has(*tick));
            return ticks.map(|tick| (tick, axis.unit.write(tick))).filter_map(placed).collect();
        }
        let mut free = f64::NEG_INFINITY;
        let mut ticks: Vec<_> = axis.ticks.iter().cloned().filter_map(placed).collect();
        ticks.retain(|(at, shown)| {
            let (middle, half) = (self.middle_of(*at, shown), half_of(shown));
            let has_room = middle - half >= free;
            if has_room {
                free = middle + half + LETTER;
            }
            has_room
        });
        ticks
    }

    /// Where a label at this place has its middle, so that nothing of it is cut off.
    fn middle_of(&self, at: f64, shown: &str) -> f64 {
        let half = half_of(shown);
        at.min(f64::from(self.size.width) - half).max(half)
    }

    fn layer(&mut self, stacked: &Stacked<'_>) {
        let class = stacked.layer.colour.class();
        let drawn = match &stacked.layer.shape {
            Shape::Line(_) => self.line("line", class, &stacked.places),
            Shape::Dashed(_) => self.line("line dashed", class, &stacked.places),
            Shape::Area(_) => self.area(class, &stacked.places),
            Shape::Dots(_) => {
                let spots = stacked.places.iter().filter_map(|place| self.spot(place.0, place.2));
                spots.map(|(x, y)| dot(class, x, y)).collect()
            }
            Shape::Intervals(intervals) => intervals
                .iter()
                .filter_map(|(x, low, high)| {
                    let ((x, low), (_, high)) =
                        (self.spot(*x, Some(*low))?, self.spot(*x, Some(*high))?);
                    let ends = [low, high].map(|y| line("line", class, x - 4.0, y, x + 4.0, y));
                    Some(line("line", class, x, low, x, high) + &ends.concat())
                })
                .collect(),
        };
        self.text += &drawn;
        self.text += "\n";
    }

    /// A path with a gap where there is no figure. A figure between two gaps is a dot.
    fn line(&self, shape: &str, class: &str, places: &[(f64, f64, Option<f64>)]) -> String {
        let (mut path, mut dots) = (String::new(), String::new());
        let spots = places.iter().map(|(x, _, y)| self.spot(*x, *y));
        let spots: Vec<_> = spots.collect();
        for run in spots.split(Option::is_none) {
            if let [Some((x, y))] = run {
                dots += &dot(class, *x, *y);
                continue;
            }
            for (number, (x, y)) in run.iter().flatten().enumerate() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { "M" } else { "L" });
            }
        }
        let path = if path.is_empty() {
            path
        } else {
            format!("<path class=\"{shape} {class}\" d=\"{path}\"/>")
        };
        path + &dots
    }

    /// What lies between a row of figures and the one below it.
    fn area(&self, class: &str, places: &[(f64, f64, Option<f64>)]) -> String {
        let spots = |upper: bool| {
            places.iter().filter_map(move |(x, low, high)| {
                let y = if upper { high.unwrap_or(*low) } else { *low };
                // From the very beginning: a figure is of the time before it.
                self.spot(*x, Some(y))
            })
        };
        let upper: Vec<_> = spots(true).collect();
        let lower: Vec<_> = spots(false).collect();
        let (Some(first), Some(ground)) = (upper.first(), lower.first()) else {
            return String::new();
        };
        let mut path = format!("M{:.1} {:.1}", self.left, first.1);
        for (x, y) in upper.iter().chain(lower.iter().rev()) {
            let _ = write!(path, "L{x:.1} {y:.1}");
        }
        let _ = write!(path, "L{:.1} {:.1}Z", self.left, ground.1);
        format!("<path class=\"area {class}\" d=\"{path}\"/>")
    }

    fn marks(&mut self) {
        let Self { plot, x, left, right, top, bottom, .. } = *self;
        for (number, (at, label)) in plot.marks.iter().enumerate() {
            let Some(at) = x.place(*at, left, right) else { continue };
            // Above the figures, beside its line, on the side where there is room; neighbours in turn.
            let is_late = at > f64::midpoint(left, right);
            let (anchor, start) = if is_late { ("end", at - 4.0) } else { ("start", at + 4.0) };
            let room = if is_late { at } else { right - at };
            let label = xml(&within((room / LETTER) as usize, label));
            let row = top - MARK_ROW * ((number % MARK_ROWS) as f64 + 1.0);
            let baseline = row + 11.0;
            let rule = rule("mark", at, row, at, bottom);
            let place = format!("x=\"{start:.1}\" y=\"{baseline:.1}\"");
            let _ =
                writeln!(self.text, "{rule}<text class=\"mark {anchor}\" {place}>{label}</text>");
        }
    }

    /// Where a figure is drawn, if it can be.
    fn spot(&self, x: f64, y: Option<f64>) -> Option<(f64, f64)> {
        let x = self.x.place(x, self.left, self.right)?;
        Some((x, self.y.place(y?, self.bottom, self.top)?))
    }
}

/// Each layer with the place where its figures begin: areas upon those before them.
fn stacked(layers: &[Layer]) -> Vec<Stacked<'_>> {
    let mut ground: Vec<f64> = Vec::new();
    let mut upon = |layer: &Layer| -> Vec<(f64, f64, Option<f64>)> {
        let places: Vec<Place> = layer.shape.places();
        if !matches!(layer.shape, Shape::Area(_)) {
            return places.into_iter().map(|(x, y)| (x, 0.0, y)).collect();
        }
        ground.resize(ground.len().max(places.len()), 0.0);
        let each = places.into_iter().zip(&mut ground).map(|((x, y), ground)| {
            let low = *ground;
            *ground += y.filter(|y| y.is_finite()).unwrap_or_default();
            (x, low, Some(*ground))
        });
        each.collect()
    };
    layers.iter().map(|layer| Stacked { layer, places: upon(layer) }).collect()
}

/// Each layer with its row and place in the legend.
fn legend<'a>(layers: &'a [Layer], width: f64) -> Vec<(&'a Layer, f64, f64)> {
    let (mut row, mut left) = (0.0, 4.0);
    let place = |layer: &'a Layer| {
        let needed = SAMPLE + layer.label.chars().count() as f64 * LETTER + 14.0;
        if left > 4.0 && left + needed > width {
            (row, left) = (row + 1.0, 4.0);
        }
        let at = (layer, row, left);
        left += needed;
        at
    };
    layers.iter().filter(|layer| !layer.label.is_empty()).map(place).collect()
}

/// A label of so many letters at most, and never of more than a few words.
fn within(letters: usize, label: &str) -> String {
    let letters = letters.min(LONGEST_MARK);
    if label.chars().count() <= letters {
        return label.to_owned();
    }
    let kept: String = label.chars().take(letters.saturating_sub(1)).collect();
    kept.trim_end_matches([' ', ':', ',']).to_owned() + "\u{2026}"
}

/// About half the width of a label.
fn half_of(shown: &str) -> f64 {
    shown.chars().count() as f64 * LETTER / 2.0
}

fn line(shape: &str, class: &str, x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    rule(&format!("{shape} {class}"), x1, y1, x2, y2)
}

fn rule(class: &str, x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
}

fn dot(class: &str, x: f64, y: f64) -> String {
    format!("<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")
}
