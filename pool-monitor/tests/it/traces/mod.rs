//! Spans of pools that are really used, as an SDK exports them.

mod acquires;
mod connects;
mod parents;
mod servers;
mod statements;

use std::time::Duration;

use opentelemetry::trace::{SpanId, Status, TracerProvider as _};
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracer, SdkTracerProvider, SpanData,
};
use pool_core::{ControlHandle, Driver, Pool, PoolConfig};
use pool_monitor::{PoolTraces, TraceOptions};
use pool_sqlite::{SqliteDriver, SqliteOptions};
use pool_testkit::{FakeDriver, FakeServer, Sim};

const MS: Duration = Duration::from_millis(1);

/// A provider that keeps the spans, and traces by it.
struct Spans {
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

impl Spans {
    fn new() -> Self {
        Self::sampled_by(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
    }

    fn sampled_by(sampler: Sampler) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_simple_exporter(exporter.clone())
            .build();
        Self { provider, exporter }
    }

    fn watch(&self, pool: &ControlHandle, options: TraceOptions) {
        let traces = PoolTraces::new(&self.provider, options);
        assert!(traces.is_recording());
        traces.watch(pool).keep();
    }

    fn watching<D: Driver>(pool: &Pool<D>, options: TraceOptions) -> Self {
        let spans = Self::new();
        spans.watch(&pool.control(), options);
        spans
    }

    /// A tracer of the program's own.
    fn tracer(&self) -> SdkTracer {
        self.provider.tracer("program")
    }

    /// A span of the program's own, to be the parent of others.
    fn parent(&self, name: &'static str) -> (Context, SpanId) {
        let context =
            Context::new().with_span(self.tracer().start_with_context(name, &Context::new()));
        let id = context.span().span_context().span_id();
        (context, id)
    }

    /// What has ended since the last time.
    fn take(&self) -> Vec<SpanData> {
        let spans = self.exporter.get_finished_spans().expect("kept");
        self.exporter.reset();
        spans
    }

    /// The only span that has ended since the last time.
    #[track_caller]
    fn only(&self) -> SpanData {
        let mut spans = self.take();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }
}

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    let mut found = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
    let value = found.next().map(|attribute| &attribute.value);
    assert!(found.next().is_none(), "{key} is there twice");
    value
}

/// An attribute as text; empty if it is not there.
fn text(span: &SpanData, key: &str) -> String {
    attribute(span, key).map(ToString::to_string).unwrap_or_default()
}

fn names(spans: &[SpanData]) -> Vec<&str> {
    spans.iter().map(|span| &*span.name).collect()
}

/// In milliseconds.
fn lasting(span: &SpanData) -> u128 {
    span.end_time.duration_since(span.start_time).expect("no earlier end").as_millis()
}

fn error(description: &str) -> Status {
    Status::error(description.to_owned())
}

/// A pool of one connection to a database in memory, in which there is a table `fruit`, and the spans of
/// what comes after that.
async fn orchard(options: TraceOptions) -> (Pool<SqliteDriver>, Spans) {
    let driver = SqliteDriver::new(SqliteOptions::private_memory());
    let config = PoolConfig { max_open: 1, ..driver.pool_defaults(PoolConfig::default()) };
    let pool = Pool::new(driver, config).expect("valid");
    let mut connection = pool.acquire().await.expect("opened");
    connection.execute_batch("CREATE TABLE fruit (name TEXT UNIQUE)").await.expect("created");
    drop(connection);
    let spans = Spans::watching(&pool, options);
    (pool, spans)
}

/// A pool over the scripted driver in virtual time.
struct Rig {
    sim: Sim,
    server: FakeServer,
    pool: Pool<FakeDriver>,
    spans: Spans,
}

impl Rig {
    fn new(config: PoolConfig, options: TraceOptions) -> Self {
        let sim = Sim::new(1);
        let server = FakeServer::new(sim.runtime());
        let runtime = Some(sim.runtime());
        let settings = pool_core::PoolOptions { runtime, ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), settings).expect("valid");
        let spans = Spans::watching(&pool, options);
        Self { sim, server, pool, spans }
    }
}
