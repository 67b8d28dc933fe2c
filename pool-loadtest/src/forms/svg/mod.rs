//! Plots as SVG: lines, stacked areas, bars of an interval, on linear or logarithmic axes. Colours are
//! classes that the style sheet beside this resolves, for light and dark.

mod draw;
mod scale;
mod unit;

use std::fmt::Write as _;

pub(crate) use self::scale::Spread;
pub(crate) use self::unit::Unit;

use self::draw::Drawing;

/// What resolves the classes of a plot.
pub(crate) const STYLE: &str = include_str!("plot.css");

/// Figures over figures.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// What it is called in a page, such as `throughput`.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    /// What it shows, in words.
    pub(crate) description: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// The first one is drawn first, so that the others lie upon it.
    pub(crate) layers: Vec<Layer>,
    /// What happened when, or where: upright lines with a word.
    pub(crate) marks: Vec<(f64, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) unit: Unit,
    pub(crate) spread: Spread,
    /// What stands where, ascending; if there is nothing, round numbers do.
    pub(crate) ticks: Vec<(f64, String)>,
}

/// One row of figures.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// As the legend says, if it says anything.
    pub(crate) label: String,
    pub(crate) colour: Colour,
    pub(crate) shape: Shape,
}

/// What of a row of figures is drawn. Where there is no figure, there is a gap.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Line(Vec<Place>),
    /// A line that is told from others without its colour, too.
    Dashed(Vec<Place>),
    /// Upon the areas before it.
    Area(Vec<Place>),
    /// Each by itself.
    Dots(Vec<Place>),
    /// From one figure up to another, at a place.
    Intervals(Vec<(f64, f64, f64)>),
}

pub(crate) type Place = (f64, Option<f64>);

/// Named for what the style sheet makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Blue,
    Green,
    Orange,
    Purple,
    Red,
    Grey,
}

impl Colour {
    const fn class(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
            Self::Orange => "orange",
            Self::Purple => "purple",
            Self::Red => "red",
            Self::Grey => "grey",
        }
    }
}

/// How large a plot is drawn, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    pub(crate) const WIDE: Self = Self { width: 760, height: 300 };
    /// For a telephone, where letters of a wide one would be too small.
    pub(crate) const NARROW: Self = Self { width: 340, height: 260 };
}

impl Axis {
    pub(crate) fn new(label: &str, unit: Unit, spread: Spread) -> Self {
        Self { label: label.to_owned(), unit, spread, ticks: Vec::new() }
    }

    /// With these words at these places, as far as there is room for them.
    pub(crate) fn with_ticks(self, ticks: impl IntoIterator<Item = (f64, String)>) -> Self {
        Self { ticks: ticks.into_iter().collect(), ..self }
    }

    /// Seconds since the load was measured.
    pub(crate) fn time() -> Self {
        Self::new("seconds", Unit::Plain, Spread::Linear)
    }
}

impl Plot {
    /// The element `svg`, whose parts are named after `name`, which no other element may have.
    pub(crate) fn draw(&self, name: &str, size: Size) -> String {
        Drawing::new(self, size).finish(name)
    }

    /// Whether there is any figure to draw.
    pub(crate) fn has_figures(&self) -> bool {
        self.layers.iter().any(|layer| layer.shape.places().iter().any(|(_, y)| y.is_some()))
    }
}

impl Layer {
    pub(crate) fn new(label: impl Into<String>, colour: Colour, shape: Shape) -> Self {
        Self { label: label.into(), colour, shape }
    }

    /// One that the legend says nothing of: it belongs to another.
    pub(crate) fn unnamed(colour: Colour, shape: Shape) -> Self {
        Self::new("", colour, shape)
    }
}

impl Shape {
    /// Where it has figures; of an interval both of its ends.
    fn places(&self) -> Vec<Place> {
        match self {
            Self::Line(places) | Self::Dashed(places) | Self::Area(places) | Self::Dots(places) => {
                places.clone()
            }
            Self::Intervals(intervals) => intervals
                .iter()
                .flat_map(|(x, low, high)| [(*x, Some(*low)), (*x, Some(*high))])
                .collect(),
        }
    }
}

/// Plots below each other, as a file that needs nothing else.
pub(crate) fn file(title: &str, plots: &[Plot]) -> String {
    const HEADING: u32 = 28;
    let Size { width, height } = Size::WIDE;
    let row = height + HEADING + 12;
    let whole = row * plots.len() as u32 + 40;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {outer} {whole}\" width=\"{outer}\" \
         height=\"{whole}\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{outer}\" height=\"{whole}\"/>\n\
         <text class=\"heading\" x=\"20\" y=\"26\">{title}</text>\n",
        outer = width + 40,
        title = super::escape::xml(title),
    );
    for (number, plot) in plots.iter().enumerate() {
        let top = row * number as u32 + 40;
        let heading = super::escape::xml(&plot.title);
        let _ =
            writeln!(text, "<text class=\"heading\" x=\"20\" y=\"{}\">{heading}</text>", top + 18);
        let drawn = plot.draw(plot.name, Size::WIDE);
        let place =
            format!("<svg x=\"20\" y=\"{}\" width=\"{width}\" height=\"{height}\" ", top + HEADING);
        text += &drawn.replacen("<svg ", &place, 1);
    }
    text + "</svg>\n"
}

#[cfg(test)]
mod tests;
