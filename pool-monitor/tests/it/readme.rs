//! What the README shows of this crate.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use pool_monitor::catalogue::ALL;
use pool_testkit::receivers::{Collector, Telemetry};
use pool_testkit::run_as_shown;

const README: &str = include_str!("../../../README.md");

#[test]
fn a_collector_sees_the_pool_of_the_example_in_the_readme() {
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/watched.rs"));
    let collector = Collector::start().expect("a collector");
    let url = collector.http_url();
    let printed = run_as_shown(README, example, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    assert!(
        printed.ends_with("every connection was back\neverything has arrived: true\n"),
        "{printed}"
    );
    let conventional: BTreeSet<_> =
        ALL.iter().filter(|metric| metric.is_conventional()).map(|metric| metric.name).collect();
    let all_of_it = |received: &Telemetry| {
        let has_span = received.spans_of("create table fruit").next().is_some();
        (has_span && conventional.is_subset(&received.metrics())).then_some(())
    };
    let awaited = "nine metrics and the span of the statement";
    collector.wait_for(awaited, Duration::from_secs(10), all_of_it).expect(awaited);
}
