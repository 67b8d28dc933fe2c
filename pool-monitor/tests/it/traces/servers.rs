//! Spans of statements on real servers, and comments as the servers see them.

use futures_util::TryStreamExt as _;
use opentelemetry::trace::{FutureExt as _, SpanId};
use opentelemetry_sdk::trace::SpanData;
use pool_core::{Driver, Pool, PoolConfig};
use pool_monitor::TraceOptions;
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::Shown;
use pool_testkit::servers::{Access, Family, PASSWORD, shared};

use super::{Spans, error, names, text};

fn server(family: Family) -> Access {
    shared(family).unwrap_or_else(|error| panic!("{error}"))
}

fn pool<D: Driver>(driver: D) -> Pool<D> {
    Pool::new(driver, PoolConfig::default()).expect("valid")
}

fn postgres(access: &Access) -> Pool<PostgresDriver> {
    let url = access.url(&access.first_database);
    pool(PostgresDriver::from_url(&url).expect("the kit's URLs are right"))
}

fn mysql(access: &Access) -> Pool<MysqlDriver> {
    let url = access.url(&access.first_database);
    pool(MysqlDriver::from_url(&url).expect("the kit's URLs are right"))
}

fn commenting() -> TraceOptions {
    TraceOptions { comments: true, slow_acquire: None, ..TraceOptions::default() }
}

/// The comment that leads to a span.
fn comment(span: &SpanData) -> String {
    let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
    format!(" /*traceparent='00-{trace}-{id}-01'*/")
}

#[track_caller]
fn expect_server(span: &SpanData, access: &Access, system: &str) {
    assert_eq!(text(span, "db.system.name"), system);
    assert_eq!(text(span, "db.namespace"), access.first_database);
    assert_eq!(text(span, "server.address"), access.host);
    assert_eq!(text(span, "server.port"), access.port.to_string());
}

#[tokio::test]
async fn postgres_sees_comments_in_what_is_not_prepared_and_spans_say_its_codes() {
    let access = server(Family::Postgres);
    let pool = postgres(&access);
    let spans = Spans::watching(&pool, commenting());
    let (parent, id) = spans.parent("parent");
    let work = async {
        let connection = pool.acquire().await.expect("opened");
        // Each shows the statement that asks.
        let sql = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let typed = connection.query_typed(sql, &[]).await.expect("answered");
        let prepared = connection.query(sql, &[]).await.expect("answered");
        let seen = [typed, prepared].map(|rows| rows[0].get::<_, String>(0));
        // What it sent last.
        let watcher = pool.acquire().await.expect("opened");
        connection.batch_execute("SELECT 1, 'canary'; SELECT 2 ;").await.expect("answered");
        let sql =
            "SELECT query FROM pg_stat_activity WHERE query LIKE $1 AND pid <> pg_backend_pid()";
        let last =
            watcher.query_one(sql, &[&"SELECT 1, 'canary'; SELECT 2 /*%"]).await.expect("one");
        connection.query("SELECT 'canary'::int", &[]).await.expect_err("no number");
        connection.batch_execute("SELECT * FROM nowhere").await.expect_err("no such table");
        (seen, last.get::<_, String>(0))
    };
    let ([typed, prepared], batch) = work.with_context(parent).await;
    let spans = spans.take();
    let statements: Vec<_> = spans.iter().filter(|span| span.parent_span_id == id).collect();
    let said: Vec<_> = statements.iter().map(|span| &*span.name).collect();
    let activity = "SELECT pg_stat_activity";
    let all = [activity, activity, "SELECT", activity, "SELECT", "SELECT nowhere"];
    assert_eq!(said, all, "{:?}", names(&spans));
    expect_server(statements[0], &access, "postgresql");
    let sql = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    assert_eq!(typed, format!("{sql}{}", comment(statements[0])));
    assert_eq!(prepared, sql);
    assert_eq!(batch, format!("SELECT 1, 'canary'; SELECT 2{} ;", comment(statements[2])));
    for (span, code) in [(statements[4], "22P02"), (statements[5], "42P01")] {
        assert_eq!(text(span, "db.response.status_code"), code);
        assert_eq!(text(span, "error.type"), code);
        assert_eq!(span.status, error(&format!("the database says {code}")));
    }
    assert!(!format!("{spans:?}").contains("canary"), "{spans:#?}");
}

