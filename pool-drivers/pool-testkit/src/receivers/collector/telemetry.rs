//! Metrics and spans as a collector received them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What was received, in order. A metric that is exported again is there again.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Telemetry {
    /// The points of all metrics.
    pub points: Vec<Point>,
    /// The spans.
    pub spans: Vec<Span>,
}

/// Attributes by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// A text.
    Text(String),
    /// An integer.
    Int(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Bool(bool),
    /// A list, a map or bytes, in the collector's words.
    Other(String),
}

/// One point of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// Of whom it tells.
    pub resource: Attributes,
    /// The name and the version of the instrumentation, with a blank between.
    pub scope: String,
    /// The metric's name.
    pub name: String,
    /// The metric's description.
    pub description: String,
    /// The metric's unit.
    pub unit: String,
    /// What kind of metric it is.
    pub kind: Kind,
    /// How old what it adds up is.
    pub temporality: Option<Temporality>,
    /// The point's attributes.
    pub attributes: Attributes,
    /// What was measured.
    pub value: Value,
}

/// What kind of metric a point is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The last of something.
    #[default]
    Gauge,
    /// A sum that only grows: a counter.
    Counter,
    /// A sum that shrinks, too.
    UpDownCounter,
    /// A histogram with explicit bounds.
    Histogram,
    /// Another, in the collector's words.
    Other(String),
}

/// Since when a point adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Temporality {
    /// Since the start.
    Cumulative,
    /// Since the point before.
    Delta,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Number(f64),
    /// How often what was met.
    Histogram(Buckets),
}

/// A histogram's point.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Buckets {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The upper bounds of all buckets but the last, which has none.
    pub bounds: Vec<f64>,
    /// How many values each bucket has.
    pub counts: Vec<u64>,
}

/// One span.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Span {
    /// Of whom it tells.
    pub resource: Attributes,
    /// The name and the version of the instrumentation, with a blank between.
    pub scope: String,
    /// Its trace, in hexadecimal.
    pub trace_id: String,
    /// Itself, in hexadecimal.
    pub id: String,
    /// The span above it, empty if there is none.
    pub parent_id: String,
    /// Its name.
    pub name: String,
    /// `CLIENT`, `INTERNAL`, ...
    pub kind: String,
    /// `UNSET`, `OK` or `ERROR`.
    pub status: String,
    /// What is said of the status.
    pub status_message: String,
    /// When it began, in nanoseconds since 1970.
    pub start_nanos: u64,
    /// When it ended, likewise.
    pub end_nanos: u64,
    /// Its attributes.
    pub attributes: Attributes,
    /// What happened in it.
    pub events: Vec<Event>,
    /// The spans it is linked to: trace and span, in hexadecimal.
    pub links: Vec<(String, String)>,
}

/// What happened in a span.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Telemetry {
    /// The points of a metric.
    #[must_use]
    pub fn points_of(&self, name: &str) -> impl DoubleEndedIterator<Item = &Point> {
        self.points.iter().filter(move |point| point.name == name)
    }

    /// The last point of a metric that has these attributes, perhaps among others.
    #[must_use]
    pub fn latest(&self, name: &str, attributes: &[(&str, &str)]) -> Option<&Point> {
        let has_all = |point: &&Point| {
            attributes.iter().all(|(name, value)| {
                point.attributes.get(*name).is_some_and(|found| found == value)
            })
        };
        self.points_of(name).rfind(has_all)
    }

    /// The spans of this name.
    #[must_use]
    pub fn spans_of(&self, name: &str) -> impl DoubleEndedIterator<Item = &Span> {
        self.spans.iter().filter(move |span| span.name == name)
    }

    /// The names of all metrics.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<&str> {
        self.points.iter().map(|point| &*point.name).collect()
    }

    /// What there is, in short.
    pub(super) fn contents(&self) -> String {
        let metrics: Vec<_> = self.metrics().into_iter().collect();
        let spans: BTreeSet<_> = self.spans.iter().map(|span| &*span.name).collect();
        let spans: Vec<_> = spans.into_iter().collect();
        format!("the metrics [{}] and the spans [{}]", metrics.join(", "), spans.join(", "))
    }
}

impl Point {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self.value {
            Value::Number(number) => Some(number),
            Value::Histogram(_) => None,
        }
    }

    /// The buckets, if it is a histogram's.
    #[must_use]
    pub fn buckets(&self) -> Option<&Buckets> {
        match &self.value {
            Value::Histogram(buckets) => Some(buckets),
            Value::Number(_) => None,
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Number(f64::NAN)
    }
}

/// As it would be written for people.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Other(text) => f.pad(text),
            Self::Int(number) => number.fmt(f),
            Self::Double(number) => number.fmt(f),
            Self::Bool(yes) => yes.fmt(f),
        }
    }
}

impl PartialEq<&str> for Attribute {
    fn eq(&self, other: &&str) -> bool {
        matches!(self, Self::Text(text) if text == other)
    }
}

impl PartialEq<i64> for Attribute {
    fn eq(&self, other: &i64) -> bool {
        matches!(self, Self::Int(number) if number == other)
    }
}
