//! Members on a real server, beside a real runtime.

use std::time::Instant;

use pool_core::runtime::{Runtime, TokioRuntime};
use pool_monitor::fleet::Timing;
use pool_postgres::PostgresDriver;
use pool_testkit::servers::{Access, Family, shared};

use super::*;

const LIMIT: Duration = Duration::from_mins(1);

struct Member {
    pool: Pool<PostgresDriver>,
    size: Option<AdaptiveSize>,
}

/// A fleet that nobody else is in.
fn fleet_of_its_own() -> FleetName {
    FleetName::new(format!("it-{:x}", fastrand::u64(..))).expect("allowed")
}

fn join(access: &Access, fleet: &FleetName, runtime: &Arc<dyn Runtime>) -> Member {
    let mut url = access.url(&access.first_database);
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str("application_name=");
    url.push_str(&fleet.tag(MemberId::new(fastrand::u64(..))));
    let driver = PostgresDriver::from_url(&url).expect("the kit's URLs are right");
    let runtime = Some(Arc::clone(runtime));
    let config = PoolConfig { max_open: 30, ..PoolConfig::default() };
    let options = PoolOptions { runtime: runtime.clone(), ..config.into() };
    let pool = Pool::new(driver, options).expect("valid");
    let share = FleetOptions {
        floor: 2,
        budget: BudgetSource::Fixed { total: 20 },
        reserve: 2,
        timing: Timing { heartbeat: SEC, lease: 3 * SEC },
    };
    let options = AdaptiveOptions { fleet: Some(share), runtime, ..AdaptiveOptions::default() };
    let size = AdaptiveSize::start(&pool.control(), options).expect("started");
    Member { pool, size: Some(size) }
}

impl Member {
    fn share(&self) -> FleetShare {
        self.pool.control().sizing().and_then(|said| said.share).expect("said")
    }

    fn has(&self, connections: usize) -> bool {
        self.share().granted == connections && self.pool.stats().open == connections
    }

    async fn leave(&mut self) -> usize {
        self.size.take().expect("a member").leave(LIMIT).await
    }
}

/// As many who hold a connection for a while, over and over; the pool's clock tells how long.
async fn work(pool: Pool<PostgresDriver>) {
    while let Ok(connection) = pool.acquire().await {
        let slept = connection.query_typed("SELECT pg_sleep(0.02)", &[]).await;
        slept.expect("answered");
    }
}

/// Looks until it is so; at no time are there more sessions than the fleet may have.
async fn until(
    watcher: &Pool<PostgresDriver>,
    fleet: &FleetName,
    members: [&Member; 2],
    is_so: impl Fn() -> bool,
) {
    let sql =
        format!("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{fleet}.%'");
    let started = Instant::now();
    loop {
        let watching = watcher.acquire().await.expect("opened");
        let sessions: i64 = watching.query_one(&sql, &[]).await.expect("one").get(0);
        assert!(sessions <= 20, "{sessions} sessions");
        if is_so() {
            return;
        }
        let said = || members.map(Member::share);
        assert!(started.elapsed() < LIMIT, "it does not come to be: {:?}", said());
    }
}

/// Two pools share a server; one leaves, and the other has what it had.
async fn share(runtime: Arc<dyn Runtime>, spawn: impl Fn(Pool<PostgresDriver>)) {
    let access = shared(Family::Postgres).unwrap_or_else(|error| panic!("{error}"));
    let fleet = fleet_of_its_own();
    let url = access.url(&access.first_database);
    let watcher = PostgresDriver::from_url(&url).expect("the kit's URLs are right");
    let options =
        PoolOptions { runtime: Some(Arc::clone(&runtime)), ..PoolConfig::default().into() };
    let watcher = Pool::new(watcher, options).expect("valid");
    let mut one = join(&access, &fleet, &runtime);
    let mut two = join(&access, &fleet, &runtime);
    for pool in [&one.pool, &two.pool].into_iter().flat_map(|pool| [pool; 30]) {
        spawn(pool.clone());
    }
    // 20, of which 2 are in reserve and each member settles on one.
    until(&watcher, &fleet, [&one, &two], || one.has(8) && two.has(8)).await;
    assert_eq!(two.leave().await, 0);
    until(&watcher, &fleet, [&one, &two], || one.has(17)).await;
    assert_eq!((two.share().reason.as_str(), two.pool.stats().open), ("has left", 0));
    drop((one.pool.close(LIMIT).await, two.pool.close(LIMIT).await));
    assert_eq!(one.leave().await, 0);
    let rows = format!("SELECT count(*) FROM pool_fleet_member WHERE fleet = '{fleet}'");
    let left = watcher.acquire().await.expect("opened").query_one(&rows, &[]).await;
    assert_eq!(left.expect("one").get::<_, i64>(0), 0, "all rows are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pools_share_a_real_server_and_one_has_it_all_once_the_other_has_left() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
    share(runtime, |pool| drop(tokio::spawn(work(pool)))).await;
}
