//! A size that is tried, and when it is clear what came of it.

use std::time::Duration;

use pool_core::runtime::Instant;

use super::reading::Load;
use super::recent::{Elasticity, Noise, Recent, Samples};

/// More connections are kept if throughput grows by at least this many percent for each percent of them.
pub(super) const PAYS: f64 = 0.15;
/// Fewer are kept if it shrinks by less than this. The gap between both keeps sizes from swinging.
pub(super) const PAYS_LITTLE: f64 = 0.05;
/// Where no queue shows that the limit is what limits, fewer are kept only if throughput grows by it.
const HARMS: f64 = -0.1;
/// An answer is clear if it is on its side by this many standard deviations.
const CLEAR: f64 = 2.0;
/// And near enough if throughput is known as well as this: a size at the border is as good as its
/// neighbour.
const NEAR_ENOUGH: f64 = 0.015;
/// One reading may be anything.
const FEWEST: f64 = 2.0;
/// Where waits are felt and no queue stands, another size is kept if clients wait less than this part of what
/// they did: a queue that comes and goes may be half as long by itself for a second, but not for longer.
const SHORTER: f64 = 0.8;
/// Readings that tell.
const FELT: f64 = 5.0;
/// Readings without a queue that say the queue is gone.
const CALM: u32 = 3;
/// A trial ends after this, beside what its connects take.
const LONGEST: Duration = Duration::from_secs(30);
/// Connects are made a few at a time; this many times what one takes is enough for all.
const CONNECTS: u32 = 4;

/// A size that is tried.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) from: usize,
    pub(super) to: usize,
    /// How many were in use before.
    pub(super) used: usize,
    /// What was seen at the size before.
    pub(super) before: Recent,
    /// The load under which both are compared.
    pub(super) load: Load,
    pub(super) began: Instant,
    pub(super) calm: u32,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Kept(Elasticity),
    Failed(Elasticity),
    /// Clients wait less long: before, and now.
    Shorter(Duration, Duration),
    NoShorter(Duration, Duration),
    QueueGone,
    Unanswered(Duration),
}

impl Trial {
    pub(super) fn new(now: Instant, from: usize, to: usize, before: Recent, load: Load) -> Self {
        Self { from, to, used: from, before, load, began: now, calm: 0 }
    }

    pub(super) fn is_more(&self) -> bool {
        self.to > self.from
    }

    /// A reading with the new size.
    pub(super) fn push(&mut self, load: Load) {
        self.calm = if load < self.load { self.calm + 1 } else { self.calm.saturating_sub(1) };
    }

    /// Whether the queue is gone.
    pub(super) fn is_calm(&self) -> bool {
        self.calm >= CALM
    }

    /// Whether the limit certainly was what limited.
    pub(super) fn stood(&self) -> bool {
        self.load == Load::Standing
    }

    pub(super) fn samples_before(&self) -> Samples {
        self.before.under(self.load)
    }

    /// Without the queue that there was, what is completed is what is asked for: that cannot be compared.
    pub(super) fn samples_after(&self, here: &Recent) -> Samples {
        here.under(self.load)
    }

    /// `None` as long as it is not clear.
    pub(super) fn verdict(
        &self,
        now: Instant,
        here: &Recent,
        noise: &Noise,
        connect: Duration,
    ) -> Option<Verdict> {
        if self.is_calm() {
            return Some(self.calm(here, noise));
        }
        let lasted = now.since(self.began);
        let is_over = lasted >= LONGEST + CONNECTS * connect;
        let after = self.samples_after(here);
        if after.readings < FEWEST {
            return is_over.then_some(Verdict::Unanswered(lasted));
        }
        let elasticity = self.elasticity(here, noise);
        let border = match self.load {
            _ if self.is_more() => PAYS,
            Load::Standing => PAYS_LITTLE,
            _ => HARMS,
        };
        let distance = (elasticity.value - border).abs();
        let steps = (self.to as f64 / self.used as f64).ln().abs();
        let is_near_enough = elasticity.doubt * steps <= NEAR_ENOUGH;
        let is_clear = distance >= CLEAR * elasticity.doubt || is_near_enough;
        let pays = elasticity.value >= border;
        let is_kept = pays == self.is_more();
        match self.load {
            _ if is_clear && is_kept => Some(Verdict::Kept(elasticity)),
            // A pool that keeps up with its load completes what is asked for, whatever its size: what
            // differs is how long clients wait.
            Load::Felt => (after.readings >= FELT).then(|| self.by_response(after)),
            _ if !is_clear && !is_over => None,
            _ if is_kept => Some(Verdict::Kept(elasticity)),
            _ => Some(Verdict::Failed(elasticity)),
        }
    }

    /// Acquires find connections at once.
    fn calm(&self, here: &Recent, noise: &Noise) -> Verdict {
        let (before, after) = (self.samples_before(), here.under(Load::Light));
        if self.is_more() {
            // Clients may wait in the database instead.
            let is_longer = after.response > before.response;
            let (before, after) = (seconds(before.response), seconds(after.response));
            return if is_longer { Verdict::NoShorter(before, after) } else { Verdict::QueueGone };
        }
        let elasticity = Elasticity::between((self.used, before), (self.to, after), noise);
        if elasticity.is_negative() { Verdict::Kept(elasticity) } else { Verdict::QueueGone }
    }

    fn by_response(&self, after: Samples) -> Verdict {
        let (before, after) = (self.samples_before().response, after.response);
        let is_shorter = after < SHORTER * before;
        let (before, after) = (seconds(before), seconds(after));
        if is_shorter { Verdict::Shorter(before, after) } else { Verdict::NoShorter(before, after) }
    }

    pub(super) fn elasticity(&self, here: &Recent, noise: &Noise) -> Elasticity {
        let (before, after) = (self.samples_before(), self.samples_after(here));
        Elasticity::between((self.used, before), (self.to, after), noise)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
