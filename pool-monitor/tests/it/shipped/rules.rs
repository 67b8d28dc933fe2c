//! `alerts.yml`: recording rules and alerts, and `alerts.test.yml`: what promtool holds them to.
//!
//! The alerts are those that the feature `alerts` watches in the program (`alerts/shipped.toml`), as far
//! as Prometheus can.

use std::fmt::Write;

use pool_monitor::catalogue::{
    ACQUIRES, CIRCUIT_OPEN, CLOSE_REASON, CLOSED, CREATE_TIME, ERROR_TYPE, FLEET_STATE, HEALTH,
    HEALTH_STATE, LEAKS_SUSPECTED, MAX_WAITERS, Metric, OPEN_FAILURES, OPENED, OUTCOME,
    PENDING_REQUESTS, POOL_NAME, RECONFIGURATIONS, REFUSED, SHARE_STATE, USE_TIME, UTILISATION,
    WAIT_TIME, prometheus_label,
};

/// A figure that alerts and dashboards share.
pub(super) struct Record {
    pub(super) name: &'static str,
    pub(super) expression: String,
}

/// An alert, and how it is shown to work.
struct Alert {
    name: &'static str,
    expression: String,
    /// How long it must be so, in Prometheus' words; empty for at once.
    lasting: &'static str,
    /// How long it goes on when it is better; likewise.
    keep_firing: &'static str,
    severity: &'static str,
    /// With `{pool}` for the pool's name.
    summary: &'static str,
    /// What to do.
    description: &'static str,
    trial: Trial,
}

/// Sets of series a minute apart, at which it fires after ten of them, and others, at which it does not.
struct Trial {
    bad: Vec<Vec<Series>>,
    /// How the summary then reads.
    told: &'static str,
    fine: Vec<Vec<Series>>,
}

