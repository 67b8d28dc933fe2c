//! The ledger of a fleet, on a database of the test server.

use std::error::Error;

use pool_core::{FleetName, LeaseStore as _, LeaseTrouble, Ledger, MemberId, Settlement};
use pool_postgres::{PostgresDriver, PostgresError, PostgresOptions};
use pool_testkit::conformance::{Supported, Unsupported};
use pool_testkit::leases::LeaseFixture;
use pool_testkit::servers::Product;
use tokio::task::block_in_place;

use crate::network::before;
use crate::rig::{CANARY, Database, access, admin, code, connect, within};

pool_testkit::leases!(Postgres);

struct Postgres {
    database: Database,
}

impl LeaseFixture for Postgres {
    type Driver = PostgresDriver;

    async fn start() -> Self {
        Self { database: Database::create().await }
    }

    fn driver(&self, tag: &str) -> PostgresDriver {
        let application_name = tag.to_owned();
        PostgresDriver::new(PostgresOptions { application_name, ..self.database.options() })
    }

    async fn driver_without_rights(&self) -> Supported<PostgresDriver> {
        if access().product == Product::PgBouncer {
            return Err(Unsupported("the pooler knows no other account"));
        }
        let user = format!("{}_poor", self.database.name());
        // Before release 15 everybody may create in `public`.
        self.run(&format!(
            "CREATE ROLE {user} LOGIN PASSWORD '{CANARY}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await;
        let user = Some(user);
        Ok(PostgresDriver::new(PostgresOptions { user, ..self.database.options() }))
    }

    async fn read_only_driver(&self, _: &FleetName) -> Supported<PostgresDriver> {
        if access().product == Product::PgBouncer {
            return Err(Unsupported("the pooler passes no session parameters on"));
        }
        let options = Some("-c default_transaction_read_only=on".to_owned());
        Ok(PostgresDriver::new(PostgresOptions { options, ..self.database.options() }))
    }

    fn shows_sessions(&self) -> Supported<()> {
        match access().product {
            Product::PgBouncer => Err(Unsupported("the server sees the pooler's sessions")),
            _ => Ok(()),
        }
    }

    async fn run(&self, sql: &str) {
        let connection = connect(self.database.options()).await;
        within(connection.batch_execute(sql)).await.expect("done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_settlement_that_was_cut_off_nobody_knows() {
    let database = Database::create().await;
    let (proxy, options) = before(&database);
    let driver = PostgresDriver::new(options.clone());
    let (fleet, member) = (FleetName::new("shop").expect("allowed"), MemberId::new(1));
    let mut connection = connect(options).await;
    within(driver.prepare(&mut connection, &fleet)).await.expect("prepared");
    let mut cut = |_: &Ledger| {
        block_in_place(|| proxy.reset());
        Settlement::Leave
    };
    let settled = within(driver.settle(&mut connection, &fleet, member, &mut cut)).await;
    let cut_off = settled.expect_err("cut off");
    assert_eq!(cut_off.trouble(), LeaseTrouble::OutcomeUnknown, "{cut_off:?}");
    assert!(cut_off.source().is_some_and(<dyn Error>::is::<PostgresError>));
    let mut other = connect(database.options()).await;
    let mut serial = None;
    let mut look = |ledger: &Ledger| {
        serial = Some(ledger.serial);
        Settlement::Leave
    };
    within(driver.settle(&mut other, &fleet, member, &mut look)).await.expect("settled");
    assert_eq!(serial, Some(0), "it was before the commit");
}

/// The server would not notice that its client has given up.
#[tokio::test]
async fn for_tables_that_are_locked_nobody_waits_long() {
    let database = Database::create().await;
    let driver = PostgresDriver::new(database.options());
    let (fleet, member) = (FleetName::new("shop").expect("allowed"), MemberId::new(1));
    let [mut one, mut another] =
        [connect(database.options()).await, connect(database.options()).await];
    within(driver.prepare(&mut one, &fleet)).await.expect("prepared");
    let keeper = connect(database.options()).await;
    let lock = "BEGIN; LOCK TABLE pool_fleet, pool_fleet_member";
    within(keeper.batch_execute(lock)).await.expect("had");
    let mut decide = |_: &Ledger| Settlement::Leave;
    let settled = within(driver.settle(&mut one, &fleet, member, &mut decide)).await;
    let prepared = within(driver.prepare(&mut another, &fleet)).await;
    for refused in [settled, prepared] {
        let refused = refused.expect_err("locked");
        let error = refused.source().and_then(|source| source.downcast_ref::<PostgresError>());
        assert_eq!(error.and_then(code), Some("55P03"), "{refused:?}");
    }
    within(keeper.batch_execute("ROLLBACK")).await.expect("given back");
    let mut third = connect(database.options()).await;
    within(driver.settle(&mut third, &fleet, member, &mut decide)).await.expect("settled");
}

fn shop() -> FleetName {
    FleetName::new("shop").expect("allowed")
}

fn as_member(number: u64, options: PostgresOptions) -> PostgresOptions {
    let application_name = shop().tag(MemberId::new(number));
    PostgresOptions { application_name, ..options }
}

/// How many sessions of members 1 and 2 are shown to a connection.
async fn shown_to(options: PostgresOptions) -> [Option<usize>; 2] {
    let driver = PostgresDriver::new(options.clone());
    let mut connection = connect(options).await;
    let sessions = within(driver.sessions(&mut connection, &shop())).await.expect("answered");
    [1, 2].map(|number| sessions.of(MemberId::new(number)))
}

/// They are called as the session they work for.
#[tokio::test]
async fn workers_of_a_parallel_query_are_no_sessions() {
    if access().product == Product::PgBouncer {
        return;
    }
    let database = Database::create().await;
    let member = connect(as_member(1, database.options())).await;
    let always = "SELECT set_config(name, 'on', false) FROM pg_settings \
                  WHERE name IN ('debug_parallel_query', 'force_parallel_mode')";
    within(member.batch_execute(always)).await.expect("set");
    let onlooker = connect(database.options()).await;
    let look = async {
        let workers = "SELECT FROM pg_stat_activity WHERE datname = current_database() \
                           AND backend_type = 'parallel worker' AND application_name LIKE 'shop.%'";
        while onlooker.query(workers, &[]).await.expect("answered").is_empty() {}
        shown_to(database.options()).await
    };
    let shown = tokio::select! {
        ended = member.batch_execute("SELECT pg_sleep(3600)") => panic!("{ended:?}"),
        shown = within(look) => shown,
    };
    assert_eq!(shown, [Some(1), Some(0)]);
}

/// Of what kind the sessions of other users are, the server keeps to itself.
#[tokio::test]
async fn members_of_other_users_are_shown() {
    if access().product == Product::PgBouncer {
        return;
    }
    let database = Database::create().await;
    let _member = connect(as_member(1, database.options())).await;
    let user = format!("{}_other", database.name());
    let create = format!("CREATE ROLE {user} LOGIN PASSWORD '{CANARY}'");
    within(admin().await.batch_execute(&create)).await.expect("created");
    let options = PostgresOptions { user: Some(user.clone()), ..database.options() };
    assert_eq!(shown_to(as_member(2, options)).await, [Some(1), Some(1)]);
    within(admin().await.batch_execute(&format!("DROP ROLE {user}"))).await.expect("dropped");
}

/// Each has a ledger of its own.
#[tokio::test]
async fn fleets_of_two_databases_are_not_shown_to_each_other() {
    if access().product == Product::PgBouncer {
        return;
    }
    let [one, another] = [Database::create().await, Database::create().await];
    let _members = [
        connect(as_member(1, one.options())).await,
        connect(as_member(2, another.options())).await,
    ];
    assert_eq!(shown_to(one.options()).await, [Some(1), Some(0)]);
    assert_eq!(shown_to(another.options()).await, [Some(0), Some(1)]);
}
#[tokio::test]
async fn where_there_is_no_schema_to_create_in_the_right_is_wanting() {
    let database = Database::create().await;
    let alter = format!("ALTER DATABASE {} SET search_path = nowhere", database.name());
    within(admin().await.batch_execute(&alter)).await.expect("altered");
    let mut connection = connect(database.options()).await;
    let driver = PostgresDriver::new(database.options());
    let refused = within(driver.prepare(&mut connection, &shop())).await.expect_err("nowhere");
    assert_eq!(refused.trouble(), LeaseTrouble::NoRight, "{refused:?}");
}
/// As a load balancer does, or who translates addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_passes_bytes_on_hides_no_sessions() {
    let database = Database::create().await;
    let (_proxy, options) = before(&database);
    let is_direct = access().product != Product::PgBouncer;
    let expected = if is_direct { [Some(1), Some(0)] } else { [None; 2] };
    assert_eq!(shown_to(as_member(1, options)).await, expected);
}
