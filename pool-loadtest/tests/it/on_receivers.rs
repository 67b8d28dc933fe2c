//! The whole chain: a load test of the program, as a real collector and a real Prometheus see it.
//!
//! `cargo xtask itest` runs it by the name of this module, and `cargo xtask ci` not a second time.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use pool_testkit::receivers::{Collector, Point, Prometheus, Scraping};
#[cfg(feature = "postgres")]
use pool_testkit::servers::{Family, shared};
use serde_json::Value;

use crate::program::{finished, json, program, run};

const AGES: Duration = Duration::from_mins(1);

/// Name and unit of each metric of the semantic conventions.
const CONVENTIONAL: [(&str, &str); 9] = [
    ("db.client.connection.count", "{connection}"),
    ("db.client.connection.idle.max", "{connection}"),
    ("db.client.connection.idle.min", "{connection}"),
    ("db.client.connection.max", "{connection}"),
    ("db.client.connection.pending_requests", "{request}"),
    ("db.client.connection.timeouts", "{timeout}"),
    ("db.client.connection.create_time", "s"),
    ("db.client.connection.wait_time", "s"),
    ("db.client.connection.use_time", "s"),
];

#[test]
fn a_collector_gets_the_nine_conventional_metrics_and_spans_of_what_was_done() {
    let collector = Collector::start().expect("started");
    let url = collector.http_url();
    let (code, stdout, stderr) = run(&[
        "run",
        "--duration",
        "2s",
        "--pool",
        "max_open=4",
        "--otlp",
        &url,
        "--sample",
        "0.05",
        "--output",
        "json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let report = json(&stdout);
    let telemetry = &report["monitor"]["telemetry"];
    assert_eq!(telemetry["metrics_delivered"], true, "{report}");
    assert!(!stderr.contains("last metrics"), "{stderr}");

    // Whatever it acknowledged, it says a moment later.
    let spans = telemetry["spans_delivered"].as_u64().expect("a count") as usize;
    let seen = collector.wait_for("all spans and metrics", AGES, |seen| {
        let is_whole = seen.spans.len() == spans && seen.metrics().len() >= CONVENTIONAL.len();
        is_whole.then(|| seen.clone())
    });
    let seen = seen.expect("received");
    for (name, unit) in CONVENTIONAL {
        let point = seen.points_of(name).next_back();
        let point = point.unwrap_or_else(|| panic!("no {name} among {:?}", seen.metrics()));
        assert_eq!(point.unit, unit, "{name}");
        assert!(point.attributes.contains_key("db.client.connection.pool.name"), "{point:?}");
    }
    let acquires = seen.latest("pool.acquires", &[("pool.acquire.outcome", "waited")]);
    let waited = report["pool"]["acquires"]["waited"].as_f64().expect("a count");
    let counted = acquires.and_then(Point::number).expect("a count");
    assert!(counted >= waited, "{counted} are at least those of the load, {waited}");

    let names: BTreeSet<_> = seen.spans.iter().map(|span| &*span.name).collect();
    for start in ["select pool_loadtest_", "connect "] {
        assert!(names.iter().any(|name| name.starts_with(start)), "no {start}... among {names:?}");
    }
    assert!(names.len() < 10, "few names for many spans: {names:?}");
}

#[test]
fn a_collector_may_be_spoken_to_by_grpc() {
    let collector = Collector::start().expect("started");
    let mut command = program(&["run", "--duration", "300ms", "--otlp", &collector.grpc_url()]);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let (code, _, stderr) = finished(command.output().expect("starts"));
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    let uses = collector.wait_for("metrics", AGES, |seen| {
        seen.points_of("db.client.connection.use_time").next().map(drop)
    });
    uses.expect("received");
}

#[test]
fn of_acquires_that_fail_by_the_thousand_a_few_have_spans_and_the_rest_is_counted() {
    let collector = Collector::start().expect("started");
    let url = collector.http_url();
    let pool = ["--pool", "max_open=1", "--pool", "max_waiters=1"];
    let arguments = ["run", "--duration", "2s", "--otlp", &url, "--sample", "0"];
    let (_, stdout, stderr) = run(&[&arguments[..], &pool, &["--output", "json"]].concat());
    let telemetry = &json(&stdout)["monitor"]["telemetry"];
    let count = |name: &str| telemetry[name].as_u64().expect("a count");
    assert_eq!(count("spans_undelivered"), 0, "{stderr}");
    assert!((1..=500).contains(&count("spans_delivered")), "{telemetry}");
    assert!(count("spans_left_out") > 0, "{telemetry}");
    assert!(stderr.contains("without a span, as there were more than 100 a second"), "{stderr}");
    let failed = collector.wait_for("a failed acquire", AGES, |seen| {
        seen.spans.iter().find(|span| span.name.starts_with("acquire ")).cloned()
    });
    let failed = failed.expect("received");
    assert!(!failed.status_message.is_empty(), "{failed:?}");
}

/// The program under a load, and where its metrics are.
struct Watched {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: String,
}

impl Watched {
    fn start(arguments: &[&str]) -> Self {
        let mut command = program(&["run", "--prometheus", "127.0.0.1:0", "--duration", "5m"]);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("metrics are at ") {
            line.clear();
            assert!(stderr.read_line(&mut line).expect("a line") > 0, "ended early");
        }
        let address = line.trim().rsplit("http://").next().expect("a URL");
        Self { child, stderr, address: address.replace("/metrics", "") }
    }

    /// Ends it by a signal; its report.
    fn end(self) -> String {
        let Self { child, mut stderr, .. } = self;
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("run").success());
        std::io::copy(&mut stderr, &mut std::io::sink()).expect("read to the end");
        let (code, stdout, _) = finished(child.wait_with_output().expect("ends"));
        assert_eq!(code, 130, "{stdout}");
        stdout
    }
}

fn shipped(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pool-monitor/shipped").join(name)
}

/// Every expression of the dashboard, as Grafana sends it if all is chosen.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(shipped("dashboard.json")).expect("there");
    let dashboard = json(&text);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let targets = list(&dashboard["panels"]).into_iter().flat_map(|panel| list(&panel["targets"]));
    let expression = |target: Value| target["expr"].as_str().expect("an expression").to_owned();
    let all = |text: String| text.replace("$pool", ".*").replace("$instance", ".*");
    let expressions = targets.map(expression).map(all);
    expressions.map(|text| text.replace("$__rate_interval", "1m")).collect()
}

