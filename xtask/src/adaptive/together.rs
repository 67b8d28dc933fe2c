//! Eight processes that share a small server.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Ground, plot, report};
use crate::page::{grouped, wrapped};

const MEMBERS: usize = 8;
/// Of the server, three of them for administrators.
const CONNECTIONS: u16 = 60;
const FLOOR: u64 = 2;
/// Connections that a member may have at most.
const MOST: u64 = 20;
/// How much more than one pool of the best fixed size can do arrives at all members together.
const LOAD: f64 = 1.3;
/// Connections that each member has where all have as many, and none a tuner: what they can do at best.
const SIZES: [u64; 3] = [1, 2, 3];
/// Of a member, most operations under way: arrivals beyond are dropped, as queues without end say nothing.
const IN_FLIGHT: &str = "200";
/// How much of the best of these sizes' throughput they have to reach.
pub(super) const THROUGHPUT: f64 = 0.95;
/// How far a share may be from a fair one: by this part, or by one connection.
pub(super) const FAIR: f64 = 0.1;
/// How long a member may wait for its floor, in seconds.
pub(super) const WAIT: f64 = 10.0;

/// How long all is.
struct Extent {
    /// Heartbeat and lease.
    timing: [&'static str; 2],
    /// Between two who join or leave.
    every: &'static str,
    coming_and_going: &'static str,
    fixed: &'static str,
    all: &'static str,
    is_quick: bool,
}

/// What was found.
pub(super) struct Together {
    /// Members who join and leave.
    changing: Value,
    /// All of them, under more than can be done.
    all: Value,
    /// How much arrives at all of them per second.
    rate: f64,
    /// What they did per second with so many connections each.
    fixed: Vec<(u64, f64)>,
}

pub(super) fn measure(is_quick: bool, capacity: f64) -> Result<Together> {
    let extent = if is_quick {
        Extent {
            timing: ["1s", "3s"],
            every: "500ms",
            coming_and_going: "10s",
            fixed: "3s",
            all: "10s",
            is_quick,
        }
    } else {
        Extent {
            timing: ["5s", "15s"],
            every: "6s",
            coming_and_going: "100s",
            fixed: "15s",
            all: "75s",
            is_quick,
        }
    };
    let ground = Ground::new(CONNECTIONS)?;
    let fleet = |duration: &str, floor: u64, most: u64| {
        let mut fleet = ground.program("fleet");
        let [heartbeat, lease] = extent.timing;
        fleet.args(["--members", &MEMBERS.to_string(), "--floor", &floor.to_string()]);
        fleet.args(["--duration", duration, "--heartbeat", heartbeat, "--lease", lease]);
        fleet.args(["--pool", &format!("max_open={most}")]);
        // All may start at once.
        fleet.args(["--reserve", &MEMBERS.to_string()]);
        fleet
    };
    let mut changing = fleet(extent.coming_and_going, FLOOR, MOST);
    changing.args(["--tasks", "24", "--join-every", extent.every, "--leave-every", extent.every]);
    if !extent.is_quick {
        changing.arg("--output-file").arg(plot("fleet"));
    }
    let changing = report(&mut changing)?;
    let rate = capacity * LOAD;
    let schedule = format!("poisson {:.1}/s", rate / MEMBERS as f64);
    let loaded = |mut fleet: Command| {
        fleet.args(["--rate", &schedule, "--in-flight", IN_FLIGHT]);
        fleet.args(["--pool", "acquire_timeout=5s"]);
        fleet
    };
    let fixed = |size: u64| {
        let mut fleet = loaded(fleet(extent.fixed, size.min(FLOOR), size));
        anyhow::Ok((size, throughput(&report(&mut fleet)?)?))
    };
    let fixed = SIZES.into_iter().map(fixed).collect::<Result<_>>()?;
    let mut all = loaded(fleet(extent.all, FLOOR, MOST));
    all.args(["--tuner", "on"]);
    if !extent.is_quick {
        all.arg("--output-file").arg(plot("fleet-all"));
    }
    Ok(Together { changing, all: report(&mut all)?, rate, fixed })
}

/// Operations of all per second in the last third of the time that they were there.
fn throughput(fleet: &Value) -> Result<f64> {
    let points = fleet["points"].as_array().context("no points")?;
    let end = fleet["duration_seconds"].as_f64().context("no duration")?;
    let at = |point: &Value| point["at_seconds"].as_f64().unwrap_or_default();
    let mut judged = points.iter().filter(|point| (end * 2.0 / 3.0..end).contains(&at(point)));
    let first = judged.next().context("no point in the last third")?;
    let last = judged.next_back().context("one point in the last third")?;
    let operations = |point: &Value| {
        let members = point["members"].as_array().into_iter().flatten();
        members.filter_map(|member| member["operations"].as_f64()).sum::<f64>()
    };
    Ok((operations(last) - operations(first)) / (at(last) - at(first)))
}

/// The longest that a member waited for its floor; `None` if one never had it.
fn longest_wait(fleet: &Value) -> Option<f64> {
    let members = fleet["members"].as_array()?;
    let waits = members.iter().map(|member| member["floor_after_seconds"].as_f64());
    waits.collect::<Option<Vec<_>>>()?.into_iter().reduce(f64::max)
}

impl Together {
    pub(super) fn in_markdown(&self) -> String {
        let mut text = format!(
            "\n### Eight processes\n\nA server with `max_connections = {CONNECTIONS}`, eight members that \
             join and leave one after the other, each with\nmore to do than there is for all:\n\n\
             ![what each member was granted](plots/adaptive-fleet.svg)\n\n"
        );
        let _ = writeln!(text, "{}", wrapped(&self.changing_in_words()));
        let _ = writeln!(text, "\n{}", wrapped(&self.all_in_words()));
        text + "\n![what each member was granted](plots/adaptive-fleet-all.svg)\n"
    }

