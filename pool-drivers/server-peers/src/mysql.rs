//! The contenders on MariaDB and MySQL, and what is demanded of ours.

use std::sync::Arc;

use pool_core::Pool;
use pool_mysql::mysql_async::prelude::Queryable as _;
use pool_mysql::mysql_async::{self, Conn, Opts, OptsBuilder, PoolConstraints, PoolOpts};
use pool_mysql::{Hygiene, MysqlDriver, MysqlOptions};
use pool_testkit::measure::Report;
use pool_testkit::servers::{Access, Server};
use tokio::sync::Mutex;

use crate::contender::{Contender, alternate};
use crate::table::Table;
use crate::{CONNECTIONS, TASKS, full_pool};

const SELECT: &str = "SELECT 1";

const RAW: &str = "raw: 8 tasks, a connection each";
const TRUST: &str = "pool-mysql Trust";
const ROLLBACK: &str = "pool-mysql Rollback";
const CLEAN: &str = "pool-mysql Clean";
const PEER: &str = "mysql_async's pool";
const PEER_TRUSTING: &str = "mysql_async's pool, no reset";

pub(crate) async fn measured(server: &Server, rounds: u8) -> Vec<Contender> {
    let (access, pid) = (server.access(), server.pid().expect("it runs"));
    let mut contenders = vec![
        raw(access).await,
        ours(TRUST, access, Hygiene::Trust).await,
        ours(ROLLBACK, access, Hygiene::Rollback).await,
        ours(CLEAN, access, Hygiene::Clean).await,
        peer(PEER, access, true),
        peer(PEER_TRUSTING, access, false),
    ];
    alternate(&mut contenders, pid, rounds).await;
    contenders
}

pub(crate) fn judge(contenders: &[Contender], report: &mut Report) {
    let table = Table(contenders);
    table.print();
    report.section("beside each other, in the same round");
    table.demand(TRUST, 0.97, RAW, report);
    table.demand(CLEAN, 1.0, PEER, report);
    for name in [TRUST, ROLLBACK, CLEAN] {
        table.demand_fairness(name, report);
    }
}

async fn raw(access: &Access) -> Contender {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let connection = Conn::new(options(access)).await.expect("the server answers");
        connections.push(Mutex::new(connection));
    }
    let connections = Arc::new(connections);
    Contender::new(RAW, CONNECTIONS, move |task| {
        let connections = Arc::clone(&connections);
        async move {
            // Never contended: it is what lends the connection.
            let mut connection = connections[task].lock().await;
            let one: Option<u8> = connection.exec_first(SELECT, ()).await.expect("answered");
            assert_eq!(one, Some(1));
        }
    })
}

async fn ours(name: &'static str, access: &Access, hygiene: Hygiene) -> Contender {
    let options = MysqlOptions::from_url(&access.url(&access.first_database));
    let options = MysqlOptions { hygiene, ..options.expect("the kit's URLs are right") };
    let pool: Pool<MysqlDriver> = full_pool(MysqlDriver::new(options)).await;
    Contender::new(name, TASKS, move |_| {
        let pool = pool.clone();
        async move {
            let mut connection = pool.acquire().await.expect("a turn");
            let one: Option<u8> = connection.exec_first(SELECT, ()).await.expect("answered");
            assert_eq!(one, Some(1));
        }
    })
}

fn peer(name: &'static str, access: &Access, reset: bool) -> Contender {
    let constraints = PoolConstraints::new(CONNECTIONS, CONNECTIONS).expect("valid");
    let pool_opts = PoolOpts::default().with_constraints(constraints).with_reset_connection(reset);
    let pool = mysql_async::Pool::new(OptsBuilder::from_opts(options(access)).pool_opts(pool_opts));
    Contender::new(name, TASKS, move |_| {
        let pool = pool.clone();
        async move {
            let mut connection = pool.get_conn().await.expect("a turn");
            let one: Option<u8> = connection.exec_first(SELECT, ()).await.expect("answered");
            assert_eq!(one, Some(1));
        }
    })
}

fn options(access: &Access) -> Opts {
    let opts = Opts::from_url(&access.url(&access.first_database)).expect("valid");
    // Otherwise it moves from TCP to the server's socket, which our own contenders do not.
    OptsBuilder::from_opts(opts).prefer_socket(false).into()
}
