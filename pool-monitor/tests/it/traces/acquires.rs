//! Spans of acquires.

use opentelemetry::Value;
use opentelemetry::trace::{SpanKind, Status};
use pool_core::PoolConfig;
use pool_monitor::TraceOptions;
use pool_testkit::Hand;

use super::{MS, Rig, attribute, lasting, names, text};

fn one() -> PoolConfig {
    PoolConfig { max_open: 1, acquire_timeout: 1000 * MS, ..PoolConfig::default() }
}

#[test]
fn a_slow_acquire_is_shown_where_it_was_called_and_a_fast_one_is_not() {
    let options = TraceOptions { slow_acquire: Some(200 * MS), ..TraceOptions::default() };
    let rig = Rig::new(one(), options);
    drop(rig.sim.block_on(rig.pool.acquire()).expect("opened"));
    for (held, is_slow) in [(199 * MS, false), (200 * MS, true)] {
        let guard = rig.sim.block_on(rig.pool.acquire()).expect("idle");
        let (pool, line) = (rig.pool.clone(), line!() + 1);
        let waiter = rig.sim.spawn(async move { pool.acquire_owned().await });
        rig.sim.advance(held);
        rig.spans.take();
        let (parent, id) = rig.spans.parent("parent");
        let current = parent.attach();
        drop(guard);
        rig.sim.run();
        drop(current);
        drop(waiter.take().expect("ended").expect("served"));
        let spans = rig.spans.take();
        let acquire = spans.iter().find(|span| span.name == "acquire fake");
        assert_eq!(acquire.is_some(), is_slow, "{:?}", names(&spans));
        let Some(span) = acquire else { continue };
        assert_eq!((&span.span_kind, &span.status), (&SpanKind::Internal, &Status::Unset));
        assert_eq!(span.parent_span_id, id, "current where it was polled");
        assert_eq!(lasting(span), 200);
        assert_eq!(text(span, "pool.acquire.outcome"), "waited");
        assert!(text(span, "code.file.path").ends_with("acquires.rs"));
        assert_eq!(text(span, "code.line.number"), line.to_string());
    }
}

#[test]
fn a_failed_acquire_carries_what_its_error_does() {
    let rig = Rig::new(one(), TraceOptions { slow_acquire: None, ..TraceOptions::default() });
    let guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    let error = rig.sim.block_on(rig.pool.acquire()).expect_err("taken");
    let span = rig.spans.only();
    assert_eq!(&*span.name, "acquire fake");
    assert_eq!(span.status, Status::error(error.to_string()));
    let figures = ["pool.in_use", "pool.max_open", "pool.opening", "pool.waiting"];
    assert_eq!(figures.map(|key| text(&span, key)), ["1", "1", "0", "1"]);
    assert_eq!(text(&span, "error.type"), "timeout");
    assert_eq!(text(&span, "pool.acquire.outcome"), "failed");
    assert_eq!(text(&span, "pool.acquire.phase"), "queued");
    assert!(text(&span, "pool.holders").contains("acquires.rs"), "{}", text(&span, "pool.holders"));
    assert!(matches!(attribute(&span, "pool.in_use"), Some(Value::I64(1))));
    drop(guard);
}

#[test]
fn an_acquire_given_up_after_a_long_time_is_shown() {
    let rig = Rig::new(one(), TraceOptions::default());
    let guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    for (waited, shown) in [(50 * MS, 0), (150 * MS, 1)] {
        let mut waiter = Hand::new(rig.pool.acquire());
        waiter.pending();
        rig.sim.advance(waited);
        drop(waiter);
        rig.sim.run();
        let spans = rig.spans.take();
        assert_eq!(spans.len(), shown, "{spans:#?}");
        if let Some(span) = spans.first() {
            assert_eq!(text(span, "error.type"), "cancelled");
        }
    }
    drop(guard);
}
