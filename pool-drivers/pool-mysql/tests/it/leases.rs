//! The ledger of a fleet, in a schema of the test server.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pool_core::{
    FleetName, LeaseError, LeaseStore, LeaseTrouble, Ledger, MemberId, Sessions, Settlement, Share,
};
use pool_mysql::{MysqlConnection, MysqlDriver, MysqlError, MysqlOptions, mysql_async};
use pool_testkit::conformance::Supported;
use pool_testkit::leases::LeaseFixture;
use pool_testkit::servers::{Family, Proxy, Server, Setup, chosen};
use tokio::task::block_in_place;

use crate::network::through;
use crate::rig::{CANARY, Schema, admin, admin_of, server, try_connect, within};

pool_testkit::leases!(Mysql);

struct Mysql {
    schema: Schema,
    read_only: OnceLock<(Schema, Server)>,
}

impl LeaseFixture for Mysql {
    type Driver = MysqlDriver;

    async fn start() -> Self {
        let schema = Schema::new().await;
        let Schema { name, .. } = &schema;
        let tags = "SELECT ON performance_schema.session_connect_attrs";
        let grant = format!("GRANT {tags} TO {name}@'%'");
        admin().await.query_drop(grant).await.expect("granted");
        Self { schema, read_only: OnceLock::new() }
    }

    fn driver(&self, tag: &str) -> MysqlDriver {
        let program_name = tag.to_owned();
        MysqlDriver::new(MysqlOptions { program_name, ..self.schema.options() })
    }

    async fn driver_without_rights(&self) -> Supported<MysqlDriver> {
        let Schema { name, .. } = &self.schema;
        let revoke = format!("REVOKE CREATE ON {name}.* FROM {name}@'%'");
        admin().await.query_drop(revoke).await.expect("revoked");
        Ok(MysqlDriver::new(self.schema.options()))
    }

    /// No session is read-only by itself from the beginning: it takes a server.
    async fn read_only_driver(&self, fleet: &FleetName) -> Supported<MysqlDriver> {
        let product = chosen(Family::MySql).expect("a product");
        let server = block_in_place(|| Server::start(product)).expect("started");
        let schema = Schema::on(server.access()).await;
        let driver = MysqlDriver::new(schema.options());
        driver.prepare(&mut schema.connect().await, fleet).await.expect("prepared");
        block_in_place(|| server.access().forbid_writing()).expect("stepped down");
        assert!(self.read_only.set((schema, server)).is_ok(), "asked for once");
        Ok(driver)
    }

    fn shows_sessions(&self) -> Supported<()> {
        Ok(())
    }

    async fn run(&self, sql: &str) {
        self.schema.connect().await.query_drop(sql).await.expect("done");
    }
}

fn fleet() -> FleetName {
    FleetName::new("shop").expect("allowed")
}

/// A member whose sessions have no tag.
struct Member {
    driver: MysqlDriver,
    connection: MysqlConnection,
    id: MemberId,
}

impl Member {
    async fn join(options: MysqlOptions, number: u64) -> Self {
        let mut connection = try_connect(options.clone()).await.expect("opened");
        let driver = MysqlDriver::new(options);
        within(driver.prepare(&mut connection, &fleet())).await.expect("prepared");
        Self { driver, connection, id: MemberId::new(number) }
    }

    async fn try_settle(
        &mut self,
        lease: Duration,
        mut seen: impl FnMut(&Ledger) + Send,
    ) -> Result<(), LeaseError> {
        let (granted, held, demand, floor, most, draining) = (5, 5, 5, 1, 9, false);
        let share = Share { granted, held, demand, floor, most, draining, lease };
        let mut decide = |ledger: &Ledger| {
            seen(ledger);
            Settlement::Write { share, budget: None }
        };
        let fleet = fleet();
        within(self.driver.settle(&mut self.connection, &fleet, self.id, &mut decide)).await
    }

    /// Settles with a lease that runs out at once, and tells what was read.
    async fn settle(&mut self) -> Ledger {
        let mut read = None;
        let seen = |ledger: &Ledger| read = Some(ledger.clone());
        self.try_settle(Duration::ZERO, seen).await.expect("settled");
        read.expect("it was decided")
    }
}

