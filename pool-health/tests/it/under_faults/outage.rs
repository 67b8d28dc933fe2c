//! Servers that are held still, killed, and started again.

use std::time::{Duration, Instant};

use pool_core::AcquireErrorKind;
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;
use pool_testkit::servers::Server;
use tokio::time::sleep_until;

use super::ledger::PROOF;
use super::machine::steadily;
use super::subject::Served;
use super::{
    Program, RATE, SOON, befall, expect_detected, expect_recovered, health_options, pool_on,
    prepare, rows, start,
};

/// How long a server is held still.
const STILL: Duration = Duration::from_secs(10);

/// Readiness falls and rises once, acquirers are told of the outage within their deadlines, and are served
/// again soon after it.
async fn an_outage<S: Served>(
    fault: &str,
    strike: impl FnOnce(&Server),
    heal: impl AsyncFnOnce(&Server, Instant),
) {
    let server = start::<S>();
    prepare(server.access());
    let program = Program::start(pool_on::<S>(server.access()), health_options()).await;
    let load = program.load(RATE).await;

    let begun = Instant::now();
    strike(&server);
    let fell = program.ready.until(|is_ready| !is_ready).await;
    let detected = fell - begun;
    expect_detected(detected);
    let said = program.probes.ready().reasons.join("; ");
    assert!(said.contains(": unhealthy: "), "{said}");
    load.fails(20).await;
    heal(&server, begun).await;
    let ended = Instant::now();
    let rose = program.ready.until(|is_ready| *is_ready).await;
    // A server that was started again may have been found before it was said to be ready.
    let recovered = rose.saturating_duration_since(ended);
    expect_recovered(recovered);
    load.is_served_since(rose + SOON, PROOF).await;

    assert_eq!(program.ready.told(), [true, false, true]);
    let ledger = load.end().await;
    ledger.expect_refused_for(&[AcquireErrorKind::Timeout, AcquireErrorKind::ConnectFailed]);
    ledger.expect_served_since(rose + SOON);
    FaultRow {
        fault: fault.to_owned(),
        server: server.access().product.to_string(),
        ready: "falls".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(server.access()))
    }
    .tell();
}

async fn still<S: Served>() {
    let thaw = async |server: &Server, begun: Instant| {
        sleep_until((begun + STILL).into()).await;
        befall(|| server.thaw());
    };
    an_outage::<S>("held still for 10 s (SIGSTOP)", |server| befall(|| server.freeze()), thaw)
        .await;
}

async fn killed<S: Served>() {
    let restart = async |server: &Server, _begun| befall(|| server.restart());
    an_outage::<S>("killed (kill -9), started again", |server| befall(|| server.kill()), restart)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_held_still() {
    steadily(still::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_held_still() {
    steadily(still::<MysqlDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_killed_and_started_again() {
    steadily(killed::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_killed_and_started_again() {
    steadily(killed::<MysqlDriver>).await;
}
