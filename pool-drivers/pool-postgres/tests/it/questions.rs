//! What the driver asks its server.

use pool_core::{Activity, Pool, PoolConfig, Probe, ReplicationLag, Role};
use pool_postgres::{PostgresDriver, PostgresOptions};

use crate::rig::{Database, admin, connect, within};

fn pool(options: PostgresOptions) -> Pool<PostgresDriver> {
    Pool::new(PostgresDriver::new(options), PoolConfig::default()).expect("valid")
}

async fn setting(name: &str) -> usize {
    let sql = "SELECT current_setting($1)::int";
    let value: i32 = admin().await.query_one(sql, &[&name]).await.expect("asked").get(0);
    usize::try_from(value).expect("not negative")
}

#[tokio::test]
async fn the_servers_capacity_is_told() {
    let database = Database::create().await;
    let here = format!("{} here", database.name());
    let options = PostgresOptions { application_name: here, ..database.options() };
    let _others = [connect(database.options()).await, connect(database.options()).await];
    let _ours = connect(options.clone()).await;
    let pool = pool(options);
    let mut probe = pool.control().probe().await.expect("connected");
    let capacity = within(probe.capacity()).await.expect("able").expect("answered");
    assert_eq!(capacity.max_connections, setting("max_connections").await);
    assert_eq!(capacity.reserved, setting("superuser_reserved_connections").await);
    assert_eq!(capacity.in_use_here, Some(2), "the probe is one");
    assert!(capacity.in_use >= 4, "{capacity:?}");
}

#[tokio::test]
async fn capacity_is_also_told_to_those_who_may_see_little() {
    let database = Database::create().await;
    let user = crate::secure::User::create(&database).await;
    let _theirs = connect(database.options()).await;
    let pool = pool(user.options(&database));
    let mut probe = pool.control().probe().await.expect("connected");
    let capacity = within(probe.capacity()).await.expect("able").expect("answered");
    assert!(capacity.in_use >= 2, "{capacity:?}");
}

#[tokio::test]
async fn the_servers_role_is_told() {
    let database = Database::create().await;
    for (session, role) in [(None, Role::ReadWrite), (Some("on"), Role::ReadOnly)] {
        let session = session.map(|on| format!("-c default_transaction_read_only={on}"));
        let pool = pool(PostgresOptions { options: session, ..database.options() });
        let mut probe = pool.control().probe().await.expect("connected");
        assert_eq!(within(probe.role()).await.expect("able").expect("answered"), role);
    }
}

#[tokio::test]
async fn a_primary_is_behind_nobody() {
    let database = Database::create().await;
    let pool = pool(database.options());
    let mut probe = pool.control().probe().await.expect("connected");
    let lag = within(probe.replication_lag()).await.expect("able").expect("answered");
    assert_eq!(lag, ReplicationLag::Primary);
}

async fn activity(probe: &mut dyn Probe) -> Activity {
    within(probe.activity()).await.expect("able").expect("answered")
}

#[tokio::test]
async fn open_transactions_are_told_and_those_who_do_nothing_in_them() {
    let database = Database::create().await;
    // Sees no session of another user's.
    let user = crate::secure::User::create(&database).await;
    let pool = pool(user.options(&database));
    let mut probe = pool.control().probe().await.expect("connected");
    let (one, busy) =
        (connect(user.options(&database)).await, connect(user.options(&database)).await);
    assert_eq!(activity(&mut *probe).await, Activity::default(), "its own is left out");

    within(busy.batch_execute("BEGIN")).await.expect("begun");
    let sleep = busy.batch_execute("SELECT pg_sleep(1000)");
    let asked = async {
        let mut told = activity(&mut *probe).await;
        while told.oldest_idle_in_transaction.is_some() || told.oldest_transaction.is_none() {
            told = activity(&mut *probe).await;
        }
        within(one.batch_execute("BEGIN")).await.expect("begun");
        let both = activity(&mut *probe).await;
        assert!(both.oldest_transaction > told.oldest_transaction, "{both:?}");
        assert!(both.oldest_idle_in_transaction < both.oldest_transaction, "{both:?}");
        assert!(both.oldest_idle_in_transaction.is_some(), "{both:?}");
        within(one.batch_execute("SELECT 1 / 0")).await.expect_err("failed");
        // The error is told before the session is idle again.
        while activity(&mut *probe).await.oldest_idle_in_transaction.is_none() {}
        within(one.batch_execute("ROLLBACK")).await.expect("ended");
        assert_eq!(activity(&mut *probe).await.oldest_idle_in_transaction, None);
    };
    tokio::select! {
        biased;
        ended = sleep => panic!("ended by itself: {ended:?}"),
        () = within(asked) => {}
    }
}

#[tokio::test]
async fn transactions_of_others_are_told_to_those_who_may_see_them() {
    let (database, other) = (Database::create().await, Database::create().await);
    let user = crate::secure::User::create(&other).await;
    let open = connect(user.options(&other)).await;
    within(open.batch_execute("BEGIN")).await.expect("begun");
    let [begun, now] = ["now()", "clock_timestamp()"]
        .map(|time| format!("SELECT extract(epoch FROM {time})::float8"));
    let begun: f64 = within(open.query_one(&begun, &[])).await.expect("asked").get(0);
    let pool = pool(database.options());
    let mut probe = pool.control().probe().await.expect("connected");
    let now: f64 = within(admin().await.query_one(&now, &[])).await.expect("asked").get(0);
    // There may be older ones of other tests'.
    let oldest = activity(&mut *probe).await.oldest_transaction.expect("one");
    assert!(oldest.as_secs_f64() >= now - begun, "{oldest:?}");
}
