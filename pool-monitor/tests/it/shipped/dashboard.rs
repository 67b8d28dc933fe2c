//! `dashboard.json`, for Grafana.

use pool_monitor::catalogue::{
    ACQUIRES, CHECK_TIME, CIRCUIT_OPEN, CLOSE_REASON, CLOSED, COUNT, CREATE_TIME, ERROR_TYPE,
    FLEET_GRANTED, FLEET_STATE, GENERATION, HEALTH, HEALTH_STATE, IDLE_MAX, IDLE_MIN,
    LEAKS_SUSPECTED, MAX, MAX_WAITERS, Metric, OLDEST_WAIT, OPEN_FAILURES, OPENED, OPENING,
    OUTCOME, PEAK_IN_USE, PENDING_REQUESTS, POOL_NAME, PROBE_CIRCUIT_OPEN, RECONFIGURATIONS,
    SHARE_STATE, SIZE_APPLIED, SIZE_RECOMMENDED, STATE, TIMEOUTS, USE_TIME, UTILISATION, WAIT_TIME,
    prometheus_label,
};
use serde_json::{Value, json};

use super::rules;

/// Curves in one frame.
struct Panel {
    title: &'static str,
    description: &'static str,
    /// In Grafana's words.
    unit: &'static str,
    curves: Vec<Curve>,
}

struct Curve {
    expression: String,
    /// What it is called, after the pool's name.
    legend: String,
}

/// What it shows, for each pool and program that was chosen.
fn panels() -> Vec<Panel> {
    let panel = |title, description, unit, curves| Panel { title, description, unit, curves };
    vec![
        panel(
            "Utilisation",
            "The part of max_open that is in use or being opened. At 100 % acquires wait.",
            "percentunit",
            vec![now(&UTILISATION, "")],
        ),
        panel(
            "Waits",
            "How long acquires waited. Compare with the holds: if both grow, the database is slow; if only \
             waits do, the pool is too small.",
            "s",
            vec![
                quantile(&WAIT_TIME, 0.5),
                quantile(&WAIT_TIME, 0.99),
                now(&OLDEST_WAIT, "oldest now"),
            ],
        ),
        panel(
            "Connections",
            "Open connections by state, and the limits.",
            "short",
            vec![
                now(&COUNT, &format!("{{{{{}}}}}", prometheus_label(STATE))),
                now(&OPENING, "opening"),
                now(&PEAK_IN_USE, "peak in use"),
                now(&MAX, "max_open"),
                now(&IDLE_MAX, "max_idle"),
                now(&IDLE_MIN, "min_idle"),
            ],
        ),
        panel(
            "Acquires waiting",
            "Beyond max_waiters acquires fail at once.",
            "short",
            vec![now(&PENDING_REQUESTS, "waiting"), now(&MAX_WAITERS, "max_waiters")],
        ),
        panel(
            "Acquires",
            "How acquires ended, a second.",
            "cps",
            vec![rate(&ACQUIRES, OUTCOME), rate(&TIMEOUTS, "")],
        ),
        panel(
            "Holds",
            "How long connections were held.",
            "s",
            vec![quantile(&USE_TIME, 0.5), quantile(&USE_TIME, 0.99)],
        ),
        panel(
            "Connects",
            "Connections opened, and connects that failed, a second.",
            "cps",
            vec![rate(&OPENED, ""), rate(&OPEN_FAILURES, ERROR_TYPE)],
        ),
        panel(
            "Closes",
            "Connections closed, by reason, a second. Many opened anew in place of those closed as surplus \
             or idle: raise max_idle or idle_grace.",
            "cps",
            vec![rate(&CLOSED, CLOSE_REASON)],
        ),
        panel(
            "What the server is asked",
            "How long it took to open a connection, and to check one.",
            "s",
            vec![
                quantile(&CREATE_TIME, 0.5),
                quantile(&CREATE_TIME, 0.99),
                quantile(&CHECK_TIME, 0.99),
            ],
        ),
        panel(
            "Health",
            "The state of health that each pool is in, where it is checked. The probe circuit is open (1) \
             while probes fail, also where connects succeed.",
            "short",
            vec![state(&HEALTH, HEALTH_STATE), now(&PROBE_CIRCUIT_OPEN, "probe circuit open")],
        ),
        adaptive_size(),
        panel(
            "Circuit, leaks and settings",
            "The circuit is open (1) while no connect succeeds. How many more connections were held for longer \
             than leak_after, and the configuration in force.",
            "short",
            vec![
                now(&CIRCUIT_OPEN, "circuit open"),
                increase(&LEAKS_SUSPECTED, "leaks"),
                now(&GENERATION, "generation"),
                rate(&RECONFIGURATIONS, ERROR_TYPE),
            ],
        ),
    ]
}

fn adaptive_size() -> Panel {
    Panel {
        title: "Adaptive size",
        description: "The max_open in force, what the tuner recommends or has set, and what the fleet grants. A \
                      share that is pending or lapsed lets nothing be opened.",
        unit: "short",
        curves: vec![
            now(&MAX, "max_open"),
            now(&SIZE_RECOMMENDED, "recommended"),
            now(&SIZE_APPLIED, "is applied"),
            now(&FLEET_GRANTED, "granted"),
            state(&FLEET_STATE, SHARE_STATE),
        ],
    }
}

