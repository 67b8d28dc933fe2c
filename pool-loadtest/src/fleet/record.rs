//! What is kept of a fleet while it runs: each member's story, and how all were at points in time.
//!
//! Times are seconds since the fleet began; whoever keeps the record reads the clock.

use std::collections::VecDeque;

use pool_monitor::fleet::Claim;

use super::fairness::{Party, deviation};
use super::report::{
    Fairness, FleetMember, FleetPeaks, FleetPoint, Judged, MemberEnd, MemberPoint, Spread,
};
use super::said::{Done, Moment, Said};

/// For how long a member asks for what it could use at most.
const REMEMBERED: f64 = 30.0;
/// Members say something several times a second.
const SILENT: f64 = 2.0;
/// Points at most; with more, every other one goes.
const MOST_POINTS: usize = 2000;
/// Different faults told at most.
const MOST_WARNINGS: usize = 20;

/// What the members of a fleet may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claims {
    /// Of all, control connections among them; nothing if it is not known.
    pub(crate) total: Option<usize>,
    pub(crate) reserve: usize,
    /// Of each.
    pub(crate) floor: usize,
    pub(crate) most: usize,
    /// How long after a change shares ought to be fair again.
    pub(crate) settles_within: f64,
}

/// What the server shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// Sessions of anybody.
    pub(crate) sessions: usize,
    /// Sessions of the fleet, where they can be told from others.
    pub(crate) of_fleet: Option<usize>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// As it was told.
    Left,
    /// By a signal, or another's hand.
    Killed,
    /// By itself: its last words.
    Failed(String),
}

/// How a fleet is, for a line of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// What each member has been granted that is not gone.
    pub(crate) granted: Vec<usize>,
    /// How many of these have said nothing for a while, as if they were stopped.
    pub(crate) silent: usize,
    /// Of all, so far.
    pub(crate) operations: u64,
}

/// What is known of a fleet.
#[derive(Debug)]
pub(crate) struct Record {
    claims: Claims,
    members: Vec<Member>,
    points: Vec<FleetPoint>,
    /// Between two points, at least.
    every: f64,
    peaks: FleetPeaks,
    /// When somebody joined, was told to leave, or was gone, last.
    changed: f64,
    /// How far the worst share was from what is fair, whenever that could be said.
    deviations: Vec<f64>,
    warnings: Vec<String>,
}

/// A member's story.
#[derive(Debug)]
struct Member {
    process: u32,
    joined: f64,
    /// When it said how it is, last.
    heard: Option<f64>,
    latest: Option<Moment>,
    /// What it could have used, and when.
    demands: VecDeque<(f64, usize)>,
    /// How long it took from its start to its floor.
    floor_after: Option<f64>,
    told_to_leave: bool,
    gone: Option<(f64, Gone)>,
    done: Option<Done>,
    /// What all had when it was killed, until the others have that.
    missed: Option<usize>,
    reused_after: Option<f64>,
    granted: Vec<usize>,
    open: Vec<usize>,
}