#[tokio::test]
async fn a_stream_of_rows_belongs_to_who_asked_for_it_wherever_it_is_read() {
    let pool = postgres(&server(Family::Postgres));
    let connection = pool.acquire().await.expect("opened");
    let spans = Spans::watching(&pool, commenting());
    let (parent, id) = spans.parent("parent");
    let asked = connection.query_stream("SELECT * FROM generate_series(1, 3)", &[]);
    let rows = asked.with_context(parent.clone()).await.expect("answered");
    assert_eq!(rows.try_collect::<Vec<_>>().await.expect("read").len(), 3);
    let span = spans.only();
    assert_eq!((&*span.name, span.parent_span_id), ("SELECT generate_series", id));
    drop(parent);
}

#[tokio::test]
async fn mariadb_sees_comments_in_what_is_not_prepared_and_spans_say_its_codes() {
    let access = server(Family::MySql);
    let pool = mysql(&access);
    let spans = Spans::watching(&pool, commenting());
    let (parent, id) = spans.parent("parent");
    let sql = "SELECT info FROM information_schema.processlist WHERE id = connection_id()";
    let work = async {
        let mut connection = pool.acquire().await.expect("opened");
        let queried: Vec<String> = connection.query(sql).await.expect("answered");
        let prepared: Vec<String> = connection.exec(sql, ()).await.expect("answered");
        let create = "CREATE TEMPORARY TABLE fruit (name VARCHAR(20) UNIQUE)";
        connection.query_drop(create).await.expect("created");
        let twice = "INSERT INTO fruit VALUES (\"canary\"), ('canary')";
        connection.query_drop(twice).await.expect_err("not unique");
        (queried, prepared)
    };
    let (queried, prepared) = work.with_context(parent).await;
    let spans = spans.take();
    let statements: Vec<_> = spans.iter().filter(|span| span.parent_span_id == id).collect();
    let said: Vec<_> = statements.iter().map(|span| &*span.name).collect();
    let list = "SELECT information_schema.processlist";
    assert_eq!(said, [list, list, "CREATE TABLE fruit", "INSERT fruit"], "{:?}", names(&spans));
    expect_server(statements[0], &access, &pool.control().metadata().system_name);
    assert_eq!(queried, [format!("{sql}{}", comment(statements[0]))]);
    assert_eq!(prepared, [sql]);
    assert_eq!(text(statements[3], "db.response.status_code"), "1062");
    assert_eq!(statements[3].status, error("the database says 1062"));
    assert!(!format!("{spans:?}").contains("canary"), "{spans:#?}");
}

/// Fails to connect with a wrong password; the one span of it.
async fn failed_connect<D: Driver>(driver: D, shown: &Shown) -> SpanData {
    let pool = pool(driver);
    let spans = Spans::watching(&pool, commenting());
    let failed = pool.acquire().await.expect_err("a wrong password");
    shown.note_error(&failed);
    let ended = spans.take();
    shown.note(&ended);
    assert_eq!(ended.len(), 2, "a connect and an acquire: {:?}", names(&ended));
    assert_eq!(text(&ended[1], "error.type"), "connect_failed");
    assert_eq!(text(&ended[1], "pool.connect.error_class"), "permanent");
    ended.into_iter().next().expect("two")
}

#[tokio::test]
async fn a_connect_that_is_refused_says_why_and_never_the_password() {
    const WRONG: &str = "canary-wrong-5Uvw";
    let shown = Shown::start();
    let access = server(Family::Postgres);
    let url = access.url(&access.first_database).replace(PASSWORD, WRONG);
    let driver = PostgresDriver::from_url(&url).expect("the kit's URLs are right");
    let span = failed_connect(driver, &shown).await;
    assert_eq!(&*span.name, format!("connect {}", access.first_database));
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_eq!(text(&span, "db.response.status_code"), "28P01");
    let said = format!("{:?}", span.status);
    assert!(
        said.contains("cannot connect to the PostgreSQL server") && said.contains("28P01"),
        "{said}"
    );

    let access = server(Family::MySql);
    let url = access.url(&access.first_database).replace(PASSWORD, WRONG);
    let driver = MysqlDriver::from_url(&url).expect("the kit's URLs are right");
    let span = failed_connect(driver, &shown).await;
    assert_eq!(text(&span, "db.response.status_code"), "1045");
    assert_eq!(text(&span, "error.type"), "1045");
    shown.expect(&["connect_failed", "28P01"]);
    shown.expect_no(WRONG);
    shown.expect_no(PASSWORD);
}
