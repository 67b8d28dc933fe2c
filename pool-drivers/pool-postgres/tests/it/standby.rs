//! A server that follows another, and takes its place.

use std::time::Duration;

use pool_core::{ReplicationLag, Role};
use pool_postgres::{LoadBalance, PostgresOptions, TargetSession};
use pool_testkit::servers::{Access, Server};

use crate::load::{
    USERS, befall, is_served_soon, is_whole, load_on, options, own_server, patient_pool, pool,
    until,
};
use crate::rig::{CANARY, connect, within};

/// What a pool's driver says of its server.
async fn told(access: &Access) -> (Role, ReplicationLag) {
    told_by(options(access)).await
}

async fn told_by(options: PostgresOptions) -> (Role, ReplicationLag) {
    let pool = patient_pool(options);
    let mut probe = within(pool.control().probe()).await.expect("connected");
    let role = within(probe.role()).await.expect("able").expect("answered");
    let lag = within(probe.replication_lag()).await.expect("able").expect("answered");
    (role, lag)
}

/// Waits until what is said of a server's lag fits.
async fn lag_is(access: &Access, fits: impl Fn(ReplicationLag) -> bool) {
    within(async {
        while !fits(told(access).await.1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn pair() -> (Server, Server) {
    let primary = own_server();
    let standby = befall(|| primary.standby());
    (primary, standby)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standbys_role_and_lag_are_told() {
    let (primary, standby) = pair();
    let up_to_date =
        |lag| lag == ReplicationLag::Behind { time: Some(Duration::ZERO), bytes: Some(0) };
    let on = |server: &Server, sql: &str| befall(|| server.access().run("postgres", sql));
    on(&primary, &format!("CREATE ROLE onlooker LOGIN PASSWORD '{CANARY}';"));
    on(&primary, "CREATE TABLE notes (text TEXT);");
    assert_eq!(told(primary.access()).await, (Role::ReadWrite, ReplicationLag::Primary));
    assert_eq!(told(standby.access()).await.0, Role::ReadOnly);
    let arrived = "SELECT count(*) FROM pg_class WHERE relname = 'notes';";
    until(|| on(&standby, arrived) == "1").await;
    lag_is(standby.access(), up_to_date).await;
    on(&standby, "SELECT pg_wal_replay_pause();");
    on(&primary, "INSERT INTO notes VALUES ('not replayed');");
    let seconds = |lag| match lag {
        ReplicationLag::Behind { time: Some(time), bytes: Some(1..) } => time.as_secs_f64(),
        _ => 0.0,
    };
    // More than was between two looks, because it does not get on.
    lag_is(standby.access(), |lag| seconds(lag) > 1.0).await;
    // Also to those who see no more of the receiver than that there is one.
    let (user, password) = (Some("onlooker".to_owned()), Some(CANARY.into()));
    let onlooker = PostgresOptions { user, password, ..options(standby.access()) };
    assert!(seconds(told_by(onlooker).await.1) > 1.0);
    on(&standby, "SELECT pg_wal_replay_resume();");
    lag_is(standby.access(), up_to_date).await;
    befall(|| primary.kill());
    // What a primary did that nobody hears of, nobody knows.
    lag_is(standby.access(), |lag| lag == ReplicationLag::Unknown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_writes_follows_to_the_standby_that_is_promoted() {
    let (primary, standby) = pair();
    let [first, second] =
        [&primary, &standby].map(|server| options(server.access()).hosts.remove(0));
    let second_port = second.port;
    let pool = pool(PostgresOptions {
        // The standby first: it is passed over until it takes writes.
        hosts: vec![second, first],
        target_session_attrs: TargetSession::ReadWrite,
        load_balance_hosts: LoadBalance::Disable,
        ..options(primary.access())
    });
    let mut load = load_on(&pool).await;
    befall(|| primary.kill());
    load.is_turned_away(USERS).await;
    befall(|| standby.promote());
    is_served_soon(&mut load).await;
    load.end().await;
    is_whole(&pool).await;
    let connection = within(pool.acquire()).await.expect("a turn");
    connection.batch_execute("CREATE TABLE written (text TEXT)").await.expect("it takes writes");
    let row = connection.query_one("SELECT inet_server_port()", &[]).await.expect("asked");
    assert_eq!(row.get::<_, i32>(0), i32::from(second_port));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_to_the_standby_and_to_the_primary_once_that_is_gone() {
    let (primary, standby) = pair();
    let hosts = [&primary, &standby].map(|server| options(server.access()).hosts.remove(0));
    let ports = hosts.clone().map(|host| i32::from(host.port));
    let options = PostgresOptions {
        hosts: hosts.to_vec(),
        target_session_attrs: TargetSession::PreferStandby,
        ..options(primary.access())
    };
    let port = async |options: PostgresOptions| -> i32 {
        let connection = connect(options).await;
        let row = connection.query_one("SELECT inet_server_port()", &[]).await;
        row.expect("asked").get(0)
    };
    assert_eq!(port(options.clone()).await, ports[1]);
    befall(|| standby.kill());
    assert_eq!(port(options).await, ports[0]);
}
