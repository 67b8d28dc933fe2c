//! The controller: from readings to decisions. It reads no clock and touches no pool.

use std::time::Duration;

use pool_core::runtime::Instant;

use super::decision::{Decision, Outcome, Reason, Sizes};
use super::demand::Demand;
use super::probe::{Clue, Direction, Probe};
use super::reading::{BUSY, Load, Reading};
use super::recent::{Elasticity, Noise, Recent};
use super::service::Service;
use super::trial::{PAYS, Trial, Verdict};

/// An overloaded database gets this part of the connections.
const BRAKE: f64 = 0.85;
/// A pool that braked down to this part of what it was has done enough to see what it is good for.
const BRAKED: f64 = 0.5;
/// Readings that say what braking was good for.
const AFTER_BRAKE: f64 = 4.0;
/// A server that refuses connects gets this part of them.
const REFUSED: f64 = 0.7;
/// And for so long, no more of them.
const HOLD: Duration = Duration::from_mins(1);
/// More connections that have clients wait so many times as long are in each other's way.
const LONGER: f64 = 1.3;
/// Peaks vary: a pool that shrinks to its demand keeps this many times the peak.
const HEADROOM: f64 = 1.5;
/// It shrinks if its peak is under this part of the limit.
const OVERSIZED: f64 = BUSY;

/// Finds the size of a pool by trying.
#[derive(Clone, Debug)]
pub struct Controller {
    limit: usize,
    phase: Phase,
    /// What the present limit can do.
    here: Recent,
    /// Whether the next reading is the first since the limit changed.
    is_settling: bool,
    noise: Noise,
    service: Service,
    demand: Demand,
    /// How long a connect took last.
    connect: Duration,
    /// The limit that trials have settled on, whatever less is asked for at present.
    found: usize,
    probe: Probe,
    /// Until then, the limit is not raised, since the server refused so many connects.
    hold: Instant,
    refused: u64,
}

#[derive(Clone, Debug)]
enum Phase {
    Watching,
    Trying(Trial),
    /// The trial is from before the first brake to the last limit.
    Braking {
        trial: Trial,
        /// How long the database worked for a checkout before.
        service: Duration,
    },
}