/// The names that `alerts.yml` gives to what it computes.
fn recorded() -> Vec<String> {
    let rules = std::fs::read_to_string(shipped("alerts.yml")).expect("there");
    let name = |line: &str| line.trim().strip_prefix("- record: ").map(str::to_owned);
    rules.lines().filter_map(name).collect()
}

/// Every expression that is shipped yields data about this load.
fn prometheus_has_it_all(arguments: &[&str]) {
    let load = Watched::start(&[arguments, &["--tuner", "on"]].concat());
    let scraping = Scraping {
        targets: vec![load.address.parse().expect("an address")],
        rules: vec![shipped("alerts.yml").canonicalize().expect("there")],
        ..Scraping::default()
    };
    let prometheus = Prometheus::start(&scraping).expect("started");
    let expressions: Vec<_> = recorded().into_iter().chain(dashboard()).collect();
    assert!(expressions.len() > 30, "{expressions:?}");
    for expression in expressions {
        // No connect fails in this load, and a failure that never happened has no kind. It is in no fleet.
        let is_absent = ["open_failures", "connect_failures", "pool_fleet"];
        if !is_absent.iter().any(|absent| expression.contains(absent)) {
            prometheus.wait_for(&expression, AGES).expect("data");
        }
    }
    let busy = "sum(rate(pool_acquires_total[1m])) > 0";
    assert_eq!(prometheus.query(busy).expect("an expression").len(), 1);
    assert!(load.end().contains("invariant   held"));
}

#[test]
fn every_expression_that_is_shipped_yields_data_of_a_load_on_sqlite() {
    prometheus_has_it_all(&["--pool", "max_open=4", "--pool", "check_after_idle=0s"]);
}

#[cfg(feature = "postgres")]
#[test]
fn every_expression_that_is_shipped_yields_data_of_a_load_on_postgresql() {
    let server = shared(Family::Postgres).expect("a server");
    let database = server.database("watched").expect("a database");
    let url = database.url();
    prometheus_has_it_all(&["--url", &url, "--pool", "check_after_idle=0s"]);
}