/// What it is called, and its values.
type Series = (String, &'static str);

const WAIT_P99: &str = "pool:wait_seconds:p99_2m";
const ACQUIRE_RATE: &str = "pool:acquires:rate2m";
const CONNECT_FAILURE_RATE: &str = "pool:connect_failures:rate2m";
const CHURN: &str = "pool:churn:rate5m";
const QUEUE_FILL: &str = "pool:queue:fill";

pub(super) fn records() -> Vec<Record> {
    let error = prometheus_label(ERROR_TYPE);
    let quantile = |metric: &Metric, chosen: &str, quantile: f64| {
        let bucket = metric.prometheus_name();
        format!(
            "histogram_quantile({quantile}, sum without ({error}) (rate({bucket}_bucket{chosen}[2m])))"
        )
    };
    let waits = format!("{{{}}}", that_waited());
    let rate = |metric: &Metric, over: &str| format!("rate({}[{over}])", metric.prometheus_name());
    let sum =
        |label: &str, rate: &str| format!("sum without ({}) ({rate})", prometheus_label(label));
    let reason = prometheus_label(CLOSE_REASON);
    // Connections that were opened only to take the place of closed ones: no more than were opened. Those
    // that were old are none: a large pool with short lives replaces many, and is well.
    let spared = format!("rate({}{{{reason}=~\"surplus|idle\"}}[5m])", CLOSED.prometheus_name());
    let (closed, opened) = (sum(CLOSE_REASON, &spared), rate(&OPENED, "5m"));
    let record = |name, expression| Record { name, expression };
    vec![
        record("pool:wait_seconds:p50_2m", quantile(&WAIT_TIME, &waits, 0.5)),
        record(WAIT_P99, quantile(&WAIT_TIME, &waits, 0.99)),
        record("pool:use_seconds:p99_2m", quantile(&USE_TIME, "", 0.99)),
        record("pool:create_seconds:p99_2m", quantile(&CREATE_TIME, "", 0.99)),
        record(ACQUIRE_RATE, sum(OUTCOME, &rate(&ACQUIRES, "2m"))),
        record(CONNECT_FAILURE_RATE, sum(ERROR_TYPE, &rate(&OPEN_FAILURES, "2m"))),
        record(CHURN, format!("({closed} <= {opened}) or ({opened} < {closed})")),
        record(
            QUEUE_FILL,
            format!("{} / {}", PENDING_REQUESTS.prometheus_name(), MAX_WAITERS.prometheus_name()),
        ),
    ]
}

/// Those of the waits of acquires that queued at all: one that is refused waits for nothing, and many of
/// them would make a percentile look good.
pub(super) fn that_waited() -> String {
    format!("{}=~\"|timeout|cancelled\"", prometheus_label(ERROR_TYPE))
}

/// A gauge of the unit 1, by each of its names: what comes by OTLP, Prometheus calls a ratio.
pub(super) fn ratio(metric: &Metric, chosen: &str) -> String {
    let name = metric.prometheus_name();
    format!("({name}{chosen} or {name}_ratio{chosen})")
}

fn alerts() -> Vec<Alert> {
    [shortages(), faults()].into_iter().flatten().collect()
}

/// What is wrong when there are too few connections.
fn shortages() -> Vec<Alert> {
    let utilisation = ratio(&UTILISATION, "");
    vec![
        Alert {
            name: "PoolUtilisationHigh",
            expression: format!("{utilisation} > 0.9"),
            lasting: "1m",
            keep_firing: "1m",
            severity: "warning",
            summary: "{{ $value | humanizePercentage }} of the connections of the pool {pool} are in use",
            description: "Before long acquires will wait. Raise max_open, or hold connections for less time.",
            trial: Trial {
                bad: by_each_name(&UTILISATION, "0.5 0.95x10"),
                told: "95% of the connections of the pool orders are in use",
                fine: by_each_name(&UTILISATION, "0.9x10"),
            },
        },
        slow_waits(),
        Alert {
            name: "PoolFull",
            expression: format!("{utilisation} >= 1"),
            lasting: "5m",
            keep_firing: "1m",
            severity: "critical",
            summary: "the pool {pool} has been full for five minutes",
            description: "Every acquire waits for another to end. Look who holds connections, then at max_open.",
            trial: Trial {
                bad: by_each_name(&UTILISATION, "1x10"),
                told: "the pool orders has been full for five minutes",
                // Full, but never for so long.
                fine: by_each_name(&UTILISATION, "1x3 0.9 1x3 0.9 1x3"),
            },
        },
        Alert {
            name: "PoolQueueNearlyFull",
            expression: format!("{QUEUE_FILL} > 0.8"),
            lasting: "",
            keep_firing: "1m",
            severity: "critical",
            summary: "{{ $value | humanizePercentage }} of max_waiters wait for the pool {pool}: beyond it \
                 acquires fail at once",
            description: "Far more is asked of the pool than it serves. Shed load, or look why it is slow.",
            trial: Trial {
                bad: vec![queue("90x10")],
                told: "90% of max_waiters wait for the pool orders: beyond it acquires fail at once",
                fine: vec![queue("80x10")],
            },
        },
    ]
}

/// What is wrong with connections.
fn faults() -> Vec<Alert> {
    let reason = prometheus_label(CLOSE_REASON);
    let leaks = LEAKS_SUSPECTED.prometheus_name();
    vec![
        connects_fail(),
        Alert {
            name: "PoolCheckFailures",
            expression: format!(
                "sum without ({reason}) (rate({}{{{reason}=\"check_failed\"}}[2m])) * 60 > 3",
                CLOSED.prometheus_name()
            ),
            lasting: "",
            keep_firing: "2m",
            severity: "warning",
            summary: "connections of the pool {pool} die while they are idle: {{ $value | humanize }} a minute \
                 fail their check",
            description: "Something closes idle connections. Set max_idle_time or max_lifetime below its limit.",
            trial: Trial {
                bad: vec![vec![(counter(&CLOSED, CLOSE_REASON, "check_failed"), "0+6x10")]],
                told: "connections of the pool orders die while they are idle: 6 a minute fail their check",
                fine: vec![vec![
                    (counter(&CLOSED, CLOSE_REASON, "check_failed"), "0+3x10"),
                    (counter(&CLOSED, CLOSE_REASON, "idle"), "0+6x10"),
                ]],
            },
        },
        Alert {
            name: "PoolLeakSuspected",
            // Here one is enough. The counter is there, as 0, before the first.
            expression: format!("increase({leaks}[5m]) > 0"),
            lasting: "",
            keep_firing: "",
            severity: "warning",
            summary: "connections of the pool {pool} are held suspiciously long",
            description: "They were held for longer than leak_after. The program's log says where.",
            trial: Trial {
                bad: vec![vec![(one(&leaks, ""), "0x7 1x3")]],
                told: "connections of the pool orders are held suspiciously long",
                fine: vec![
                    vec![(one(&leaks, ""), "0x2 1x8")],
                    // Of long ago, when nobody looked.
                    vec![(one(&leaks, ""), "_x7 1x3")],
                ],
            },
        },
        churn(),
        unhealthy(),
        share_withheld(),
        configuration_refused(),
    ]
}

fn connects_fail() -> Alert {
    let (acquired, failed) =
        (counter(&ACQUIRES, OUTCOME, "failed"), counter(&OPEN_FAILURES, ERROR_TYPE, "refused"));
    let asked = |acquires: &'static str, mut circuit: Vec<Series>| {
        circuit.push((acquired.clone(), acquires));
        circuit
    };
    let open = by_each_name(&CIRCUIT_OPEN, "0x3 1x10");
    let circuit = |values| (one(&CIRCUIT_OPEN.prometheus_name(), ""), values);
    Alert {
        name: "PoolConnectsFail",
        // Not the rate of failures: one is in it for longer than `for`, and would be enough. Where nobody
        // asks, nobody tries again, and one failure is all that is known.
        expression: format!("{} > 0 and {ACQUIRE_RATE} * 60 >= 3", ratio(&CIRCUIT_OPEN, "")),
        lasting: "1m",
        keep_firing: "2m",
        severity: "critical",
        summary: "the pool {pool} cannot open connections",
        description: "The database is down or full, or refuses us. Acquires fail once no connection is left.",
        trial: Trial {
            bad: open.into_iter().map(|circuit| asked("0+3x10", circuit)).collect(),
            told: "the pool orders cannot open connections",
            fine: vec![
                // One failure, which was over when it was looked at next.
                asked("0+60x10", vec![(failed.clone(), "0x8 1x10"), circuit("0x8 1 0x10")]),
                // One failure, and nobody has asked since.
                asked("0x3 1x10", vec![(failed, "0x3 1x10"), circuit("0x3 1x10")]),
                asked("0+2x10", vec![circuit("0x3 1x10")]),
            ],
        },
    }
}