impl Controller {
    /// One that tries sizes at other times than those with other seeds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            limit: 0,
            phase: Phase::Watching,
            here: Recent::default(),
            is_settling: false,
            noise: Noise::default(),
            service: Service::default(),
            demand: Demand::default(),
            connect: Duration::ZERO,
            found: 0,
            probe: Probe::new(seed),
            hold: Instant::EPOCH,
            refused: 0,
        }
    }

    /// What to do after a control period that ended `now`. What it decides has to be in force in the next
    /// reading.
    pub fn decide(&mut self, now: Instant, reading: &Reading) -> Option<Decision> {
        self.look(now, reading);
        let imposed = self.bounds(reading).or_else(|| self.relief(reading));
        if let Some(decision) = imposed {
            self.move_to(decision.to);
            if reading.overloads > 0 {
                self.found = decision.to;
            }
            return Some(decision);
        }
        self.act(now, reading)
    }

    /// What would be done, where nothing may be tried: [`Reason::is_trial`] says of which nobody can know
    /// what comes of it. The limit in the next reading is the same as before.
    pub fn recommend(&mut self, now: Instant, reading: &Reading) -> Decision {
        self.look(now, reading);
        let from = self.limit;
        let decided = self.bounds(reading).or_else(|| match reading.load() {
            _ if now < self.hold => Some(self.fewer_than_refused(reading)),
            Some(Load::Light) => self.demand(reading),
            Some(_) if self.service.is_overloaded() => Some(self.brake(reading)),
            None | Some(Load::Busy) => None,
            Some(Load::Felt | Load::Standing) => {
                let to = self.step(Direction::More, from, reading)?;
                Some(self.attempt(reading, to))
            }
        });
        let utilisation = reading.utilisation();
        decided.unwrap_or(Decision { from, to: from, reason: Reason::Enough { utilisation } })
    }

    /// The sizes that belong to the limit and to the last half minute's use.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let peak = self.demand.peak().min(self.limit);
        let beyond = (peak as f64 - self.demand.mean()).max(0.0).ceil() as usize;
        let max_idle = peak.max(1).min(self.limit);
        Sizes { max_open: self.limit, max_idle, min_idle: beyond.min(max_idle) }
    }

    fn look(&mut self, now: Instant, reading: &Reading) {
        self.demand.push(now, reading);
        self.service.push(reading);
        self.connect = reading.mean_connect.unwrap_or(self.connect);
        if self.limit == 0 {
            self.probe.begin(now);
        }
        if reading.overloads > 0 {
            self.hold = now.after(HOLD);
            self.refused = reading.overloads;
        }
        if reading.limit != self.limit {
            self.move_to(reading.limit);
        }
    }

    /// Another limit is in force from now on: nothing is known of it.
    fn move_to(&mut self, limit: usize) {
        self.limit = limit;
        self.phase = Phase::Watching;
        self.here.clear();
        self.is_settling = true;
        self.noise.pause();
        self.service.restart();
    }

    fn bounds(&self, reading: &Reading) -> Option<Decision> {
        let (from, to) = (self.limit, reading.allowed(self.limit));
        let (least, most) = (reading.least, reading.most);
        (from != to).then_some(Decision { from, to, reason: Reason::Bounds { least, most } })
    }

    /// The server has too many connections.
    fn relief(&self, reading: &Reading) -> Option<Decision> {
        let decision = self.fewer_than_refused(reading);
        (reading.overloads > 0 && decision.to != decision.from).then_some(decision)
    }

    fn fewer_than_refused(&self, reading: &Reading) -> Decision {
        let from = self.limit;
        let to = reading.allowed((from as f64 * REFUSED) as usize);
        Decision { from, to, reason: Reason::Refused { overloads: self.refused } }
    }

    fn act(&mut self, now: Instant, reading: &Reading) -> Option<Decision> {
        let load = reading.load();
        let mut phase = std::mem::replace(&mut self.phase, Phase::Watching);
        let decision = match &mut phase {
            Phase::Watching => return self.watch(now, reading, load?),
            Phase::Trying(trial) => {
                self.follow(now, reading, trial, load);
                let verdict = trial.verdict(now, &self.here, &self.noise, self.connect);
                verdict.map(|verdict| self.conclude(now, trial, verdict))
            }
            Phase::Braking { trial, service } => {
                self.follow(now, reading, trial, load);
                let (trial, service) = (trial.clone(), *service);
                return self.brake_on(now, reading, trial, service);
            }
        };
        if decision.is_none() {
            self.phase = phase;
        }
        decision
    }

    /// What the size does that is tried.
    fn follow(&mut self, now: Instant, reading: &Reading, trial: &mut Trial, load: Option<Load>) {
        let Some(load) = load else { return };
        if !std::mem::take(&mut self.is_settling) {
            trial.push(load);
            self.measure(now, reading, load);
        }
    }

    fn watch(&mut self, now: Instant, reading: &Reading, load: Load) -> Option<Decision> {
        if load == Load::Light {
            self.here.clear();
            self.noise.pause();
            let decision = self.demand(reading)?;
            self.move_to(decision.to);
            return Some(decision);
        }
        if std::mem::take(&mut self.is_settling) {
            return None;
        }
        self.measure(now, reading, load);
        let enough = self.probe.before_trial();
        let lasts = |load: Load| self.here.under(load).readings >= enough;
        let (is_busy, is_felt, stands) =
            (lasts(Load::Busy), lasts(Load::Felt), lasts(Load::Standing));
        let may_grow = is_felt && now >= self.hold;
        if may_grow && self.limit < reading.allowed(self.found) {
            let (from, to) = (self.limit, reading.allowed(self.found));
            self.move_to(to);
            return Some(Decision { from, to, reason: Reason::Returned });
        }
        if self.service.is_overloaded() && is_busy {
            return self.begin_brake(now, reading);
        }
        if !self.probe.is_due(now) || self.service.is_slow() {
            return None;
        }
        let load = if stands { Load::Standing } else { Load::Felt };
        match self.probe.direction {
            Direction::Fewer if is_felt => self.begin_trial(now, reading, Direction::Fewer, load),
            _ if may_grow => self.begin_trial(now, reading, Direction::More, load),
            // A pool that was never seen without much load may be far too large for its database, and
            // yet have no queue: all its clients are in the database.
            _ if is_busy && !self.service.is_known() => {
                self.begin_trial(now, reading, Direction::Fewer, Load::Busy)
            }
            _ => None,
        }
    }

    fn measure(&mut self, now: Instant, reading: &Reading, load: Load) {
        if self.here.push(reading, load, &mut self.noise) {
            self.probe.start_over(now);
        }
    }

    /// Far fewer than half are needed.
    fn demand(&self, reading: &Reading) -> Option<Decision> {
        let (from, peak) = (self.limit, self.demand.peak());
        if !self.demand.is_known() || peak as f64 >= from as f64 * OVERSIZED {
            return None;
        }
        let to = reading.allowed((peak as f64 * HEADROOM).ceil() as usize);
        (to < from).then_some(Decision { from, to, reason: Reason::Demand { peak } })
    }

    /// The next size in a direction, if there is one.
    fn step(&self, direction: Direction, used: usize, reading: &Reading) -> Option<usize> {
        let to = self.probe.step(direction, used, &self.noise, self.service.room());
        let to = reading.allowed(to);
        let is_step = match direction {
            Direction::More => to > self.limit,
            Direction::Fewer => to < used,
        };
        is_step.then_some(to)
    }

    fn begin_trial(
        &mut self,
        now: Instant,
        reading: &Reading,
        direction: Direction,
        load: Load,
    ) -> Option<Decision> {
        self.probe.point(direction);
        // Where the limit does not limit, fewer than are in use are tried: others are no trial.
        let used = match load {
            Load::Busy => (reading.mean_in_use.round() as usize).clamp(1, self.limit),
            _ => self.limit,
        };
        let Some(to) = self.step(direction, used, reading) else {
            self.probe.turn(now);
            return None;
        };
        let decision = self.attempt(reading, to);
        let trial = Trial { used, ..Trial::new(now, decision.from, to, self.here.clone(), load) };
        self.move_to(to);
        self.phase = Phase::Trying(trial);
        Some(decision)
    }

    fn attempt(&self, reading: &Reading, to: usize) -> Decision {
        let from = self.limit;
        let (utilisation, rate) = (reading.utilisation(), reading.rate());
        let mean_wait = reading.mean_wait.unwrap_or_default();
        let reason = if to > from {
            Reason::TryMore { utilisation, mean_wait, rate }
        } else {
            Reason::TryFewer { utilisation, rate }
        };
        Decision { from, to, reason }
    }

    fn conclude(&mut self, now: Instant, trial: &Trial, verdict: Verdict) -> Decision {
        let (from, to) = (trial.from, trial.to);
        match verdict {
            Verdict::Kept(elasticity) => {
                let reason = Reason::Kept(self.outcome(trial, elasticity));
                self.keep(trial);
                self.probe.kept(now, trial, elasticity);
                Decision { from: to, to, reason }
            }
            Verdict::Shorter(before, after) => {
                self.keep(trial);
                self.probe.enough();
                Decision { from: to, to, reason: Reason::Shorter { before, after } }
            }
            Verdict::QueueGone => {
                self.keep(trial);
                // If waits come back, they are not for want of fewer.
                self.probe.point(Direction::More);
                self.probe.enough();
                self.move_to(to);
                Decision { from: to, to, reason: Reason::QueueGone }
            }
            Verdict::Failed(elasticity) => {
                let reason = Reason::TakenBack(self.outcome(trial, elasticity));
                if !trial.is_more() {
                    self.service.know();
                }
                self.probe.failed(now, trial, Some(Clue::Throughput(elasticity)));
                self.return_to(from, trial);
                Decision { from: to, to: from, reason }
            }
            Verdict::NoShorter(before, after) => {
                if !trial.is_more() {
                    self.service.know();
                }
                let is_longer = !trial.is_more() || after > before.mul_f64(LONGER);
                self.probe.failed(now, trial, Some(Clue::Response { is_longer }));
                self.return_to(from, trial);
                Decision { from: to, to: from, reason: Reason::NoShorter { before, after } }
            }
            Verdict::Unanswered(waited) => {
                self.probe.failed(now, trial, None);
                self.return_to(from, trial);
                Decision { from: to, to: from, reason: Reason::Unanswered { waited } }
            }
        }
    }

    fn keep(&mut self, trial: &Trial) {
        self.found = trial.to;
        if trial.is_more() {
            self.service.know();
        }
    }

    /// The limit is what it was before a trial, and so is what is known of it.
    fn return_to(&mut self, limit: usize, trial: &Trial) {
        self.move_to(limit);
        self.here = trial.before.clone();
    }

    fn brake(&self, reading: &Reading) -> Decision {
        let from = self.limit;
        let to = reading.allowed((from as f64 * BRAKE) as usize);
        let (service, usual) = (self.service.now(), self.service.usual());
        Decision { from, to, reason: Reason::Slow { service, usual } }
    }

    /// Fewer connections for a database that is overloaded.
    fn begin_brake(&mut self, now: Instant, reading: &Reading) -> Option<Decision> {
        let decision = self.brake(reading);
        let Decision { from, to, .. } = decision;
        (from != to).then(|| {
            let (service, before) = (self.service.now(), self.here.clone());
            self.move_to(to);
            let trial = Trial::new(now, from, to, before, Load::Busy);
            self.phase = Phase::Braking { trial, service };
            decision
        })
    }

    /// Brakes further, or says what it was good for.
    fn brake_on(
        &mut self,
        now: Instant,
        reading: &Reading,
        trial: Trial,
        service: Duration,
    ) -> Option<Decision> {
        if trial.is_calm() {
            self.probe.braked(now, false);
            return Some(self.keep_brake(Reason::QueueGone));
        }
        let is_far = self.limit as f64 <= trial.from as f64 * BRAKED;
        let further = self.brake(reading);
        if self.service.is_overloaded() && !is_far && further.to != further.from {
            self.move_to(further.to);
            self.phase = Phase::Braking { trial: Trial { to: further.to, ..trial }, service };
            return Some(further);
        }
        if trial.samples_after(&self.here).readings < AFTER_BRAKE {
            self.phase = Phase::Braking { trial, service };
            return None;
        }
        let elasticity = trial.elasticity(&self.here, &self.noise);
        if elasticity.value < PAYS {
            self.probe.braked(now, elasticity.is_negative());
            return Some(self.keep_brake(Reason::Kept(self.outcome(&trial, elasticity))));
        }
        let (from, to) = (self.limit, trial.from);
        let reason = Reason::NotTheCause(self.outcome(&trial, elasticity));
        self.return_to(to, &trial);
        self.service.learn(service);
        Some(Decision { from, to, reason })
    }

    fn keep_brake(&mut self, reason: Reason) -> Decision {
        self.found = self.limit;
        Decision { from: self.limit, to: self.limit, reason }
    }

    fn outcome(&self, trial: &Trial, elasticity: Elasticity) -> Outcome {
        Outcome {
            before: trial.samples_before().rate,
            after: trial.samples_after(&self.here).rate,
            elasticity: elasticity.value,
        }
    }
}
