//! Others take all connections that a server has.

use std::sync::Arc;
use std::time::Instant;

use pool_core::AcquireErrorKind;
use pool_health::{Headroom, HealthChecker, HealthOptions, HealthState};
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;
use pool_testkit::servers::{Server, Setup, chosen};
use tokio::task::block_in_place;

use super::machine::steadily;
use super::subject::Served;
use super::watch::Watch;
use super::{
    LIMIT, Program, RATE, befall, expect_noticed, expect_recovered, health_options, pool_on,
    prepare, rows,
};

/// Enough for the programs of the test and for the server's own.
const MAX_CONNECTIONS: u16 = 24;

fn small_server<S: Served>() -> Server {
    befall(|| {
        let setup = Setup::new(chosen(S::FAMILY)?);
        Server::start_as(Setup { max_connections: MAX_CONNECTIONS, ..setup })
    })
}

/// A program that has connections goes on with these: that there is no room is told, and nobody is turned
/// away. One that has none is not ready, and its acquirers are told why.
async fn filled<S: Served>() {
    let server = small_server::<S>();
    prepare(server.access());
    let options = HealthOptions { checks: vec![Arc::new(Headroom(2))], ..health_options() };
    let program = Program::start(pool_on::<S>(server.access()), options.clone()).await;
    program.pool.warm_up(3, LIMIT).await.expect("opened");
    let seen = Arc::clone(&program.checker);
    let state = Watch::start(move || seen.health().state);
    let load = program.load(RATE).await;

    let crowd = befall(|| server.access().fill());
    let begun = Instant::now();
    let degraded = state.until(|state| *state == HealthState::Degraded).await;
    let detected = degraded.saturating_duration_since(begun);
    expect_noticed(detected);
    let why = program.checker.health().to_string();
    assert!(why.contains("headroom: the server has room for "), "{why}");
    let late = pool_on::<S>(server.access());
    let checker = HealthChecker::start(&late.control(), health_options()).expect("started");
    let is_late_ready = Watch::start(move || checker.health().state.serves());
    let refused = late.acquire().await.map(drop).expect_err("no room");
    let kinds = [AcquireErrorKind::ConnectFailed, AcquireErrorKind::Timeout];
    assert!(kinds.contains(&refused.kind()), "{refused}");
    assert!(std::error::Error::source(&refused).is_some(), "{refused} says nothing of why");
    load.is_served(RATE as usize).await;

    block_in_place(|| drop(crowd));
    let ended = Instant::now();
    let healthy = state.until(|state| *state == HealthState::Healthy).await;
    let recovered = healthy.saturating_duration_since(ended);
    expect_noticed(recovered);
    let rose = is_late_ready.until(|is_ready| *is_ready).await;
    expect_recovered(rose.saturating_duration_since(ended));
    assert_eq!(is_late_ready.told(), [false, true]);
    assert_eq!(program.ready.told(), [true]);
    drop(late);
    let ledger = load.end().await;
    ledger.expect_none_failed(0);
    FaultRow {
        fault: "max_connections filled by others".to_owned(),
        server: server.access().product.to_string(),
        ready: "stays".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(server.access()))
    }
    .tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_filled_by_others() {
    steadily(filled::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_filled_by_others() {
    steadily(filled::<MysqlDriver>).await;
}
