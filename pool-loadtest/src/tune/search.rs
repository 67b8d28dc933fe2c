//! Which value to try next: doubling, then bisecting, then a longer run to be sure.
//!
//! What comes next follows from what has been seen, and from nothing else.

use std::collections::BTreeMap;

use crate::objective::Objective;

/// What a longer run must show for a value to be within 5 % of the best: the best of several runs is
/// in part the luckiest, and runs differ by a percent or two.
const NEAR_BEST: f64 = 0.955;
/// What one short run must show for a value to be worth a longer one.
const WORTH_VERIFYING: f64 = 0.98;
/// A throughput above this multiple of the best has risen by more than runs differ.
const RISEN: f64 = 1.02;
/// Two values between which no other is worth a run: the larger is at most so many times the smaller.
const NEAR: f64 = 1.25;
/// How much longer a verifying run is than another.
pub(crate) const VERIFY_FACTOR: u32 = 2;
/// Verifying runs at most: each that disappoints sends the search to a larger value.
const MOST_VERIFIED: usize = 4;
/// Short runs that a search may take for each value that doubling has: half of the three that a sweep
/// gives each.
const BUDGET: f64 = 1.5;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The smallest value whose throughput is within 5 % of the best.
    BestThroughput,
    /// The smallest value whose runs meet the conditions.
    Meet,
}

impl Goal {
    pub(crate) fn of(objective: &Objective) -> Self {
        if objective.is_best_throughput() { Self::BestThroughput } else { Self::Meet }
    }
}

/// What a run with one value found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) throughput: f64,
    /// Whether the run met the conditions; for the best throughput, whether its operations
    /// succeeded.
    pub(crate) met: bool,
}

/// A run to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) value: usize,
    /// Whether it is to be longer, to be sure.
    pub(crate) verifies: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Ask(Ask),
    Done(Settled),
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// With a value that a longer run has confirmed.
    Found {
        value: usize,
        /// Whether no longer run disappointed on the way.
        at_once: bool,
    },
    /// No value is enough; the best of them, if anything was done with any.
    Missed { best: Option<usize> },
    /// Longer runs disappointed too often to go on; the best value.
    Unsteady { best: Option<usize> },
}

/// A search among the values from 1 to `most`.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    most: usize,
    goal: Goal,
    seen: BTreeMap<usize, Seen>,
}

/// What was seen of a value.
#[derive(Clone, Debug, Default)]
struct Seen {
    short: Vec<Outcome>,
    long: Vec<Outcome>,
}

/// What a value is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Enough by a short run.
    Promising,
    /// Its longer run disappointed, the only one so far.
    Doubtful,
    /// Enough by its latest longer run.
    Confirmed,
    Missing,
}

impl Seen {
    /// Its mean throughput, longer runs counting for more; 0 if a run did not meet the conditions.
    fn throughput(&self) -> f64 {
        let weights = [(&self.short, 1.0), (&self.long, f64::from(VERIFY_FACTOR))];
        let (mut sum, mut weight) = (0.0, 0.0);
        for (outcomes, each) in weights {
            for outcome in outcomes {
                sum += each * if outcome.met { outcome.throughput } else { 0.0 };
                weight += each;
            }
        }
        if weight > 0.0 { sum / weight } else { 0.0 }
    }

    /// How it stands to a bound.
    fn met(&self) -> Standing {
        let met = |outcomes: &[Outcome]| outcomes.iter().filter(|outcome| outcome.met).count();
        match (self.long.len(), met(&self.long)) {
            (0, _) if met(&self.short) == self.short.len() => Standing::Promising,
            (1, 0) => Standing::Doubtful,
            // Of two longer runs, the second decides; the confidence is low then.
            (0, _) | (_, 0) => Standing::Missing,
            _ => Standing::Confirmed,
        }
    }

    /// How it stands to the best throughput.
    fn near(&self, best: f64) -> Standing {
        let share = self.throughput() / best;
        match self.long.is_empty() {
            true if share >= WORTH_VERIFYING => Standing::Promising,
            false if share >= NEAR_BEST => Standing::Confirmed,
            _ => Standing::Missing,
        }
    }
}

impl Search {
    pub(crate) fn new(goal: Goal, most: usize) -> Self {
        Self { most: most.max(1), goal, seen: BTreeMap::new() }
    }

    /// What comes next. The same until the outcome of a run is told.
    pub(crate) fn next(&self) -> Next {
        let asked = |value, verifies| Next::Ask(Ask { value, verifies });
        if let Some(value) = self.doubled() {
            return asked(value, false);
        }
        let verified = self.verified();
        // A smaller value that looks as good by now would cost another longer run, and is as often too
        // small.
        if let Some(value) = self.first(|standing| standing == Standing::Confirmed) {
            return Next::Done(Settled::Found { value, at_once: verified == 1 });
        }
        let Some(candidate) = self.first(|standing| standing != Standing::Missing) else {
            return Next::Done(Settled::Missed { best: self.best() });
        };
        match self.between(candidate) {
            Some(value) => asked(value, false),
            None if verified < MOST_VERIFIED => asked(candidate, true),
            None => Next::Done(Settled::Unsteady { best: self.best() }),
        }
    }