#[tokio::test]
async fn a_connection_without_a_database_is_told_to_have_one() {
    let schema = Schema::new().await;
    let options = MysqlOptions { database: None, ..schema.options() };
    let mut connection = try_connect(options.clone()).await.expect("opened");
    let driver = MysqlDriver::new(options);
    let refused = driver.prepare(&mut connection, &fleet()).await.expect_err("nowhere");
    assert_eq!(refused.trouble(), LeaseTrouble::Other);
    let source = refused.source().expect("the driver's own").to_string();
    assert!(source.contains("name it in the URL (mysql://HOST/DATABASE)"), "{source}");
}

/// Of an account that does not see tags.
async fn members_are_recognised_by_their_control_sessions(schema: &Schema) {
    let (mut first, mut second) =
        (Member::join(schema.options(), 1).await, Member::join(schema.options(), 2).await);
    let sessions = first.driver.sessions(&mut first.connection, &fleet()).await.expect("answered");
    assert_eq!(sessions, Sessions::Hidden, "without a ledger nobody has said which they are");
    let ledger = first.settle().await;
    assert_eq!(ledger.sessions, Sessions::Shown(vec![(first.id, 1)]));
    let ledger = second.settle().await;
    assert_eq!(ledger.sessions, Sessions::Shown(vec![(second.id, 1), (first.id, 1)]));
    assert!(ledger.has_lapsed(&ledger.rows[0]) && ledger.dead(second.id).next().is_none());
    drop(first);
    within(async { while second.settle().await.dead(second.id).next().is_none() {} }).await;
    assert_eq!(second.settle().await.rows.len(), 1, "its own");
}

