//! A result as people read it: what is on a page, whatever the page is written in. HTML shows plots
//! and tables, Markdown only tables.

use super::svg::Plot;

/// A page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// What was done, in a line.
    pub(crate) subtitle: String,
    /// What must be known before any figure is believed.
    pub(crate) notices: Vec<String>,
    pub(crate) finding: Option<Finding>,
    /// The few figures that matter most.
    pub(crate) key_figures: Vec<KeyFigure>,
    pub(crate) sections: Vec<Section>,
    /// What made the page, and when.
    pub(crate) footer: String,
}

/// What it all comes to.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// In a word or two, such as `pool-limited`.
    pub(crate) label: String,
    pub(crate) tone: Tone,
    pub(crate) summary: String,
    /// What to do.
    pub(crate) advice: Option<Advice>,
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Advice {
    /// To be typed as it is; empty if there is nothing to type.
    pub(crate) code: String,
    pub(crate) words: String,
}

/// Whether a finding is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Notice,
    Bad,
}

/// A figure that stands by itself.
#[derive(Clone, Debug)]
pub(crate) struct KeyFigure {
    pub(crate) label: &'static str,
    pub(crate) value: Cell,
    /// What it consists of, or is a part of.
    pub(crate) note: String,
    pub(crate) tone: Tone,
}

/// A part of a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) plots: Vec<Plot>,
    pub(crate) tables: Vec<Table>,
}

/// Figures in rows. The first column names the row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// It is long and not for everybody, so that it is shown only if asked for.
    pub(crate) is_folded: bool,
}

/// What stands in a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    /// To be typed as it is.
    Code(String),
    Number(Number),
}

/// A figure as people read it, and as programs do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) shown: String,
    /// Its path in the report's JSON, such as `response.p99`.
    pub(crate) metric: String,
    /// Nothing if there was nothing to measure.
    pub(crate) value: Option<f64>,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }

    /// A figure that JSON has at the path `metric`; `show` writes it for people.
    pub(crate) fn number(
        metric: impl Into<String>,
        value: impl Into<Option<f64>>,
        show: impl FnOnce(f64) -> String,
    ) -> Self {
        let value = value.into().filter(|value| value.is_finite());
        let shown = value.map_or_else(|| "-".to_owned(), show);
        Self::Number(Number { shown, metric: metric.into(), value })
    }

    pub(crate) fn shown(&self) -> &str {
        match self {
            Self::Text(text) | Self::Code(text) => text,
            Self::Number(number) => &number.shown,
        }
    }
}

impl Table {
    pub(crate) fn new(caption: &str, head: &[&str]) -> Self {
        let head = head.iter().map(|title| (*title).to_owned()).collect();
        Self { caption: caption.to_owned(), head, ..Self::default() }
    }

    /// Whether the column has figures, which line up on the right.
    pub(crate) fn is_of_numbers(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(|cell| matches!(cell, Cell::Number(_)))
    }
}