    fn changing_in_words(&self) -> String {
        let fleet = &self.changing;
        let (total, reserve) = (&fleet["budget"]["total"], &fleet["budget"]["reserve"]);
        let most = &fleet["peaks"]["fleet_sessions"];
        let refused: u64 = members(fleet).filter_map(|member| member["refused"].as_u64()).sum();
        let wait = longest_wait(fleet).map_or_else(
            || "and one never had its floor".to_owned(),
            |wait| format!("and nobody waited for longer than {wait:.1} s for its floor"),
        );
        format!(
            "The budget is {total} connections, of which {reserve} are kept back. The server never showed \
             more than {most} sessions of the fleet, {refused} connects were refused, {wait}."
        )
    }

    fn all_in_words(&self) -> String {
        let whole = |number: f64| grouped(number.round() as u64);
        let fixed = self.fixed.iter().map(|(size, rate)| format!("{} with {size}", whole(*rate)));
        let part = self
            .part_of_best()
            .map_or_else(|| "an unknown part".to_owned(), |part| format!("{:.0} %", part * 100.0));
        let fair = self.all["fairness"]["median"].as_f64().map_or_else(
            || "nobody can tell how fair shares were".to_owned(),
            |fair| {
                let smallest = smallest_share(&self.all);
                format!(
                    "the share furthest from a fair one was {:.0} % from it (the smallest is {smallest:.0})",
                    fair * 100.0
                )
            },
        );
        format!(
            "With all eight there, and {} operations per second arriving at them ({:.0} % of what one pool \
             alone can do), they did {} connections each and no tuner: eight load testers share its \
             processors with the server. With up to {MOST} each and a tuner, they reached {part} of the best \
             of that in the last third of their time; {fair} half of the time.",
            whole(self.rate),
            LOAD * 100.0,
            fixed.collect::<Vec<_>>().join(", ")
        )
    }

    fn part_of_best(&self) -> Option<f64> {
        let best = self.fixed.iter().map(|(_, rate)| *rate).reduce(f64::max)?;
        Some(throughput(&self.all).ok()? / best)
    }

