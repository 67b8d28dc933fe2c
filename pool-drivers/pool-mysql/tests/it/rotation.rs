//! A changed URL in a pool that runs: the password is rotated, and nobody notices.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pool_core::{
    CloseReason, ConnectContext, ConnectionManager, Driver as _, Drivers, ManagerOptions,
    NamedSources, Pool, Released, Statements,
};
use pool_mysql::mysql_async::prelude::Queryable as _;
use pool_mysql::{Hygiene, MysqlDriver, MysqlOptions};
use pool_testkit::percent_encoded;
use tokio::task::{JoinHandle, yield_now};

use crate::rig::{CANARY, LIMIT, Schema, admin, within};

const USERS: usize = 4;

/// Four users who query all the time, one statement at a time.
struct Load {
    over: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    users: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(pool: &Pool<MysqlDriver>) -> Self {
        let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let user = |_| {
            let (pool, over, served) = (pool.clone(), Arc::clone(&over), Arc::clone(&served));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let mut connection = pool.acquire().await.expect("served");
                    let answer: Vec<u8> = connection.query("SELECT 1").await.expect("answered");
                    assert_eq!(answer, [1]);
                    drop(connection);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let users = (0..USERS).map(user).collect();
        Self { over, served, users }
    }

    /// Waits until a hundred more are served.
    async fn goes_on(&self) {
        let until = self.served.load(Ordering::Relaxed) + 100;
        within(async {
            while self.served.load(Ordering::Relaxed) < until {
                yield_now().await;
            }
        })
        .await;
    }

    /// Ends it. Whoever was not served fails the test here.
    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for user in self.users {
            within(user).await.expect("all were served");
        }
    }
}

/// Names the database, with a password, in a file.
fn write(file: &Path, schema: &Schema, password: &str) {
    let (name, address) = (&schema.name, schema.options().address);
    let password = percent_encoded(password);
    let toml = format!(
        "[pools.orders]\nurl = 'mysql://{name}:{password}@{address}/{name}'\n\
         max_open = {}\n",
        USERS + 2
    );
    std::fs::write(file, toml).expect("written");
}

async fn alter(schema: &Schema, password: &str) {
    let sql = format!("ALTER USER {}@'%' IDENTIFIED BY '{password}'", schema.name);
    admin().await.query_drop(&sql).await.expect("altered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_changed_in_the_file_is_taken_over_under_load_and_no_request_fails() {
    let schema = Schema::new().await;
    let directory = tempfile::tempdir().expect("made");
    let file = directory.path().join("pools.toml");
    write(&file, &schema, CANARY);
    let options = ManagerOptions {
        drivers: Drivers::default().register(MysqlDriver::SCHEMES, MysqlDriver::from_url),
        sources: NamedSources::default().toml_file(&file),
        ..ManagerOptions::default()
    };
    let manager = ConnectionManager::open(options).await.expect("opened");
    let pool: Pool<MysqlDriver> = manager.pool("orders").expect("there");
    pool.warm_up(USERS, LIMIT).await.expect("opened");
    let renewed = || pool.stats().closed.of(CloseReason::Invalidated);
    let load = Load::start(&pool);
    for (round, password) in ["first", "second"].into_iter().enumerate() {
        alter(&schema, password).await;
        load.goes_on().await;
        let before = renewed();
        write(&file, &schema, password);
        let outcome = manager.reconfigure(manager.sources().toml_file(&file)).expect("valid");
        assert!(!outcome.needs_restart(), "{outcome}");
        let count = outcome.pools[0].renewed.expect("taken over") as u64;
        assert!(count >= USERS as u64, "round {round}: {outcome}");
        within(async {
            while renewed() < before + count {
                yield_now().await;
            }
        })
        .await;
        load.goes_on().await;
    }
    // Now a wrong one: the server goes on with the sessions that it has.
    let before = renewed();
    write(&file, &schema, "wrong");
    let outcome = manager.reconfigure(manager.sources().toml_file(&file)).expect("valid");
    assert!(outcome.pools[0].renewed.is_some(), "{outcome}");
    let failed = pool.stats().open_failed;
    within(async {
        while pool.stats().open_failed < failed + 3 {
            yield_now().await;
        }
    })
    .await;
    load.goes_on().await;
    assert!(renewed() <= before + 1, "at most the one that made room to try");
    load.end().await;
    assert_eq!(pool.stats().acquires.failed(), 0);
    // And the right one, to mend it.
    write(&file, &schema, "second");
    assert!(manager.reconfigure(manager.sources().toml_file(&file)).is_ok());
    within(async {
        while pool.stats().circuit != pool_core::Circuit::Closed {
            yield_now().await;
        }
    })
    .await;
    assert!(manager.close(LIMIT).await.drained());
}

#[tokio::test]
async fn a_connection_keeps_its_own_policy_when_the_driver_takes_over_another() {
    let schema = Schema::new().await;
    let driver = MysqlDriver::new(schema.options());
    let copy = driver.clone();
    let context = ConnectContext::new(1, Statements::unobserved());
    let mut connection = within(driver.connect(context)).await.expect("opened");
    let trusting = MysqlOptions { hygiene: Hygiene::Trust, ..schema.options() };
    let successor = MysqlDriver::new(trusting);
    assert!(driver.can_take_over(&successor));
    driver.take_over(successor);
    assert_eq!(driver.options().hygiene, Hygiene::Trust, "from now on");
    assert_eq!(copy.options().hygiene, Hygiene::Rollback, "a copy is a driver of its own");
    connection.query_drop("BEGIN").await.expect("begun");
    assert_eq!(driver.released(&mut connection), Released::Dirty, "as it was opened");
}