#[tokio::test]
async fn an_account_that_may_not_see_tags_recognises_control_sessions() {
    members_are_recognised_by_their_control_sessions(&Schema::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tags_are_not_kept_control_sessions_are_recognised() {
    let setup = Setup::new(chosen(Family::MySql).expect("a product"));
    let setup = Setup { settings: vec!["performance-schema=OFF".to_owned()], ..setup };
    let server = block_in_place(|| Server::start_as(setup)).expect("started");
    let schema = Schema::on(server.access()).await;
    let grant = format!("GRANT SELECT ON performance_schema.* TO {}@'%'", schema.name);
    admin_of(server.access()).await.query_drop(grant).await.expect("granted");
    members_are_recognised_by_their_control_sessions(&schema).await;
}

/// Whose sessions it cannot see, whether they live or not.
#[tokio::test]
async fn a_member_of_another_user_is_judged_by_its_lease_alone_and_hides_nobody() {
    let schema = Schema::new().await;
    let mut admin = admin().await;
    // What stands in quotes has to be told from the quotes.
    let user = format!("{}\\'s", schema.name);
    let account = format!("`{user}`@'%'");
    for sql in [
        format!("CREATE USER {account} IDENTIFIED BY '{CANARY}'"),
        format!("GRANT ALL ON {}.* TO {account}", schema.name),
    ] {
        admin.query_drop(sql).await.expect("set up");
    }
    let other = MysqlOptions { user: user.clone(), ..schema.options() };
    let (mut first, mut other, mut third) = (
        Member::join(schema.options(), 1).await,
        Member::join(other, 2).await,
        Member::join(schema.options(), 3).await,
    );
    other.try_settle(Duration::from_mins(5), |_| ()).await.expect("settled");
    let sql = "SELECT control_user FROM pool_fleet_member";
    let users: Vec<String> = first.connection.query(sql).await.expect("read");
    assert_eq!(users, [user]);
    first.settle().await;
    let ledger = third.settle().await;
    assert_eq!(ledger.sessions, Sessions::Shown(vec![(third.id, 1), (first.id, 1)]));
    assert_eq!(ledger.rows.len(), 2, "the lease of the other has not run out: {ledger:?}");
    assert!(ledger.dead(third.id).next().is_none(), "nor is the first dead: {ledger:?}");
    other.settle().await;
    let ledger = third.settle().await;
    assert_eq!(ledger.dead(third.id).collect::<Vec<_>>(), [other.id], "it has now: {ledger:?}");
    drop(other);
    admin.query_drop(format!("DROP USER {account}")).await.expect("dropped");
}

#[tokio::test]
async fn a_settlement_leaves_the_session_as_it_was() {
    const SETTINGS: &str = "SELECT @@SESSION.wait_timeout, @@SESSION.lock_wait_timeout, \
                            @@SESSION.innodb_lock_wait_timeout, @@SESSION.autocommit";
    let schema = Schema::new().await;
    let mut member = Member::join(schema.options(), 1).await;
    let set = "SET SESSION wait_timeout = 77, SESSION lock_wait_timeout = 55, \
                   SESSION innodb_lock_wait_timeout = 33, \
                   SESSION sql_mode = 'ANSI,TRADITIONAL,NO_BACKSLASH_ESCAPES', \
                   SESSION autocommit = 0; \
               INSERT INTO notes VALUES ('what somebody else left undone')";
    member.connection.query_drop(set).await.expect("set");
    member.driver.prepare(&mut member.connection, &fleet()).await.expect("prepared");
    member.settle().await;
    let connection = &mut member.connection;
    assert_eq!(connection.in_transaction(), Some(false));
    let settings: Vec<(u64, u64, u64, bool)> = connection.query(SETTINGS).await.expect("asked");
    assert_eq!(settings, [(77, 55, 33, false)]);
    let notes: Vec<String> = connection.query("SELECT text FROM notes").await.expect("asked");
    assert!(notes.is_empty(), "{notes:?}");
}

#[tokio::test]
async fn what_became_of_a_settlement_that_was_cut_off_nobody_knows() {
    let schema = Schema::new().await;
    let proxy = Proxy::before(server()).expect("open");
    let mut member = Member::join(through(&proxy, schema.options()), 1).await;
    let cut_off = member.try_settle(Duration::ZERO, |_| proxy.reset()).await;
    let cut_off = cut_off.expect_err("cut off");
    assert_eq!(cut_off.trouble(), LeaseTrouble::OutcomeUnknown, "{cut_off:?}");
    assert!(cut_off.source().is_some_and(<dyn Error>::is::<MysqlError>));
    let mut other = Member::join(schema.options(), 2).await;
    assert_eq!(other.settle().await.serial, 0, "it was before the commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_steps_down_in_the_middle_has_written_nothing() {
    let product = chosen(Family::MySql).expect("a product");
    let server = block_in_place(|| Server::start(product)).expect("started");
    let schema = Schema::on(server.access()).await;
    let mut member = Member::join(schema.options(), 1).await;
    let step_down = |_: &Ledger| {
        block_in_place(|| server.access().forbid_writing()).expect("stepped down");
    };
    let refused = member.try_settle(Duration::ZERO, step_down).await;
    let refused = refused.expect_err("it takes no writes");
    assert_eq!(refused.trouble(), LeaseTrouble::ReadOnly, "{refused:?}");
    block_in_place(|| server.access().allow_writing()).expect("up again");
    let mut other = Member::join(schema.options(), 2).await;
    assert_eq!(other.settle().await.serial, 0);
}

/// As a backup does. The server would not notice that its client has given up.
#[tokio::test]
async fn for_tables_that_are_locked_nobody_waits_long() {
    let schema = Schema::new().await;
    let (mut first, mut second) =
        (Member::join(schema.options(), 1).await, Member::join(schema.options(), 2).await);
    let mut backup = schema.connect().await;
    backup.query_drop("LOCK TABLES pool_fleet WRITE, pool_fleet_member WRITE").await.expect("had");
    let settled = first.try_settle(Duration::ZERO, |_| ()).await;
    let prepared = within(second.driver.prepare(&mut second.connection, &fleet())).await;
    for refused in [settled, prepared] {
        let refused = refused.expect_err("locked");
        let error = refused.source().and_then(|source| source.downcast_ref::<MysqlError>());
        assert_eq!(error.and_then(MysqlError::code), Some(1205), "{refused:?}");
    }
    backup.query_drop("UNLOCK TABLES").await.expect("given back");
    Member::join(schema.options(), 3).await.settle().await;
}

#[tokio::test]
async fn what_the_server_refuses_was_not_written() {
    let schema = Schema::new().await;
    let mut member = Member::join(schema.options(), 1).await;
    let refused = member.try_settle(Duration::MAX, |_| ()).await.expect_err("out of range");
    assert_eq!(refused.trouble(), LeaseTrouble::Other, "{refused:?}");
    let mut other = Member::join(schema.options(), 2).await;
    assert_eq!(other.settle().await.serial, 0);
}
