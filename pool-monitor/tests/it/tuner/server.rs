//! A database after the Universal Scalability Law: its sessions share it, and each that is added slows
//! down the others.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// How a server's throughput depends on how many sessions it works for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Law {
    /// Statements a second of a single session.
    pub(super) lambda: f64,
    /// What cannot be done by two at once.
    pub(super) sigma: f64,
    /// What each pair has to agree upon.
    pub(super) kappa: f64,
}

impl Law {
    /// The law whose throughput is best with `best` sessions.
    pub(super) fn best_at(best: f64, sigma: f64, lambda: f64) -> Self {
        Self { lambda, sigma, kappa: (1.0 - sigma) / (best * best) }
    }

    /// How much slower a session is with `sessions` at work than alone.
    pub(super) fn stretch(&self, sessions: f64) -> f64 {
        1.0 + self.sigma * (sessions - 1.0) + self.kappa * sessions * (sessions - 1.0)
    }

    pub(super) fn throughput(&self, sessions: f64) -> f64 {
        self.lambda * sessions / self.stretch(sessions)
    }

    /// The most it can do, by whole sessions.
    pub(super) fn peak(&self) -> f64 {
        let throughput = |sessions: u32| self.throughput(f64::from(sessions));
        (1..1000).map(throughput).fold(0.0, f64::max)
    }
}

/// The statements that it works on. Work is measured in seconds of a session that has it for itself.
pub(super) struct Server {
    pub(super) law: Law,
    /// Noise: 1 is as fast as the law says.
    pub(super) pace: f64,
    /// Work done for each session that was there all the time.
    done: f64,
    /// When `done` was brought up to date.
    at: f64,
    running: BinaryHeap<Reverse<Job>>,
    /// A migration that locks everything: nothing moves.
    pub(super) is_stopped: bool,
}

struct Job {
    finished_when_done: f64,
    checkout: usize,
}

impl Server {
    pub(super) fn new(law: Law) -> Self {
        let running = BinaryHeap::new();
        Self { law, pace: 1.0, done: 0.0, at: 0.0, running, is_stopped: false }
    }

    /// What a session gets done in a second.
    fn speed(&self) -> f64 {
        if self.is_stopped || self.running.is_empty() {
            return 0.0;
        }
        self.pace / self.law.stretch(self.running.len() as f64)
    }

    /// To be called before anything changes.
    pub(super) fn advance(&mut self, now: f64) {
        self.done += self.speed() * (now - self.at);
        self.at = now;
    }

    pub(super) fn start(&mut self, now: f64, checkout: usize, work: f64) {
        self.advance(now);
        let finished_when_done = self.done + work;
        self.running.push(Reverse(Job { finished_when_done, checkout }));
    }

    /// When the next statement will be finished if nothing else happens.
    pub(super) fn next(&self) -> f64 {
        let Some(Reverse(job)) = self.running.peek() else { return f64::INFINITY };
        let speed = self.speed();
        if speed <= 0.0 {
            return f64::INFINITY;
        }
        self.at + (job.finished_when_done - self.done).max(0.0) / speed
    }

    /// Whose statement it was.
    pub(super) fn finish(&mut self, now: f64) -> usize {
        self.advance(now);
        let Reverse(job) = self.running.pop().expect("bug: nothing is running");
        job.checkout
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.finished_when_done.total_cmp(&other.finished_when_done)
    }
}
