//! Servers that die and come back, and servers that hang: eight callers, a deadline of 5 s.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pool_core::{Driver, Pool, PoolConfig};
use pool_mysql::mysql_async::{Conn, OptsBuilder};
use pool_mysql::{MysqlDriver, MysqlOptions};
use pool_postgres::tokio_postgres::NoTls;
use pool_postgres::{PostgresDriver, PostgresOptions};
use pool_testkit::measure::{Figure, Report, Target};
use pool_testkit::servers::{Access, Family, Server, ServerError};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::{full_pool, runtime, start};

const DEADLINE: Duration = Duration::from_secs(5);
const OUTAGE: Duration = Duration::from_secs(20);
const RECOVERIES: u32 = 9;

/// A driver whose servers are harmed.
trait Victim: Driver + Sized {
    const FAMILY: Family;

    fn new(access: &Access) -> Self;

    /// Whether the connection answers a question.
    fn ask(connection: &mut Self::Connection) -> impl Future<Output = bool> + Send;

    /// Whether the server takes a connection that is no pool's.
    fn accepts(access: &Access) -> impl Future<Output = bool> + Send;
}

impl Victim for PostgresDriver {
    const FAMILY: Family = Family::Postgres;

    fn new(access: &Access) -> Self {
        let options = PostgresOptions::from_url(&access.url(&access.first_database));
        Self::new(options.expect("the kit's URLs are right"))
    }

    async fn ask(connection: &mut Self::Connection) -> bool {
        connection.query_one("SELECT 1", &[]).await.is_ok()
    }

    async fn accepts(access: &Access) -> bool {
        let url = access.url(&access.first_database);
        pool_postgres::tokio_postgres::connect(&url, NoTls).await.is_ok()
    }
}

impl Victim for MysqlDriver {
    const FAMILY: Family = Family::MySql;

    fn new(access: &Access) -> Self {
        let options = MysqlOptions::from_url(&access.url(&access.first_database));
        Self::new(options.expect("the kit's URLs are right"))
    }

    async fn ask(connection: &mut Self::Connection) -> bool {
        connection.exec_first::<u8, _>("SELECT 1", ()).await.is_ok()
    }

    async fn accepts(access: &Access) -> bool {
        let Access { host, port, user, password, .. } = access;
        let options = OptsBuilder::default().ip_or_hostname(host.as_str()).tcp_port(*port);
        let options = options.user(Some(user)).pass(Some(password)).prefer_socket(false);
        Conn::new(options).await.is_ok()
    }
}

/// One attempt to be served.
struct Asked {
    at: Instant,
    /// Until a connection was had or refused.
    acquired: Duration,
    ended: Instant,
    is_served: bool,
}

