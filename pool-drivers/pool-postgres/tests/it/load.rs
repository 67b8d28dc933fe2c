//! What users ask of PostgreSQL while something befalls it, and the pools that they work on.

use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig};
use pool_postgres::{PostgresConnection, PostgresDriver, PostgresError, PostgresOptions};
use pool_testkit::servers::{self, Access, Family, Load, Question, Server, chosen};
use tokio::task::block_in_place;

use crate::rig::{LIMIT, connect, options_of, pid};

/// The deadline of the acquires that are to meet one.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// How soon after a server answers again a user is served: between two attempts to connect passes half
/// a second at most, and the machine is busy. Benchmarks measure it; this tells soon from never.
const SOON: Duration = Duration::from_secs(5);

/// More than a pool has connections.
pub(crate) const USERS: usize = 8;

/// A server of a test's own, to be harmed.
pub(crate) fn own_server() -> Server {
    let product = chosen(Family::Postgres).expect("a product");
    block_in_place(|| Server::start(product)).expect("started")
}

/// Does something that blocks to a server.
#[track_caller]
pub(crate) fn befall<T, E: std::fmt::Display>(what: impl FnOnce() -> Result<T, E>) -> T {
    block_in_place(what).unwrap_or_else(|error| panic!("{error}"))
}

/// The first database of a server.
pub(crate) fn options(access: &Access) -> PostgresOptions {
    options_of(access, &access.first_database)
}

/// A pool of four, whose acquires wait for their deadline whatever happens.
pub(crate) fn pool(options: PostgresOptions) -> Pool<PostgresDriver> {
    let config = PoolConfig {
        max_open: 4,
        acquire_timeout: DEADLINE,
        connect_timeout: DEADLINE / 2,
        check_timeout: DEADLINE / 4,
        outage_grace: None,
        ..PoolConfig::default()
    };
    Pool::new(PostgresDriver::new(options), config).expect("valid")
}

/// The same for tests of what is no matter of time.
pub(crate) fn patient_pool(options: PostgresOptions) -> Pool<PostgresDriver> {
    let pool = pool(options);
    let (acquire_timeout, connect_timeout) = (LIMIT, LIMIT);
    let config = PoolConfig { acquire_timeout, connect_timeout, ..pool.config() };
    pool.control().reconfigure(config).expect("valid");
    pool
}

/// Waits until `holds`, but not for ever.
#[track_caller]
pub(crate) fn until(holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < LIMIT, "{caller}: takes too long");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// An echo.
struct Echo;

impl Question for Echo {
    type Driver = PostgresDriver;

    async fn ask(connection: &mut PostgresConnection, number: i64) -> Result<i64, PostgresError> {
        Ok(connection.query_one("SELECT $1::bigint", &[&number]).await?.get(0))
    }

    async fn session(connection: &mut PostgresConnection) -> u64 {
        pid(connection).await.unsigned_abs().into()
    }
}

/// Users who are at work.
pub(crate) async fn load_on(pool: &Pool<PostgresDriver>) -> Load {
    Load::start::<Echo>(pool, USERS).await
}

/// That one user is served soon from now on, and then all of them.
pub(crate) async fn is_served_soon(load: &mut Load) {
    let waited = load.first_success().await;
    assert!(waited < SOON, "{waited:?}");
    load.is_served().await;
}

/// All of a pool's connections work, and the server knows of no others of this database and program.
pub(crate) async fn is_whole(pool: &Pool<PostgresDriver>) {
    let config = PoolConfig { acquire_timeout: LIMIT, outage_grace: None, ..pool.config() };
    pool.control().reconfigure(config).expect("valid");
    let options = pool.driver().options().clone();
    let application_name = format!("{} observed", options.application_name);
    let onlooker = connect(PostgresOptions { application_name, ..options.clone() }).await;
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = $2";
    let database = options.database.expect("named");
    let known = async || {
        let rows = onlooker.query(sql, &[&database, &options.application_name]).await;
        let pids = rows.expect("listed").into_iter().map(|row| row.get::<_, i32>(0));
        pids.map(|pid| pid.unsigned_abs().into()).collect()
    };
    servers::expect_whole::<Echo>(pool, known).await;
}
