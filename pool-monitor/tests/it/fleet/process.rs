//! A member's process: its clock, its pool, its connections as it knows them and as the server does.

use std::time::Duration;

use pool_core::MemberId;
use pool_core::runtime::Instant;
use pool_monitor::fleet::{Claim, Member, Timing};

use super::world::Event;

pub(super) const TIMING: Timing =
    Timing { heartbeat: Duration::from_secs(5), lease: Duration::from_secs(15) };

/// A local clock: it runs at a pace of its own, and jumps ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    offset: u64,
    /// Millionths by which it is faster, or slower.
    skew: i64,
}

impl Clock {
    /// Up to a hundredth fast or slow, twenty times more than quartz is.
    pub(super) fn draw(rng: &mut fastrand::Rng) -> Self {
        Self { offset: rng.u64(1..1 << 50), skew: rng.i64(-10_000..=10_000) }
    }

    pub(super) fn local(self, now: Instant) -> Instant {
        let skewed = i128::from(now.as_nanos()) * i128::from(1_000_000 + self.skew) / 1_000_000;
        Instant::from_nanos(skewed as u64 + self.offset)
    }

    /// When it will show a time.
    pub(super) fn shows(self, local: Instant) -> Instant {
        let skewed = i128::from(local.as_nanos().saturating_sub(self.offset));
        Instant::from_nanos((skewed * 1_000_000 / i128::from(1_000_000 + self.skew)) as u64 + 2)
    }

    pub(super) fn jump(&mut self, by: Duration) {
        self.offset += by.as_nanos() as u64;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    /// Stopped: its sessions stay, its clock goes on.
    Paused,
    /// Killed, or gone after it had left.
    Ended,
}

/// A session that its client does not count among those it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    pub(super) born: Instant,
    /// When the server notices that nobody is there; unknown while the network is down.
    pub(super) until: Option<Instant>,
    /// Of a settlement, by its number.
    pub(super) control: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Connecting {
    pub(super) number: u64,
    /// Whether the server has a session for it; unknown as long as it has not arrived there.
    pub(super) is_accepted: Option<bool>,
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) member: Member,
    pub(super) id: MemberId,
    pub(super) clock: Clock,
    pub(super) life: Life,
    pub(super) is_cut_off: bool,
    pub(super) is_leaving: bool,
    pub(super) claim: Claim,

    // What the client knows.
    pub(super) open: usize,
    /// Of those, how many are dead without its knowledge.
    pub(super) broken: usize,
    pub(super) connecting: Vec<Connecting>,
    /// Connections of which there are too many, and which will come back.
    pub(super) returning: usize,
    /// The control connection that it believes to have.
    pub(super) control: Option<u64>,
    /// The settlement under way.
    pub(super) settling: Option<usize>,
    pub(super) read_budget_at: Option<Instant>,
    /// The wake-up that counts.
    pub(super) wake: u64,
    /// What waits for it to go on.
    pub(super) deferred: Vec<Event>,

    // What the server knows.
    pub(super) sessions: usize,
    pub(super) control_session: Option<u64>,
    pub(super) strays: Vec<Stray>,

    // What the simulation knows.
    /// When the sessions were counted that its last settlement knew.
    pub(super) counted_at: Instant,
    /// How many sessions without a client it could not tell from those it was opening.
    pub(super) may_hide: usize,
    /// How many sessions it saw beyond those it knows of.
    pub(super) saw_strays: usize,
    /// Whether the answer to the next commit gets lost.
    pub(super) loses_answer: bool,
    /// Counts cut-offs.
    pub(super) cut_off: u64,
    pub(super) begun: Vec<Instant>,
    pub(super) started_at: Instant,
}

impl Process {
    pub(super) fn new(id: MemberId, claim: Claim, now: Instant, rng: &mut fastrand::Rng) -> Self {
        let clock = Clock::draw(rng);
        Self {
            member: Member::new(id, TIMING, clock.local(now), rng.fork()),
            id,
            clock,
            life: Life::Running,
            is_cut_off: false,
            is_leaving: false,
            claim,
            open: 0,
            broken: 0,
            connecting: Vec::new(),
            returning: 0,
            control: None,
            settling: None,
            read_budget_at: None,
            wake: 0,
            deferred: Vec::new(),
            sessions: 0,
            control_session: None,
            strays: Vec::new(),
            counted_at: Instant::EPOCH,
            may_hide: 0,
            saw_strays: 0,
            loses_answer: false,
            cut_off: 0,
            begun: Vec::new(),
            started_at: now,
        }
    }

    /// What its pool says it holds.
    pub(super) fn held(&self) -> usize {
        self.open + self.connecting.len()
    }

    pub(super) fn is_running(&self) -> bool {
        self.life == Life::Running
    }

    pub(super) fn has_ended(&self) -> bool {
        self.life == Life::Ended
    }

    /// Sessions of its tag.
    pub(super) fn shown(&self) -> usize {
        self.sessions + self.strays.len() + usize::from(self.control_session.is_some())
    }

    /// Sessions of its pool that have a client, and connects that may become one.
    pub(super) fn live_sessions(&self) -> usize {
        let connecting = self.connecting.iter().filter(|one| one.is_accepted.is_none());
        self.sessions + connecting.count()
    }

    /// Those that have none, and that a settlement could know of.
    pub(super) fn known_strays(&self) -> usize {
        let is_known = |stray: &&Stray| stray.control.is_none() && stray.born < self.counted_at;
        self.strays.iter().filter(is_known).count()
    }
}
