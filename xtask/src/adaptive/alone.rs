//! One pool: fixed sizes against the tuner.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Ground, TASKS, median, millis, plot, report, report_even_if_too_much};
use crate::page::{grouped, wrapped};

const SIZES: [u64; 6] = [2, 5, 10, 20, 40, 80];
/// The tuner's upper bound, where it also starts once.
const MOST: u64 = 100;
/// Where it starts the other time.
const LEAST: u64 = 2;
/// So many times what the best fixed size does in a closed loop arrive, to see what it can do at most. That is
/// less: who waits costs, too.
const FLOOD: f64 = 1.5;
/// Parts of that.
const LOADS: [f64; 3] = [0.3, 0.9, 1.3];
/// The load of which the page shows how the tuner got there.
const SHOWN: f64 = LOADS[1];
/// How far the tuner's throughput may be below that of the best fixed size, and its 99th percentile above.
pub(super) const THROUGHPUT: f64 = 0.95;
pub(super) const RESPONSE: f64 = 1.2;
/// Of the tuner's time, the last part is judged: it has 60 s to find its size.
const JUDGED: f64 = 0.2;

/// How long each run is.
struct Extent {
    sweep: [&'static str; 2],
    fixed: &'static str,
    tuned: &'static str,
    is_quick: bool,
}

/// What was found.
pub(super) struct Alone {
    /// Of the best fixed size in a closed loop.
    best: f64,
    best_size: u64,
    /// What it does when more arrives than it can do.
    capacity: f64,
    loads: Vec<Load>,
}

/// What was found under one load.
struct Load {
    part: f64,
    rate: f64,
    fixed: Vec<(u64, Figures)>,
    /// By where it started.
    tuned: Vec<(u64, Figures)>,
}

/// What a pool came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    throughput: f64,
    /// In microseconds.
    p99: Option<f64>,
    /// What its size was in the end.
    size: Option<u64>,
}

pub(super) fn measure(is_quick: bool) -> Result<Alone> {
    let extent = if is_quick {
        Extent { sweep: ["300ms", "1"], fixed: "1s", tuned: "6s", is_quick }
    } else {
        Extent { sweep: ["3s", "3"], fixed: "7s", tuned: "75s", is_quick }
    };
    let ground = Ground::new(200)?;
    let (best_size, best) = sweep(&ground, &extent)?;
    let mut flooded = arrivals(&ground, best * FLOOD, extent.fixed);
    flooded.args(["--warm-up", "1s", "--pool", &format!("max_open={best_size}")]);
    let capacity = figures(&report_even_if_too_much(&mut flooded)?, 1.0)?.throughput;
    println!("best fixed: {best_size} connections, {best:.0}/s, {capacity:.0}/s if flooded");
    let load = |part: &f64| measured(&ground, &extent, *part, capacity * part);
    let loads = LOADS.iter().map(load).collect::<Result<_>>()?;
    Ok(Alone { best, best_size, capacity, loads })
}

/// A run with so many arrivals per second.
fn arrivals(ground: &Ground, rate: f64, duration: &str) -> Command {
    let mut run = ground.program("run");
    run.args(["--rate", &format!("poisson {rate:.1}/s"), "--duration", duration]);
    // Whoever cannot be served is told so: a queue without end says nothing of a pool's size.
    run.args(["--pool", "acquire_timeout=1s", "--progress", "off"]);
    run
}

/// The fixed size that does most in a closed loop, and how much.
fn sweep(ground: &Ground, extent: &Extent) -> Result<(u64, f64)> {
    let sizes: Vec<_> = SIZES.iter().map(u64::to_string).collect();
    let [duration, repeats] = extent.sweep;
    let mut sweep = ground.program("sweep");
    sweep.arg(format!("max_open={}", sizes.join(","))).args(["--tasks", TASKS]);
    sweep.args(["--duration", duration, "--repeats", repeats]);
    if !extent.is_quick {
        sweep.arg("--output-file").arg(plot("fixed"));
    }
    best_of(&report(&mut sweep)?)
}

fn best_of(sweep: &Value) -> Result<(u64, f64)> {
    let cells = sweep["cells"].as_array().context("no cells")?;
    let cell = |cell: &Value| {
        let size = cell["values"][0].as_str()?.parse().ok()?;
        Some((size, cell["throughput"]["mean"].as_f64()?))
    };
    let best = cells.iter().filter_map(cell).max_by(|one, other| one.1.total_cmp(&other.1));
    best.context("every size failed")
}

