//! A pool as far as its size matters: it opens on demand, hands out first in, first out, and closes what
//! comes back above its limit.

use std::collections::VecDeque;
use std::time::Duration;

use pool_monitor::tuner::Reading;

/// Connects under way at once, as in the engine.
const MAX_OPENING: usize = 8;

pub(super) struct Pool {
    pub(super) limit: usize,
    pub(super) idle: usize,
    pub(super) in_use: usize,
    pub(super) opening: usize,
    /// When each of those who wait came.
    pub(super) waiting: VecDeque<f64>,
    counted: Counted,
}

/// What was counted since the reading before.
#[derive(Default)]
struct Counted {
    began: f64,
    looked: f64,
    in_use: f64,
    peak_in_use: usize,
    smallest_wait: Option<f64>,
    waits: u64,
    waited: f64,
    completed: u64,
    held: f64,
    busy: f64,
    overloads: u64,
    connects: u64,
    connecting: f64,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            idle: 0,
            in_use: 0,
            opening: 0,
            waiting: VecDeque::new(),
            counted: Counted::default(),
        }
    }

    /// Connections that are open or being opened.
    pub(super) fn connections(&self) -> usize {
        self.idle + self.in_use + self.opening
    }

    /// Whether a connect is to be started.
    pub(super) fn wants_to_open(&self) -> bool {
        self.opening < MAX_OPENING.min(self.waiting.len()) && self.connections() < self.limit
    }

    /// To be called before `in_use` changes.
    fn look(&mut self, now: f64) {
        self.counted.in_use += self.in_use as f64 * (now - self.counted.looked);
        self.counted.looked = now;
    }

    pub(super) fn lend(&mut self, now: f64, waited: f64) {
        self.look(now);
        self.in_use += 1;
        self.counted.peak_in_use = self.counted.peak_in_use.max(self.in_use);
        let smallest = self.counted.smallest_wait.unwrap_or(f64::INFINITY);
        self.counted.smallest_wait = Some(smallest.min(waited));
        self.counted.waits += 1;
        self.counted.waited += waited;
    }

    pub(super) fn take_back(&mut self, now: f64, held: f64, busy: f64) {
        self.look(now);
        self.in_use -= 1;
        self.counted.completed += 1;
        self.counted.held += held;
        self.counted.busy += busy;
        if self.connections() < self.limit {
            self.idle += 1;
        }
    }

    pub(super) fn opened(&mut self, took: f64) {
        self.opening -= 1;
        self.idle += 1;
        self.counted.connects += 1;
        self.counted.connecting += took;
    }

    pub(super) fn refused(&mut self) {
        self.counted.overloads += 1;
    }

    pub(super) fn resize(&mut self, limit: usize) {
        self.limit = limit;
        let surplus = self.connections().saturating_sub(limit);
        self.idle -= surplus.min(self.idle);
    }

    /// What a control period looked like; the next one begins.
    pub(super) fn read(&mut self, now: f64, least: usize, most: usize) -> Reading {
        self.look(now);
        let counted = std::mem::take(&mut self.counted);
        self.counted.began = now;
        self.counted.looked = now;
        self.counted.peak_in_use = self.in_use;
        let span = now - counted.began;
        let mean =
            |sum: f64, count: u64| (count > 0).then(|| Duration::from_secs_f64(sum / count as f64));
        Reading {
            span: Duration::from_secs_f64(span),
            limit: self.limit,
            mean_in_use: counted.in_use / span,
            peak_in_use: counted.peak_in_use,
            waiting: self.waiting.len(),
            smallest_wait: counted.smallest_wait.map(Duration::from_secs_f64),
            mean_wait: mean(counted.waited, counted.waits),
            completed: counted.completed,
            mean_held: mean(counted.held, counted.completed),
            mean_busy: mean(counted.busy, counted.completed),
            overloads: counted.overloads,
            mean_connect: mean(counted.connecting, counted.connects),
            least,
            most,
        }
    }
}
