//! A replica that stands still: reads leave it, and come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pool_core::Pool;
use pool_health::{Probes, Router, RouterOptions};
use pool_mysql::MysqlDriver;
use pool_postgres::PostgresDriver;
use pool_testkit::FaultRow;

use super::failover::pair;
use super::ledger::{Fate, Load};
use super::machine::steadily;
use super::subject::{Served, run};
use super::watch::Watch;
use super::{LATE, RATE, expect_noticed, health_options, pool_on, rows, until, write_once};

const MAX_LAG: Duration = Duration::from_secs(1);

/// A row is written to the primary, and another request reads from where reads go.
async fn serve<S: Served>(router: &Router<S>, number: i64) -> Fate {
    let (Ok(writer), Ok(reader)) = (router.write(), router.read()) else { return Fate::Unrouted };
    let (written, read) = tokio::join!(write_once(writer, number), async {
        let mut guard = reader.acquire().await.ok()?;
        S::count(&mut guard).await.ok()
    });
    if read.is_none() { Fate::Rejected } else { written }
}

async fn paused<S: Served>() {
    let (primary, standby) = pair::<S>().await;
    let pools = [&primary, &standby].map(|server| pool_on::<S>(server.access()));
    let [first, second] = pools.each_ref().map(|pool| pool.control().name().to_owned());
    let options = RouterOptions { max_lag: MAX_LAG, health: health_options() };
    let router = Arc::new(Router::start(pools, options).expect("started"));
    let probes = Probes::new();
    router.checkers().for_each(|checker| probes.require(checker));
    let asked = Arc::clone(&router);
    let name = |pool: &Pool<S>| pool.control().name().to_owned();
    let read_from = Watch::start(move || asked.read().ok().map(name));
    read_from.until(|to| to.as_deref() == Some(&second)).await;
    until(|| probes.ready().is_ready).await;
    let ready = Watch::start(move || probes.ready().is_ready);
    // Each reads and writes.
    let load = Load::start(RATE / 2, move |number| {
        let router = Arc::clone(&router);
        async move { serve(&router, number).await }
    });
    load.is_served(50).await;

    let begun = Instant::now();
    run(standby.access(), S::PAUSE);
    let detected = read_from.until(|to| to.as_deref() == Some(&first)).await - begun;
    // A primary's own state is what makes it late; before that there is nothing to notice.
    expect_noticed(detected.saturating_sub(MAX_LAG));
    load.is_served(50).await;
    run(standby.access(), S::RESUME);
    let ended = Instant::now();
    let back = read_from.until(|to| to.as_deref() == Some(&second)).await;
    let recovered = back.saturating_duration_since(ended);
    expect_noticed(recovered.saturating_sub(LATE));
    load.is_served(50).await;

    assert_eq!(ready.told(), [true]);
    let ledger = load.end().await;
    ledger.expect_none_failed(0);
    FaultRow {
        fault: "replication paused".to_owned(),
        server: standby.access().product.to_string(),
        ready: "reads move".to_owned(),
        detected: Some(detected),
        recovered: Some(recovered),
        ..ledger.balance(&rows(primary.access()))
    }
    .tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_replication_paused() {
    steadily(paused::<PostgresDriver>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_replication_paused() {
    steadily(paused::<MysqlDriver>).await;
}