fn slow_waits() -> Alert {
    let wait = WAIT_TIME.prometheus_name();
    let waits = |a_minute: &'static str| {
        let bucket = |bound: &str| one(&format!("{wait}_bucket"), &format!(",le=\"{bound}\""));
        vec![
            (bucket("1.0"), "0x10"),
            (bucket("5.0"), a_minute),
            (bucket("+Inf"), a_minute),
            (counter(&ACQUIRES, OUTCOME, "waited"), a_minute),
        ]
    };
    // Beside the same waits, many that were refused at once.
    let error = prometheus_label(ERROR_TYPE);
    let refused = ["1.0", "5.0", "+Inf"].map(|bound| {
        let labels = format!(",le=\"{bound}\",{error}=\"queue_full\"");
        (one(&format!("{wait}_bucket"), &labels), "0+60000x10")
    });
    let refused = Vec::from(refused);
    Alert {
        name: "PoolWaitsSlow",
        // One slow acquire among ten is not a percentile.
        expression: format!("{WAIT_P99} > 1 and {ACQUIRE_RATE} * 60 >= 10"),
        lasting: "",
        keep_firing: "1m",
        severity: "critical",
        summary: "one acquire in a hundred of the pool {pool} waits {{ $value | humanizeDuration }} or longer",
        description: "The pool is too small, or the database too slow: see whether holds grow as well.",
        trial: Trial {
            bad: vec![waits("0+60x10"), [waits("0+60x10"), refused].concat()],
            told: "one acquire in a hundred of the pool orders waits 4.96s or longer",
            fine: vec![waits("0+6x10")],
        },
    }
}

