//! Metrics as Prometheus reads them: the text format 0.0.4, and OpenMetrics 1.0.0.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::iter::once;
use std::sync::Arc;

use crate::catalogue::push_legal;

/// A metric with the values that it has for different labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name, with what its kind and its unit ask for at its end: `_seconds`, `_total`.
    pub name: String,
    /// One sentence.
    pub help: String,
    /// Its unit, if its name says it: `seconds`.
    pub unit: Option<&'static str>,
    /// Its kind, and its values.
    pub samples: Samples,
}

/// A metric's kind and its values. No two of them may have the same labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Samples {
    /// What only grows.
    Counter(Vec<(Labels, f64)>),
    /// What grows and shrinks.
    Gauge(Vec<(Labels, f64)>),
    /// How often values came to lie in which bucket.
    Histogram(Vec<(Labels, Buckets)>),
}

/// A name and a value. What may not be in a name is written as an underscore: that makes a label's name of an
/// attribute's.
pub type Label = (Cow<'static, str>, Cow<'static, str>);

/// The labels of a value, in the order in which they are written; they can be collected.
///
/// ```
/// use pool_monitor::prometheus::Labels;
///
/// let labels: Labels = [("pool".into(), "orders".into())].into_iter().collect();
/// assert_eq!(labels.iter().count(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// Those that many values have: there once for all of them.
    pub shared: Arc<[Label]>,
    /// One more, of this value alone.
    pub own: Option<Label>,
}

impl Labels {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.shared.iter().chain(&self.own)
    }
}

impl FromIterator<Label> for Labels {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        Self { shared: labels.into_iter().collect(), own: None }
    }
}

/// A histogram's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// The upper bounds of all buckets but the last, which has none; ascending.
    pub bounds: Cow<'static, [f64]>,
    /// How many values each bucket has: one number more than there are bounds.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' own, which every scraper reads.
    Text,
    /// The standard that grew out of it.
    OpenMetrics,
}

impl Format {
    /// What a scraper prefers of what there is, by its header `Accept`.
    pub(super) fn accepted(accept: &str) -> Self {
        let is_open_metrics = |part: &str| {
            let mut words = part.split(';').map(str::trim);
            words.next() == Some("application/openmetrics-text")
                && words.all(|word| word != "q=0" && !word.starts_with("version=0"))
        };
        if accept.split(',').any(is_open_metrics) { Self::OpenMetrics } else { Self::Text }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The text for all families.
    pub(super) fn write(self, families: &[Family]) -> String {
        let mut text = String::new();
        for family in families {
            let name = metric_name(&family.name);
            self.describe(&mut text, &name, family);
            let mut lines = Lines { text: &mut text, name: &name, labels: String::new() };
            match &family.samples {
                Samples::Counter(samples) | Samples::Gauge(samples) => {
                    for (labels, value) in samples {
                        lines.label(labels);
                        lines.value("", Number(*value));
                    }
                }
                Samples::Histogram(samples) => lines.histograms(samples),
            }
        }
        if self == Self::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }

    fn describe(self, text: &mut String, name: &str, family: &Family) {
        let (name, kind) = match (&family.samples, self) {
            // There, a counter's name has no `_total`, but its value's has.
            (Samples::Counter(_), Self::OpenMetrics) => {
                (name.trim_end_matches("_total"), "counter")
            }
            (Samples::Counter(_), Self::Text) => (name, "counter"),
            (Samples::Gauge(_), _) => (name, "gauge"),
            (Samples::Histogram(_), _) => (name, "histogram"),
        };
        put(text, format_args!("# HELP {name} "));
        escape(text, &family.help, self == Self::OpenMetrics);
        put(text, format_args!("\n# TYPE {name} {kind}\n"));
        if let (Self::OpenMetrics, Some(unit)) = (self, family.unit) {
            put(text, format_args!("# UNIT {name} {unit}\n"));
        }
    }
}

/// Writes the lines of one metric. Of a thousand pools there are a hundred thousand, so it writes nothing
/// twice that lines have in common.
struct Lines<'a> {
    text: &'a mut String,
    name: &'a str,
    /// The present labels, as they are written: `name="value",other="value"`.
    labels: String,
}

impl Lines<'_> {
    /// Makes these the labels of the next lines.
    fn label(&mut self, labels: &Labels) {
        self.labels.clear();
        for (index, (name, value)) in labels.iter().enumerate() {
            if index > 0 {
                self.labels.push(',');
            }
            push_legal(&mut self.labels, name, |_| false);
            self.labels.push_str("=\"");
            escape(&mut self.labels, value, true);
            self.labels.push('"');
        }
    }

    /// `name_suffix{labels} value`
    fn value(&mut self, suffix: &str, value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        if !self.labels.is_empty() {
            self.text.push('{');
            self.text.push_str(&self.labels);
            self.text.push('}');
        }
        put(self.text, format_args!(" {value}\n"));
    }

    /// `name_bucket{labels,le="bound"} count`
    fn bucket(&mut self, bound: &str, count: u64) {
        self.text.push_str(self.name);
        self.text.push_str("_bucket{");
        self.text.push_str(&self.labels);
        let comma = if self.labels.is_empty() { "" } else { "," };
        put(self.text, format_args!("{comma}le=\"{bound}\"}} {count}\n"));
    }

    fn histograms(&mut self, samples: &[(Labels, Buckets)]) {
        // Mostly, all have the same.
        let mut bounds: &[f64] = &[];
        let mut written = written_bounds(bounds);
        for (labels, buckets) in samples {
            if bounds != &*buckets.bounds {
                bounds = &buckets.bounds;
                written = written_bounds(bounds);
            }
            self.label(labels);
            // Buckets count what is in those before, too.
            let mut count = 0;
            for (bound, in_bucket) in written.iter().zip(&buckets.counts) {
                count += in_bucket;
                self.bucket(bound, count);
            }
            self.value("_sum", Number(buckets.sum));
            self.value("_count", count);
        }
    }
}

