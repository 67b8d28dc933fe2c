//! Under which span of the program's a span of a pool belongs.

use opentelemetry::Context;
use opentelemetry::trace::{
    FutureExt as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use pool_core::{Pool, PoolConfig};
use pool_monitor::{PoolTraces, TraceOptions};
use pool_sqlite::SqliteDriver;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Rig, Spans, names, orchard};

/// Work that awaits between its statements, and meets others at the one connection.
async fn work(pool: Pool<SqliteDriver>, name: &'static str) {
    for number in 0..5 {
        let mut connection = pool.acquire().await.expect("in time");
        let row = (format!("{name} {number}"),);
        connection.execute("INSERT INTO fruit VALUES (?1)", row).await.expect("inserted");
        tokio::task::yield_now().await;
        connection.execute_batch("SELECT 1").await.expect("answered");
        drop(connection);
        tokio::task::yield_now().await;
    }
}

/// That the parents have as many children each, and that there are no others.
fn expect_children(spans: &[SpanData], parents: &[SpanId], each: usize) {
    let parent = |span: &&SpanData| span.name.contains("fruit") || span.name == "SELECT";
    let statements: Vec<_> = spans.iter().filter(parent).collect();
    for id in parents {
        let children = statements.iter().filter(|span| span.parent_span_id == *id);
        assert_eq!(children.count(), each, "{:?}", names(spans));
    }
    assert_eq!(statements.len(), each * parents.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_a_child_of_what_is_current_in_its_task() {
    let (pool, spans) = orchard(TraceOptions::default()).await;
    let (apples, apples_id) = spans.parent("apples");
    let (pears, pears_id) = spans.parent("pears");
    let tasks = [
        tokio::spawn(work(pool.clone(), "apple").with_context(apples)),
        tokio::spawn(work(pool.clone(), "pear").with_context(pears)),
    ];
    for task in tasks {
        task.await.expect("no panic");
    }
    let ended = spans.take();
    expect_children(&ended, &[apples_id, pears_id], 10);
    let trace =
        |name| ended.iter().find(|span| span.name == name).expect("there").span_context.trace_id();
    let of = |id| ended.iter().find(|span| span.parent_span_id == id).expect("there");
    assert_eq!(of(apples_id).span_context.trace_id(), trace("apples"));
}

/// The same by spans of `tracing`, with and without its layer making them current.
async fn traced_work(is_activating: bool) {
    let (pool, spans) = orchard(TraceOptions::default()).await;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(spans.tracer())
        .with_context_activation(is_activating);
    let subscriber = tracing_subscriber::registry().with(layer);
    let guard = tracing::subscriber::set_default(subscriber);
    let tasks = [
        tokio::spawn(work(pool.clone(), "apple").instrument(tracing::info_span!("apples"))),
        tokio::spawn(work(pool.clone(), "pear").instrument(tracing::info_span!("pears"))),
    ];
    for task in tasks {
        task.await.expect("no panic");
    }
    drop(guard);
    let ended = spans.take();
    let id =
        |name| ended.iter().find(|span| span.name == name).expect("there").span_context.span_id();
    expect_children(&ended, &[id("apples"), id("pears")], 10);
}

#[tokio::test]
async fn a_statement_is_a_child_of_the_span_of_tracing_that_is_entered() {
    traced_work(true).await;
}

#[cfg(feature = "tracing-spans")]
#[tokio::test]
async fn a_span_of_tracing_is_found_though_its_layer_makes_none_current() {
    traced_work(false).await;
}

#[test]
fn the_parent_is_who_started_a_statement_wherever_it_is_dropped() {
    let rig = Rig::new(PoolConfig::default(), TraceOptions::default());
    let guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    let (parent, id) = rig.spans.parent("parent");
    let running = {
        let _current = parent.clone().attach();
        guard.statements().start(Some("SELECT * FROM t"))
    };
    drop(running);
    let span = rig.spans.only();
    assert_eq!((&*span.name, span.parent_span_id), ("SELECT t", id));
    drop(parent);
}

#[test]
fn a_trace_that_is_not_sampled_gets_no_span() {
    let options = TraceOptions { comments: true, ..TraceOptions::default() };
    let rig = Rig::new(PoolConfig::default(), options.clone());
    let eager = Spans::sampled_by(Sampler::AlwaysOn);
    eager.watch(&rig.pool.control(), options);
    let mut guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    let (trace, span) = (TraceId::from(7_u128), SpanId::from(7_u64));
    let remote = |flags| SpanContext::new(trace, span, flags, true, TraceState::NONE);
    let with = |flags| Context::new().with_remote_span_context(remote(flags)).attach();
    {
        let _current = with(TraceFlags::NOT_SAMPLED);
        guard.query("SELECT 1").expect("answered");
        let running = guard.statements().start(Some("SELECT 2")).expect("somebody listens");
        assert_eq!(running.commented(), None);
    }
    assert_eq!(rig.spans.take().len(), 0);
    assert_eq!(names(&eager.take()), ["connect fake"]);
    let _current = with(TraceFlags::SAMPLED);
    guard.query("SELECT 3").expect("answered");
    let ended = rig.spans.only();
    assert_eq!((ended.parent_span_id, ended.parent_span_is_remote), (span, true));
}

#[test]
fn without_a_provider_nothing_is_recorded_and_nothing_fails() {
    let rig = Rig::new(PoolConfig::default(), TraceOptions::default());
    let noop = opentelemetry::trace::noop::NoopTracerProvider::new();
    let traces = PoolTraces::new(&noop, TraceOptions::default());
    assert!(!traces.is_recording() && !PoolTraces::global(TraceOptions::default()).is_recording());
    let subscription = traces.watch(&rig.pool.control());
    rig.sim.block_on(rig.pool.acquire()).expect("opened").query("SELECT 1").expect("answered");
    drop(subscription);
    assert_eq!(names(&rig.spans.take()), ["connect fake", "SELECT"], "the other one's");
}

#[test]
fn a_provider_is_recognised_without_a_span() {
    let spans = Spans::new();
    assert!(PoolTraces::new(&spans.provider, TraceOptions::default()).is_recording());
    assert_eq!(spans.take().len(), 0);
}
