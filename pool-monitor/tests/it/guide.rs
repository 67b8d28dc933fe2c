//! The guide says of metrics, alerts and advice what there is. Its Rust code is in the doc tests.

use std::fmt::Write as _;

use pool_monitor::advisor;
use pool_monitor::catalogue::{self, Kind};

const GUIDE: &str = include_str!("../../../docs/monitoring.md");

/// The table of metrics, as the guide is to show it.
fn table() -> String {
    let mut table =
        "| metric | kind | unit | attributes | in Prometheus |\n|---|---|---|---|---|\n".to_owned();
    for metric in catalogue::ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::UpDownCounter => "up-down counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
            _ => unreachable!("bug: a kind that the guide has no word for"),
        };
        let attributes: Vec<_> = metric.attributes.iter().map(|name| format!("`{name}`")).collect();
        let (name, unit, attributes) = (metric.name, metric.unit, attributes.join(", "));
        let prometheus = metric.prometheus_name();
        writeln!(table, "| `{name}` | {kind} | `{unit}` | {attributes} | `{prometheus}` |")
            .expect("a String takes it");
    }
    table
}

#[test]
fn the_table_of_metrics_is_the_catalogue() {
    let table = table();
    assert!(GUIDE.contains(&table), "docs/monitoring.md is to show:\n{table}");
}

#[test]
fn every_alert_and_every_piece_of_advice_is_explained() {
    let shipped = include_str!("../../shipped/alerts.yml");
    let alerts = shipped.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let rules = include_str!("../../src/alerts/shipped.toml");
    let rule = |line: &'static str| line.strip_prefix("[alerts.rules.")?.strip_suffix(']');
    let rules: Vec<_> = rules.lines().filter_map(rule).collect();
    let alerts: Vec<_> = alerts.collect();
    assert_eq!((alerts.len(), rules.len()), (10, 10));
    let advice = advisor::Rule::ALL.iter().map(|rule| rule.name());
    for name in alerts.into_iter().chain(rules).chain(advice) {
        assert!(GUIDE.contains(&format!("| `{name}` |")), "docs/monitoring.md is silent on {name}");
    }
}
