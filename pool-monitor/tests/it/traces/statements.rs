//! Spans of statements.

use std::sync::Arc;

use opentelemetry::trace::{SpanKind, Status};
use pool_core::{Observer, PoolConfig, SqlComment, StatementOutcome};
use pool_monitor::TraceOptions;
use pool_testkit::Hand;

use super::{MS, Rig, attribute, error, lasting, names, orchard, text};

#[tokio::test]
async fn a_span_names_what_a_statement_does_and_shows_no_literal() {
    let (pool, spans) = orchard(TraceOptions::default()).await;
    let mut connection = pool.acquire().await.expect("idle");
    let sql = "INSERT INTO fruit /* canary */ VALUES ('canary'), ('pear')";
    connection.execute_batch(sql).await.expect("inserted");
    let span = spans.only();
    assert_eq!((&*span.name, &span.span_kind), ("INSERT fruit", &SpanKind::Client));
    assert_eq!(span.status, Status::Unset);
    assert_eq!(text(&span, "db.system.name"), "sqlite");
    assert_eq!(text(&span, "db.client.connection.pool.name"), pool.control().name());
    assert_eq!(text(&span, "db.query.summary"), "INSERT fruit");
    assert_eq!(text(&span, "db.query.text"), "INSERT INTO fruit  VALUES (?), (?)");
    assert_eq!(text(&span, "db.namespace"), pool.control().metadata().namespace.expect("named"));
    assert_eq!(attribute(&span, "db.operation.name"), None, "never parsed");

    let sql = "SELECT name FROM fruit WHERE name = ?1 AND name <> 'fig'";
    connection.query(sql, ["pear"], |row| row.get::<_, String>(0)).await.expect("answered");
    assert_eq!(text(&spans.only(), "db.query.text"), sql, "its data are parameters");

    connection.call(|sqlite| sqlite.execute_batch("SELECT 1")).await.expect("answered");
    let span = spans.only();
    assert_eq!(
        Some(&*span.name),
        pool.control().metadata().namespace.as_deref(),
        "no text is known"
    );
    assert_eq!(attribute(&span, "db.query.text"), None);
}

#[tokio::test]
async fn a_failed_statement_has_the_databases_code_and_not_its_words() {
    let (pool, spans) = orchard(TraceOptions::default()).await;
    let mut connection = pool.acquire().await.expect("idle");
    let sql = "INSERT INTO fruit VALUES ('fig'), ('fig')";
    connection.execute_batch(sql).await.expect_err("not unique");
    let span = spans.only();
    assert_eq!(text(&span, "db.response.status_code"), "2067");
    assert_eq!(text(&span, "error.type"), "2067");
    assert_eq!(span.status, error("the database says 2067"));
    connection.execute_batch("SELECT \"canary").await.expect_err("unfinished");
    let span = spans.only();
    assert_eq!((&*span.name, text(&span, "error.type")), ("SELECT", "1".to_owned()));
    assert!(!format!("{span:?}").contains("canary"), "{span:?}");
}

#[tokio::test]
async fn the_text_is_left_out_on_request_and_the_name_is_not() {
    let (pool, spans) =
        orchard(TraceOptions { query_text: false, ..TraceOptions::default() }).await;
    let mut connection = pool.acquire().await.expect("idle");
    connection.execute_batch("DELETE FROM fruit").await.expect("deleted");
    let span = spans.only();
    assert_eq!((&*span.name, attribute(&span, "db.query.text")), ("DELETE fruit", None));
}

#[tokio::test]
async fn a_statement_that_is_given_up_is_cancelled() {
    let (pool, spans) = orchard(TraceOptions::default()).await;
    let mut connection = pool.acquire().await.expect("idle");
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let mut call = Hand::new(connection.query_row(endless, [], |row| row.get::<_, i64>(0)));
    call.pending();
    drop(call);
    let span = spans.only();
    assert_eq!(text(&span, "error.type"), "cancelled");
    assert_eq!(span.status, error("given up by its caller"));
}

#[test]
fn a_span_lasts_as_long_as_its_statement() {
    let rig = Rig::new(PoolConfig::default(), TraceOptions::default());
    let guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    let running = guard.statements().start(Some("SELECT 1")).expect("somebody listens");
    rig.sim.advance(1234 * MS);
    running.finish(StatementOutcome::Ok);
    let span = rig.spans.only();
    assert_eq!(lasting(&span), 1234);
}

#[test]
fn statements_that_are_forgotten_do_not_pile_up_for_ever() {
    let rig = Rig::new(PoolConfig::default(), TraceOptions::default());
    let mut guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    for _ in 0..10_100 {
        std::mem::forget(guard.statements().start(None));
    }
    // One connect, and those that were given up.
    assert_eq!(rig.spans.take().len(), 101);
    guard.query("SELECT 1").expect("answered");
    assert_eq!(names(&rig.spans.take()), ["SELECT"], "given up at its start");
}

#[test]
fn a_comment_leads_to_the_span() {
    let options = TraceOptions { comments: true, ..TraceOptions::default() };
    let rig = Rig::new(PoolConfig::default(), options);
    let guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    let running = guard.statements().start(Some("SELECT 1")).expect("somebody listens");
    let commented = running.commented();
    running.finish(StatementOutcome::Ok);
    let context = rig.spans.only().span_context;
    let (trace, span) = (context.trace_id(), context.span_id());
    assert_eq!(commented, Some(format!("SELECT 1 /*traceparent='00-{trace}-{span}-01'*/")));
}

/// Says half of what it wants in each comment.
struct Spiteful;

impl Observer for Spiteful {
    fn sql_comment(&self, _: u64, comment: &mut SqlComment) {
        comment.add("half", "said");
        panic!("on purpose");
    }
}

#[test]
fn whoever_panics_over_a_comment_costs_neither_the_statement_nor_what_others_say() {
    let options = TraceOptions { comments: true, ..TraceOptions::default() };
    let rig = Rig::new(PoolConfig::default(), options);
    rig.pool.control().observe(Arc::new(Spiteful)).keep();
    let mut guard = rig.sim.block_on(rig.pool.acquire()).expect("opened");
    rig.spans.take();
    let running = guard.statements().start(Some("SELECT 1")).expect("somebody listens");
    let commented = running.commented();
    running.finish(StatementOutcome::Ok);
    let context = rig.spans.only().span_context;
    let (trace, span) = (context.trace_id(), context.span_id());
    let said = format!("SELECT 1 /*half='said',traceparent='00-{trace}-{span}-01'*/");
    assert_eq!(commented, Some(said));
    guard.query("SELECT 2").expect("answered");
    assert_eq!(rig.spans.only().status, Status::Unset);
}