    /// Tells what a run with this value found.
    pub(crate) fn tell(&mut self, ask: Ask, outcome: Outcome) {
        let seen = self.seen.entry(ask.value).or_default();
        if ask.verifies { &mut seen.long } else { &mut seen.short }.push(outcome);
    }

    /// The largest value that was tried below this one.
    pub(crate) fn below(&self, value: usize) -> Option<usize> {
        self.seen.range(..value).next_back().map(|(below, _)| *below)
    }

    /// The mean throughput with this value.
    pub(crate) fn throughput(&self, value: usize) -> f64 {
        self.seen.get(&value).map_or(0.0, Seen::throughput)
    }

    /// By how much runs with this value differ from each other, as a share of the fastest. Large if
    /// something else is at work on the machine now and then.
    pub(crate) fn disagreement(&self, value: usize) -> f64 {
        let Some(seen) = self.seen.get(&value) else { return 0.0 };
        let all = || seen.short.iter().chain(&seen.long).map(|outcome| outcome.throughput);
        let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
        if most > 0.0 { 1.0 - least / most } else { 0.0 }
    }

    /// The value with the best throughput, if there is any.
    pub(crate) fn best(&self) -> Option<usize> {
        let throughput = |seen: &Seen| {
            // Conditions that are missed do not make a value worse here.
            let all = seen.short.iter().chain(&seen.long);
            all.map(|outcome| outcome.throughput).fold(0.0, f64::max)
        };
        let figure = |seen: &Seen| match self.goal {
            Goal::BestThroughput => seen.throughput(),
            Goal::Meet => throughput(seen),
        };
        let positive = self.seen.iter().filter(|(_, seen)| figure(seen) > 0.0);
        let best = positive.max_by(|(_, a), (_, b)| figure(a).total_cmp(&figure(b)));
        best.map(|(value, _)| *value)
    }

    /// The next value of the doubling, unless that has come to its end.
    fn doubled(&self) -> Option<usize> {
        if self.goal == Goal::BestThroughput && self.verified() > 0 {
            return None;
        }
        let (mut flat, mut best) = (0, 0.0_f64);
        for value in self.doubling() {
            let Some(seen) = self.seen.get(&value) else { return Some(value) };
            let throughput = seen.throughput();
            flat = if throughput < RISEN * best { flat + 1 } else { 0 };
            best = best.max(throughput);
            let enough = match self.goal {
                Goal::BestThroughput => flat == 2,
                Goal::Meet => self.standing(value) != Standing::Missing,
            };
            if enough {
                return None;
            }
        }
        None
    }

    /// Longer runs so far.
    fn verified(&self) -> usize {
        self.seen.values().map(|seen| seen.long.len()).sum()
    }

    /// 1, 2, 4 and so on; the largest value last.
    fn doubling(&self) -> impl Iterator<Item = usize> + use<> {
        let most = self.most;
        let powers = std::iter::successors(Some(1_usize), |value| value.checked_mul(2));
        powers.take_while(move |value| *value < most).chain([most])
    }

    fn standing(&self, value: usize) -> Standing {
        let Some(seen) = self.seen.get(&value) else { return Standing::Missing };
        match self.goal {
            Goal::Meet => seen.met(),
            Goal::BestThroughput => {
                let best = self.seen.values().map(Seen::throughput).fold(0.0, f64::max);
                if best > 0.0 { seen.near(best) } else { Standing::Missing }
            }
        }
    }

    /// The smallest value of such a standing.
    fn first(&self, is_wanted: impl Fn(Standing) -> bool) -> Option<usize> {
        self.seen.keys().copied().find(|value| is_wanted(self.standing(*value)))
    }

    /// A value worth trying before the candidate is verified.
    fn between(&self, candidate: usize) -> Option<usize> {
        let runs: usize = self.seen.values().map(|seen| seen.short.len()).sum();
        let budget = BUDGET * self.doubling().count() as f64 - f64::from(VERIFY_FACTOR);
        if self.verified() > 0 || runs as f64 + 1.0 > budget {
            return None;
        }
        let below = self.below(candidate);
        let above = self.seen.range(candidate + 1..).next().map(|(above, _)| *above);
        let is_best = self.goal == Goal::BestThroughput && self.best() == Some(candidate);
        let higher = |a: Option<usize>, b: Option<usize>| {
            let throughput = |value: Option<usize>| value.map_or(0.0, |it| self.throughput(it));
            throughput(a) > throughput(b)
        };
        // A peak that stands out may be higher on its way up or down.
        if is_best
            && higher(above, below)
            && let Some(middle) = above.and_then(|above| middle(candidate, above))
        {
            return Some(middle);
        }
        middle(below?, candidate)
    }
}

/// The geometric middle of two values that are far enough from each other.
fn middle(low: usize, high: usize) -> Option<usize> {
    let middle = ((low as f64 * high as f64).sqrt().round()) as usize;
    let is_apart = high as f64 > low as f64 * NEAR;
    (is_apart && low < middle && middle < high).then_some(middle)
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
