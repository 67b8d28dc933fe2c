//! What `rotel` prints of what it receives, understood.
//!
//! It prints a message at once, line by line, in the manner of the OpenTelemetry collector's debug
//! exporter. A text of more than one line is printed as it is, so that a line that is none of its own
//! belongs to the one before.

use super::telemetry::{
    Attribute, Attributes, Buckets, Event, Kind, Point, Span, Telemetry, Temporality, Value,
};

/// The messages that are surely whole: all but the last.
pub(super) fn whole(text: &str) -> &str {
    let starts = MESSAGES.iter().filter_map(|start| text.rfind(&format!("\n{start}")));
    &text[..starts.max().map_or(0, |last| last + 1)]
}

/// What was received, of a text of whole messages.
pub(super) fn understood(text: &str) -> Telemetry {
    let mut reader = Reader::default();
    for line in lines(text) {
        reader.take(&line);
    }
    reader.finish();
    reader.telemetry
}

const MESSAGES: [&str; 2] = ["ResourceMetrics #0\n", "ResourceSpans #0\n"];

/// How lines begin.
const BEGINNINGS: [&str; 42] = [
    "ResourceMetrics #",
    "ResourceSpans #",
    "Resource SchemaURL:",
    "Resource attributes:",
    "ScopeMetrics ",
    "ScopeSpans ",
    "InstrumentationScope ",
    "Metric #",
    "Descriptor:",
    "NumberDataPoints #",
    "HistogramDataPoints #",
    "ExponentialHistogramDataPoints #",
    "SummaryDataPoints #",
    "Data point attributes:",
    "StartTimestamp: ",
    "Timestamp: ",
    "Value: ",
    "Count: ",
    "Sum: ",
    "Min: ",
    "Max: ",
    "ExplicitBounds #",
    "Buckets #",
    "Exemplars:",
    "Exemplar #",
    "Span #",
    "Start time: ",
    "End time: ",
    "Attributes:",
    "Events:",
    "SpanEvent #",
    "Links:",
    "SpanLink #",
    "     -> ",
    "          -> ",
    "    Trace ID       : ",
    "    Parent ID      : ",
    "    ID             : ",
    "    Name           : ",
    "    Kind           : ",
    "    Status code    : ",
    "    Status message : ",
];

/// The lines, those that belong together joined again.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(OWN_LOG)) {
        match lines.last_mut().filter(|last| goes_on(last) || !begins(line)) {
            Some(last) => {
                last.push('\n');
                last.push_str(line);
            }
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

/// What it says of itself begins with a time in grey.
const OWN_LOG: &str = "\u{1b}[2m";

fn begins(line: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
}

/// Whether an attribute's text has not ended.
fn goes_on(line: &str) -> bool {
    let value = line.trim_start().strip_prefix("-> ").and_then(|rest| rest.split_once(": "));
    value.is_some_and(|(_, value)| value.starts_with("Str(") && !value.ends_with(')'))
}

/// Where the next attribute belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    #[default]
    Nowhere,
    Resource,
    Descriptor,
    Point,
    Span,
    Event,
    Link,
}

#[derive(Debug, Default)]
struct Reader {
    telemetry: Telemetry,
    section: Section,
    resource: Attributes,
    scope: String,
    /// What all points of a metric have in common.
    metric: Point,
    point: Option<Point>,
    span: Option<Span>,
}

impl Reader {
    fn take(&mut self, line: &str) {
        if let Some((name, value)) = line.trim_start().strip_prefix("-> ").and_then(entry) {
            return self.take_entry(line.starts_with("          "), name, value);
        }
        if let Some(scope) = line.strip_prefix("InstrumentationScope ") {
            self.section = Section::Nowhere;
            if scope != "attributes:" {
                scope.trim_end().clone_into(&mut self.scope);
            }
            return;
        }
        let (word, rest) = line.split_once([':', '#']).unwrap_or((line, ""));
        let (word, rest) = (word.trim(), rest.strip_prefix(' ').unwrap_or(rest));
        match word {
            "ResourceMetrics" | "ResourceSpans" => {
                self.finish();
                self.resource.clear();
            }
            "ScopeMetrics" | "ScopeSpans" => {
                self.finish();
                self.scope.clear();
            }
            "Resource attributes" => self.section = Section::Resource,
            "Metric" => {
                self.finish();
                let (resource, scope) = (self.resource.clone(), self.scope.clone());
                self.metric = Point { resource, scope, ..Point::default() };
            }
            "Descriptor" => self.section = Section::Descriptor,
            "Data point attributes" => self.section = Section::Point,
            "Span" => {
                self.finish();
                let (resource, scope) = (self.resource.clone(), self.scope.clone());
                self.span = Some(Span { resource, scope, ..Span::default() });
            }
            "Attributes" => self.section = Section::Span,
            "SpanEvent" => self.section = Section::Event,
            "SpanLink" => self.section = Section::Link,
            "Exemplar" => self.section = Section::Nowhere,
            _ if word.ends_with("DataPoints") => {
                self.finish();
                let mut point = self.metric.clone();
                if point.kind == Kind::Histogram {
                    point.value = Value::Histogram(Buckets::default());
                }
                self.point = Some(point);
            }
            _ => self.take_field(word, rest),
        }
    }

