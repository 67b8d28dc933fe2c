//! A settlement, message by message: there may be trouble between any two.

use std::time::Duration;

use pool_core::runtime::Instant;
use pool_core::{LeaseTrouble, Ledger, Settlement};
use pool_monitor::fleet::Needs;

use super::process::Life;
use super::world::{Event, World};

/// How long a member waits for its settlement.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the server lets a transaction wait for its client.
const SILENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Settling {
    pub(super) process: usize,
    number: u64,
    /// What it read, and when.
    ledger: Option<(Instant, Ledger)>,
    decided: Option<Settlement>,
    /// The process's sessions that had a client when it read.
    live: usize,
    /// What it held beyond them when it decided: it hides as many that have no client.
    hides: usize,
    answer: Result<(), LeaseTrouble>,
    /// Whether it was committed.
    pub(super) counts: bool,
    /// Whether the member waits for it.
    is_awaited: bool,
    /// Whether the server has ended its transaction.
    has_ended: bool,
}

impl World {
    /// A member begins to settle.
    pub(super) fn settle(&mut self, process: usize) {
        let (settling, number) = (self.settlings.len(), self.number());
        self.settlings.push(Settling {
            process,
            number,
            ledger: None,
            decided: None,
            live: 0,
            hides: 0,
            answer: Ok(()),
            counts: false,
            is_awaited: true,
            has_ended: false,
        });
        let this = &mut self.processes[process];
        this.member.begin(this.clock.local(self.now));
        this.settling = Some(settling);
        this.begun.push(self.now);
        let delay = self.latency();
        self.after(delay, Event::Begin(settling));
        self.after(PATIENCE, Event::ClientTimeout(settling));
    }

    /// It arrives at the server, on the connection that the member believes to have, or on a new one.
    pub(super) fn begin(&mut self, settling: usize) {
        let Settling { process, number, is_awaited, .. } = self.settlings[settling];
        let this = &mut self.processes[process];
        if this.is_cut_off || this.has_ended() || !is_awaited {
            self.settlings[settling].has_ended = true;
            return;
        }
        match this.control {
            None => this.control_session = Some(number),
            Some(_) if this.control_session.is_some() => {}
            Some(_) => return self.reply(settling, Err(LeaseTrouble::Other)),
        }
        self.database.waiting.push_back(settling);
        self.lock_next();
    }

    /// The next that waits for the lock has it, and reads the ledger.
    fn lock_next(&mut self) {
        while self.database.lock.is_none() {
            let Some(settling) = self.database.waiting.pop_front() else { return };
            if self.settlings[settling].has_ended {
                continue;
            }
            if self.database.is_read_only {
                self.reply(settling, Err(LeaseTrouble::ReadOnly));
                continue;
            }
            self.database.lock = Some(settling);
            self.settlings[settling].live =
                self.processes[self.settlings[settling].process].sessions;
            let shown = self.processes.iter().map(|one| (one.id, one.shown()));
            let shown = shown.filter(|(_, sessions)| *sessions > 0).collect();
            let ledger = self.database.ledger(self.now, shown);
            self.settlings[settling].ledger = Some((self.now, ledger));
            let delay = self.latency();
            self.after(delay, Event::Read(settling));
            self.after(SILENCE, Event::ServerTimeout(settling));
        }
    }

    /// The member decides.
    pub(super) fn read(&mut self, settling: usize) {
        let Settling { process, is_awaited, number, .. } = self.settlings[settling];
        if !is_awaited || self.processes[process].is_cut_off {
            return;
        }
        let budget = self.read_budget(process);
        let this = &mut self.processes[process];
        this.control.get_or_insert(number);
        let needs = Needs { claim: this.claim, budget };
        let held = this.held();
        let (_, ledger) = self.settlings[settling].ledger.as_ref().expect("bug: sent");
        let decided = this.member.decide(ledger, &needs, &mut |_| held);
        this.saw_strays = ledger.sessions.of(this.id).unwrap_or(0).saturating_sub(1 + held);
        let Settling { decided: proposed, hides, live, .. } = &mut self.settlings[settling];
        (*proposed, *hides) = (Some(decided), held.saturating_sub(*live));
        let delay = self.latency();
        self.after(delay, Event::Commit(settling));
    }