impl Record {
    pub(crate) fn new(claims: Claims) -> Self {
        Self {
            claims,
            members: Vec::new(),
            points: Vec::new(),
            every: 0.0,
            peaks: FleetPeaks::default(),
            changed: 0.0,
            deviations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What there is to share has become known, or has changed.
    pub(crate) fn share(&mut self, total: usize) {
        self.claims.total = Some(total);
    }

    /// A process was started. Returns its place among the members.
    pub(crate) fn join(&mut self, at: f64, process: u32) -> usize {
        self.changed = at;
        self.members.push(Member::new(at, process));
        self.members.len() - 1
    }

    /// A member has been told to leave.
    pub(crate) fn leave(&mut self, at: f64, member: usize) {
        self.changed = at;
        self.members[member].told_to_leave = true;
    }

    /// A member's process has ended.
    pub(crate) fn gone(&mut self, at: f64, member: usize, gone: Gone) {
        self.changed = at;
        let had = self.living().map(Member::granted).sum();
        let member = &mut self.members[member];
        member.missed = (gone == Gone::Killed).then_some(had);
        member.gone = Some((at, gone));
    }

    /// A member has said a line.
    pub(crate) fn said(&mut self, at: f64, member: usize, line: &str) {
        match Said::read(line) {
            Ok(Said::Now(moment)) => self.members[member].now(at, moment, self.claims.floor),
            Ok(Said::Done(done)) => {
                for warning in &done.warnings {
                    self.warn(format!("member {}: {warning}", member + 1));
                }
                self.members[member].done = Some(done);
            }
            Err(_) => self.warn(format!("member {} says what no member says", member + 1)),
        }
    }

    /// Notes what else is to be known.
    pub(crate) fn warn(&mut self, warning: String) {
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The server shows this.
    pub(crate) fn show(&mut self, shown: Shown) {
        self.peaks.sessions = self.peaks.sessions.max(Some(shown.sessions));
        self.peaks.fleet_sessions = self.peaks.fleet_sessions.max(shown.of_fleet);
    }

    /// How all are now, beside what the server has shown last, if it has answered.
    pub(crate) fn look(&mut self, at: f64, shown: Option<Shown>) {
        for member in &mut self.members {
            member.look();
        }
        let sum = |of: fn(&Moment) -> usize| {
            self.living().filter_map(|member| member.latest.as_ref()).map(of).sum::<usize>()
        };
        let (granted, open) = (sum(|moment| moment.granted), sum(|moment| moment.open));
        self.peaks.granted = self.peaks.granted.max(granted);
        self.peaks.open = self.peaks.open.max(open);
        self.find_reuse(at);
        self.deviations.extend(self.deviation(at));
        self.keep(at, shown);
    }

    /// How many processes go on.
    pub(crate) fn living_count(&self) -> usize {
        self.living().count()
    }

    /// How all are now, in short.
    pub(crate) fn now(&self, at: f64) -> Now {
        let is_silent = |member: &&Member| at - member.heard.unwrap_or(member.joined) > SILENT;
        Now {
            granted: self.living().map(Member::granted).collect(),
            silent: self.living().filter(is_silent).count(),
            operations: self.members.iter().map(Member::operations).sum(),
        }
    }

    fn living(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.gone.is_none())
    }

    /// Whether others have by now what a killed member had.
    fn find_reuse(&mut self, at: f64) {
        let granted: usize = self.living().map(Member::granted).sum();
        for member in &mut self.members {
            if let Some((gone, _)) = member.gone
                && member.missed.is_some_and(|missed| granted >= missed)
            {
                member.missed = None;
                member.reused_after = Some(at - gone);
            }
        }
    }

    /// How far the worst share is from what is fair; `None` where that is nothing to go by yet.
    fn deviation(&self, at: f64) -> Option<f64> {
        let Claims { total, reserve, floor, most, settles_within } = self.claims;
        let is_settled = at - self.changed >= settles_within;
        let mut parties = Vec::new();
        for member in self.living() {
            if !member.latest.as_ref()?.is_granted() {
                return None;
            }
            let claim = Claim { floor, demand: member.claimed(), most };
            parties.push(Party { claim, granted: member.granted() });
        }
        // Each has a connection for settling.
        let capacity = total?.saturating_sub(reserve + parties.len());
        if is_settled { deviation(capacity, &parties) } else { None }
    }

    /// Keeps a point, unless the last one is too young.
    fn keep(&mut self, at: f64, shown: Option<Shown>) {
        if self.points.last().is_some_and(|last| at - last.at_seconds < self.every) {
            return;
        }
        if self.points.len() == MOST_POINTS {
            let span = at - self.points[0].at_seconds;
            let mut number = 0_usize;
            self.points.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every = 2.0 * span / MOST_POINTS as f64;
        }
        self.points.push(FleetPoint {
            at_seconds: at,
            members: self.members.iter().map(Member::point).collect(),
            fleet_sessions: shown.and_then(|shown| shown.of_fleet),
            sessions: shown.map(|shown| shown.sessions),
        });
    }

    /// What it all comes to.
    pub(crate) fn judged(self) -> Judged {
        let Self { members, points, peaks, deviations, warnings, claims, .. } = self;
        let mut faults = Vec::new();
        if let (Some(most), Some(total)) = (peaks.fleet_sessions, claims.total)
            && most > total
        {
            faults.push(format!(
                "the server showed {most} sessions of the fleet at once, which may have {total}"
            ));
        }
        for (number, member) in (1..).zip(&members) {
            let refused = member.latest.as_ref().map_or(0, |moment| moment.refused);
            if refused > 0 {
                faults.push(format!(
                    "member {number} was refused {refused} times: too many connections"
                ));
            }
            if let Some((_, Gone::Failed(why))) = &member.gone {
                faults.push(format!("member {number} failed: {why}"));
            }
        }
        let fairness = Fairness::of(deviations);
        let members = (1..).zip(members).map(|(number, member)| member.report(number)).collect();
        Judged { total: claims.total, members, points, peaks, fairness, faults, warnings }
    }
}

impl Member {
    fn new(joined: f64, process: u32) -> Self {
        Self {
            process,
            joined,
            heard: None,
            latest: None,
            demands: VecDeque::new(),
            floor_after: None,
            told_to_leave: false,
            gone: None,
            done: None,
            missed: None,
            reused_after: None,
            granted: Vec::new(),
            open: Vec::new(),
        }
    }

    fn now(&mut self, at: f64, moment: Moment, floor: usize) {
        if moment.is_granted() && moment.granted >= floor && self.floor_after.is_none() {
            self.floor_after = Some(at - self.joined);
        }
        self.demands.push_back((at, moment.in_use + moment.waiting));
        while self.demands.front().is_some_and(|(then, _)| at - then > REMEMBERED) {
            self.demands.pop_front();
        }
        self.heard = Some(at);
        self.latest = Some(moment);
    }

    /// Counts how it is, once it has had its share and as long as it is to have one.
    fn look(&mut self) {
        let is_there = self.gone.is_none() && !self.told_to_leave && self.floor_after.is_some();
        if let Some(moment) = self.latest.as_ref().filter(|_| is_there) {
            self.granted.push(moment.granted);
            self.open.push(moment.open);
        }
    }

    fn granted(&self) -> usize {
        self.latest.as_ref().map_or(0, |moment| moment.granted)
    }

    fn demand(&self) -> usize {
        self.demands.iter().map(|(_, demand)| *demand).max().unwrap_or(0)
    }

    /// What it asks for: of one whose tuner has found fewer to be right, these, and what the next trial may
    /// need.
    fn claimed(&self) -> usize {
        let demand = self.demand();
        let Some(moment) = self.latest.as_ref().filter(|moment| moment.is_tuned) else {
            return demand;
        };
        let tuned = moment.recommended.filter(|size| *size < moment.granted);
        tuned.map_or(demand, |size| demand.min(size + size.div_ceil(7) + 1))
    }

    fn operations(&self) -> u64 {
        let latest = || self.latest.as_ref().map_or(0, |moment| moment.operations);
        self.done.as_ref().map_or_else(latest, |done| done.operations)
    }

    fn point(&self) -> Option<MemberPoint> {
        let moment = self.latest.as_ref().filter(|_| self.gone.is_none())?;
        Some(MemberPoint {
            granted: moment.granted,
            open: moment.open,
            in_use: moment.in_use,
            waiting: moment.waiting,
            demand: self.demand(),
            recommended: moment.recommended,
            operations: moment.operations,
            state: moment.state.clone(),
        })
    }

    fn report(self, number: usize) -> FleetMember {
        let operations = self.operations();
        let (latest, done) = (self.latest.unwrap_or_default(), self.done.unwrap_or_default());
        let end = match &self.gone {
            Some((_, Gone::Left)) => MemberEnd::Left,
            None | Some((_, Gone::Killed)) => MemberEnd::Killed,
            Some((_, Gone::Failed(_))) => MemberEnd::Failed,
        };
        let gone = self.gone.map(|(at, _)| at);
        let seconds = if done.seconds > 0.0 {
            done.seconds
        } else {
            gone.map_or(0.0, |gone| gone - self.joined)
        };
        FleetMember {
            number,
            process: self.process,
            joined_seconds: self.joined,
            floor_after_seconds: self.floor_after,
            gone_seconds: gone,
            end,
            reused_after_seconds: self.reused_after,
            granted: Spread::of(self.granted),
            open: Spread::of(self.open),
            operations,
            errors: done.errors.max(latest.errors),
            throughput: if seconds > 0.0 { operations as f64 / seconds } else { 0.0 },
            response_p50: done.response_p50,
            response_p99: done.response_p99,
            refused: latest.refused,
            connects_failed: latest.connects_failed,
            connect_failure: latest.connect_failure,
            recommended: latest.recommended,
        }
    }
}
