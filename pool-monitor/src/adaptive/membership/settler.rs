//! What a member does at a beat: it settles with the ledger, on a connection of its own.

use std::sync::Arc;

use fastrand::Rng;
use pool_core::runtime::Instant;
use pool_core::{FleetName, LeaseTrouble, Ledger, MemberId, Metadata, PoolStats, Probe};

use super::admission::Admission;
use super::budget::{BudgetReader, MOST};
use super::counting::Counting;
use super::demand::Peak;
use super::report::{Failure, Report, Stands, Worry};
use crate::adaptive::governor::Governor;
use crate::fleet::{Allowance, Claim, Member, Needs, Standing, Timing};

pub(super) struct Settler {
    governor: Arc<Governor>,
    fleet: FleetName,
    floor: usize,
    timing: Timing,
    /// Where the pool's driver leads to, and what its connections are called there. Whoever takes it over
    /// changes that.
    place: Metadata,
    member: Member,
    /// Whether the ledger may have a row of it.
    may_have_row: bool,
    budget: BudgetReader,
    /// The control connection.
    probe: Option<Box<dyn Probe>>,
    /// Where it has no ledger.
    counting: Option<Counting>,
    /// Connections that the pool has opened outside of itself, for health checks. They are in use all the
    /// time, so that they count against the share.
    beside: Peak,
    is_leaving: bool,
    failure: Option<Failure>,
    /// Spreads the heartbeats.
    rng: Rng,
    /// Whether the server shows sessions, and not its own.
    is_unseen: bool,
}

impl Settler {
    pub(super) fn new(governor: &Arc<Governor>, admission: Admission, seed: u64) -> Self {
        let Admission { fleet, member, options, place } = admission;
        // Members of one seed, as in a simulation, are not to beat in step.
        let rng = Rng::with_seed(seed ^ member.number());
        Self {
            governor: Arc::clone(governor),
            fleet,
            floor: options.floor,
            timing: options.timing,
            place,
            member: Member::new(member, options.timing, governor.pool().now(), rng.clone()),
            may_have_row: false,
            rng,
            budget: BudgetReader::new(options.budget, options.reserve),
            probe: None,
            counting: None,
            beside: Peak::default(),
            is_leaving: false,
            failure: None,
            is_unseen: false,
        }
    }

    pub(super) fn governor(&self) -> &Arc<Governor> {
        &self.governor
    }

    pub(super) fn fleet(&self) -> &FleetName {
        &self.fleet
    }

    /// Where it settles, and for connections of which name.
    pub(super) fn place(&self) -> &Metadata {
        &self.place
    }

    /// Notes how the pool is, and where.
    pub(super) fn look(&mut self, stats: &PoolStats) {
        self.follow();
        let before = self.beside.highest();
        let control_connections = usize::from(self.probe.is_some());
        self.beside.add(self.now(), stats.probes.saturating_sub(control_connections));
        if self.beside.highest() != before {
            self.steer();
        }
    }

    /// Where the pool leads to another server, what was settled at the one before is worth nothing there:
    /// it keeps what it has, and joins anew.
    fn follow(&mut self) {
        let place = self.governor.pool().metadata();
        if place == self.place {
            return;
        }
        self.place = place;
        let id = self.tagged().unwrap_or(self.member.id());
        self.member = Member::new(id, self.timing, self.now(), self.rng.fork());
        if self.is_leaving {
            self.member.drain();
        }
        self.budget.forget();
        (self.probe, self.counting, self.failure) = (None, None, None);
        (self.may_have_row, self.is_unseen) = (false, false);
        self.steer();
    }

    /// Which member of the fleet the pool's connections call themselves; `None` if none.
    fn tagged(&self) -> Option<MemberId> {
        self.place.application.as_deref().and_then(|tag| self.fleet.member_of(tag))
    }

    /// Why it may not settle, if that is so.
    fn renamed(&self) -> Option<String> {
        if self.tagged().is_some() {
            return None;
        }
        let called = self.place.application.as_ref();
        let called = called.map_or_else(|| "nothing".to_owned(), |name| format!("{name:?}"));
        let fleet = &self.fleet;
        Some(format!(
            "its connections call themselves {called}, which is no tag of a member of the fleet {fleet} \
             as {:?} is: settles no more, opens nothing and keeps what it has (put `fleet={fleet}` into \
             the pool's URL again, or start the program anew)",
            fleet.tag(self.member.id())
        ))
    }

