//! Metrics and spans of pools that are used by tasks, as a real collector and a real Prometheus have them.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::trace::{FutureExt as _, SpanId, TraceContextExt as _, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;
use pool_core::runtime::SmolRuntime;
use pool_core::{Driver, Pool};
use pool_monitor::catalogue::{self, Kind, Metric, POOL_NAME};
use pool_monitor::otlp::{OtlpOptions, Protocol};
use pool_postgres::PostgresDriver;
use pool_sqlite::SqliteDriver;
use pool_testkit::receivers::{
    self, Attributes, Collector, Point, Prometheus, Scraping, Telemetry,
};

use super::{AGES, Watch, otlp, postgres, sqlite};

/// How many tasks use a pool, of fewer connections.
const TASKS: usize = 8;

/// What the program does in a span of its own, and that span's place.
async fn within_a_span<T>(tracer: &SdkTracer, work: impl Future<Output = T>) -> (SpanId, T) {
    let span = tracer.start_with_context("checkout", &Context::new());
    let context = Context::new().with_span(span);
    let done = work.with_context(context.clone()).await;
    (context.span().span_context().span_id(), done)
}

/// Two statements, between which the task may come to another thread.
async fn select_twice(pool: Pool<PostgresDriver>) {
    let connection = pool.acquire().await.expect("acquired");
    for number in 0..2_i32 {
        let row = connection.query_one("SELECT $1::int + 1 AS orders", &[&number]).await;
        assert_eq!(row.expect("answered").get::<_, i32>(0), number + 1);
        tokio::task::yield_now().await;
    }
}

async fn insert_and_count(pool: Pool<SqliteDriver>) {
    let mut connection = pool.acquire().await.expect("acquired");
    connection.execute("INSERT INTO fruit VALUES (?1)", ["fig"]).await.expect("inserted");
    let count = connection.query("SELECT count(*) FROM fruit", [], |row| row.get::<_, i64>(0));
    assert!(count.await.expect("answered")[0] > 0);
}

async fn plant(pool: &Pool<SqliteDriver>) {
    let mut connection = pool.acquire().await.expect("opened");
    connection.execute_batch("CREATE TABLE fruit (name TEXT)").await.expect("created");
}

/// One more acquire, which finds every connection taken.
async fn fail_to_acquire<D: Driver>(pool: &Pool<D>) {
    let mut held = Vec::new();
    for _ in 0..pool.config().max_open {
        held.push(pool.acquire().await.expect("acquired"));
    }
    let failed = pool.acquire_within(Duration::from_millis(5)).await;
    assert!(failed.is_err_and(|error| error.is_timeout()));
}

/// What a collector has of one service.
struct Of<'a> {
    service: &'a str,
    received: &'a Telemetry,
}

