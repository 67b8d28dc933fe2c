//! Metrics as Prometheus reads them: the text format 0.0.4, and OpenMetrics 1.0.0.

use std::fmt::{self, Write};

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

/// Names and values, in the order in which they are written.
pub type Labels = Vec<(String, String)>;

/// A histogram's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// The upper bounds of all buckets but the last, which has none; ascending.
    pub bounds: Vec<f64>,
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
            self.describe(&mut text, family);
            match &family.samples {
                Samples::Counter(samples) | Samples::Gauge(samples) => {
                    for (labels, value) in samples {
                        line(&mut text, &family.name, labels, None, &number(*value));
                    }
                }
                Samples::Histogram(samples) => {
                    for (labels, buckets) in samples {
                        histogram(&mut text, &family.name, labels, buckets);
                    }
                }
            }
        }
        if self == Self::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }

    fn describe(self, text: &mut String, family: &Family) {
        let name = metric_name(&family.name);
        let (name, kind) = match (&family.samples, self) {
            // There, a counter's name has no `_total`, but its value's has.
            (Samples::Counter(_), Self::OpenMetrics) => {
                (name.trim_end_matches("_total").to_owned(), "counter")
            }
            (Samples::Counter(_), Self::Text) => (name, "counter"),
            (Samples::Gauge(_), _) => (name, "gauge"),
            (Samples::Histogram(_), _) => (name, "histogram"),
        };
        let help = match self {
            Self::Text => family.help.replace('\\', "\\\\").replace('\n', "\\n"),
            Self::OpenMetrics => escaped(&family.help),
        };
        put(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        if let (Self::OpenMetrics, Some(unit)) = (self, family.unit) {
            put(text, format_args!("# UNIT {name} {unit}\n"));
        }
    }
}

/// Buckets count what is in those before, too.
fn histogram(text: &mut String, name: &str, labels: &Labels, buckets: &Buckets) {
    let bounds = buckets.bounds.iter().map(|bound| canonical(*bound));
    let bounds = bounds.chain(["+Inf".to_owned()]);
    let mut count = 0;
    let bucket = format!("{name}_bucket");
    for (bound, in_bucket) in bounds.zip(&buckets.counts) {
        count += in_bucket;
        line(text, &bucket, labels, Some(&bound), &count.to_string());
    }
    line(text, &format!("{name}_sum"), labels, None, &number(buckets.sum));
    line(text, &format!("{name}_count"), labels, None, &count.to_string());
}

/// `name{label="value",le="bound"} value`
fn line(text: &mut String, name: &str, labels: &Labels, bound: Option<&str>, value: &str) {
    text.push_str(&metric_name(name));
    let written = labels.iter().map(|(name, value)| (label_name(name), escaped(value)));
    let written = written.chain(bound.map(|bound| ("le".to_owned(), bound.to_owned())));
    for (index, (name, value)) in written.enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        put(text, format_args!("{before}{name}=\"{value}\""));
    }
    let after = if labels.is_empty() && bound.is_none() { "" } else { "}" };
    put(text, format_args!("{after} {value}\n"));
}

fn put(text: &mut String, more: fmt::Arguments<'_>) {
    text.write_fmt(more).expect("bug: a String takes all");
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

/// A bound is a label's value, by which series are told apart: in both formats the same, with the point
/// that OpenMetrics demands.
fn canonical(bound: f64) -> String {
    let number = number(bound);
    let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { format!("{number}.0") } else { number }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn metric_name(name: &str) -> String {
    // A colon is for what rules make of metrics, which may be exposed again.
    legal(name, |byte| byte == ':')
}

fn label_name(name: &str) -> String {
    legal(name, |_| false)
}

/// A name with underscores for what may not be in one, so that no name breaks out of its line.
fn legal(name: &str, is_legal: impl Fn(char) -> bool) -> String {
    let name =
        name.replace(|it: char| !it.is_ascii_alphanumeric() && it != '_' && !is_legal(it), "_");
    if name.starts_with(|it: char| it.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<const N: usize>(labels: [(&str, &str); N]) -> Labels {
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn families() -> Vec<Family> {
        let pool = labels([("pool", "a \"b\" \\ c\nd")]);
        let count = vec![(labels([("pool", "orders"), ("state", "idle")]), 3.0), (pool, 0.5)];
        vec![
            Family {
                name: "timeouts_total".to_owned(),
                help: "How many \"timeouts\",\nof \\ all".to_owned(),
                unit: None,
                samples: Samples::Counter(vec![(Labels::new(), 7.0)]),
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
                samples: Samples::Histogram(vec![(
                    labels([("pool", "orders")]),
                    Buckets { bounds: vec![0.0001, 1.0], counts: vec![2, 0, 1], sum: 7.25 },
                )]),
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
        let [infinite, unknown] = [f64::NEG_INFINITY, f64::NAN].map(number);
        assert_eq!((&*infinite, &*unknown), ("-Inf", "NaN"));
        assert_eq!(metric_name("9 lives{a}:b"), "_9_lives_a_:b");
        assert_eq!(label_name("db.pool:x"), "db_pool_x");
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
