//! What every driver that keeps a fleet's ledger must do, whatever its database: a suite like
//! [`conformance`](mod@crate::conformance), for those who can.
#![expect(clippy::missing_errors_doc, reason = "all fail with what a fixture cannot show")]

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use pool_core::{
    Budget, Capabilities, ConnectContext, Driver, FleetName, LEASE_PROTOCOL, LeaseError,
    LeaseStore, LeaseTrouble, Ledger, MemberId, Sessions, Settlement, Share, Statements,
};

use crate::conformance::Supported;
use crate::not_tried;

const BUDGET: Budget = Budget { total: 40, reserve: 3 };
/// Longer than anything here takes that works.
const LIMIT: Duration = Duration::from_secs(40);
/// Longer than a server lets a silent transaction stand, which is two seconds: the machine may be slow.
const HELD_UP: Duration = Duration::from_secs(10);

/// A driver that keeps ledgers, with a database of its own.
pub trait LeaseFixture: Send + Sync + Sized + 'static {
    /// The driver.
    type Driver: Driver;

    /// Starts on a fresh, empty database that no other fixture sees.
    fn start() -> impl Future<Output = Self> + Send;

    /// A driver to that database, whose sessions bear this name.
    fn driver(&self, tag: &str) -> Self::Driver;

    /// One whose account may read the database, and may not create tables in it.
    fn driver_without_rights(&self) -> impl Future<Output = Supported<Self::Driver>> + Send;

    /// One whose transactions may not write, to a database with tables of ours and the fleet.
    fn read_only_driver(
        &self,
        fleet: &FleetName,
    ) -> impl Future<Output = Supported<Self::Driver>> + Send;

    /// That the server shows whose a session is.
    fn shows_sessions(&self) -> Supported<()>;

    /// Runs a statement behind the driver's back.
    fn run(&self, sql: &str) -> impl Future<Output = ()> + Send;
}

/// Makes one `#[tokio::test]` of each claim, in a module named `leases`, for a [`LeaseFixture`] of the
/// module that expands it.
///
/// The crate that expands it needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! leases {
    ($fixture:ident) => {
        mod leases {
            $crate::leases! { @claims $fixture:
                    a_fleet_of_another_version_is_refused
                    a_member_that_stands_still_holds_nobody_up
                    a_server_that_takes_no_writes_says_so
                    an_account_without_the_right_is_told_so
                    everybody_reads_what_a_member_has_written
                    fleets_of_one_database_know_nothing_of_each_other
                    settlements_follow_each_other
                    the_dead_are_deleted_and_who_leaves_is_gone
                    the_sessions_of_members_are_shown_by_their_tags
                    those_who_come_first_at_once_find_the_same_tables
            }
        }
    };
    (@claims $fixture:ident: $($claim:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let claim = $crate::leases::$claim::<super::$fixture>();
                $crate::leases::run::<super::$fixture>(stringify!($claim), claim).await;
            }
        )*
    };
}

/// Runs a claim, and tells what it could not try.
pub async fn run<F: LeaseFixture>(claim: &str, tried: impl Future<Output = Supported<()>>) {
    if let Err(unsupported) = tried.await {
        not_tried(claim, unsupported.0);
    }
}

/// A fixture, and a fleet of a claim's own: tags are shown of a server's every database.
struct Scene<F> {
    fixture: F,
    fleet: FleetName,
}

/// A member with a connection of its own.
struct Rig<D: Driver> {
    driver: D,
    connection: D::Connection,
    fleet: FleetName,
    member: MemberId,
}

fn share(granted: usize) -> Share {
    Share {
        granted,
        held: granted / 2,
        demand: granted + 1,
        floor: 2,
        most: 30,
        draining: false,
        lease: LIMIT,
    }
}

fn write(share: Share) -> Settlement {
    Settlement::Write { share, budget: None }
}

impl<D: Driver> Rig<D> {
    async fn connect(driver: D, fleet: &FleetName, member: MemberId) -> Self {
        let context = ConnectContext::new(1, Statements::unobserved());
        let connection = driver.connect(context).await.expect("connected");
        Self { driver, connection, fleet: fleet.clone(), member }
    }

    fn store(driver: &D) -> &dyn LeaseStore<D::Connection> {
        let Capabilities { leases, .. } = driver.capabilities();
        leases.expect("it keeps ledgers")
    }

    async fn prepare(&mut self) -> Result<(), LeaseError> {
        Self::store(&self.driver).prepare(&mut self.connection, &self.fleet).await
    }

