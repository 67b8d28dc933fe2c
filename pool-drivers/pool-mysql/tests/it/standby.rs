//! A server that follows another, and takes its place. Each test has servers of its own.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use pool_core::{
    Driver as _, ErrorClass, ReplicationLag, ReplicationLagQuery as _, Role, RoleQuery as _,
};
use pool_mysql::{MysqlDriver, MysqlOptions, mysql_async};
use pool_testkit::servers::{Family, Product, Proxy, Server, Setup, chosen};
use tokio::task::block_in_place;

use crate::load::{CONNECTIONS, small_pool};
use crate::network::through;
use crate::rig::{Schema, admin_of, try_connect, within};

fn up_to_date(lag: ReplicationLag) -> bool {
    lag == ReplicationLag::Behind { time: Some(Duration::ZERO), bytes: Some(0) }
}

fn own_server() -> Server {
    let product = chosen(Family::MySql).expect("a product");
    block_in_place(|| Server::start_as(Setup::followed(product))).expect("started")
}

/// A server with a schema, and one that follows it.
async fn pair() -> (Server, Server, Schema) {
    let primary = own_server();
    let standby = block_in_place(|| primary.standby()).expect("started");
    let schema = Schema::on(primary.access()).await;
    write(&schema, "first").await;
    arrives(&standby, &schema, "first").await;
    (primary, standby, schema)
}

/// The same user of the same schema, on another server.
fn on(server: &Server, schema: &Schema) -> MysqlOptions {
    let address = MysqlOptions::tcp("127.0.0.1", server.access().port).address;
    MysqlOptions { address, ..schema.options() }
}

async fn write(schema: &Schema, text: &str) {
    let mut connection = schema.connect().await;
    connection.exec_drop("INSERT INTO notes VALUES (?)", (text,)).await.expect("written");
}

/// Waits until what was written to the primary is on its standby.
async fn arrives(standby: &Server, schema: &Schema, text: &str) {
    let mut admin = admin_of(standby.access()).await;
    let sql = format!("SELECT text FROM {}.notes WHERE text = '{text}'", schema.name);
    within(async {
        // At first there is no such table.
        while !matches!(admin.query_first::<String, _>(&sql).await, Ok(Some(_))) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// What the driver says of a server.
async fn told(options: MysqlOptions) -> (Role, ReplicationLag) {
    let driver = MysqlDriver::new(options.clone());
    let mut connection = try_connect(options).await.expect("opened");
    let role = driver.role(&mut connection).await.expect("answered");
    (role, driver.replication_lag(&mut connection).await.expect("answered"))
}

/// Waits until what is said of a server's lag fits.
async fn lag_is(options: MysqlOptions, fits: impl Fn(ReplicationLag) -> bool) {
    within(async {
        while !fits(told(options.clone()).await.1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Starts or stops one of the two threads of a replica.
async fn thread(admin: &mut Conn, product: Product, command: &str) {
    let replica = if product == Product::MariaDb { "SLAVE" } else { "REPLICA" };
    let sql = command.replacen(' ', &format!(" {replica} "), 1);
    within(admin.query_drop(sql)).await.expect("done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicas_role_and_lag_are_told() {
    let (primary, standby, schema) = pair().await;
    let (options, product) = (on(&standby, &schema), standby.access().product);
    assert_eq!(told(schema.options()).await, (Role::ReadWrite, ReplicationLag::Primary));
    assert_eq!(told(options.clone()).await.0, Role::ReadOnly);
    lag_is(options.clone(), up_to_date).await;

    // Both threads run, and one of them has to wait.
    let mut admin = admin_of(standby.access()).await;
    let lock = format!("LOCK TABLES {}.notes WRITE", schema.name);
    admin.query_drop(lock).await.expect("locked");
    write(&schema, "held back").await;
    let is_behind = |lag| match lag {
        ReplicationLag::Behind { time: Some(time), bytes: Some(1..) } => time.as_secs() >= 1,
        _ => false,
    };
    lag_is(options.clone(), is_behind).await;
    admin.query_drop("UNLOCK TABLES").await.expect("unlocked");
    arrives(&standby, &schema, "held back").await;
    lag_is(options.clone(), up_to_date).await;

    for (stop, start) in
        [("STOP SQL_THREAD", "START SQL_THREAD"), ("STOP IO_THREAD", "START IO_THREAD")]
    {
        thread(&mut admin, product, stop).await;
        assert_eq!(told(options.clone()).await.1, ReplicationLag::Unknown, "{stop}");
        thread(&mut admin, product, start).await;
        lag_is(options.clone(), up_to_date).await;
    }
    block_in_place(|| primary.kill()).expect("killed");
    // What a primary did that nobody hears of, nobody knows.
    lag_is(options, |lag| lag == ReplicationLag::Unknown).await;
    block_in_place(|| primary.restart()).expect("back, to be cleaned up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_never_started_cannot_tell_its_lag() {
    let server = own_server();
    let schema = Schema::on(server.access()).await;
    assert_eq!(told(schema.options()).await.1, ReplicationLag::Primary);
    let (replicate, forget) = match server.access().product {
        Product::MariaDb => {
            ("CHANGE MASTER 'tests' TO MASTER_HOST = '127.0.0.1'", "RESET SLAVE 'tests' ALL")
        }
        _ => (
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1' FOR CHANNEL 'tests'",
            "RESET REPLICA ALL FOR CHANNEL 'tests'",
        ),
    };
    let mut admin = admin_of(server.access()).await;
    admin.query_drop(replicate).await.expect("a replica that was never started");
    assert_eq!(told(schema.options()).await.1, ReplicationLag::Unknown);
    admin.query_drop(forget).await.expect("none again");
    assert_eq!(told(schema.options()).await.1, ReplicationLag::Primary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_writes_leaves_a_server_that_only_reads_for_the_one_that_took_its_place() {
    const WRITE: &str = "INSERT INTO notes VALUES ('x')";
    let (primary, standby, schema) = pair().await;
    let proxy = Proxy::before(primary.access()).expect("open");
    let pool = small_pool(through(&proxy, schema.options()));
    let all = async || {
        let mut guards = Vec::new();
        for _ in 0..CONNECTIONS {
            guards.push(within(pool.acquire()).await.expect("one of all"));
        }
        guards
    };
    let mut guards = all().await;
    block_in_place(|| primary.access().forbid_writing()).expect("stepped down");
    block_in_place(|| standby.promote()).expect("promoted");
    proxy.lead_to(standby.access());
    for guard in &mut guards {
        // The old server goes on answering.
        guard.query_drop("DO 1").await.expect("answered");
        let error = guard.query_drop(WRITE).await.expect_err("it only reads");
        let class = pool.driver().classify(&error);
        assert_eq!((error.code(), class), (Some(1290), ErrorClass::RoleChanged), "{error}");
    }
    drop(guards);
    for mut guard in all().await {
        guard.query_drop(WRITE).await.expect("written to the new server");
        let port = guard.query_first::<u16>("SELECT @@port").await.expect("asked");
        assert_eq!(port, Some(standby.access().port));
    }
    assert_eq!(pool.stats().opened, 2 * CONNECTIONS as u64, "each once more");
}