    /// The server commits, if it has not ended the transaction.
    pub(super) fn commit(&mut self, settling: usize) {
        let Settling { process, has_ended, decided, .. } = self.settlings[settling];
        if self.processes[process].is_cut_off {
            return;
        }
        if has_ended {
            return self.reply(settling, Err(LeaseTrouble::OutcomeUnknown));
        }
        if self.database.is_read_only {
            self.close_transaction(settling);
            return self.reply(settling, Err(LeaseTrouble::ReadOnly));
        }
        let decided = decided.expect("bug: sent");
        let (read_at, ledger) = self.settlings[settling].ledger.take().expect("bug: read");
        let own = self.processes[process].id;
        let before = self.database.commit(self.now, own, &ledger, decided);
        self.audit_commit(process, &before);
        self.settlings[settling].ledger = Some((read_at, ledger));
        self.settlings[settling].counts = true;
        self.close_transaction(settling);
        if !std::mem::take(&mut self.processes[process].loses_answer) {
            self.reply(settling, Ok(()));
        }
    }

    fn reply(&mut self, settling: usize, answer: Result<(), LeaseTrouble>) {
        self.settlings[settling].answer = answer;
        let delay = self.latency();
        self.after(delay, Event::Answer(settling));
    }

    pub(super) fn answer(&mut self, settling: usize) {
        let Settling { process, answer, is_awaited, .. } = self.settlings[settling];
        if self.processes[process].is_cut_off || !is_awaited {
            return;
        }
        match answer {
            Ok(()) => self.settled(settling),
            Err(trouble) => self.failed(settling, trouble),
        }
    }

    fn settled(&mut self, settling: usize) {
        self.settlings[settling].is_awaited = false;
        let Settling { process, ref mut ledger, decided, hides, .. } = self.settlings[settling];
        let (read_at, _) = ledger.take().expect("bug: read");
        let this = &mut self.processes[process];
        this.settling = None;
        (this.counted_at, this.may_hide) = (read_at, hides);
        this.member.committed(this.clock.local(self.now));
        if decided == Some(Settlement::Leave) {
            return self.kill(process);
        }
        self.look(process);
    }

    fn failed(&mut self, settling: usize, trouble: LeaseTrouble) {
        self.settlings[settling].is_awaited = false;
        self.settlings[settling].ledger = None;
        let process = self.settlings[settling].process;
        let this = &mut self.processes[process];
        this.settling = None;
        this.member.failed(this.clock.local(self.now), trouble);
        // Its connection is not used again.
        this.control = None;
        if let Some(control) = this.control_session {
            self.stray(process, Some(control));
        }
        if !self.processes[process].is_cut_off {
            self.close_transaction(settling);
        }
        self.look(process);
    }

    pub(super) fn client_timeout(&mut self, settling: usize) {
        let Settling { is_awaited, decided, .. } = self.settlings[settling];
        if is_awaited {
            let is_unknown = decided.is_some();
            let unknown =
                if is_unknown { LeaseTrouble::OutcomeUnknown } else { LeaseTrouble::Other };
            self.failed(settling, unknown);
        }
    }

    pub(super) fn server_timeout(&mut self, settling: usize) {
        if self.database.lock != Some(settling) {
            return;
        }
        let process = self.settlings[settling].process;
        self.close_transaction(settling);
        // The session ends, too, whether or not the member still believes in it.
        let this = &mut self.processes[process];
        if this.life != Life::Ended && this.settling == Some(settling) {
            this.control_session = None;
        }
    }

    /// The server ends a transaction.
    fn close_transaction(&mut self, settling: usize) {
        self.settlings[settling].has_ended = true;
        if self.database.lock == Some(settling) {
            self.database.lock = None;
            self.lock_next();
        }
    }

    /// All transactions end, and nobody is told.
    pub(super) fn end_all(&mut self) {
        self.database.waiting.clear();
        self.database.lock = None;
        for process in 0..self.processes.len() {
            if let Some(settling) = self.processes[process].settling {
                self.settlings[settling].has_ended = true;
            }
        }
    }
}
