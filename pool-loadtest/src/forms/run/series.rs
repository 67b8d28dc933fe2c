//! The seconds of a run: as rows, and merged for plots and tables that have no room for all of them.

use crate::forms::rows::{Rows, field};
use crate::report::{Point, Report};

/// The columns of the CSV form: the fields of a point in JSON, where the schema says what they mean. A
/// field is empty where JSON has null.
const COLUMNS: [&str; 13] = [
    "at_seconds",
    "seconds",
    "operations",
    "errors",
    "dropped",
    "response_p50",
    "response_p99",
    "response_max",
    "in_use",
    "idle",
    "opening",
    "waiting",
    "max_open",
];

/// A row a second.
pub(crate) fn rows(report: &Report) -> Rows {
    let mut rows = Rows::under(COLUMNS);
    rows.rows = report.series.iter().map(row).collect();
    rows
}

fn row(point: &Point) -> Vec<String> {
    let Point { at_seconds, seconds, operations, errors, dropped, .. } = point;
    let Point { in_use, idle, opening, waiting, max_open, .. } = point;
    let fields: [String; COLUMNS.len()] = [
        at_seconds.to_string(),
        seconds.to_string(),
        operations.to_string(),
        errors.to_string(),
        dropped.to_string(),
        field(point.response_p50),
        field(point.response_p99),
        field(point.response_max),
        in_use.to_string(),
        idle.to_string(),
        opening.to_string(),
        waiting.to_string(),
        field(*max_open),
    ];
    fields.into()
}

/// At most so many points, each for a few neighbours if there are more: counts are summed, the worst
/// of p99 and of the longest is kept, and a median is the average of theirs by operations.
pub(super) fn merged(series: &[Point], most: usize) -> Vec<Point> {
    let each = series.len().div_ceil(most).max(1);
    series
        .chunks(each)
        .filter_map(|points| points.iter().cloned().reduce(|one, next| merge(&one, &next)))
        .collect()
}

fn merge(one: &Point, next: &Point) -> Point {
    let larger = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let weighted = |point: &Point| {
        let weight = point.operations + point.errors;
        point.response_p50.map(|p50| (p50, weight.max(1) as f64))
    };
    let response_p50 = match (weighted(one), weighted(next)) {
        (Some((a, weight_a)), Some((b, weight_b))) => {
            Some((a * weight_a + b * weight_b) / (weight_a + weight_b))
        }
        (a, b) => a.or(b).map(|(p50, _)| p50),
    };
    Point {
        seconds: one.seconds + next.seconds,
        operations: one.operations + next.operations,
        errors: one.errors + next.errors,
        dropped: one.dropped + next.dropped,
        response_p50,
        response_p99: larger(one.response_p99, next.response_p99),
        response_max: larger(one.response_max, next.response_max),
        // How the pool was at the end, and at its fullest.
        waiting: one.waiting.max(next.waiting),
        ..next.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(second: u64) -> Point {
        Point {
            at_seconds: second as f64,
            seconds: 1.0,
            operations: 10,
            errors: 0,
            dropped: 0,
            response_p50: Some(second as f64),
            response_p99: (second == 7).then_some(900.0),
            response_max: Some(1_000.0 - second as f64),
            in_use: 1,
            idle: 2,
            opening: 0,
            waiting: if second == 3 { 50 } else { 0 },
            max_open: Some(3),
        }
    }

    #[test]
    fn the_columns_are_the_fields_of_a_point() {
        let point = serde_json::to_value(point(1)).expect("an object");
        let mut fields: Vec<_> = point.as_object().expect("an object").keys().collect();
        let mut columns = COLUMNS.to_vec();
        fields.sort_unstable();
        columns.sort_unstable();
        assert_eq!(fields, columns);
        let row = row(&Point { max_open: None, ..self::point(1) });
        for (column, shown) in COLUMNS.iter().zip(&row) {
            let value = &point[column];
            let value = if *column == "max_open" { "" } else { &*value.to_string() };
            let value = if value == "null" { "" } else { value.trim_end_matches(".0") };
            assert_eq!(shown, value, "{column}");
        }
    }

    #[test]
    fn merged_points_keep_every_operation_and_the_worst_second() {
        let series: Vec<_> = (1..=10).map(point).collect();
        assert_eq!(merged(&series, 10), series);
        let merged = merged(&series, 3);
        assert_eq!(merged.len(), 3);
        assert_eq!(merged.iter().map(|it| it.operations).sum::<u64>(), 100);
        let seconds = merged.iter().map(|it| it.seconds).collect::<Vec<_>>();
        assert_eq!(seconds, [4.0, 4.0, 2.0]);
        let ends = merged.iter().map(|it| it.at_seconds).collect::<Vec<_>>();
        assert_eq!(ends, [4.0, 8.0, 10.0]);
        assert_eq!((merged[0].waiting, merged[1].response_p99), (50, Some(900.0)));
        assert_eq!(merged[0].response_p50, Some(2.5));
        assert_eq!(merged[2].response_max, Some(991.0));
    }
}