    /// A line `-> name: value`; an event's attributes stand deeper than what else there is of it.
    fn take_entry(&mut self, is_deep: bool, name: &str, value: &str) {
        if let Some(attributes) = self.attributes(is_deep) {
            attributes.insert(name.to_owned(), attribute(value));
            return;
        }
        match (self.section, &mut self.span) {
            (Section::Descriptor, _) => describe(&mut self.metric, name, value),
            (Section::Event, Some(Span { events, .. })) if name == "Name" => {
                events.push(Event { name: value.to_owned(), ..Event::default() });
            }
            (Section::Link, Some(Span { links, .. })) if name == "Trace ID" => {
                links.push((value.to_owned(), String::new()));
            }
            (Section::Link, Some(Span { links, .. })) if name == "ID" => {
                if let Some((_, span)) = links.last_mut() {
                    value.clone_into(span);
                }
            }
            _ => {}
        }
    }

    /// Those that the next one belongs to.
    fn attributes(&mut self, is_deep: bool) -> Option<&mut Attributes> {
        match (self.section, &mut self.span, &mut self.point) {
            (Section::Resource, _, _) => Some(&mut self.resource),
            (Section::Point, _, Some(point)) => Some(&mut point.attributes),
            (Section::Span, Some(span), _) => Some(&mut span.attributes),
            (Section::Event, Some(span), _) if is_deep => {
                span.events.last_mut().map(|event| &mut event.attributes)
            }
            _ => None,
        }
    }

    /// A line `name: value` of a point or a span.
    fn take_field(&mut self, name: &str, value: &str) {
        if let Some(span) = &mut self.span {
            take_span(span, name, value);
        } else if let Some(point) = &mut self.point {
            take_point(point, name, value);
        }
    }

    /// What was begun is whole.
    fn finish(&mut self) {
        self.section = Section::Nowhere;
        self.telemetry.points.extend(self.point.take());
        self.telemetry.spans.extend(self.span.take());
    }
}

fn entry(line: &str) -> Option<(&str, &str)> {
    line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))
}

fn describe(metric: &mut Point, name: &str, value: &str) {
    match name {
        "Name" => value.clone_into(&mut metric.name),
        "Description" => value.clone_into(&mut metric.description),
        "Unit" => value.clone_into(&mut metric.unit),
        "DataType" => {
            metric.kind = match value {
                "Gauge" => Kind::Gauge,
                "Histogram" => Kind::Histogram,
                // Unless it is said to be monotonic.
                "Sum" => Kind::UpDownCounter,
                other => Kind::Other(other.to_owned()),
            }
        }
        "IsMonotonic" if value == "true" => metric.kind = Kind::Counter,
        "AggregationTemporality" => {
            metric.temporality = match value {
                "AGGREGATION_TEMPORALITY_CUMULATIVE" => Some(Temporality::Cumulative),
                "AGGREGATION_TEMPORALITY_DELTA" => Some(Temporality::Delta),
                _ => None,
            }
        }
        _ => {}
    }
}

fn take_point(point: &mut Point, name: &str, value: &str) {
    let number = |text: &str| text.parse().unwrap_or(f64::NAN);
    match (&mut point.value, name) {
        (Value::Number(shown), "Value") => *shown = number(value),
        (Value::Histogram(buckets), "Count") => buckets.count = value.parse().unwrap_or(0),
        (Value::Histogram(buckets), "Sum") => buckets.sum = number(value),
        (Value::Histogram(buckets), "ExplicitBounds") => {
            // `0: 0.5`
            buckets.bounds.extend(value.split_once(": ").map(|(_, bound)| number(bound)));
        }
        (Value::Histogram(buckets), "Buckets") => {
            // `0, Count: 3`
            let count = value.rsplit_once(' ').map(|(_, count)| count);
            buckets.counts.extend(count.and_then(|count| count.parse::<u64>().ok()));
        }
        _ => {}
    }
}

fn take_span(span: &mut Span, name: &str, value: &str) {
    let enumerated = |start: &str| value.strip_prefix(start).unwrap_or(value).to_owned();
    match name {
        "Trace ID" => value.clone_into(&mut span.trace_id),
        "Parent ID" => value.clone_into(&mut span.parent_id),
        "ID" => value.clone_into(&mut span.id),
        "Name" => value.clone_into(&mut span.name),
        "Kind" => span.kind = enumerated("SPAN_KIND_"),
        "Start time" => span.start_nanos = value.parse().unwrap_or(0),
        "End time" => span.end_nanos = value.parse().unwrap_or(0),
        "Status code" => span.status = enumerated("STATUS_CODE_"),
        "Status message" => value.clone_into(&mut span.status_message),
        _ => {}
    }
}

