//! What can befall a server on the way to it: connections that are half open, and packets that vanish.

use std::time::{Duration, Instant, SystemTime};

use pool_core::AcquireErrorKind;
use pool_health::HealthState;
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;
use pool_testkit::servers::{Behaviour, Proxy};

use super::ledger::PROOF;
use super::machine::steadily;
use super::subject::Served;
use super::{
    Program, RATE, SOON, befall, expect_detected, expect_recovered, health_options, pool_on,
    prepare, rows, start, until,
};

/// How long `ready` may take, of a hundred times 99.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Each connection that is lost unnoticed costs one request; the prober's own costs nothing.
async fn half_open<S: Served>() {
    let server = start::<S>();
    prepare(server.access());
    let proxy = befall(|| Proxy::before(server.access()));
    let program = Program::start(pool_on::<S>(&proxy.access()), health_options()).await;
    let load = program.load(RATE).await;
    let connections = program.pool.stats().open;
    befall(|| proxy.behave(Behaviour::HalfOpen));
    // Those that are open stay so; new ones find the server.
    befall(|| proxy.behave(Behaviour::Through));
    let begun = SystemTime::now();
    let whole = Instant::now() + SOON;
    load.is_served_since(whole, PROOF).await;
    // The prober has lost its connection, too, and asks on another.
    until(|| {
        let health = program.checker.health();
        let (ended, took) = health.probed.expect("a probe has ended");
        ended - took > begun && health.state == HealthState::Healthy
    })
    .await;

    assert_eq!(program.ready.told(), [true]);
    let ledger = load.end().await;
    ledger.expect_served_since(whole);
    ledger.expect_none_failed(connections);
    FaultRow {
        fault: "connections half open".to_owned(),
        server: server.access().product.to_string(),
        ready: "stays".to_owned(),
        ..ledger.balance(&rows(server.access()))
    }
    .tell();
}

/// With the pool exhausted, too, `ready` answers at once, and tells the truth in time.
async fn black_hole<S: Served>() {
    let server = start::<S>();
    prepare(server.access());
    let proxy = befall(|| Proxy::before(server.access()));
    let program = Program::start(pool_on::<S>(&proxy.access()), health_options()).await;
    let load = program.load(RATE).await;

    let begun = Instant::now();
    befall(|| proxy.behave(Behaviour::BlackHole));
    let detected = program.ready.until(|is_ready| !is_ready).await - begun;
    expect_detected(detected);
    let stats = program.pool.stats();
    assert!(stats.waiting > 0 && stats.idle == 0, "{stats:?} is not exhausted");
    let mut took: Vec<_> = (0..10_000).map(|_| timed(|| program.probes.ready())).collect();
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 <= AT_ONCE, "ready answers within {p99:?} (p99)");
    load.fails(RATE as usize).await;
    befall(|| proxy.behave(Behaviour::Through));
    let ended = Instant::now();
    let rose = program.ready.until(|is_ready| *is_ready).await;
    let recovered = rose.saturating_duration_since(ended);
    expect_recovered(recovered);
    load.is_served_since(rose + SOON, PROOF).await;

    assert_eq!(program.ready.told(), [true, false, true]);
    let ledger = load.end().await;
    ledger.expect_refused_for(&[AcquireErrorKind::Timeout, AcquireErrorKind::ConnectFailed]);
    ledger.expect_served_since(rose + SOON);
    FaultRow {
        fault: "black hole on the way".to_owned(),
        server: server.access().product.to_string(),
        ready: "falls".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(server.access()))
    }
    .tell();
}

fn timed<T>(ask: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    let _answer = ask();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_half_open() {
    steadily(half_open::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_half_open() {
    steadily(half_open::<MysqlDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_black_hole() {
    steadily(black_hole::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_black_hole() {
    steadily(black_hole::<MysqlDriver>).await;
}