fn put(text: &mut String, more: fmt::Arguments<'_>) {
    text.write_fmt(more).expect("bug: a String takes all");
}

/// A value as both formats write it.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Up to here, a whole number has no digits to look for.
        const EXACT: f64 = 9e15;
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            // Most values are counts.
            whole if whole.abs() < EXACT && whole.fract() == 0.0 => (whole as i64).fmt(f),
            value => value.fmt(f),
        }
    }
}

/// The bounds of all buckets, with that of the last.
fn written_bounds(bounds: &[f64]) -> Vec<String> {
    bounds.iter().map(|bound| canonical(*bound)).chain(once("+Inf".to_owned())).collect()
}

/// A bound is a label's value, by which series are told apart: in both formats the same, with the point
/// that OpenMetrics demands.
fn canonical(bound: f64) -> String {
    let number = Number(bound).to_string();
    let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { format!("{number}.0") } else { number }
}

/// Quotes are left alone only in the text format's help.
fn escape(to: &mut String, text: &str, with_quotes: bool) {
    for it in text.chars() {
        match it {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '"' if with_quotes => to.push_str("\\\""),
            _ => to.push(it),
        }
    }
}

fn metric_name(name: &str) -> String {
    let mut legal = String::new();
    // A colon is for what rules make of metrics, which may be exposed again.
    push_legal(&mut legal, name, |it| it == ':');
    legal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<const N: usize>(labels: [(&str, &str); N]) -> Labels {
        labels
            .map(|(name, value)| (name.to_owned().into(), value.to_owned().into()))
            .into_iter()
            .collect()
    }

    fn families() -> Vec<Family> {
        let pool = labels([("pool", "a \"b\" \\ c\nd")]);
        let idle =
            Labels { own: Some(("state".into(), "idle".into())), ..labels([("pool", "orders")]) };
        let count = vec![(idle, 3.0), (pool, 0.5)];
        let waits = Buckets { bounds: (&[0.0001, 1.0]).into(), counts: vec![2, 0, 1], sum: 7.25 };
        let others = Buckets { bounds: vec![5.0].into(), counts: vec![1, 0], sum: 2.0 };
        vec![
            Family {
                name: "timeouts_total".to_owned(),
                help: "How many \"timeouts\",\nof \\ all".to_owned(),
                unit: None,
                samples: Samples::Counter(vec![(Labels::default(), 7.0)]),
            },
            Family {
                name: "count".to_owned(),
                help: "Open connections".to_owned(),
                unit: None,
                samples: Samples::Gauge(count),
            },
            Family {
                name: "wait_seconds".to_owned(),
                help: "Waits".to_owned(),
                unit: Some("seconds"),
                samples: Samples::Histogram(vec![
                    (labels([("pool", "orders")]), waits),
                    (Labels::default(), others),
                ]),
            },
        ]
    }

    #[test]
    fn the_text_is_what_prometheus_documents() {
        let expected = r#"# HELP timeouts_total How many "timeouts",\nof \\ all
# TYPE timeouts_total counter
timeouts_total 7
# HELP count Open connections
# TYPE count gauge
count{pool="orders",state="idle"} 3
count{pool="a \"b\" \\ c\nd"} 0.5
# HELP wait_seconds Waits
# TYPE wait_seconds histogram
wait_seconds_bucket{pool="orders",le="0.0001"} 2
wait_seconds_bucket{pool="orders",le="1.0"} 2
wait_seconds_bucket{pool="orders",le="+Inf"} 3
wait_seconds_sum{pool="orders"} 7.25
wait_seconds_count{pool="orders"} 3
wait_seconds_bucket{le="5.0"} 1
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_sum 2
wait_seconds_count 1
"#;
        assert_eq!(Format::Text.write(&families()), expected);
    }

    #[test]
    fn openmetrics_names_counters_otherwise_and_says_units_and_the_end() {
        let written = Format::OpenMetrics.write(&families());
        let expected = "# HELP timeouts How many \\\"timeouts\\\",\\nof \\\\ all\n\
                        # TYPE timeouts counter\ntimeouts_total 7\n";
        assert!(written.starts_with(expected), "{written}");
        assert!(
            written.contains("\n# UNIT wait_seconds seconds\nwait_seconds_bucket"),
            "{written}"
        );
        assert!(written.ends_with("\n# EOF\n"), "{written}");
    }

    #[test]
    fn what_is_no_number_or_no_name_is_written_legally() {
        let written = [f64::NEG_INFINITY, f64::NAN, -3.0, 1e15, 2.5e16, 1e-7]
            .map(|value| Number(value).to_string());
        assert_eq!(
            written,
            ["-Inf", "NaN", "-3", "1000000000000000", "25000000000000000", "0.0000001"]
        );
        assert_eq!(metric_name("9 lives{a}:b"), "_9_lives_a_:b");
    }

    #[test]
    fn a_scraper_gets_the_format_it_asks_for() {
        let asked = |accept| Format::accepted(accept);
        assert_eq!(
            asked("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"),
            Format::OpenMetrics
        );
        assert_eq!(asked("text/plain;version=0.0.4"), Format::Text);
        assert_eq!(asked("application/openmetrics-text;q=0, */*"), Format::Text);
        assert_eq!(asked("application/openmetrics-text; version=0.0.1, */*"), Format::Text);
        assert_eq!(asked(""), Format::Text);
    }
}