    /// Settles, and tells what was read.
    async fn try_settle(&mut self, settlement: Settlement) -> Result<Ledger, LeaseError> {
        let mut read = None;
        let mut decide = |ledger: &Ledger| {
            read = Some(ledger.clone());
            settlement
        };
        let store = Self::store(&self.driver);
        store.settle(&mut self.connection, &self.fleet, self.member, &mut decide).await?;
        Ok(read.expect("it was decided"))
    }

    async fn settle(&mut self, settlement: Settlement) -> Ledger {
        self.try_settle(settlement).await.expect("settled")
    }
}

impl<F: LeaseFixture> Scene<F> {
    async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shop-{}-{number}", std::process::id());
        Self { fixture: F::start().await, fleet: FleetName::new(name).expect("allowed") }
    }

    /// A member that is not prepared.
    async fn stranger(&self, number: u64) -> Rig<F::Driver> {
        let member = MemberId::new(number);
        Rig::connect(self.fixture.driver(&self.fleet.tag(member)), &self.fleet, member).await
    }

    async fn member(&self, number: u64) -> Rig<F::Driver> {
        let mut rig = self.stranger(number).await;
        rig.prepare().await.expect("prepared");
        rig
    }
}

/// Those who come first may come at once.
pub async fn those_who_come_first_at_once_find_the_same_tables<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let mut members = Vec::new();
    for number in 0..8 {
        members.push(scene.stranger(number).await);
    }
    for prepared in join_all(members.iter_mut().map(Rig::prepare)).await {
        prepared.expect("prepared");
    }
    for (serial, member) in members.iter_mut().enumerate() {
        assert_eq!(member.settle(write(share(1))).await.serial, serial as u64);
    }
    Ok(())
}

/// Names are told apart by each letter.
pub async fn fleets_of_one_database_know_nothing_of_each_other<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let mut first = scene.member(1).await;
    first.settle(Settlement::Write { share: share(7), budget: Some(BUDGET) }).await;
    first.fleet = FleetName::new(scene.fleet.as_str().to_uppercase()).expect("allowed");
    first.prepare().await.expect("prepared");
    let ledger = first.settle(Settlement::Leave).await;
    assert_eq!((ledger.serial, ledger.budget, ledger.rows), (0, None, vec![]));
    let ledger = scene.member(2).await.settle(write(share(1))).await;
    assert_eq!((ledger.serial, ledger.budget, ledger.rows.len()), (1, Some(BUDGET), 1));
    Ok(())
}

/// What a member writes, the budget among it, is what all read from then on.
pub async fn everybody_reads_what_a_member_has_written<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let (mut first, mut second) = (scene.member(1).await, scene.member(u64::MAX).await);
    let empty = first.settle(Settlement::Write { share: share(7), budget: Some(BUDGET) }).await;
    assert_eq!((empty.serial, empty.budget, empty.rows.len()), (0, None, 0));
    let leaving = Share { draining: true, ..share(0) };
    let ledger = second.settle(write(leaving)).await;
    assert_eq!((ledger.serial, ledger.budget), (1, Some(BUDGET)));
    let row = ledger.row(first.member).expect("its row");
    assert_eq!((row.joined, row.share, ledger.rows.len()), (1, share(7), 1));
    assert!(ledger.now >= row.renewed_at && !ledger.has_lapsed(row), "{ledger:?}");
    let again = first.settle(write(share(9))).await;
    assert_eq!(again.row(second.member).map(|row| row.share), Some(leaving));
    let third = second.settle(write(share(1))).await;
    let row = third.row(first.member).expect("its row");
    assert_eq!((third.serial, row.joined, row.share.granted), (3, 1, 9));
    assert_eq!(third.budget, Some(BUDGET), "it stays");
    Ok(())
}

/// Of those who settle at once, each sees what those before have written, at a later time.
pub async fn settlements_follow_each_other<F: LeaseFixture>() -> Supported<()> {
    const TIMES: usize = 20;
    let scene = Scene::<F>::start().await;
    let mut members = Vec::new();
    for number in 0..4 {
        members.push(scene.member(number).await);
    }
    let settling = members.iter_mut().map(|member| async {
        let mut serials = Vec::new();
        for _ in 0..TIMES {
            let ledger = member.settle(write(share(1))).await;
            let is_past = ledger.rows.iter().all(|row| row.renewed_at <= ledger.now);
            assert!(is_past, "the time is from before the lock was had: {ledger:?}");
            serials.push(ledger.serial);
        }
        serials
    });
    let mut serials = join_all(settling).await.concat();
    serials.sort_unstable();
    assert_eq!(serials, (0..4 * TIMES as u64).collect::<Vec<_>>());
    Ok(())
}