/// A value, from `Str(...)` and the like.
fn attribute(value: &str) -> Attribute {
    let within = |start: &str| value.strip_prefix(start)?.strip_suffix(')');
    if let Some(text) = within("Str(") {
        return Attribute::Text(text.to_owned());
    }
    let number = within("Int(").and_then(|text| text.parse().ok()).map(Attribute::Int);
    let number = number
        .or_else(|| within("Double(").and_then(|text| text.parse().ok()).map(Attribute::Double));
    let value_or = || within("Bool(").and_then(|text| text.parse().ok()).map(Attribute::Bool);
    number.or_else(value_or).unwrap_or_else(|| Attribute::Other(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by rotel 0.0.1a15.
    const PRINTED: &str = include_str!("printed.txt");

    fn text(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }

    #[test]
    fn every_point_has_what_its_metric_says_and_its_own() {
        let telemetry = understood(PRINTED);
        assert_eq!(telemetry.points.len(), 6);
        let named = "or\nders, a: Str(x)";
        let pool = ("db.client.connection.pool.name", named);
        let timeouts = telemetry.latest("db.client.connection.timeouts", &[pool]).expect("there");
        assert_eq!(timeouts.description, "how\nmany -> : \"x\"");
        assert_eq!((&*timeouts.unit, &*timeouts.scope), ("{timeout}", "scope 1.0"));
        assert_eq!((&timeouts.kind, timeouts.number()), (&Kind::Counter, Some(3.0)));
        assert_eq!(timeouts.temporality, Some(Temporality::Cumulative));
        assert_eq!(timeouts.resource["service.name"], "kit");
        assert_eq!(timeouts.resource["n"], 3);
        assert_eq!(timeouts.resource["b"], Attribute::Bool(true));
        assert_eq!(timeouts.resource["f"], Attribute::Double(1.5));
        assert_eq!(timeouts.resource["list"].to_string(), "Slice(Str(a), Str(b))");
        let count = telemetry.latest("db.client.connection.count", &[]).expect("there");
        assert_eq!((&count.kind, count.number()), (&Kind::UpDownCounter, Some(3.0)));
        let gauge = telemetry.latest("g", &[]).expect("there");
        assert_eq!(
            (&gauge.kind, gauge.number(), gauge.temporality),
            (&Kind::Gauge, Some(1.5), None)
        );
    }

    #[test]
    fn a_histogram_has_its_bounds_and_its_counts() {
        let telemetry = understood(PRINTED);
        let points: Vec<_> = telemetry.points_of("db.client.connection.wait_time").collect();
        assert_eq!(points.len(), 2);
        assert_eq!(points[0].attributes["error.type"], "timeout");
        assert_eq!(points[0].kind, Kind::Histogram);
        let expected = Buckets {
            count: 2,
            sum: 7.0003,
            bounds: vec![0.0001, 0.0005, 0.001, 5.0],
            counts: vec![0, 1, 0, 0, 1],
        };
        assert_eq!(points[0].buckets(), Some(&expected));
        assert!(points[1].attributes.is_empty());
        assert_eq!(points[1].buckets().map(|buckets| buckets.sum), Some(1e-7));
    }

    #[test]
    fn a_span_has_its_parent_its_status_its_events_and_its_links() {
        let telemetry = understood(PRINTED);
        let [child, parent] = &telemetry.spans[..] else { panic!("{}", telemetry.spans.len()) };
        assert_eq!((&*child.name, &*child.kind), ("child\nSELECT", "CLIENT"));
        assert_eq!((&child.parent_id, &child.trace_id), (&parent.id, &parent.trace_id));
        assert_eq!((&*child.status, &*child.status_message), ("ERROR", "it\nfailed: yes"));
        assert_eq!(child.attributes["db.query.text"], text("SELECT \"a\"\nFROM b -> c: Str(d)"));
        assert_eq!(child.attributes["server.port"], 5433);
        assert!(child.end_nanos > child.start_nanos);
        assert_eq!(child.events[0].name, "exception");
        assert_eq!(child.events[0].attributes["exception.message"], "no");
        assert_eq!(child.links, [(parent.trace_id.clone(), parent.id.clone())]);
        assert_eq!((&*parent.parent_id, &*parent.kind, &*parent.status), ("", "SERVER", "UNSET"));
        assert_eq!((&*parent.scope, &parent.resource["service.name"]), ("tscope 2", &text("kit")));
    }

    #[test]
    fn of_messages_the_last_may_not_be_whole() {
        let last = PRINTED.rfind("ResourceSpans #0").expect("there");
        assert_eq!(whole(PRINTED), &PRINTED[..last]);
        assert_eq!(understood(whole(PRINTED)).spans.len(), 1);
        assert_eq!(whole("nothing yet"), "");
    }
}