    /// What is not as it was asked for.
    pub(super) fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        match self.part_of_best() {
            Some(part) if part >= THROUGHPUT => {}
            Some(part) => {
                missed.push(format!("eight members reached {part:.2} of the best throughput"));
            }
            None => missed.push("eight members did nothing that was measured".to_owned()),
        }
        match longest_wait(&self.changing) {
            Some(wait) if wait <= WAIT => {}
            Some(wait) => missed.push(format!("a member waited {wait:.1} s for its floor")),
            None => missed.push("a member never had its floor".to_owned()),
        }
        // Where members come and go all the time, shares never have time to become fair.
        let fair = self.all["fairness"]["median"].as_f64();
        // Of a share of three, one connection is more than that part.
        match fair {
            Some(fair) if fair <= FAIR.max(1.0 / smallest_share(&self.all)) => {}
            Some(fair) => {
                missed.push(format!("with all there, a share is {fair:.2} from a fair one"));
            }
            None => missed.push("with all there, shares were never settled".to_owned()),
        }
        missed
    }
}

fn members(fleet: &Value) -> impl Iterator<Item = &Value> {
    fleet["members"].as_array().into_iter().flatten()
}

fn smallest_share(fleet: &Value) -> f64 {
    let granted = members(fleet).filter_map(|member| member["granted"]["median"].as_f64());
    granted.fold(f64::INFINITY, f64::min).max(1.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fleet(median: f64, waits: &[Option<f64>]) -> Value {
        let member = |wait: &Option<f64>| json!({"floor_after_seconds": wait, "granted": {"median": 20}, "refused": 0});
        let point = |at: f64, operations: u64| {
            let member = json!({ "operations": operations });
            json!({"at_seconds": at, "members": [member, null, member]})
        };
        json!({
            "duration_seconds": 30.0,
            "budget": {"total": 45, "reserve": 3},
            "peaks": {"fleet_sessions": 44},
            "fairness": {"median": median},
            "members": waits.iter().map(member).collect::<Vec<_>>(),
            "points": [point(1.0, 0), point(20.0, 1000), point(25.0, 3000), point(29.0, 5500)],
        })
    }

    fn together(best: f64, median: f64, waits: &[Option<f64>]) -> Together {
        let (changing, all) = (fleet(0.0, waits), fleet(median, waits));
        Together { changing, all, rate: 1300.0, fixed: vec![(1, best / 2.0), (2, best)] }
    }

    #[test]
    fn throughput_is_of_all_members_in_the_last_third() {
        let throughput = throughput(&fleet(0.0, &[])).expect("points");
        assert!((throughput - 1000.0).abs() < 1e-9, "{throughput}");
    }

    #[test]
    fn throughput_waits_and_shares_are_held_to_what_was_asked_for() {
        let waits = [Some(1.0), Some(9.0)];
        assert_eq!(together(1000.0, 0.1, &waits).missed(), [""; 0]);
        assert_eq!(together(1100.0, 0.1, &waits).missed().len(), 1);
        assert_eq!(together(1000.0, 0.2, &waits).missed().len(), 1);
        assert_eq!(together(1000.0, 0.1, &[Some(11.0)]).missed().len(), 1);
        assert_eq!(together(1000.0, 0.1, &[Some(1.0), None]).missed().len(), 1);
    }

    #[test]
    fn a_share_may_be_one_connection_from_a_fair_one() {
        let missed = |deviation: f64| {
            let mut together = together(1000.0, deviation, &[Some(1.0)]);
            together.all["members"][0]["granted"]["median"] = json!(3);
            together.missed().len()
        };
        assert_eq!((missed(0.33), missed(0.34)), (0, 1));
    }

    #[test]
    fn the_text_has_the_figures() {
        let text = together(1000.0, 0.05, &[Some(2.0)]).in_markdown();
        for words in [
            "45 connections",
            "44 sessions",
            "500 with 1, 1 000 with 2",
            "reached 100 %",
            "5 % from it",
        ] {
            let text = text.replace('\n', " ");
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
    }
}
