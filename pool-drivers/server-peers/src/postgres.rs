//! The contenders on PostgreSQL, and what is demanded of ours.

use std::sync::Arc;

use bb8::ManageConnection;
use bb8_postgres::PostgresConnectionManager;
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use pool_core::Pool;
use pool_postgres::tokio_postgres::{self, Client, Config, NoTls, Statement};
use pool_postgres::{Hygiene, PostgresDriver, PostgresOptions};
use pool_testkit::measure::Report;
use pool_testkit::servers::{Access, Server};

use crate::contender::{Contender, alternate};
use crate::table::Table;
use crate::{CONNECTIONS, TASKS, full_pool};

const SELECT: &str = "SELECT 1";

const RAW: &str = "raw: 8 tasks, a connection each";
const TRUST: &str = "pool-postgres Trust";
const ROLLBACK: &str = "pool-postgres Rollback";
const ROLLBACK_CLIENT: &str = "pool-postgres Rollback, raw access";
const CLEAN: &str = "pool-postgres Clean";
const FAST: &str = "deadpool-postgres Fast";
const DEADPOOL_CLEAN: &str = "deadpool-postgres Clean";
const BB8: &str = "bb8-postgres, no test";

pub(crate) async fn measured(server: &Server, rounds: u8) -> Vec<Contender> {
    let (access, pid) = (server.access(), server.pid().expect("it runs"));
    let mut contenders = vec![
        raw(access).await,
        ours(TRUST, access, Hygiene::Trust).await,
        ours(ROLLBACK, access, Hygiene::Rollback).await,
        ours_by_client(access).await,
        ours(CLEAN, access, Hygiene::Clean).await,
        deadpool(FAST, access, RecyclingMethod::Fast),
        deadpool(DEADPOOL_CLEAN, access, RecyclingMethod::Clean),
        bb8(access).await,
    ];
    alternate(&mut contenders, pid, rounds).await;
    contenders
}

pub(crate) fn judge(contenders: &[Contender], report: &mut Report) {
    let table = Table(contenders);
    table.print();
    report.section("beside each other, in the same round");
    table.demand(TRUST, 0.97, RAW, report);
    table.demand(TRUST, 1.0, FAST, report);
    table.demand(ROLLBACK, 0.92, RAW, report);
    table.demand(ROLLBACK_CLIENT, 0.5, RAW, report);
    table.demand(CLEAN, 0.45, RAW, report);
    table.demand(CLEAN, 1.25, DEADPOOL_CLEAN, report);
    for name in [TRUST, ROLLBACK, ROLLBACK_CLIENT, CLEAN] {
        table.demand_fairness(name, report);
    }
}

async fn raw(access: &Access) -> Contender {
    let mut connections: Vec<(Client, Statement)> = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = config(access).connect(NoTls).await.expect("the server answers");
        drop(tokio::spawn(connection));
        let statement = client.prepare(SELECT).await.expect("prepared");
        connections.push((client, statement));
    }
    let connections = Arc::new(connections);
    Contender::new(RAW, CONNECTIONS, move |task| {
        let connections = Arc::clone(&connections);
        async move {
            let (client, statement) = &connections[task];
            client.query_one(statement, &[]).await.expect("a row");
        }
    })
}

async fn ours(name: &'static str, access: &Access, hygiene: Hygiene) -> Contender {
    let pool = pool(access, hygiene).await;
    Contender::new(name, TASKS, move |_| {
        let pool = pool.clone();
        async move {
            let connection = pool.acquire().await.expect("a turn");
            connection.query_one(SELECT, &[]).await.expect("a row");
        }
    })
}

async fn ours_by_client(access: &Access) -> Contender {
    let pool = pool(access, Hygiene::Rollback).await;
    Contender::new(ROLLBACK_CLIENT, TASKS, move |_| {
        let pool = pool.clone();
        async move {
            let connection = pool.acquire().await.expect("a turn");
            let statement = connection.prepare_cached(SELECT).await.expect("prepared");
            connection.client().query_one(&statement, &[]).await.expect("a row");
        }
    })
}

async fn pool(access: &Access, hygiene: Hygiene) -> Pool<PostgresDriver> {
    let options = PostgresOptions::from_url(&access.url(&access.first_database));
    let options = PostgresOptions { hygiene, ..options.expect("the kit's URLs are right") };
    full_pool(PostgresDriver::new(options)).await
}

fn deadpool(name: &'static str, access: &Access, recycling_method: RecyclingMethod) -> Contender {
    let manager = ManagerConfig { recycling_method };
    let manager = Manager::from_config(config(access), NoTls, manager);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(CONNECTIONS).build();
    let pool = pool.expect("valid");
    Contender::new(name, TASKS, move |_| {
        let pool = pool.clone();
        async move {
            let client = pool.get().await.expect("a turn");
            let statement = client.prepare_cached(SELECT).await.expect("prepared");
            client.query_one(&statement, &[]).await.expect("a row");
        }
    })
}

async fn bb8(access: &Access) -> Contender {
    let manager = Bb8Manager(PostgresConnectionManager::new(config(access), NoTls));
    let size = u32::try_from(CONNECTIONS).expect("few");
    let pool = bb8::Pool::builder().max_size(size).test_on_check_out(false).build(manager);
    let pool = pool.await.expect("the server answers");
    Contender::new(BB8, TASKS, move |_| {
        let pool = pool.clone();
        async move {
            let connection = pool.get().await.expect("a turn");
            let (client, statement) = &*connection;
            client.query_one(statement, &[]).await.expect("a row");
        }
    })
}

/// Keeps the prepared statement beside the client; bb8-postgres has no cache of them.
struct Bb8Manager(PostgresConnectionManager<NoTls>);

impl ManageConnection for Bb8Manager {
    type Connection = (Client, Statement);
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let client = self.0.connect().await?;
        let statement = client.prepare(SELECT).await?;
        Ok((client, statement))
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        self.0.is_valid(&mut connection.0).await
    }

    fn has_broken(&self, connection: &mut Self::Connection) -> bool {
        self.0.has_broken(&mut connection.0)
    }
}

fn config(access: &Access) -> tokio_postgres::Config {
    access.url(&access.first_database).parse::<Config>().expect("the kit's URLs are right")
}
