//! The course of a fleet: who joins and leaves when, what is heard and seen meanwhile, and the report.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use pool_core::ControlHandle;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::Fleet;
use super::crew::{Crew, Heard};
use super::member::Order;
use super::watch::{Seen, Watch};
use crate::cli::on_database::Place;
use crate::cli::{Failure, say};
use crate::fleet::{Claims, FleetCircumstances, FleetReport, Gone, Now, Record, Shown};
use crate::report::Outcome;
use crate::words::{counted, grouped};

/// How often the fleet is looked at.
const TICK: Duration = Duration::from_millis(200);
/// So many looks go into a line of progress.
const LOOKS_A_LINE: u64 = 5;
/// What the server has shown says nothing any more after so many seconds.
const FRESH: f64 = 1.0;
/// How long members may take to leave: to end their operations, to tidy up, and to close their pools.
const LEAVE: Duration = Duration::from_secs(20);

/// A fleet under way.
pub(super) struct Course<'a> {
    fleet: Fleet<'a>,
    place: &'a Place,
    crew: Crew,
    record: Record,
    watch: Watch,
    began: Instant,
    /// What is still to come.
    plan: VecDeque<(Duration, Turn)>,
    /// What the server has shown last, and when.
    shown: Option<(f64, Shown)>,
    looks: u64,
    /// When the last line of progress was, and operations by then.
    told: (f64, u64),
}

/// What happens at a time that was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Join,
    Leave(usize),
    End,
}

impl<'a> Course<'a> {
    /// Of a fleet whose server is asked by `outside`, and of which each pool may have `most` connections.
    /// Needs a tokio runtime around it.
    pub(super) fn new(
        fleet: Fleet<'a>,
        place: &'a Place,
        outside: ControlHandle,
        most: usize,
    ) -> Self {
        let arguments = fleet.arguments;
        let claims = Claims {
            total: arguments.total,
            reserve: arguments.reserve,
            floor: arguments.floor,
            most,
            settles_within: (arguments.lease + 2 * arguments.heartbeat).as_secs_f64(),
        };
        let plan = plan(
            arguments.members,
            arguments.join_every,
            arguments.leave_every,
            arguments.duration,
        );
        Self {
            watch: Watch::start(outside, fleet.name.clone(), arguments.budget_source()),
            fleet,
            place,
            crew: Crew::new(),
            record: Record::new(claims),
            began: Instant::now(),
            plan,
            shown: None,
            looks: 0,
            told: (0.0, 0),
        }
    }

    /// Runs it to its end, or until a signal comes, and prints the report.
    pub(super) async fn run(mut self, circumstances: FleetCircumstances) -> Result<(), Failure> {
        let outcome = self.go().await.map_err(Failure::Run)?;
        let seconds = self.elapsed();
        self.dismiss().await;
        let Self { fleet, record, .. } = self;
        let report = FleetReport::new(circumstances, record.judged(), outcome, seconds);
        fleet.outputs.write(&report).map_err(Failure::Run)?;
        match outcome {
            _ if !report.faults.is_empty() => Err(Failure::Run(anyhow!("{}", report.summary))),
            Outcome::Completed => Ok(()),
            _ => Err(Failure::Interrupted),
        }
    }

    /// Until its time is up, a signal comes, or nobody is left.
    async fn go(&mut self) -> anyhow::Result<Outcome> {
        let mut stopped = std::pin::pin!(self.place.stopped.wait());
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while let Some((due, turn)) = self.plan.front().copied() {
            let due = tokio::time::Instant::from_std(self.began + due);
            tokio::select! {
                () = &mut stopped => return Ok(Outcome::Interrupted),
                () = sleep_until(due) => {
                    self.plan.pop_front();
                    self.take(turn)?;
                }
                (member, when, heard) = self.crew.next() => self.hear(member, when, heard),
                seen = self.watch.next() => self.see(seen),
                _ = tick.tick() => self.look(),
            }
            let is_over = self.crew.len() == self.fleet.arguments.members;
            if is_over && self.record.living_count() == 0 {
                break;
            }
        }
        Ok(Outcome::Completed)
    }

    fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn take(&mut self, turn: Turn) -> anyhow::Result<()> {
        match turn {
            Turn::Join => {
                let place = self.crew.len();
                let order = Order {
                    arguments: std::env::args_os().collect(),
                    url: self.place.server.as_ref().map(|server| server.url()),
                    place,
                };
                let process = self.crew.start(&order)?;
                self.record.join(self.elapsed(), process);
                say(&format!("member {} joins: process {process}", place + 1));
            }
            Turn::Leave(member) => self.send_away(member),
            Turn::End => {}
        }
        Ok(())
    }

    fn send_away(&mut self, member: usize) {
        if !self.crew.is_leaving(member) {
            self.crew.leave(member);
            self.record.leave(self.elapsed(), member);
        }
    }

