//! Which size is tried next, and when.

use std::time::Duration;

use fastrand::Rng;
use pool_core::runtime::Instant;

use super::recent::{Elasticity, Noise};
use super::trial::{PAYS, PAYS_LITTLE, Trial};

/// One step up, and one down; each success makes the next larger.
const UP: f64 = 0.15;
const DOWN: f64 = 0.10;
/// No step does more than double a pool, or takes more than this from it.
const MOST_UP: f64 = 1.0;
const MOST_DOWN: f64 = 0.4;
/// A step is at first this many times the smallest one, which is for those who are near already.
const FIRST_BOOST: u32 = 2;
const MOST_BOOST: u32 = 8;
/// Noise that the smallest step can be told from; in more of it, steps are larger.
const LITTLE_NOISE: f64 = 0.05;
const MOST_BOOST_BY_NOISE: f64 = 4.0;
/// Readings before a trial: a queue that stands for less is gone by itself.
const BEFORE_TRIAL: f64 = 3.0;
/// Small steps have small effects: what was before has to be known as well as what comes of it.
const BEFORE_SMALL_TRIAL: f64 = 8.0;
/// Those who start together make their first trial within this.
const PHASES: Duration = Duration::from_secs(3);
/// After a trial that failed, the next is made after this; after each further one, twice as late.
const FIRST_INTERVAL: Duration = Duration::from_secs(10);
const LAST_INTERVAL: Duration = Duration::from_mins(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    More,
    Fewer,
}

impl Direction {
    const fn opposite(self) -> Self {
        match self {
            Self::More => Self::Fewer,
            Self::Fewer => Self::More,
        }
    }
}

/// What a size that is taken back says of the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clue {
    Throughput(Elasticity),
    Response { is_longer: bool },
}

/// Where trials lead to.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    random: Rng,
    /// Where the last trial pointed to.
    pub(super) direction: Direction,
    boost: u32,
    interval: Duration,
    next: Instant,
    /// Up to this size, each connection was seen to pay.
    paid: usize,
}

impl Probe {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            direction: Direction::More,
            boost: FIRST_BOOST,
            interval: FIRST_INTERVAL,
            next: Instant::EPOCH,
            paid: 0,
        }
    }

    /// Programs that start together do not try together.
    pub(super) fn begin(&mut self, now: Instant) {
        self.next = now.after(PHASES.mul_f64(self.random.f64()));
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Readings that it takes before a trial.
    pub(super) const fn before_trial(&self) -> f64 {
        if self.boost > 1 { BEFORE_TRIAL } else { BEFORE_SMALL_TRIAL }
    }

    /// The next size in a direction, seen from one that is used. The database has `room` for so many times
    /// as many, if each of them slows it down: large steps are not to overload it.
    pub(super) fn step(
        &self,
        direction: Direction,
        used: usize,
        noise: &Noise,
        room: f64,
    ) -> usize {
        let by_noise = (noise.deviation() / LITTLE_NOISE).min(MOST_BOOST_BY_NOISE);
        let boost = f64::from(self.boost).max(by_noise);
        match direction {
            Direction::More => {
                let to = used as f64 * (1.0 + (UP * boost).min(MOST_UP).min(room - 1.0).max(UP));
                (to.round() as usize).max(used.saturating_add(1))
            }
            Direction::Fewer => {
                let to = used as f64 * (1.0 - (DOWN * boost).min(MOST_DOWN));
                (to.round() as usize).min(used.saturating_sub(1)).max(self.paid + 1)
            }
        }
    }

    /// The next trial is in this direction. What made steps large is not known of the other one.
    pub(super) fn point(&mut self, direction: Direction) {
        if self.direction != direction {
            self.direction = direction;
            self.boost = 1;
        }
    }

    /// There is no size in this direction.
    pub(super) fn turn(&mut self, now: Instant) {
        self.direction = self.direction.opposite();
        self.boost = 1;
        self.wait_longer(now);
    }

    /// What was tried is kept: the next step is made at once, and is a larger one.
    pub(super) fn kept(&mut self, now: Instant, trial: &Trial, elasticity: Elasticity) {
        if trial.is_more() {
            self.paid = trial.from;
        }
        // Fewer that do more are far beyond the best size, and the law is steep there.
        let is_far = elasticity.is_negative();
        // A small step may have been luck: those who are near are not to begin all over again.
        self.interval = if self.boost > 1 { FIRST_INTERVAL } else { self.interval / 2 };
        self.interval = self.interval.max(FIRST_INTERVAL);
        self.boost = if is_far { MOST_BOOST } else { (self.boost * 2).min(MOST_BOOST) };
        self.next = now;
    }

    /// It does for what is asked for: there is no hurry to try another one.
    pub(super) fn enough(&mut self) {
        self.boost = 1;
    }

    /// What was tried is taken back.
    pub(super) fn failed(&mut self, now: Instant, trial: &Trial, clue: Option<Clue>) {
        if self.boost > 1 {
            // It was a large step that failed: a small one may not.
            self.boost = 1;
            self.next = now;
            return;
        }
        let is_first = self.interval == FIRST_INTERVAL;
        self.wait_longer(now);
        // It says where to go instead, and at first it is believed at once.
        let points_back = match clue {
            None => false,
            Some(Clue::Response { is_longer }) => is_longer,
            Some(Clue::Throughput(elasticity)) => match self.direction {
                Direction::More if trial.stood() => elasticity.value < PAYS_LITTLE,
                Direction::More => elasticity.is_negative(),
                Direction::Fewer if elasticity.value >= PAYS => {
                    self.paid = trial.to;
                    true
                }
                Direction::Fewer => !trial.stood(),
            },
        };
        if points_back {
            self.direction = self.direction.opposite();
            if is_first {
                self.next = now;
            }
        }
    }

    /// A brake was of use: it may be that still fewer are better.
    pub(super) fn braked(&mut self, now: Instant, is_far: bool) {
        self.direction = Direction::Fewer;
        self.boost = if is_far { MOST_BOOST } else { 1 };
        self.start_over(now);
    }

    /// Nothing is known any more.
    pub(super) fn start_over(&mut self, now: Instant) {
        self.paid = 0;
        self.interval = FIRST_INTERVAL;
        self.next = now;
    }

    /// The next trial is made later, and the one after it later still.
    fn wait_longer(&mut self, now: Instant) {
        let part = 0.75 + 0.5 * self.random.f64();
        self.next = now.after(self.interval.mul_f64(part));
        self.interval = (2 * self.interval).min(LAST_INTERVAL);
        if self.interval == LAST_INTERVAL {
            // Long ago.
            self.paid = 0;
        }
    }
}
