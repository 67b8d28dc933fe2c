//! The guide says of metrics, alerts and advice what there is. Its Rust code is in the doc tests.

use std::fmt::Write as _;

use pool_monitor::advisor;
use pool_monitor::catalogue::{self, Kind};

const GUIDE: &str = include_str!("../../../docs/monitoring.md");
const HEALTH_GUIDE: &str = include_str!("../../../docs/health.md");

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::UpDownCounter => "up-down counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
        _ => unreachable!("bug: a kind that the guide has no word for"),
    }
}

/// The table of metrics, as the guide is to show it.
fn table() -> String {
    let mut table =
        "| metric | kind | unit | attributes | in Prometheus |\n|---|---|---|---|---|\n".to_owned();
    for metric in catalogue::ALL {
        let kind = word(metric.kind);
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
fn the_guide_to_health_says_of_metrics_and_alerts_what_there_is() {
    let metrics = [
        catalogue::CIRCUIT_OPEN,
        catalogue::HEALTH,
        catalogue::PROBE_CIRCUIT_OPEN,
        catalogue::RECONFIGURATIONS,
    ];
    let shipped = include_str!("../../shipped/alerts.yml");
    for metric in metrics {
        let (name, kind, meaning) = (metric.name, word(metric.kind), metric.description);
        let row = format!("\n| `{name}` | {kind} | {meaning} |");
        let (_, rest) = HEALTH_GUIDE.split_once(&row).unwrap_or_else(|| panic!("missing:{row}"));
        let alert = rest.lines().next().expect("a cell").trim_matches([' ', '|', '`']);
        let is_shipped = shipped.contains(&format!("- alert: {alert}\n"));
        assert!(alert.is_empty() || is_shipped, "{alert}");
    }
}

#[test]
fn every_alert_and_every_piece_of_advice_is_explained() {
    let shipped = include_str!("../../shipped/alerts.yml");
    let alerts = shipped.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let rules = include_str!("../../src/alerts/shipped.toml");
    let rule = |line: &'static str| line.strip_prefix("[alerts.rules.")?.strip_suffix(']');
    let rules: Vec<_> = rules.lines().filter_map(rule).collect();
    let alerts: Vec<_> = alerts.collect();
    assert_eq!((alerts.len(), rules.len()), (11, 11));
    let advice = advisor::Rule::ALL.iter().map(|rule| rule.name());
    for name in alerts.into_iter().chain(rules).chain(advice) {
        assert!(GUIDE.contains(&format!("| `{name}` |")), "docs/monitoring.md is silent on {name}");
    }
}
