//! Spans of connects.

use opentelemetry::trace::{SpanId, SpanKind, Status};
use pool_core::PoolConfig;
use pool_monitor::TraceOptions;
use pool_testkit::{Answer, Call};

use super::{MS, Rig, attribute, error, lasting, text};

#[test]
fn a_connect_is_a_trace_of_its_own() {
    let rig = Rig::new(PoolConfig::default(), TraceOptions::default());
    rig.server.next(Call::Connect, &[Answer::Late(30 * MS)]);
    let (parent, _) = rig.spans.parent("parent");
    let current = parent.attach();
    drop(rig.sim.block_on(rig.pool.acquire()).expect("opened"));
    drop(current);
    let spans = rig.spans.take();
    let span = spans.iter().find(|span| span.name == "connect fake").expect("there");
    assert_eq!((&span.span_kind, &span.status), (&SpanKind::Client, &Status::Unset));
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_eq!(lasting(span), 30);
}

#[test]
fn a_failed_connect_says_how_often_and_of_a_strangers_error_only_the_code() {
    let rig = Rig::new(PoolConfig::default(), TraceOptions::default());
    rig.server.set_max_sockets(0);
    rig.server.next(Call::Connect, &[Answer::Error, Answer::Ok]);
    let failed = rig.sim.spawn({
        let pool = rig.pool.clone();
        async move { pool.acquire_owned().await.err() }
    });
    rig.sim.advance(100 * MS);
    drop(failed);
    let spans = rig.spans.take();
    let first = spans.first().expect("failed");
    assert_eq!(text(first, "error.type"), "transient");
    assert_eq!(first.status, error("transient"));
    assert_eq!(attribute(first, "db.response.status_code"), None);
    let second = spans.get(1).expect("failed again");
    assert_eq!(text(second, "pool.connect.error_class"), "overloaded");
    assert_eq!(text(second, "pool.connect.attempts"), "2");
    assert_eq!(text(second, "db.response.status_code"), "F1040");
    assert_eq!(second.status, error("F1040"));
}

#[test]
fn a_connect_that_hangs_is_a_timeout() {
    let config = PoolConfig { connect_timeout: 500 * MS, ..PoolConfig::default() };
    let rig = Rig::new(config, TraceOptions::default());
    rig.server.next(Call::Connect, &[Answer::Never]);
    drop(rig.sim.block_on(rig.pool.acquire()).expect("the second time"));
    let spans = rig.spans.take();
    assert_eq!(text(spans.first().expect("failed"), "error.type"), "timeout");
}
