//! The world: what is to happen when, and to whom.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

use pool_core::runtime::Instant;
use pool_core::{Budget, MemberId};
use pool_monitor::fleet::Claim;

use super::audit::Audit;
use super::database::Database;
use super::process::{Life, Process};
use super::settling::Settling;
use super::step::Mood;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SEC: Duration = Duration::from_secs(1);

/// What happens to a process, a settlement or the database, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A process looks what is to be done, if it did not look meanwhile.
    Wake(usize, u64),
    /// The server accepts a connect.
    Accepted(usize, u64),
    /// A connect ends.
    Connected(usize, u64),
    /// A connection comes back to a pool that has too many.
    Returned(usize),
    /// A pool closes what it does not need.
    Idle(usize),
    /// A process notices which of its connections are dead.
    Noticed(usize),
    /// A process gives up what does not answer, if it is still cut off.
    GaveUp(usize, u64),
    /// The server gives up a process, if it is still cut off.
    KeepAlive(usize, u64),
    /// Strays end.
    Swept(usize),
    /// A settlement arrives at the server.
    Begin(usize),
    /// The ledger arrives at the member.
    Read(usize),
    /// A commit arrives at the server.
    Commit(usize),
    /// The answer arrives at the member.
    Answer(usize),
    /// A member does not wait any longer.
    ClientTimeout(usize),
    /// The server ends a transaction.
    ServerTimeout(usize),
    /// The database takes writes again.
    Writable,
}

pub(super) struct World {
    pub(super) now: Instant,
    queue: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    scheduled: u64,
    numbers: u64,
    pub(super) database: Database,
    pub(super) processes: Vec<Process>,
    pub(super) settlings: Vec<Settling>,
    pub(super) rng: fastrand::Rng,
    pub(super) mood: Mood,
    pub(super) audit: Audit,
    /// When something last changed but the time.
    pub(super) changed_at: Instant,
    pub(super) trace: bool,
}

impl World {
    pub(super) fn new(seed: u64, trace: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mood = Mood::draw(&mut rng);
        let (max, reserve) = mood.draw_limits(&mut rng);
        let hides_tags = mood.hides_tags;
        let mut world = Self {
            now: Instant::EPOCH.after(SEC),
            queue: BinaryHeap::new(),
            scheduled: 0,
            numbers: 0,
            database: Database::new(max, reserve, hides_tags),
            processes: Vec::new(),
            settlings: Vec::new(),
            rng,
            mood,
            audit: Audit::default(),
            changed_at: Instant::EPOCH.after(SEC),
            trace,
        };
        for _ in 0..world.rng.usize(1..=4) {
            world.join();
        }
        world
    }

    pub(super) fn join(&mut self) {
        let id = MemberId::new(self.rng.u64(..));
        let claim = self.draw_claim();
        let process = Process::new(id, claim, self.now, &mut self.rng);
        self.processes.push(process);
        self.look(self.processes.len() - 1);
    }

    fn draw_claim(&mut self) -> Claim {
        let floor = if self.mood.has_equal_floors { 2 } else { self.rng.usize(1..=4) };
        let most = self.rng.usize(floor..=floor + 40);
        Claim { floor, demand: self.rng.usize(0..40), most }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn at(&mut self, time: Instant, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse((time.max(self.now), self.scheduled, event)));
    }

