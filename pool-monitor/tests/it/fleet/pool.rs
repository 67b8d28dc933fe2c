//! A process's pool: it opens what it needs and may, and closes what is too much.

use pool_core::runtime::Instant;

use super::process::{Connecting, Life, Stray};
use super::world::{Event, MS, SEC, World};

impl World {
    pub(super) fn run_pool(&mut self, process: usize) {
        self.give_up_connects(process);
        loop {
            let this = &mut self.processes[process];
            if !this.is_running() {
                return;
            }
            let allowance = this.member.allowance();
            let opening = allowance.opening(this.clock.local(self.now));
            if this.connecting.len() >= 8 || this.held() >= this.claim.demand.min(opening) {
                break;
            }
            self.connect(process);
        }
        let this = &self.processes[process];
        let surplus = this.open.saturating_sub(this.member.allowance().keep);
        let idle = this.open.saturating_sub(this.claim.demand);
        let borrowed = surplus.saturating_sub(idle);
        let returning = this.returning.max(borrowed);
        for _ in 0..surplus.min(idle) {
            self.close(process);
        }
        for _ in std::mem::replace(&mut self.processes[process].returning, returning)..returning {
            let held = self.up_to(2 * SEC);
            self.after(held, Event::Returned(process));
        }
    }

    /// Once its lease has ended, what it is opening is given up.
    fn give_up_connects(&mut self, process: usize) {
        let this = &mut self.processes[process];
        let has_lapsed = this.clock.local(self.now) >= this.member.allowance().until;
        if this.is_running() && has_lapsed {
            for connecting in std::mem::take(&mut this.connecting) {
                if connecting.is_accepted == Some(true) {
                    self.stray(process, None);
                }
            }
        }
    }

    fn connect(&mut self, process: usize) {
        let number = self.number();
        self.processes[process].connecting.push(Connecting { number, is_accepted: None });
        let longest = if self.processes[process].is_cut_off { 3 * SEC } else { 200 * MS };
        let took = self.up_to(longest);
        self.after(took / 2, Event::Accepted(process, number));
        self.after(took, Event::Connected(process, number));
    }

    pub(super) fn accepted(&mut self, process: usize, number: u64) {
        let this = &mut self.processes[process];
        if this.has_ended() {
            if !this.is_cut_off {
                this.sessions += 1;
                self.stray(process, None);
            }
            return;
        }
        if let Some(connecting) = this.connecting.iter_mut().find(|one| one.number == number) {
            connecting.is_accepted = Some(!this.is_cut_off);
            this.sessions += usize::from(!this.is_cut_off);
        }
    }

    pub(super) fn connected(&mut self, process: usize, number: u64) {
        let this = &mut self.processes[process];
        let Some(place) = this.connecting.iter().position(|one| one.number == number) else {
            return;
        };
        let is_accepted = this.connecting.swap_remove(place).is_accepted == Some(true);
        match (is_accepted, this.is_cut_off) {
            (true, false) => this.open += 1,
            // The server's answer got lost.
            (true, true) => self.stray(process, None),
            (false, _) => {}
        }
        self.look(process);
    }

    /// Closes one connection.
    fn close(&mut self, process: usize) {
        let this = &mut self.processes[process];
        this.open -= 1;
        if this.broken > 0 {
            this.broken -= 1;
        } else {
            self.stray(process, None);
        }
    }

    /// From now on, one of the server's sessions has no client; it is a control connection's if it has
    /// a number.
    pub(super) fn stray(&mut self, process: usize, control: Option<u64>) {
        let is_killed = self.processes[process].has_ended();
        let longest = if is_killed { self.mood.vanishing } else { 20 * MS };
        let until = self.now.after(self.up_to(longest));
        let this = &mut self.processes[process];
        let until = Some(until).filter(|_| !this.is_cut_off);
        // What the dead leave was known of.
        let born = if is_killed { Instant::EPOCH } else { self.now };
        this.strays.push(Stray { born, until, control });
        match control {
            Some(_) => this.control_session = None,
            None => this.sessions -= 1,
        }
        if let Some(until) = until {
            self.at(until, Event::Swept(process));
        }
    }

