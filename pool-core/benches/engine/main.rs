//! What an acquire and its release cost, beside the fastest peers in the same run.
//!
//! `cargo bench -p pool-core` alternates the pools round by round and prints the median of each
//! with its spread, and each figure beside its target. It exits with 1 if a target is missed.

mod load;
mod memory;
mod noop;
mod outage;
mod peers;
mod shapes;

use std::process::ExitCode;

use peers::{Asyncband, Deadpool, Ours, OursOwned};
use pool_testkit::measure::{Figure, Report, Target};
use shapes::{ROUNDS, Throughput};

fn main() -> ExitCode {
    let mut report = Report::new(ROUNDS);
    uncontended(&mut report);
    shared(&mut report);
    memory(&mut report);
    load::shapes(&mut report);
    outage::outages(&mut report);
    report.finish()
}

/// One task, one connection: the cost of the pool itself.
fn uncontended(report: &mut Report) {
    let mut nanos: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        nanos[0].push(shapes::uncontended::<Ours>());
        nanos[1].push(shapes::uncontended::<OursOwned>());
        nanos[2].push(shapes::uncontended::<Asyncband>());
        nanos[3].push(shapes::uncontended::<Deadpool>());
    }
    let [ours, owned, asyncband, deadpool] = nanos.map(Figure::new);
    report.section("acquire + release, uncontended, ns (lower is better)");
    report.figure("pool-core", &ours, Target::AtMostTimes(0.5, "asyncband", &asyncband));
    report.figure("pool-core, owned guard", &owned, Target::None);
    report.figure("asyncband", &asyncband, Target::None);
    report.figure("deadpool, timeouts on", &deadpool, Target::None);
}

/// Many tasks over few connections on two threads, holding for one yield.
fn shared(report: &mut Report) {
    for (tasks, connections, held) in [(2, 2, false), (64, 8, true), (1000, 10, true)] {
        let mut rounds: [Vec<Throughput>; 3] = Default::default();
        for _ in 0..ROUNDS {
            rounds[0].push(shapes::shared::<Ours>(tasks, connections));
            rounds[1].push(shapes::shared::<Asyncband>(tasks, connections));
            rounds[2].push(shapes::shared::<Deadpool>(tasks, connections));
        }
        let speeds =
            |rounds: &[Throughput]| Figure::new(rounds.iter().map(|r| r.millions).collect());
        let [ours, asyncband, deadpool] = [0, 1, 2].map(|pool| speeds(&rounds[pool]));
        let fairness =
            |rounds: &[Throughput]| Figure::new(rounds.iter().map(|r| r.fairness).collect());
        let target = |target| if held { target } else { Target::None };
        report.section(&format!(
            "{tasks} tasks over {connections} connections, million operations per second (higher is better)"
        ));
        let most = target(Target::AtLeastTimes(1.0, "asyncband", &asyncband));
        report.figure("pool-core", &ours, most);
        report.figure("asyncband", &asyncband, Target::None);
        report.figure("deadpool, timeouts on", &deadpool, Target::None);
        let fair = target(Target::AtLeast(0.95));
        report.figure("pool-core, fewest/most operations of a task", &fairness(&rounds[0]), fair);
        report.figure("asyncband, the same", &fairness(&rounds[1]), Target::None);
    }
}

fn memory(report: &mut Report) {
    report.section("memory");
    report.count("allocations of an uncontended acquire + release", memory::uncontended(), 0);
    report.count("allocations of one that waits, after the first", memory::waiting(), 0);
    report.count("bytes a waiter, with its future", memory::bytes_a_waiter(), 512);
    report.count("bytes an idle slot, without the connection", memory::bytes_an_idle_slot(), 512);
}