impl Of<'_> {
    fn is_its(&self, resource: &Attributes) -> bool {
        resource.get("service.name").is_some_and(|name| *name == self.service)
    }

    fn points(&self, metric: &Metric, pool: &str) -> Vec<&Point> {
        let points = self.received.points_of(metric.name);
        let is_wanted = |it: &&Point| self.is_its(&it.resource) && it.attributes[POOL_NAME] == pool;
        points.filter(is_wanted).collect()
    }

    /// The sum of a counter, or the number of values of a histogram, over all attributes.
    fn total(&self, metric: &Metric, pool: &str) -> u64 {
        let count = |point: &&Point| match point.buckets() {
            Some(buckets) => buckets.count,
            None => point.number().expect("a number") as u64,
        };
        self.points(metric, pool).iter().map(count).sum()
    }

    fn spans(&self) -> impl Iterator<Item = &receivers::Span> + Clone {
        self.received.spans.iter().filter(|span| self.is_its(&span.resource))
    }

    /// Every metric that came is as the catalogue has it, the conventional ones are all there, and they
    /// agree with each other on so many acquires, and one that failed.
    #[track_caller]
    fn expect_metrics(&self, pool: &str, acquires: usize) {
        for metric in catalogue::ALL {
            let points = self.points(metric, pool);
            assert!(!points.is_empty() || !metric.is_conventional(), "{} {pool}", metric.name);
            for point in points {
                assert_eq!(point.unit, metric.unit, "{}", metric.name);
                assert_eq!(point.description, metric.description, "{}", metric.name);
                let kind = match metric.kind {
                    Kind::Counter => receivers::Kind::Counter,
                    Kind::UpDownCounter => receivers::Kind::UpDownCounter,
                    Kind::Histogram(_) => receivers::Kind::Histogram,
                    _ => receivers::Kind::Gauge,
                };
                assert_eq!(point.kind, kind, "{}", metric.name);
                let bounds = match metric.kind {
                    Kind::Histogram(bounds) => Some(bounds),
                    _ => None,
                };
                assert_eq!(point.buckets().map(|it| &*it.bounds), bounds, "{}", metric.name);
            }
        }
        let total = |metric| self.total(metric, pool);
        let (all, succeeded) = (acquires as u64 + 1, acquires as u64);
        let totals = [&catalogue::ACQUIRES, &catalogue::WAIT_TIME, &catalogue::USE_TIME].map(total);
        assert_eq!(totals, [all, all, succeeded], "{pool}");
        assert_eq!(total(&catalogue::TIMEOUTS), 1, "{pool}");
        assert_eq!(total(&catalogue::CREATE_TIME), total(&catalogue::OPENED), "{pool}");
    }

    /// These spans, in this order, and nothing else, are the children of a span, in its trace.
    #[track_caller]
    fn expect_children(&self, parent: SpanId, names: &[&str]) {
        let parent = parent.to_string();
        let above = self.spans().find(|span| span.id == parent).expect("received");
        let mut children: Vec<_> = self.spans().filter(|span| span.parent_id == parent).collect();
        children.sort_by_key(|span| span.start_nanos);
        let statements: Vec<_> = children.iter().filter(|span| span.kind == "CLIENT").collect();
        let found: Vec<_> = statements.iter().map(|span| &*span.name).collect();
        assert_eq!(found, names);
        for child in &children {
            assert_eq!(child.trace_id, above.trace_id);
            assert!((above.start_nanos..=above.end_nanos).contains(&child.start_nanos));
            assert!(child.end_nanos <= above.end_nanos);
        }
        // The others are of acquires that were not served at once.
        let others = children.iter().filter(|span| span.kind != "CLIENT");
        assert!(others.clone().all(|span| span.name.starts_with("acquire ")));
        assert!(others.count() <= 1);
    }

    /// Connects are traces of their own, and an acquire that failed says why.
    #[track_caller]
    fn expect_connects_and_a_failed_acquire(&self, pool: &str) {
        let connects = self.spans().filter(|span| span.name.starts_with("connect "));
        assert!(connects.clone().count() > 0);
        for connect in connects {
            assert_eq!((&*connect.kind, &*connect.parent_id), ("CLIENT", ""));
            assert_eq!(connect.status, "UNSET");
        }
        let acquires = self.spans().filter(|span| span.name == format!("acquire {pool}"));
        let mut failed = acquires.filter(|span| span.status == "ERROR");
        let only = failed.next().expect("received");
        assert_eq!((&*only.kind, failed.count()), ("INTERNAL", 0));
        assert_eq!(only.attributes["error.type"], "timeout");
        assert_eq!(only.attributes["pool.acquire.outcome"], "failed");
    }
}

/// Waits until the collector has all of a service, and gives it.
#[track_caller]
fn received(collector: &Collector, service: &str, spans: u64) -> Telemetry {
    let awaited = format!("{spans} spans and the metrics of {service}");
    let all = collector.wait_for(&awaited, AGES, |received| {
        let of = Of { service, received };
        let has_metrics = received.points.iter().any(|point| of.is_its(&point.resource));
        (has_metrics && of.spans().count() as u64 == spans).then(|| received.clone())
    });
    all.expect("received")
}