/// Its value in each program.
fn now(metric: &Metric, legend: &str) -> Curve {
    let expression = match metric.unit {
        "1" => rules::ratio(metric, &chosen()),
        _ => format!("{}{}", metric.prometheus_name(), chosen()),
    };
    Curve { expression, legend: format!("{{{{instance}}}} {legend}") }
}

/// Which state each program has: a line for that one, and none for the others.
fn state(metric: &Metric, by: &str) -> Curve {
    let expression = format!("{} > 0", rules::ratio(metric, &chosen()));
    Curve { expression, legend: format!("{{{{instance}}}} {{{{{}}}}}", prometheus_label(by)) }
}

/// By how much a counter has grown, where it is rare that it does.
fn increase(metric: &Metric, legend: &str) -> Curve {
    let (name, pool) = (metric.prometheus_name(), prometheus_label(POOL_NAME));
    let increase = format!("increase({name}{}[$__rate_interval])", chosen());
    Curve { expression: format!("sum by ({pool}) ({increase})"), legend: legend.to_owned() }
}

/// How fast a counter grows, for each value of a label.
fn rate(metric: &Metric, by: &str) -> Curve {
    let (name, pool) = (metric.prometheus_name(), prometheus_label(POOL_NAME));
    let label = prometheus_label(by);
    let rate = format!("rate({name}{}[$__rate_interval])", chosen());
    let short = name.trim_end_matches("_total").rsplit('_').next().unwrap_or_default().to_owned();
    if by.is_empty() {
        Curve { expression: format!("sum by ({pool}) ({rate})"), legend: short }
    } else {
        let legend = format!("{short} {{{{{label}}}}}");
        Curve { expression: format!("sum by ({pool}, {label}) ({rate})"), legend }
    }
}

/// A percentile over all programs that were chosen, which averages of their percentiles are not.
fn quantile(metric: &Metric, quantile: f64) -> Curve {
    let (name, pool) = (metric.prometheus_name(), prometheus_label(POOL_NAME));
    let chosen = match metric.name {
        name if name == WAIT_TIME.name => {
            chosen().replace('}', &format!(",{}}}", rules::that_waited()))
        }
        _ => chosen(),
    };
    let rate = format!("rate({name}_bucket{chosen}[$__rate_interval])");
    let expression = format!("histogram_quantile({quantile}, sum by ({pool}, le) ({rate}))");
    let short = name.trim_end_matches("_time_seconds").rsplit('_').next().unwrap_or_default();
    Curve { expression, legend: format!("{short} p{:.0}", quantile * 100.0) }
}

/// Those that are chosen at the top of the page.
fn chosen() -> String {
    format!("{{{}=~\"$pool\",instance=~\"$instance\"}}", prometheus_label(POOL_NAME))
}

/// Every expression, as Grafana sends it if all is chosen.
#[cfg(feature = "prometheus")]
pub(super) fn expressions() -> Vec<String> {
    let curves = panels().into_iter().flat_map(|panel| panel.curves);
    curves
        .map(|curve| {
            let all = curve.expression.replace("$pool", ".*").replace("$instance", ".*");
            all.replace("$__rate_interval", "1m")
        })
        .collect()
}

/// The text of `dashboard.json`.
pub(super) fn written() -> String {
    let count = COUNT.prometheus_name();
    let pool = prometheus_label(POOL_NAME);
    let dashboard = json!({
        "title": "Connection pools",
        "uid": "connection-pools",
        "tags": ["database", "pool"],
        "schemaVersion": 38,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "templating": { "list": [
            { "name": "datasource", "type": "datasource", "query": "prometheus" },
            variable("pool", &format!("label_values({count}, {pool})")),
            variable("instance", &format!("label_values({count}{{{pool}=~\"$pool\"}}, instance)")),
        ] },
        "panels": panels().iter().enumerate().map(panel_written).collect::<Vec<_>>(),
    });
    format!("{dashboard:#}\n")
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn variable(name: &str, query: &str) -> Value {
    json!({
        "name": name,
        "type": "query",
        "datasource": datasource(),
        "definition": query,
        "query": { "query": query, "refId": name },
        "refresh": 2,
        "sort": 1,
        "includeAll": true,
        "allValue": ".*",
        "multi": true,
        "current": { "text": "All", "value": "$__all" },
    })
}

/// Two a row.
fn panel_written((index, panel): (usize, &Panel)) -> Value {
    let target = |(index, curve): (usize, &Curve)| {
        let letter = char::from(b'A' + u8::try_from(index).expect("bug: they are few"));
        let legend = format!("{{{{{}}}}} {}", prometheus_label(POOL_NAME), curve.legend);
        json!({
            "refId": letter.to_string(),
            "datasource": datasource(),
            "expr": curve.expression,
            "legendFormat": legend.trim_end(),
        })
    };
    json!({
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": datasource(),
        "gridPos": { "h": 8, "w": 12, "x": index % 2 * 12, "y": index / 2 * 8 },
        "fieldConfig": { "defaults": { "unit": panel.unit, "min": 0 }, "overrides": [] },
        "options": { "legend": { "displayMode": "list", "placement": "bottom" } },
        "targets": panel.curves.iter().enumerate().map(target).collect::<Vec<_>>(),
    })
}
