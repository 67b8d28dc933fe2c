//! The files in `shipped/`: made from the catalogue of metrics, so that they cannot drift from it, and
//! judged by Prometheus.
//!
//! After a change of the catalogue or of what is here, `SHIPPED=write cargo test -p pool-monitor
//! --all-features shipped` writes them anew.

mod dashboard;
#[cfg(feature = "prometheus")]
mod evaluated;
mod rules;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use pool_monitor::catalogue;
use pool_testkit::receivers::Promtool;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shipped").join(name)
}

#[track_caller]
fn expect_shipped(name: &str, made: &str) {
    if env::var_os("SHIPPED").is_some_and(|wanted| wanted == "write") {
        fs::write(path(name), made).expect("written");
    }
    let shipped = fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        shipped == made,
        "shipped/{name} is not what is made from the catalogue; to write it: SHIPPED=write cargo test \
         -p pool-monitor --all-features shipped"
    );
}

#[test]
fn what_is_shipped_is_made_from_the_catalogue() {
    expect_shipped("alerts.yml", &rules::written());
    expect_shipped("alerts.test.yml", &rules::tests_written());
    expect_shipped("dashboard.json", &dashboard::written());
}

#[test]
fn promtool_approves_of_the_rules_and_of_how_they_work() {
    let promtool = Promtool::find().expect("it is there");
    let said = promtool.check_rules(&path("alerts.yml")).expect("right");
    assert!(said.contains("19 rules found"), "{said}");
    promtool.test_rules(&path("alerts.test.yml")).expect("they work");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let dashboard = dashboard::written();
    let name = |metric: &catalogue::Metric| metric.prometheus_name();
    let missing: Vec<_> =
        catalogue::ALL.iter().map(name).filter(|name| !dashboard.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}