fn protocols(collector: &Collector) -> [(&'static str, OtlpOptions); 2] {
    [
        ("http", Protocol::HttpProtobuf, collector.http_url()),
        ("grpc", Protocol::Grpc, collector.grpc_url()),
    ]
    .map(|(service, protocol, url)| {
        (service, OtlpOptions { protocol: Some(protocol), ..otlp(&url, service) })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tasks_do_with_pools_is_what_a_collector_and_prometheus_have() {
    let collector = Collector::start().expect("started");
    for (service, options) in protocols(&collector) {
        let watch = Watch::start(&options, None);
        let (orders, stock) = (postgres("orders", 3), sqlite(service, 2, None));
        watch.watch(&orders.control());
        watch.watch(&stock.control());
        let scraping = Scraping { targets: vec![watch.endpoint.address()], ..Scraping::default() };
        let prometheus = Prometheus::start(&scraping).expect("started");
        let tracer = watch.telemetry.tracer_provider().tracer("program");
        plant(&stock).await;
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            let (orders, stock, tracer) = (orders.clone(), stock.clone(), tracer.clone());
            tasks.push(tokio::spawn(async move {
                let (of_orders, ()) = within_a_span(&tracer, select_twice(orders)).await;
                let (of_stock, ()) = within_a_span(&tracer, insert_and_count(stock)).await;
                (of_orders, of_stock)
            }));
        }
        let mut parents = Vec::new();
        for task in tasks {
            parents.push(task.await.expect("no panic"));
        }
        fail_to_acquire(&orders).await;
        fail_to_acquire(&stock).await;

        let delivery = watch.telemetry.flush(AGES);
        assert!(delivery.is_complete(), "{delivery:?}");
        let all = received(&collector, service, watch.telemetry.state().spans_delivered);
        let of = Of { service, received: &all };
        of.expect_metrics("orders", TASKS + 3);
        of.expect_metrics(service, 1 + TASKS + 2);
        let inserted = ["INSERT fruit", "SELECT fruit"];
        for (of_orders, of_stock) in parents {
            of.expect_children(of_orders, &["SELECT", "SELECT"]);
            of.expect_children(of_stock, &inserted);
        }
        of.expect_connects_and_a_failed_acquire("orders");
        of.expect_connects_and_a_failed_acquire(service);

        // The monitor, the collector and Prometheus agree.
        watch.monitor.look();
        let snapshot = watch.monitor.view("orders").expect("watched").snapshot;
        assert_eq!(snapshot.stats.acquires.succeeded(), (TASKS + 3) as u64);
        let label = format!("{{{}=\"orders\"}}", catalogue::prometheus_label(POOL_NAME));
        let acquires =
            format!("sum({}{label}) == {}", catalogue::ACQUIRES.prometheus_name(), TASKS + 3 + 1);
        prometheus.wait_for(&acquires, AGES).expect("scraped");
        assert!(orders.close(AGES).await.drained);
        prometheus.wait_for(&format!("absent({label})"), AGES).expect("no series is left");
        assert!(watch.telemetry.shutdown(AGES).is_complete());
    }
}

#[test]
fn on_smol_it_is_the_same() {
    let collector = Collector::start().expect("started");
    for (protocol, options) in protocols(&collector) {
        let service = format!("smol-{protocol}");
        let options = OtlpOptions { service_name: Some(service.clone()), ..options };
        let runtime = || Some(Arc::new(SmolRuntime::new()) as _);
        let watch = smol::block_on(async { Watch::start(&options, runtime()) });
        let stock = sqlite(&service, 2, runtime());
        watch.watch(&stock.control());
        let tracer = watch.telemetry.tracer_provider().tracer("program");
        let parents = smol::block_on(async {
            plant(&stock).await;
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (stock, tracer) = (stock.clone(), tracer.clone());
                    smol::spawn(
                        async move { within_a_span(&tracer, insert_and_count(stock)).await.0 },
                    )
                })
                .collect();
            let mut parents = Vec::new();
            for task in tasks {
                parents.push(task.await);
            }
            fail_to_acquire(&stock).await;
            // On the only thread that drives the pool.
            let delivery = watch.telemetry.flush(AGES);
            assert!(delivery.is_complete(), "{delivery:?}");
            parents
        });
        let all = received(&collector, &service, watch.telemetry.state().spans_delivered);
        let of = Of { service: &service, received: &all };
        of.expect_metrics(&service, 1 + TASKS + 2);
        for parent in parents {
            of.expect_children(parent, &["INSERT fruit", "SELECT fruit"]);
        }
        of.expect_connects_and_a_failed_acquire(&service);
    }
}