    pub(super) fn sweep(&mut self, process: usize) {
        let now = self.now;
        self.processes[process].strays.retain(|stray| stray.until.is_none_or(|until| until > now));
    }

    pub(super) fn returned(&mut self, process: usize) {
        let this = &mut self.processes[process];
        this.returning -= 1;
        if this.open > this.member.allowance().keep {
            self.close(process);
        }
        self.look(process);
    }

    pub(super) fn close_idle(&mut self, process: usize) {
        while self.processes[process].open > self.processes[process].claim.demand {
            self.close(process);
        }
        self.look(process);
    }

    /// Its connections were cut at the server's end.
    pub(super) fn noticed(&mut self, process: usize) {
        let this = &mut self.processes[process];
        this.open -= this.broken;
        this.broken = 0;
        self.look(process);
    }

    /// Its connections do not answer; the server does not hear that it closes them.
    pub(super) fn gave_up(&mut self, process: usize, cut_off: u64) {
        let this = &self.processes[process];
        if this.is_cut_off && this.cut_off == cut_off {
            while self.processes[process].open > 0 {
                self.close(process);
            }
            self.look(process);
        }
    }

    /// The server hears nothing of it, and ends its sessions.
    pub(super) fn keep_alive(&mut self, process: usize, cut_off: u64) {
        let this = &self.processes[process];
        if this.is_cut_off && this.cut_off == cut_off {
            self.end_sessions(process);
        }
    }

    /// All its sessions end; it notices later.
    pub(super) fn end_sessions(&mut self, process: usize) {
        let this = &mut self.processes[process];
        this.sessions = 0;
        this.control_session = None;
        this.strays.clear();
        this.broken = this.open;
        for accepted in this.connecting.iter_mut().filter_map(|one| one.is_accepted.as_mut()) {
            *accepted = false;
        }
    }

    pub(super) fn kill(&mut self, process: usize) {
        let this = &mut self.processes[process];
        this.life = Life::Ended;
        this.deferred.clear();
        self.let_go(process);
        let this = &mut self.processes[process];
        (this.open, this.broken) = (0, 0);
        this.connecting.clear();
    }

    /// What it has on the server has no client any more.
    fn let_go(&mut self, process: usize) {
        while self.processes[process].sessions > 0 {
            self.stray(process, None);
        }
        if let Some(control) = self.processes[process].control_session {
            self.stray(process, Some(control));
        }
    }

    pub(super) fn cut_off(&mut self, process: usize) {
        let number = self.number();
        let patience = 2 * SEC + self.up_to(18 * SEC);
        let this = &mut self.processes[process];
        (this.is_cut_off, this.cut_off) = (true, number);
        for stray in &mut this.strays {
            stray.until = None;
        }
        self.after(patience, Event::GaveUp(process, number));
        self.after(60 * SEC, Event::KeepAlive(process, number));
    }

    pub(super) fn heal(&mut self, process: usize) {
        let now = self.now;
        let longest =
            if self.processes[process].has_ended() { self.mood.vanishing } else { 5 * SEC };
        let delays: Vec<Instant> = (0..self.processes[process].strays.len())
            .map(|_| now.after(self.up_to(longest)))
            .collect();
        let this = &mut self.processes[process];
        this.is_cut_off = false;
        for (stray, until) in this.strays.iter_mut().zip(&delays) {
            stray.until = Some(*until);
        }
        for until in delays {
            self.at(until, Event::Swept(process));
        }
        if self.processes[process].broken > 0 {
            let notices = self.up_to(SEC);
            self.after(notices, Event::Noticed(process));
        }
        self.look(process);
    }
}