fn churn() -> Alert {
    let churned = |opened: &'static str, reason: &str, closed: &'static str| {
        vec![
            (one(&OPENED.prometheus_name(), ""), opened),
            (counter(&CLOSED, CLOSE_REASON, reason), closed),
        ]
    };
    Alert {
        name: "PoolChurns",
        expression: format!("{CHURN} * 60 > 60"),
        lasting: "5m",
        keep_firing: "5m",
        severity: "warning",
        summary: "the pool {pool} opens {{ $value | humanize }} connections a minute without growing",
        description: "They are closed as surplus or idle, and opened anew. Raise max_idle or idle_grace.",
        trial: Trial {
            bad: vec![churned("0+120x10", "surplus", "0+120x10")],
            told: "the pool orders opens 120 connections a minute without growing",
            fine: vec![
                // One that shrinks closes, and opens few.
                churned("0+30x10", "surplus", "0+120x10"),
                // Two hundred connections that live for two minutes.
                churned("0+100x10", "lifetime", "0+100x10"),
            ],
        },
    }
}

fn unhealthy() -> Alert {
    let state = prometheus_label(HEALTH_STATE);
    let is_unhealthy = ratio(&HEALTH, &format!("{{{state}=\"unhealthy\"}}"));
    let told = |unhealthy, degraded| {
        in_states(&HEALTH, HEALTH_STATE, [("unhealthy", unhealthy), ("degraded", degraded)])
    };
    Alert {
        name: "PoolUnhealthy",
        expression: format!("sum without ({state}) ({is_unhealthy}) > 0"),
        lasting: "1m",
        keep_firing: "1m",
        severity: "critical",
        summary: "the pool {pool} cannot serve: its database fails its health checks",
        description: "The program's log and its checker say why. Connections that are open may fail, too.",
        trial: Trial {
            bad: told("0x3 1x10", "1x3 0x10"),
            told: "the pool orders cannot serve: its database fails its health checks",
            // Degraded, and unhealthy for a moment.
            fine: told("0x9 1x3", "1x9 0x3"),
        },
    }
}

fn share_withheld() -> Alert {
    let state = prometheus_label(SHARE_STATE);
    let is_withheld = ratio(&FLEET_STATE, &format!("{{{state}=~\"pending|lapsed\"}}"));
    let told =
        |withheld, granted| in_states(&FLEET_STATE, SHARE_STATE, [withheld, ("granted", granted)]);
    let bad = ["pending", "lapsed"].map(|withheld| told((withheld, "0x3 1x10"), "1x3 0x10"));
    Alert {
        name: "PoolShareWithheld",
        expression: format!("sum without ({state}) ({is_withheld}) > 0"),
        lasting: "1m",
        keep_firing: "1m",
        severity: "warning",
        summary: "the pool {pool} may open no connections: its share of the server is pending, or its lease has \
                  run out",
        description: "The advice on the pool, its health and the program's log say what is in the way.",
        trial: Trial {
            bad: bad.concat(),
            told: "the pool orders may open no connections: its share of the server is pending, or its lease \
                   has run out",
            fine: told(("pending", "1x1 0x9 1x1"), "0x1 1x9 0x1"),
        },
    }
}

fn configuration_refused() -> Alert {
    let (error, name) = (prometheus_label(ERROR_TYPE), RECONFIGURATIONS.prometheus_name());
    let refused = |values| vec![(counter(&RECONFIGURATIONS, ERROR_TYPE, REFUSED), values)];
    Alert {
        name: "PoolConfigurationRefused",
        // One is enough, as with leaks. The counter is there, as 0, before the first.
        expression: format!(
            "sum without ({error}) (increase({name}{{{error}=\"{REFUSED}\"}}[5m])) > 0"
        ),
        lasting: "",
        keep_firing: "",
        severity: "warning",
        summary: "a configuration of the pool {pool} was refused",
        description: "The one before it stays in force. The program's log says what is wrong with it.",
        trial: Trial {
            bad: vec![refused("0x7 1x3")],
            told: "a configuration of the pool orders was refused",
            fine: vec![refused("0x2 1x8"), vec![(one(&name, ""), "0+1x10")]],
        },
    }
}

