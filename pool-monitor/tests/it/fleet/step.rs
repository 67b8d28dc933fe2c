//! What can happen to a fleet, and how it is drawn.

use std::time::Duration;

use pool_core::runtime::Instant;

use super::process::Life;
use super::world::{Event, MS, SEC, World};

/// One of the things that happen. Processes are named by their number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Advance(Duration),
    /// A pool could use so many connections.
    Demand(usize, usize),
    Join,
    /// So many join, seconds apart.
    Rush(usize),
    Drain(usize),
    Kill(usize),
    Pause(usize),
    Resume(usize),
    /// The network between a process and the server fails, or works again.
    CutOff(usize),
    Heal(usize),
    /// The next commit counts, and its answer is lost.
    LoseAnswer(usize),
    /// The server ends a control connection.
    EndControl(usize),
    /// A process's clock jumps ahead.
    JumpClock(usize, Duration),
    /// The server's clock jumps, by so many seconds.
    JumpServer(i64),
    MaxConnections(usize),
    ReadOnly(Duration),
    /// Another server takes over, without what was committed in the last so many seconds.
    FailOver {
        lost: Duration,
        read_only: Option<Duration>,
    },
}

/// What trouble a seed knows. A seed that knew all would go deep into none.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trouble of its own")]
pub(super) struct Mood {
    /// Nothing fails: then all must be fair in time.
    pub(super) is_calm: bool,
    crashes: bool,
    pauses: bool,
    networks: bool,
    servers: bool,
    clocks: bool,
    limits: bool,
    pub(super) hides_tags: bool,
    pub(super) has_equal_floors: bool,
    /// How long the server needs to notice that a client is dead.
    pub(super) vanishing: Duration,
}

impl Mood {
    pub(super) fn draw(rng: &mut fastrand::Rng) -> Self {
        let is_calm = rng.u8(0..4) == 0;
        let mut knows = |of_eight| rng.u8(0..8) < of_eight && !is_calm;
        Self {
            is_calm,
            crashes: knows(4),
            pauses: knows(4),
            networks: knows(4),
            servers: knows(3),
            clocks: knows(3),
            limits: knows(2),
            hides_tags: knows(1),
            has_equal_floors: knows(4),
            vanishing: if knows(1) { 40 * SEC } else { 2 * SEC },
        }
    }

    /// `max_connections`, and what of it is kept in reserve.
    pub(super) fn draw_limits(self, rng: &mut fastrand::Rng) -> (usize, usize) {
        let least = if self.is_calm { 60 } else { 10 };
        (rng.usize(least..150), rng.usize(0..5))
    }
}

impl World {
    pub(super) fn draw_step(&mut self) -> Step {
        loop {
            let mood = self.mood;
            let some = self.rng.usize(..self.processes.len());
            let (life, is_cut_off) = (self.processes[some].life, self.processes[some].is_cut_off);
            let (is_running, has_ended) = (life == Life::Running, life == Life::Ended);
            let present = self.processes.iter().filter(|one| !one.has_ended()).count();
            let step = match self.rng.u8(0..100) {
                0..50 => Step::Advance(self.draw_advance()),
                50..60 if is_running => Step::Demand(some, self.rng.usize(0..40)),
                60..64 if present < 8 && self.may_join() => Step::Join,
                64..66 if is_running && present > 1 => Step::Drain(some),
                66..69 if mood.crashes && !has_ended => Step::Kill(some),
                69..73 if mood.pauses && is_running => Step::Pause(some),
                73..77 if life == Life::Paused => Step::Resume(some),
                77..81 if mood.networks && !is_cut_off && !has_ended => Step::CutOff(some),
                81..86 if is_cut_off => Step::Heal(some),
                86..89 if mood.networks && is_running => Step::LoseAnswer(some),
                89..90 if mood.networks && is_running => Step::EndControl(some),
                90..92 if mood.clocks => Step::JumpClock(some, self.draw_advance()),
                92..93 if mood.clocks => Step::JumpServer(self.draw_jump()),
                93..95 if mood.limits => Step::MaxConnections(self.rng.usize(10..150)),
                95..96 if mood.servers => Step::ReadOnly(self.draw_advance()),
                96..98 if mood.servers => self.draw_fail_over(),
                96 if mood.is_calm && present < 7 && self.may_join() => {
                    Step::Rush(self.rng.usize(2..=8 - present))
                }
                98 if mood.is_calm && present > 2 && self.is_settled() => Step::Kill(some),
                99 if mood.is_calm => Step::Advance(31 * SEC),
                _ => continue,
            };
            if !(matches!(step, Step::Kill(_)) && has_ended) {
                return step;
            }
        }
    }