    pub(super) fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now.after(delay), event);
    }

    /// How long a message takes: mostly a millisecond, at times half a second.
    pub(super) fn latency(&mut self) -> Duration {
        let longest = if self.rng.u8(0..50) == 0 { 500_000 } else { 4000 };
        Duration::from_micros(self.rng.u64(100..longest))
    }

    pub(super) fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.rng.u64(1..=longest.as_micros() as u64))
    }

    pub(super) fn advance(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        let mut events = 0;
        while let Some(&Reverse((time, _, event))) = self.queue.peek() {
            if time > end {
                break;
            }
            self.queue.pop();
            events += 1;
            assert!(events < 100_000, "it spins: {event:?}");
            self.now = time;
            self.happen(event);
            self.audit_sessions();
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        // What a stopped process would have done, it does when it goes on.
        if let Some(process) = self.actor(event) {
            match self.processes[process].life {
                Life::Running => {}
                Life::Paused => return self.processes[process].deferred.push(event),
                Life::Ended => return,
            }
        }
        match event {
            Event::Wake(process, number) if self.processes[process].wake == number => {
                self.look(process);
            }
            Event::Wake(..) => {}
            Event::Accepted(process, number) => self.accepted(process, number),
            Event::Connected(process, number) => self.connected(process, number),
            Event::Returned(process) => self.returned(process),
            Event::Idle(process) => self.close_idle(process),
            Event::Noticed(process) => self.noticed(process),
            Event::GaveUp(process, number) => self.gave_up(process, number),
            Event::KeepAlive(process, number) => self.keep_alive(process, number),
            Event::Swept(process) => self.sweep(process),
            Event::Begin(settling) => self.begin(settling),
            Event::Read(settling) => self.read(settling),
            Event::Commit(settling) => self.commit(settling),
            Event::Answer(settling) => self.answer(settling),
            Event::ClientTimeout(settling) => self.client_timeout(settling),
            Event::ServerTimeout(settling) => self.server_timeout(settling),
            Event::Writable => self.database.is_read_only = false,
        }
    }

    /// Whose doing an event is; `None` if it is the server's.
    fn actor(&self, event: Event) -> Option<usize> {
        match event {
            Event::Wake(process, _)
            | Event::Connected(process, _)
            | Event::Returned(process)
            | Event::Idle(process)
            | Event::Noticed(process)
            | Event::GaveUp(process, _) => Some(process),
            Event::Read(settling) | Event::Answer(settling) | Event::ClientTimeout(settling) => {
                Some(self.settlings[settling].process)
            }
            Event::Accepted(..)
            | Event::KeepAlive(..)
            | Event::Swept(_)
            | Event::Begin(_)
            | Event::Commit(_)
            | Event::ServerTimeout(_)
            | Event::Writable => None,
        }
    }

    /// A process does what is to be done now: its pool opens and closes, its member settles.
    pub(super) fn look(&mut self, process: usize) {
        self.run_pool(process);
        let this = &mut self.processes[process];
        if !this.is_running() {
            return;
        }
        let is_idle = this.settling.is_none();
        let beat = this.member.next_beat(this.held(), this.claim.demand);
        if is_idle && beat <= this.clock.local(self.now) {
            return self.settle(process);
        }
        this.wake += 1;
        let beat = if is_idle { beat } else { Instant::NEVER };
        let until = this.member.allowance().until;
        let next = if this.connecting.is_empty() { beat } else { beat.min(until) };
        if next < Instant::NEVER {
            let (wake, time) = (this.wake, this.clock.shows(next));
            self.at(time, Event::Wake(process, wake));
        }
    }

    /// What the server offers, if the process has not asked for a while.
    pub(super) fn read_budget(&mut self, process: usize) -> Option<Budget> {
        let this = &mut self.processes[process];
        let is_old = this.read_budget_at.is_none_or(|at| self.now.since(at) >= 20 * SEC);
        is_old.then(|| {
            this.read_budget_at = Some(self.now);
            Budget { total: self.database.max_connections, reserve: self.database.reserve }
        })
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let committed = &self.database.committed;
        let seconds = self.now.as_nanos() as f64 / 1e9;
        let (serial, taken, shared) = (committed.serial, committed.taken(), committed.shared());
        write!(f, "     {seconds:.3} s, serial {serial}: {taken} of {shared} taken, ")?;
        write!(f, "{} sessions", self.pool_sessions())?;
        for (number, process) in self.processes.iter().enumerate() {
            if process.has_ended() && process.shown() == 0 && committed.row(process.id).is_none() {
                continue;
            }
            let Process { life, is_cut_off, open, sessions, .. } = process;
            let standing = process.member.standing(process.clock.local(self.now));
            let row = committed.row(process.id).map(|row| (row.share.granted, row.share.held));
            write!(f, "\n       {number}: {life:?}")?;
            write!(f, "{}", if *is_cut_off { ", cut off" } else { "" })?;
            write!(f, ", {open}+{} open of {:?}", process.connecting.len(), process.claim)?;
            write!(f, ", {sessions}+{} sessions, ", process.strays.len())?;
            write!(f, "granted and held {row:?}; {standing}")?;
        }
        Ok(())
    }
}