fn measured(ground: &Ground, extent: &Extent, part: f64, rate: f64) -> Result<Load> {
    let run = |duration: &str, more: &[&str]| {
        let mut run = arrivals(ground, rate, duration);
        run.args(more);
        run
    };
    let mut fixed = Vec::new();
    for size in SIZES {
        let pool = format!("max_open={size}");
        let mut run = run(extent.fixed, &["--warm-up", "1s", "--pool", &pool]);
        fixed.push((size, figures(&report_even_if_too_much(&mut run)?, 1.0)?));
    }
    let mut tuned = Vec::new();
    for start in [LEAST, MOST] {
        let (pool, most) = (format!("max_open={start}"), format!("max_open={MOST}"));
        // The tuner takes what is in force when it first looks, and may go as far as is configured.
        let mut run = run(extent.tuned, &["--tuner", "on", "--pool", &pool, "--at", "3s", &most]);
        if !extent.is_quick && part == SHOWN {
            run.arg("--output-file").arg(plot(&format!("{:.0}-from-{start}", part * 100.0)));
        }
        tuned.push((start, figures(&report_even_if_too_much(&mut run)?, JUDGED)?));
    }
    Ok(Load { part, rate, fixed, tuned })
}

/// What a run came to in the last part of it.
fn figures(run: &Value, part: f64) -> Result<Figures> {
    let duration = run["duration_seconds"].as_f64().context("no duration")?;
    let series = run["series"].as_array().context("no series")?;
    let at = |point: &Value| point["at_seconds"].as_f64().unwrap_or_default();
    let judged: Vec<_> =
        series.iter().filter(|point| at(point) > duration * (1.0 - part)).collect();
    let sum = |field: &str| judged.iter().filter_map(|point| point[field].as_f64()).sum::<f64>();
    let p99 = judged.iter().filter_map(|point| point["response_p99"].as_f64());
    Ok(Figures {
        throughput: sum("operations") / sum("seconds"),
        p99: median(p99.collect()),
        size: judged.last().and_then(|point| point["max_open"].as_u64()),
    })
}

impl Alone {
    /// What the best fixed size does per second when more arrives.
    pub(super) fn capacity(&self) -> f64 {
        self.capacity
    }

    pub(super) fn in_markdown(&self) -> String {
        let (size, best) = (self.best_size, grouped(self.best.round() as u64));
        let capacity = grouped(self.capacity.round() as u64);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = format!(
            "The load is made to have a size that does most: each operation waits for half a millisecond, as \
             for a disk, and then updates one of four rows (`xtask/src/adaptive/load.sql`). Of the fixed \
             sizes, {size} connections did most in a closed loop: {best} operations per second. When more \
             arrived than they could do, they did {capacity}: loads are parts of that, arriving at random. \
             Throughput and the 99th percentile are those of the last 15 of 75 s for the tuner, and of 7 s, \
             once, for a fixed size; the percentile is the median of each second's. Who waits for a \
             connection for 1 s is turned away: some 1000 ms mean that. PostgreSQL 15, which shares {cores} \
             processors with the load tester."
        );
        let mut text = format!(
            "\n### One pool\n\n![throughput by fixed size](plots/adaptive-fixed.svg)\n\n{}\n",
            wrapped(&text)
        );
        for load in &self.loads {
            let _ = load.write(&mut text);
        }
        let shown = SHOWN * 100.0;
        let _ = writeln!(
            text,
            "\nHow it got there under {shown:.0} %, from {LEAST} and from {MOST}:\n\n\
             ![from {LEAST}](plots/adaptive-{shown:.0}-from-{LEAST}.svg)\n\n\
             ![from {MOST}](plots/adaptive-{shown:.0}-from-{MOST}.svg)"
        );
        text
    }

    /// What is not as it was asked for.
    pub(super) fn missed(&self) -> Vec<String> {
        let missed = |load: &Load| load.missed(self.best_size);
        let mut missed: Vec<_> = self.loads.iter().flat_map(missed).collect();
        if [SIZES[0], SIZES[SIZES.len() - 1]].contains(&self.best_size) {
            missed.push(format!(
                "{} connections do most: a larger or a smaller size may do more",
                self.best_size
            ));
        }
        missed
    }
}