    fn hear(&mut self, member: usize, when: Instant, heard: Heard) {
        let at = when.saturating_duration_since(self.began).as_secs_f64();
        let number = member + 1;
        match heard {
            Heard::Said(line) => self.record.said(at, member, &line),
            Heard::Complained(line) => say(&format!("member {number}: {line}")),
            Heard::Silent => {
                let gone = self.crew.end(member);
                say(&match &gone {
                    Gone::Left => format!("member {number} has left"),
                    Gone::Killed => format!("member {number} was killed"),
                    Gone::Failed(why) => format!("member {number} failed: {why}"),
                });
                self.record.gone(at, member, gone);
            }
        }
    }

    /// The server has answered.
    fn see(&mut self, Seen { shown, total }: Seen) {
        if let Some(total) = total {
            self.record.share(total);
        }
        if let Some(shown) = shown {
            self.record.show(shown);
            self.shown = Some((self.elapsed(), shown));
        }
    }

    /// Looks at everybody.
    fn look(&mut self) {
        let at = self.elapsed();
        let is_fresh = |(then, _): &(f64, Shown)| at - then < FRESH;
        let shown = self.shown.filter(is_fresh).map(|(_, shown)| shown);
        self.record.look(at, shown);
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_A_LINE) {
            self.tell(at, shown);
        }
    }

    /// A line of progress.
    fn tell(&mut self, at: f64, shown: Option<Shown>) {
        let Now { granted, silent, operations } = self.record.now(at);
        let (then, before) = self.told;
        self.told = (at, operations);
        let rate = operations.saturating_sub(before) as f64 / (at - then).max(0.001);
        let silent = if silent > 0 { format!(" ({silent} silent)") } else { String::new() };
        let members = counted(granted.len() as u64, "member") + &silent;
        let granted: Vec<_> = granted.iter().map(usize::to_string).collect();
        let sessions = match shown {
            Some(Shown { of_fleet: Some(of_fleet), sessions }) => {
                format!("{of_fleet} sessions of the fleet, {sessions} in all")
            }
            Some(Shown { sessions, .. }) => format!("{sessions} sessions in all"),
            None => "the server does not answer".to_owned(),
        };
        let (granted, rate) = (granted.join(" "), grouped(rate.round() as u64));
        say(&format!("{at:.0} s  {members}, granted {granted}; {sessions}; {rate}/s"));
    }

    /// Has everybody leave, and waits until they have.
    async fn dismiss(&mut self) {
        for member in 0..self.crew.len() {
            self.send_away(member);
        }
        let mut deadline = Some(Instant::now() + LEAVE);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.record.living_count() > 0 {
            tokio::select! {
                (member, when, heard) = self.crew.next() => self.hear(member, when, heard),
                seen = self.watch.next() => self.see(seen),
                _ = tick.tick() => self.look(),
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                deadline = None;
                let members = counted(self.record.living_count() as u64, "member");
                self.record.warn(format!("{members} did not leave, and had to be killed"));
                self.crew.kill_all();
            }
        }
    }
}

/// Who joins and leaves when, in this order.
fn plan(
    members: usize,
    join_every: Duration,
    leave_every: Option<Duration>,
    duration: Duration,
) -> VecDeque<(Duration, Turn)> {
    let times = |every: Duration, number: usize| every.saturating_mul(number as u32);
    let joins = (0..members).map(|number| (times(join_every, number), Turn::Join));
    let joined = times(join_every, members - 1);
    let leaves = leave_every.into_iter().flat_map(|every| {
        let at = move |number| joined.saturating_add(times(every, number + 1));
        (0..members - 1).map(move |number| (at(number), Turn::Leave(number)))
    });
    let mut plan: Vec<_> = joins.chain(leaves).filter(|(at, _)| *at < duration).collect();
    plan.push((duration, Turn::End));
    plan.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn all_join_then_all_but_one_leave_the_oldest_first_until_the_time_is_up() {
        let plan = plan(3, 2 * SECOND, Some(3 * SECOND), 60 * SECOND);
        let expected = [
            (0, Turn::Join),
            (2, Turn::Join),
            (4, Turn::Join),
            (7, Turn::Leave(0)),
            (10, Turn::Leave(1)),
            (60, Turn::End),
        ];
        assert_eq!(plan, expected.map(|(at, turn)| (at * SECOND, turn)));
    }

    #[test]
    fn who_would_leave_after_the_end_leaves_with_all_others() {
        let plan = plan(3, Duration::ZERO, Some(4 * SECOND), 6 * SECOND);
        let turns: Vec<_> = plan.iter().map(|(_, turn)| *turn).collect();
        assert_eq!(turns, [Turn::Join, Turn::Join, Turn::Join, Turn::Leave(0), Turn::End]);
    }
}
