//! Nothing is lost on any runtime, nor without one: the real collector has all of it.

use opentelemetry::metrics::MeterProvider as _;
use pool_monitor::otlp::{OtlpOptions, Telemetry};
use pool_testkit::receivers::Collector;
use tokio::runtime::Builder;

use super::{AGES, collector_has, end_spans, options, protocols};

/// Records, flushes, records again and shuts down, all on this thread; then the collector has it all.
fn nothing_is_lost(collector: &Collector, runtime: &str) {
    for (protocol, url) in protocols(collector) {
        let name = format!("{runtime} {protocol:?}");
        let options = OtlpOptions {
            protocol: Some(protocol),
            service_name: Some(name.clone()),
            span_batch: Some(16),
            ..options(&url)
        };
        let telemetry = Telemetry::start(&options).expect("started");
        let counter = telemetry.meter_provider().meter("test").u64_counter("c").build();
        counter.add(1, &[]);
        end_spans(&telemetry, 50);
        let delivery = telemetry.flush(AGES);
        assert!(delivery.is_complete(), "{name}: {delivery:?}");
        counter.add(2, &[]);
        end_spans(&telemetry, 20);
        let delivery = telemetry.shutdown(AGES);
        assert!(delivery.is_complete(), "{name}: {delivery:?}");
        assert_eq!(telemetry.state().spans_delivered, 70);
        collector_has(collector, &name, 70, 3);
    }
}

#[test]
fn nothing_is_lost_without_a_runtime() {
    nothing_is_lost(&Collector::start().expect("started"), "none");
}

#[test]
fn nothing_is_lost_on_the_only_thread_of_a_tokio_runtime() {
    let collector = Collector::start().expect("started");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { nothing_is_lost(&collector, "current thread") });
    let task = async move { nothing_is_lost(&collector, "task of the current thread") };
    runtime.block_on(async { tokio::spawn(task).await.expect("no panic") });
}

#[test]
fn nothing_is_lost_on_every_thread_of_a_tokio_runtime() {
    let collector = Collector::start().expect("started");
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let task = async move { nothing_is_lost(&collector, "multi thread") };
    runtime.expect("a runtime").block_on(async { tokio::spawn(task).await.expect("no panic") });
}

#[test]
fn nothing_is_lost_on_smol() {
    let collector = Collector::start().expect("started");
    smol::block_on(async { nothing_is_lost(&collector, "smol") });
}

#[test]
fn what_a_runtime_that_has_ended_began_is_not_lost() {
    let collector = Collector::start().expect("started");
    for (protocol, url) in protocols(&collector) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let name = format!("ended {protocol:?}");
        let options = OtlpOptions {
            protocol: Some(protocol),
            service_name: Some(name.clone()),
            ..options(&url)
        };
        let telemetry = runtime.block_on(async { Telemetry::start(&options).expect("started") });
        telemetry.meter_provider().meter("test").u64_counter("c").build().add(3, &[]);
        end_spans(&telemetry, 5);
        drop(runtime);
        assert!(telemetry.shutdown(AGES).is_complete());
        collector_has(&collector, &name, 5, 3);
    }
}
