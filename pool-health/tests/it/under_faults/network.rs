//! What can befall a server on the way to it: connections that are half open, and packets that vanish.

use std::time::{Duration, Instant, SystemTime};

use pool_core::AcquireErrorKind;
use pool_health::{HealthChecker, HealthState};
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;
use pool_testkit::servers::{Behaviour, Proxy};

use super::ledger::PROOF;
use super::machine::steadily;
use super::subject::Served;
use super::{
    Program, RATE, SOON, befall, expect_detected, expect_noticed, expect_recovered, health_options,
    pool_on, prepare, rows, start, until,
};

/// How long `ready` may take, of a hundred times 99.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Each connection that is lost unnoticed costs one request, the prober's own one probe.
async fn half_open<S: Served>() {
    let server = start::<S>();
    prepare(server.access());
    let proxy = befall(|| Proxy::before(server.access()));
    let program = Program::start(pool_on::<S>(&proxy.access()), health_options()).await;
    let load = program.load(RATE).await;
    // A busy machine may have been late with the first connections.
    until(|| program.checker.health().state == HealthState::Healthy).await;

    let begun = SystemTime::now();
    let connections = program.pool.stats().open;
    befall(|| proxy.behave(Behaviour::HalfOpen));
    // Those that are open stay so; new ones find the server.
    befall(|| proxy.behave(Behaviour::Through));
    // It is soon over: the next probe has a connection that is whole.
    let degraded = changed(&program.checker, HealthState::Degraded, begun).await;
    let healthy = changed(&program.checker, HealthState::Healthy, degraded).await;
    let between = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap_or_default();
    let (detected, recovered) = (between(begun, degraded), between(degraded, healthy));
    expect_noticed(detected);
    expect_recovered(recovered);
    let whole = Instant::now() + SOON;
    load.is_served_since(whole, PROOF).await;

    assert_eq!(program.ready.told(), [true]);
    let ledger = load.end().await;
    ledger.expect_served_since(whole);
    ledger.expect_none_failed(connections);
    FaultRow {
        fault: "connections half open".to_owned(),
        server: server.access().product.to_string(),
        ready: "stays".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(server.access()))
    }
    .tell();
}

/// Waits until the state has changed to that one since then, and says when.
async fn changed(checker: &HealthChecker, to: HealthState, since: SystemTime) -> SystemTime {
    let change = || {
        let changes = checker.changes().into_iter();
        changes.map(|change| (change.to, change.at)).find(|found| found.0 == to && found.1 >= since)
    };
    until(|| change().is_some()).await;
    change().expect("it was there").1
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