fn queue(waiting: &'static str) -> Vec<Series> {
    let series = |metric: &Metric| one(&metric.prometheus_name(), "");
    vec![(series(&PENDING_REQUESTS), waiting), (series(&MAX_WAITERS), "100x10")]
}

/// The same values under each name that a gauge of the unit 1 may have.
fn by_each_name(metric: &Metric, values: &'static str) -> Vec<Vec<Series>> {
    let name = metric.prometheus_name();
    [name.clone(), format!("{name}_ratio")].map(|name| vec![(one(&name, ""), values)]).into()
}

/// Two states of a gauge that has a value for each, under each name that it may have.
fn in_states(metric: &Metric, label: &str, states: [(&str, &'static str); 2]) -> Vec<Vec<Series>> {
    let (name, label) = (metric.prometheus_name(), prometheus_label(label));
    let series = |name: String| {
        let of = |(state, values)| (one(&name, &format!(",{label}=\"{state}\"")), values);
        states.map(of).into()
    };
    [name.clone(), format!("{name}_ratio")].map(series).into()
}

/// A series of the pool `orders`.
fn one(name: &str, more: &str) -> String {
    format!("{name}{{instance=\"a\",{}=\"orders\"{more}}}", prometheus_label(POOL_NAME))
}

fn counter(metric: &Metric, label: &str, value: &str) -> String {
    one(&metric.prometheus_name(), &format!(",{}=\"{value}\"", prometheus_label(label)))
}

/// The text of `alerts.yml`.
pub(super) fn written() -> String {
    let mut text = "# Recording rules and alerts for pools, made from the table of metrics: see docs/monitoring.md.\n\
                    groups:\n  - name: pools\n    rules:\n"
        .to_owned();
    let mut put = |line: String| writeln!(text, "{line}").expect("bug: a String takes all");
    for Record { name, expression } in records() {
        put(format!("      - record: {name}\n        expr: {}", quoted(&expression)));
    }
    let pool = format!("{{{{ $labels.{} }}}}", prometheus_label(POOL_NAME));
    for alert in alerts() {
        put(format!("      - alert: {}\n        expr: {}", alert.name, quoted(&alert.expression)));
        for (field, value) in [("for", alert.lasting), ("keep_firing_for", alert.keep_firing)] {
            if !value.is_empty() {
                put(format!("        {field}: {value}"));
            }
        }
        put(format!("        labels:\n          severity: {}", alert.severity));
        let summary = alert.summary.replace("{pool}", &pool);
        put(format!("        annotations:\n          summary: {}", quoted(&summary)));
        put(format!("          description: {}", quoted(alert.description)));
    }
    text
}

/// The text of `alerts.test.yml`.
pub(super) fn tests_written() -> String {
    let mut text = "# Run by `promtool test rules alerts.test.yml`.\n\
                    rule_files: [alerts.yml]\nevaluation_interval: 1m\ntests:\n"
        .to_owned();
    for alert in alerts() {
        let fires = format!(
            "\n          - exp_labels: {{instance: a, {}: orders, severity: {}}}\n            \
             exp_annotations:\n              summary: {}\n              description: {}",
            prometheus_label(POOL_NAME),
            alert.severity,
            quoted(alert.trial.told),
            quoted(alert.description)
        );
        let bad = alert.trial.bad.iter().map(|series| (series, &*fires));
        let fine = alert.trial.fine.iter().map(|series| (series, " []"));
        for (series, expected) in bad.chain(fine) {
            text.push_str("  - interval: 1m\n    input_series:\n");
            for (series, values) in series {
                let series = quoted(series);
                writeln!(text, "      - series: {series}\n        values: {}", quoted(values))
                    .expect("bug: a String takes all");
            }
            writeln!(
                text,
                "    alert_rule_test:\n      - eval_time: 10m\n        alertname: {}\n        \
                 exp_alerts:{expected}",
                alert.name
            )
            .expect("bug: a String takes all");
        }
    }
    text
}

/// As YAML takes any text without a line's end.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