    /// When to settle next.
    pub(super) fn next_beat(&self, stats: &PoolStats, demand: usize) -> Instant {
        if self.tagged().is_none() {
            return Instant::NEVER;
        }
        self.member.next_beat(self.held(stats), demand)
    }

    /// How many connections the server may have of this pool, but for the one that is for settling.
    pub(super) fn held(&self, stats: &PoolStats) -> usize {
        held(stats, usize::from(self.probe.is_some()))
    }

    /// Whether it can settle at all: a closed pool opens no connection for it any more.
    pub(super) fn is_connected(&self) -> bool {
        self.probe.is_some()
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Whether the ledger may have a row that is to be deleted when it leaves.
    pub(super) fn may_have_row(&self) -> bool {
        self.may_have_row
    }

    /// Whether it has nothing left to give back, and nobody counts on it.
    pub(super) fn has_left(&self, stats: &PoolStats) -> bool {
        if self.may_have_row {
            self.member.standing(self.now()) == Standing::Left
        } else {
            self.is_leaving && self.held(stats) == 0
        }
    }

    /// Leaves from now on.
    pub(super) fn drain(&mut self) {
        self.is_leaving = true;
        self.member.drain();
        self.steer();
    }

    /// A beat has panicked: nobody knows where.
    pub(super) fn recover(&mut self) {
        self.probe = None;
        self.failed(Failure::panicked());
    }

    /// How it stands, until the next beat.
    pub(super) fn report(&self) -> Report {
        let mut notes = Vec::new();
        let mut allowance = within(self.granted(), self.withheld());
        let standing = if self.is_leaving && !self.may_have_row {
            Stands::Settled(Standing::Draining)
        } else if let Some(why) = self.renamed() {
            notes.push(Worry::Renamed);
            allowance.keep = self.governor.granted().unwrap_or(0);
            Stands::Renamed(why)
        } else if let Some(counting) = &self.counting {
            notes.push(if counting.is_blind() { Worry::Blind } else { Worry::Counting });
            Stands::Counted(counting.to_string())
        } else {
            Stands::Settled(self.member.standing(self.now()))
        };
        notes.extend(self.is_unseen.then_some(Worry::Unseen));
        notes.extend(self.member.has_lost_writes().then_some(Worry::LostWrites));
        let disagreement = self.budget.disagreement();
        notes.extend(disagreement.is_some().then_some(Worry::OtherBudget));
        let (beside, failure) = (self.beside.highest(), self.failure.clone());
        Report { standing, allowance, beside, failure, disagreement, notes }
    }

    /// What it asks for, if its pool could use `demand` connections.
    pub(super) fn claim(&self, demand: usize) -> Claim {
        let beside = self.beside.highest();
        let most = self.governor.pool().config().max_open.min(MOST);
        // A tuner that wants fewer is to have them, and what its next trial may need.
        let wanted = self.governor.wanted().map_or(usize::MAX, trial);
        Claim {
            floor: self.floor.min(most) + beside,
            demand: demand.min(wanted) + beside,
            most: most + beside,
        }
    }

    /// Settles, or counts, once.
    pub(super) async fn beat(&mut self, claim: Claim) {
        let done = match self.counting {
            None => self.settle(claim).await,
            Some(_) => self.count(claim.most).await,
        };
        match done {
            Ok(()) => self.failure = None,
            Err(failure) => self.failed(failure),
        }
        self.follow();
        self.steer();
    }

    async fn settle(&mut self, claim: Claim) -> Result<(), Failure> {
        if let Err(failure) = self.connect().await {
            return self.without_right(failure);
        }
        match self.settle_once(claim).await {
            Ok(()) => {
                self.budget.written();
                self.member.committed(self.now());
                Ok(())
            }
            Err(failure) => self.without_right(failure),
        }
    }

    /// What has been settled before is kept; a member that may not even begin has to do without a ledger.
    fn without_right(&mut self, failure: Failure) -> Result<(), Failure> {
        let has_settled = self.member.standing(self.now()) != Standing::Joining;
        if has_settled || !failure.is_for_want_of_right() {
            return Err(failure);
        }
        self.counting = Some(Counting::new(self.timing, failure.to_string()));
        self.may_have_row = false;
        self.failed(failure);
        self.failure = None;
        Ok(())
    }

    async fn settle_once(&mut self, claim: Claim) -> Result<(), Failure> {
        let now = self.now();
        let (withheld, granted) = (self.withheld(), self.granted());
        // Who was granted nothing yet does not open, and keeps what it has until that is settled.
        let before = match granted.until {
            Instant::EPOCH => Allowance { keep: usize::MAX, ..granted },
            _ => granted,
        };
        let Self { governor, fleet, member, budget, probe, is_unseen, may_have_row, .. } = self;
        let probe = probe.as_deref_mut().expect("bug: settles without a connection");
        budget.read(probe, now).await?;
        let needs = Needs { claim, budget: budget.news() };
        member.begin(governor.pool().now());
        *may_have_row = true;
        let id = member.id();
        let mut decide = |ledger: &Ledger| {
            // The dead are dead by their leases alone, then, as where sessions are hidden: what the
            // driver and all others do with the same ledger.
            *is_unseen = ledger.sessions.of(id) == Some(0);
            let lowered = |ceiling| within(Allowance { ceiling, ..before }, withheld);
            let mut lower = |ceiling| held(&governor.grant(lowered(ceiling)), 1);
            budget.compare(ledger.budget);
            let settlement = member.decide(ledger, &needs, &mut lower);
            governor.grant(lowered(member.allowance().ceiling));
            settlement
        };
        let settled = probe.settle_leases(fleet, id, &mut decide).await;
        Ok(settled.expect("bug: checked when it started")?)
    }

    /// Counts who is there.
    async fn count(&mut self, most: usize) -> Result<(), Failure> {
        self.connect().await?;
        let now = self.now();
        let Self { fleet, member, budget, probe, counting, .. } = self;
        let probe = probe.as_deref_mut().expect("bug: counts without a connection");
        let counting = counting.as_mut().expect("bug: it has a ledger");
        let budget = budget.read(probe, now).await?;
        let begun = self.governor.pool().now();
        let sessions = probe.fleet_sessions(fleet).await.expect("bug: checked when it started")?;
        counting.read(begun, &sessions, member.id(), budget, most);
        // It has nothing to settle, and comes again at its pace.
        member.failed(self.governor.pool().now(), LeaseTrouble::NoRight);
        Ok(())
    }

    /// Opens the control connection, if it is not there.
    async fn connect(&mut self) -> Result<(), Failure> {
        if self.probe.is_some() {
            return Ok(());
        }
        self.budget.forget();
        let opened = self.governor.pool().probe().await;
        let mut probe = opened.map_err(|error| Failure::connecting(&error))?;
        if self.counting.is_none() {
            let prepared = probe.prepare_leases(&self.fleet).await;
            prepared.expect("bug: checked when it started")?;
        }
        self.probe = Some(probe);
        Ok(())
    }

    fn failed(&mut self, failure: Failure) {
        self.probe.take_if(|probe| probe.is_lost());
        self.member.failed(self.now(), failure.trouble);
        self.failure = Some(failure);
    }

    /// What it was granted, for whatever it is used.
    fn granted(&self) -> Allowance {
        match &self.counting {
            None => self.member.allowance(),
            Some(counting) => counting.allowance(),
        }
    }

    /// How many of the share are not for the pool.
    fn withheld(&self) -> usize {
        if self.is_leaving { usize::MAX } else { self.beside.highest() }
    }

    fn steer(&self) {
        let granted = self.granted();
        let stats = if granted.until == Instant::EPOCH && !self.is_leaving {
            self.governor.hold()
        } else {
            self.governor.grant(within(granted, self.withheld()))
        };
        if self.is_leaving && stats.open > 0 {
            // What is in use is not handed on to who waits for it.
            self.governor.pool().invalidate();
        }
    }

    fn now(&self) -> Instant {
        self.governor.pool().now()
    }
}

/// How many connections the server may have of a pool, but for so many that are for settling.
pub(super) fn held(stats: &PoolStats, control_connections: usize) -> usize {
    stats.open + stats.closing + stats.probes.saturating_sub(control_connections)
}

/// What is left for the pool itself.
fn within(allowance: Allowance, withheld: usize) -> Allowance {
    let Allowance { keep, ceiling, until } = allowance;
    let (keep, ceiling) = (keep.saturating_sub(withheld), ceiling.saturating_sub(withheld));
    Allowance { keep, ceiling, until }
}

/// How many connections a tuner may try that has found so many to be right: 15 % more, rounded up, and
/// one at least.
fn trial(wanted: usize) -> usize {
    wanted.saturating_add(wanted.saturating_mul(3).div_ceil(20)).saturating_add(1)
}