/// A dead member's row is deleted by whoever settles next, and one that leaves takes its own with it.
pub async fn the_dead_are_deleted_and_who_leaves_is_gone<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let (mut first, mut second) = (scene.member(1).await, scene.member(2).await);
    first.settle(write(Share { lease: Duration::ZERO, ..share(5) })).await;
    drop(first);
    // The server may still show the session for a moment.
    let gone = async {
        while !second.settle(write(share(1))).await.dead(second.member).any(|_| true) {}
        second.settle(Settlement::Leave).await
    };
    let ledger = gone.await;
    let left: Vec<_> = ledger.rows.iter().map(|row| row.member).collect();
    assert_eq!(left, [second.member]);
    let mut third = scene.member(3).await;
    assert_eq!(third.settle(write(share(1))).await.rows, []);
    Ok(())
}

/// A member whose process stands still in the middle of a settlement is given up by the server, so that
/// others settle, and what it decided is not written.
pub async fn a_member_that_stands_still_holds_nobody_up<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let (mut still, mut other) = (scene.member(1).await, scene.member(2).await);
    let (began, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    let stands = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let mut decide = |_: &Ledger| {
                began.send(()).expect("awaited");
                let told = may_go_on.lock().recv_timeout(LIMIT);
                told.expect("told to go on");
                write(share(30))
            };
            let store = Rig::store(&still.driver);
            store.settle(&mut still.connection, &still.fleet, still.member, &mut decide).await
        })
    });
    has_begun.recv_timeout(LIMIT).expect("it began");
    let began = Instant::now();
    let ledger = other.settle(write(share(1))).await;
    assert!(began.elapsed() < HELD_UP, "it was held up for {:?}", began.elapsed());
    assert_eq!(ledger.rows, []);
    go_on.send(()).expect("it stands there");
    stands.join().expect("no panic").expect_err("it was given up");
    assert_eq!(other.settle(write(share(1))).await.rows.len(), 1, "its own");
    Ok(())
}

/// Members are told apart by what their sessions are called.
pub async fn the_sessions_of_members_are_shown_by_their_tags<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    scene.fixture.shows_sessions()?;
    let (mut first, _second) = (scene.member(1).await, scene.member(2).await);
    let more = scene.stranger(2).await;
    let other = format!("{}s.{}", scene.fleet, MemberId::new(3));
    let _other = Rig::connect(scene.fixture.driver(&other), &scene.fleet, MemberId::new(3)).await;
    let sessions = first.settle(write(share(1))).await.sessions;
    let of = |sessions: &Sessions| [1, 2, 3].map(|number| sessions.of(MemberId::new(number)));
    assert_eq!(of(&sessions), [Some(1), Some(2), Some(0)], "{sessions:?}");
    drop(more);
    let store = Rig::store(&first.driver);
    loop {
        let shown = store.sessions(&mut first.connection, &scene.fleet).await;
        let sessions = shown.expect("shown");
        if of(&sessions) == [Some(1), Some(1), Some(0)] {
            return Ok(());
        }
        assert_eq!(of(&sessions), [Some(1), Some(2), Some(0)], "not gone yet: {sessions:?}");
    }
}

/// Who may not create the tables is told so, and not that something went wrong.
pub async fn an_account_without_the_right_is_told_so<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let driver = scene.fixture.driver_without_rights().await?;
    let mut poor = Rig::connect(driver, &scene.fleet, MemberId::new(1)).await;
    let refused = poor.prepare().await.expect_err("no right");
    assert_eq!(refused.trouble(), LeaseTrouble::NoRight, "{refused:?}");
    Ok(())
}

/// Tables of another version are left alone.
pub async fn a_fleet_of_another_version_is_refused<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    let mut early = scene.member(1).await;
    scene.fixture.run("UPDATE pool_fleet SET protocol = 77").await;
    let mut late = scene.stranger(2).await;
    for refused in [
        late.prepare().await.expect_err("not ours"),
        early.try_settle(write(share(1))).await.expect_err("not ours any more"),
    ] {
        assert_eq!(refused.trouble(), LeaseTrouble::OtherVersion { found: 77 }, "{refused:?}");
    }
    assert_ne!(LEASE_PROTOCOL, 77);
    Ok(())
}

/// After a failover, what was the primary may be a replica.
pub async fn a_server_that_takes_no_writes_says_so<F: LeaseFixture>() -> Supported<()> {
    let scene = Scene::<F>::start().await;
    drop(scene.member(1).await);
    let driver = scene.fixture.read_only_driver(&scene.fleet).await?;
    let mut demoted = Rig::connect(driver, &scene.fleet, MemberId::new(1)).await;
    let refused = demoted.try_settle(write(share(1))).await.expect_err("it takes no writes");
    assert_eq!(refused.trouble(), LeaseTrouble::ReadOnly, "{refused:?}");
    Ok(())
}