struct Callers<D: Driver> {
    pool: Pool<D>,
    log: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

pub(crate) fn measure(report: &mut Report) {
    measure_on::<PostgresDriver>(report);
    measure_on::<MysqlDriver>(report);
}

fn measure_on<D: Victim>(report: &mut Report) {
    let server = start(D::FAMILY);
    let callers = runtime();
    callers.block_on(async {
        let callers = tokio::spawn(async move {
            let callers = Callers::<D>::start(server.access()).await;
            let refused = callers.refused(&server).await;
            let mut back = Vec::new();
            for round in 0..RECOVERIES {
                back.push(callers.recovery(&server, round).await);
            }
            (refused, back, callers.frozen(&server).await)
        });
        let ((connects, fails), back, late) = callers.await.expect("no panic");
        let slowest = back.iter().copied().fold(0.0, f64::max);
        let mut figure = |name, values, most| {
            report.figure(name, &Figure::new(values), Target::AtMost(most));
        };
        figure("killed for 20 s: connects a second", vec![connects], 4.0);
        figure("until an acquire fails, once known, p99, ms", vec![fails], 50.0);
        figure("served again after, ms", back, 250.0);
        figure("the longest of these, ms", vec![slowest], 350.0);
        figure("frozen for 20 s: beyond the deadline, at most, ms", vec![late], 50.0);
    });
}

impl<D: Victim> Callers<D> {
    async fn start(access: &Access) -> Self {
        let pool = full_pool(D::new(access)).await;
        let config = PoolConfig { acquire_timeout: DEADLINE, ..pool.config() };
        pool.control().reconfigure(config).expect("valid");
        let (log, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicBool>::default());
        for _ in 0..8 {
            let (pool, log, stop) = (pool.clone(), Arc::clone(&log), Arc::clone(&stop));
            drop(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let asked = ask(&pool).await;
                    log.lock().expect("no panic").push(asked);
                    sleep(Duration::from_millis(20)).await;
                }
            }));
        }
        Self { pool, log, stop }
    }

    /// Connects a second while the server is gone, and how long an acquire takes to fail by then, in
    /// milliseconds.
    async fn refused(&self, server: &Server) -> (f64, f64) {
        let before = self.pool.stats();
        harm(|| server.kill());
        let killed = Instant::now();
        // The outage is known when half of this has passed.
        sleep(self.pool.config().outage_grace.unwrap_or_default() * 2).await;
        let known = Instant::now();
        sleep(OUTAGE.saturating_sub(killed.elapsed())).await;
        let after = self.pool.stats();
        let connects = after.opened + after.open_failed - before.opened - before.open_failed;
        let rate = connects as f64 / killed.elapsed().as_secs_f64();
        let failed = self.read(|asked| (asked.at > known).then_some(millis(asked.acquired)));
        harm(|| server.restart());
        (rate, percentile(failed, 0.99))
    }

    /// How long after the server takes connections again somebody is served, in milliseconds.
    async fn recovery(&self, server: &Server, round: u32) -> f64 {
        // Healthy for a while before.
        sleep(Duration::from_secs(2)).await;
        harm(|| server.kill());
        // Not in step with the pool's attempts.
        sleep(Duration::from_millis(2_000) + Duration::from_millis(27) * round).await;
        let access = server.access().clone();
        let accepted = tokio::spawn(async move {
            loop {
                let asked = Instant::now();
                if D::accepts(&access).await {
                    return asked;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        harm(|| server.restart());
        let accepted = accepted.await.expect("no panic");
        sleep(Duration::from_secs(2)).await;
        let served = self.read(|asked| asked.is_served.then_some(asked.ended));
        let served = served.into_iter().filter(|ended| *ended >= accepted).min();
        served.map_or(f64::INFINITY, |ended| millis(ended - accepted))
    }

    /// How far an acquire passes its deadline while the server hangs, in milliseconds.
    async fn frozen(&self, server: &Server) -> f64 {
        let begun = Instant::now();
        harm(|| server.freeze());
        sleep(OUTAGE).await;
        harm(|| server.thaw());
        sleep(DEADLINE * 2).await;
        let late = self.read(|asked| {
            (asked.at + asked.acquired > begun)
                .then_some(millis(asked.acquired.saturating_sub(DEADLINE)))
        });
        late.into_iter().fold(0.0, f64::max)
    }

    fn read<T>(&self, of: impl FnMut(&Asked) -> Option<T>) -> Vec<T> {
        self.log.lock().expect("no panic").iter().filter_map(of).collect()
    }
}

impl<D: Driver> Drop for Callers<D> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn ask<D: Victim>(pool: &Pool<D>) -> Asked {
    let at = Instant::now();
    let connection = pool.acquire().await;
    let acquired = at.elapsed();
    let is_served = match connection {
        // One that hangs is given up, as a program with any sense does.
        Ok(mut connection) => {
            tokio::time::timeout(DEADLINE, D::ask(&mut connection)).await.unwrap_or(false)
        }
        Err(_) => false,
    };
    Asked { at, acquired, ended: Instant::now(), is_served }
}

fn harm(what: impl FnOnce() -> Result<(), ServerError>) {
    block_in_place(what).unwrap_or_else(|error| panic!("{error}"));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}
