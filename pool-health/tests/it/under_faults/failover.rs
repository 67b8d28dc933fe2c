//! Another server takes the primary's place: behind a router, and behind a name that leads to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::{Pool, Role};
use pool_health::{HealthOptions, RoleIs, Router, RouterOptions};
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;
use pool_testkit::servers::{Access, Proxy, Server};
use tokio::time::sleep;

use super::ledger::{Fate, Load, PROOF};
use super::machine::steadily;
use super::subject::{Served, Subject};
use super::watch::Watch;
use super::{
    LIMIT, Program, SOON, befall, expect_detected, expect_recovered, health_options, pool_on,
    prepare, rows, start, until, write_once,
};

/// Requests a second.
const RATE: u32 = 200;

/// How long a request waits for a server that writes, before it is lost.
const PATIENCE: Duration = LIMIT;

/// No more can be with a server than a pool has connections.
const SEEN: usize = 8;

/// How long it waits until it tries again.
const AGAIN: Duration = Duration::from_millis(100);

/// A primary, and a standby that has all that is acknowledged.
pub(super) async fn pair<S: Served>() -> (Server, Server) {
    let primary = start::<S>();
    let standby = befall(|| primary.standby());
    prepare(primary.access());
    arrives(standby.access()).await;
    (primary, standby)
}

/// Waits until the table is there, for this user.
async fn arrives(access: &Access) {
    until(|| access.run(&access.first_database, "SELECT number FROM ledger;").is_ok()).await;
}

/// A request that goes to whoever writes, and is tried again as long as no server can have it written.
async fn write_until_served<S: Subject>(pool: impl Fn() -> Option<Pool<S>>, number: i64) -> Fate {
    let begun = Instant::now();
    loop {
        let fate = match pool() {
            Some(pool) => write_once(&pool, number).await,
            None => Fate::Unrouted,
        };
        let is_final = matches!(fate, Fate::Acknowledged | Fate::InDoubt);
        if is_final || begun.elapsed() > PATIENCE {
            return fate;
        }
        sleep(AGAIN).await;
    }
}

/// Writes go to the promoted one, and no request is lost that the old primary had not seen.
async fn promoted<S: Served>() {
    let (primary, standby) = pair::<S>().await;
    S::replicate_first(primary.access(), standby.access()).await;
    let pools = [&primary, &standby].map(|server| pool_on::<S>(server.access()));
    let names = pools.each_ref().map(|pool| pool.control().name().to_owned());
    let options = RouterOptions { health: health_options(), ..RouterOptions::default() };
    let router = Arc::new(Router::start(pools, options).expect("started"));
    let name = |pool: &Pool<S>| pool.control().name().to_owned();
    let written = Arc::clone(&router);
    let writes = Watch::start(move || written.write().ok().map(name));
    let read = Arc::clone(&router);
    let reads = Watch::start(move || read.read().ok().map(name));
    let [first, second] = names.map(Some);
    writes.until(|to| *to == first).await;
    reads.until(|to| *to == second).await;
    let load = Load::start(RATE, move |number| {
        let router = Arc::clone(&router);
        write_until_served(move || router.write().ok().cloned(), number)
    });
    load.is_served(200).await;

    let begun = Instant::now();
    befall(|| primary.kill());
    let detected = writes.until(Option::is_none).await - begun;
    expect_detected(detected);
    S::catch_up(standby.access()).await;
    befall(|| standby.promote());
    let ended = Instant::now();
    let found = writes.until(|to| *to == second).await;
    let recovered = found.saturating_duration_since(ended);
    expect_recovered(recovered);
    load.is_served_since(found + SOON, PROOF).await;

    let moved = writes.told();
    assert_eq!(moved[moved.len() - 3..], [first, None, second.clone()]);
    reads.until(|to| *to == second).await;
    let ledger = load.end().await;
    ledger.expect_served_since(found + SOON);
    // Those that the old primary may have seen.
    ledger.expect_none_failed(SEEN);
    FaultRow {
        fault: "standby promoted, behind a router".to_owned(),
        server: standby.access().product.to_string(),
        ready: "no primary".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(standby.access()))
    }
    .tell();
}

/// Connections to the demoted one are retired, also those that answer.
async fn demoted<S: Served>() {
    let (primary, standby) = pair::<S>().await;
    // Those with all privileges may write all the same, in MariaDB.
    let user = befall(|| primary.database("orders")?.ordinary_user());
    prepare(&user);
    let there = Access { port: standby.access().port, ..user.clone() };
    arrives(&there).await;
    S::replicate_first(primary.access(), standby.access()).await;
    let proxy = befall(|| Proxy::before(&user));
    let options =
        HealthOptions { checks: vec![Arc::new(RoleIs(Role::ReadWrite))], ..health_options() };
    let program = Program::start(pool_on::<S>(&proxy.access()), options).await;
    let pool = program.pool.clone();
    let load = Load::start(RATE, move |number| {
        let pool = pool.clone();
        write_until_served(move || Some(pool.clone()), number)
    });
    load.is_served(200).await;

    let begun = Instant::now();
    befall(|| primary.access().forbid_writing());
    let detected = program.ready.until(|is_ready| !is_ready).await - begun;
    expect_detected(detected);
    S::catch_up(standby.access()).await;
    befall(|| standby.promote());
    let ended = Instant::now();
    proxy.lead_to(standby.access());
    let rose = program.ready.until(|is_ready| *is_ready).await;
    let recovered = rose - ended;
    expect_recovered(recovered);
    load.is_served_since(rose + SOON, PROOF).await;

    assert_eq!(program.ready.told(), [true, false, true]);
    let ledger = load.end().await;
    ledger.expect_served_since(rose + SOON);
    ledger.expect_none_failed(SEEN);
    FaultRow {
        fault: "primary demoted, its name moves".to_owned(),
        server: standby.access().product.to_string(),
        ready: "falls".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(&there))
    }
    .tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_standby_promoted() {
    steadily(promoted::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_standby_promoted() {
    steadily(promoted::<MysqlDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_primary_demoted() {
    steadily(demoted::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_primary_demoted() {
    steadily(demoted::<MysqlDriver>).await;
}