impl Load {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (part, rate) = (self.part * 100.0, grouped(self.rate.round() as u64));
        writeln!(text, "\n{part:.0} %, {rate} arrivals per second:\n")?;
        writeln!(text, "| pool | operations/s | p99 | `max_open` in the end |\n|---|---|---|---|")?;
        let fixed = self.fixed.iter().map(|(size, figures)| (format!("fixed, {size}"), figures));
        let tuned =
            self.tuned.iter().map(|(from, figures)| (format!("tuner, from {from}"), figures));
        for (name, Figures { throughput, p99, size }) in fixed.chain(tuned) {
            let throughput = grouped(throughput.round() as u64);
            let size = size.map_or_else(|| "-".to_owned(), |size| size.to_string());
            writeln!(text, "| {name} | {throughput} | {} | {size} |", millis(*p99))?;
        }
        Ok(())
    }

    /// The tuner against the size that is the best.
    fn missed(&self, best_size: u64) -> Vec<String> {
        let Some((_, best)) = self.fixed.iter().find(|(size, _)| *size == best_size) else {
            return vec![format!("{best_size} connections were not tried")];
        };
        let mut missed = Vec::new();
        for (from, tuned) in &self.tuned {
            let name = format!("{:.0} %, tuner from {from}", self.part * 100.0);
            let part = tuned.throughput / best.throughput;
            if part < THROUGHPUT {
                missed.push(format!("{name}: {part:.2} of the best size's throughput"));
            }
            match tuned.p99.zip(best.p99).map(|(tuned, best)| tuned / best) {
                Some(times) if times <= RESPONSE => {}
                Some(times) => {
                    missed.push(format!("{name}: p99 is {times:.2} times the best size's"));
                }
                None => missed.push(format!("{name}: no p99")),
            }
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figures_of(throughput: f64, p99: f64) -> Figures {
        Figures { throughput, p99: Some(p99), size: Some(20) }
    }

    fn load(tuned: Figures) -> Load {
        let fixed = vec![(10, figures_of(900.0, 9000.0)), (20, figures_of(1000.0, 5000.0))];
        Load { part: 0.9, rate: 1000.0, fixed, tuned: vec![(2, tuned)] }
    }

    #[test]
    fn the_tuner_is_held_to_the_best_fixed_size() {
        assert_eq!(load(figures_of(960.0, 5900.0)).missed(20), [""; 0]);
        assert_eq!(load(figures_of(940.0, 5900.0)).missed(20).len(), 1);
        assert_eq!(load(figures_of(940.0, 6100.0)).missed(20).len(), 2);
        let none = Figures { p99: None, ..figures_of(1000.0, 0.0) };
        assert_eq!(load(none).missed(20).len(), 1, "nothing measured is nothing kept");
    }

    #[test]
    fn only_the_last_part_of_a_run_is_judged() {
        let point = |at: f64, operations: u64, p99: f64| {
            json!({
                "at_seconds": at, "seconds": 1.0, "operations": operations,
                "response_p99": p99, "max_open": at as u64,
            })
        };
        let series = [(1.0, 1, 900.0), (2.0, 1, 900.0), (3.0, 50, 70.0)];
        let series: Vec<_> = series.map(|(at, count, p99)| point(at, count, p99)).into();
        let run = json!({ "duration_seconds": 3.0, "series": series });
        let expected = Figures { throughput: 50.0, p99: Some(70.0), size: Some(3) };
        assert_eq!(figures(&run, JUDGED).expect("figures"), expected);
    }

    #[test]
    fn the_best_size_is_the_one_that_does_most() {
        let cell =
            |value: &str, mean: Value| json!({"values": [value], "throughput": {"mean": mean}});
        let failed = json!({"values": ["80"], "throughput": null});
        let cells = json!([cell("2", json!(10.0)), cell("20", json!(30.0)), failed]);
        assert_eq!(best_of(&json!({ "cells": cells })).expect("one"), (20, 30.0));
        best_of(&json!({ "cells": [] })).expect_err("none");
    }

    #[test]
    fn a_row_is_a_pool() {
        let alone = Alone {
            best: 1000.0,
            best_size: 20,
            capacity: 900.0,
            loads: vec![load(figures_of(960.0, 5900.0))],
        };
        let text = alone.in_markdown();
        for row in ["| fixed, 20 | 1 000 | 5.0 ms | 20 |", "| tuner, from 2 | 960 | 5.9 ms | 20 |"]
        {
            assert!(text.contains(row), "{row:?} is not in {text}");
        }
    }
}