    fn draw_advance(&mut self) -> Duration {
        let longest = [10 * MS, 100 * MS, SEC, 5 * SEC, 20 * SEC];
        let longest = longest[self.rng.usize(..longest.len())];
        self.up_to(longest)
    }

    fn draw_jump(&mut self) -> i64 {
        let far = [1, 10, 30, 3600][self.rng.usize(..4)];
        if self.rng.bool() { far } else { -far }
    }

    fn draw_fail_over(&mut self) -> Step {
        let lost = if self.rng.bool() { self.up_to(10 * SEC) } else { Duration::ZERO };
        let read_only = self.rng.bool().then(|| self.up_to(20 * SEC));
        Step::FailOver { lost, read_only }
    }

    pub(super) fn take(&mut self, step: Step) {
        self.note_change(step);
        match step {
            Step::Advance(duration) => self.advance(duration),
            Step::Demand(process, demand) => self.demand(process, demand),
            Step::Join => self.join(),
            Step::Rush(members) => {
                for _ in 0..members {
                    self.note_change(step);
                    self.join();
                    let pause = self.up_to(5 * SEC);
                    self.advance(pause);
                    self.audit_fairness();
                }
            }
            Step::Drain(process) => {
                self.processes[process].member.drain();
                self.processes[process].is_leaving = true;
                self.demand(process, 0);
            }
            Step::Kill(process) => self.kill(process),
            Step::Pause(process) => self.processes[process].life = Life::Paused,
            Step::Resume(process) => self.resume(process),
            Step::CutOff(process) => self.cut_off(process),
            Step::Heal(process) => self.heal(process),
            Step::LoseAnswer(process) => self.processes[process].loses_answer = true,
            Step::EndControl(process) => self.processes[process].control_session = None,
            Step::JumpClock(process, by) => {
                self.processes[process].clock.jump(by);
                self.look(process);
            }
            Step::JumpServer(seconds) => self.jump_server(seconds),
            Step::MaxConnections(max) => self.database.max_connections = max,
            Step::ReadOnly(until) => {
                self.database.is_read_only = true;
                self.after(until, Event::Writable);
            }
            Step::FailOver { lost, read_only } => self.fail_over(lost, read_only),
        }
        self.audit_sessions();
        self.audit_fairness();
    }

    fn demand(&mut self, process: usize, demand: usize) {
        let this = &mut self.processes[process];
        // Who leaves serves nobody any more.
        this.claim.demand = if this.is_leaving { 0 } else { demand };
        let rests = self.up_to(if self.processes[process].is_leaving { SEC } else { 20 * SEC });
        self.after(rests, Event::Idle(process));
        self.look(process);
    }

    /// It goes on, and does in any order what was due meanwhile.
    pub(super) fn resume(&mut self, process: usize) {
        self.processes[process].life = Life::Running;
        let mut deferred = std::mem::take(&mut self.processes[process].deferred);
        self.rng.shuffle(&mut deferred);
        for event in deferred {
            self.at(self.now, event);
        }
        if self.rng.bool() {
            self.look(process);
        }
    }

    fn jump_server(&mut self, seconds: i64) {
        self.database.ahead += seconds * 1_000_000;
        self.audit.jumped_at = Some(self.now);
    }

    fn fail_over(&mut self, lost: Duration, read_only: Option<Duration>) {
        let since = self.now.as_nanos().saturating_sub(lost.as_nanos() as u64);
        let since = Instant::from_nanos(since);
        if self.database.lose_writes(since) {
            self.excuse_lease();
        }
        self.end_all();
        for process in 0..self.processes.len() {
            self.end_sessions(process);
            let notices = self.up_to(SEC);
            self.after(notices, Event::Noticed(process));
        }
        if let Some(until) = read_only {
            self.database.is_read_only = true;
            self.after(until, Event::Writable);
        }
    }
}
