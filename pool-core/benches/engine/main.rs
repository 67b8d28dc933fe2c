//! What an acquire and its release cost, beside the fastest peers in the same run.
//!
//! `cargo bench -p pool-core` alternates the pools round by round and prints the median of each
//! with its spread, and each figure beside its target. It exits with 1 if a target is missed.

mod memory;
mod noop;
mod peers;
mod report;
mod shapes;

use std::process::ExitCode;

use peers::{Asyncband, Deadpool, Ours, OursOwned};
use report::{Figure, Report, Target};
use shapes::{ROUNDS, Throughput};

fn main() -> ExitCode {
    let mut report = Report::new();
    uncontended(&mut report);
    shared(&mut report);
    memory(&mut report);
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
    Report::section("acquire + release, uncontended, ns (lower is better)");
    let target = Target::AtMost(0.5, "asyncband");
    report.compare("pool-core", &ours, Some((&asyncband, target)));
    report.compare("pool-core, owned guard", &owned, None);
    report.compare("asyncband", &asyncband, None);
    report.compare("deadpool, timeouts on", &deadpool, None);
}

/// Many tasks over few connections on two threads, holding for one yield.
fn shared(report: &mut Report) {
    for (tasks, connections, least) in [(2, 2, None), (64, 8, Some(1.0)), (1000, 10, None)] {
        let mut rounds: [Vec<Throughput>; 3] = Default::default();
        for _ in 0..ROUNDS {
            rounds[0].push(shapes::shared::<Ours>(tasks, connections));
            rounds[1].push(shapes::shared::<Asyncband>(tasks, connections));
            rounds[2].push(shapes::shared::<Deadpool>(tasks, connections));
        }
        let speeds =
            |rounds: &[Throughput]| Figure::new(rounds.iter().map(|r| r.millions).collect());
        let [ours, asyncband, deadpool] = [0, 1, 2].map(|pool| speeds(&rounds[pool]));
        Report::section(&format!(
            "{tasks} tasks over {connections} connections, million operations per second (higher is better)"
        ));
        let target = least.map(|least| (&asyncband, Target::AtLeast(least, "asyncband")));
        report.compare("pool-core", &ours, target);
        report.compare("asyncband", &asyncband, None);
        report.compare("deadpool, timeouts on", &deadpool, None);
        let fairness = Figure::new(rounds[0].iter().map(|round| round.fairness).collect());
        let target = least.map(|_| 0.95);
        report.at_least("pool-core, fewest/most operations of a task", &fairness, target);
    }
}

fn memory(report: &mut Report) {
    Report::section("memory");
    report.exactly("allocations of an uncontended acquire + release", memory::uncontended(), 0);
    report.exactly("allocations of one that waits, after the first", memory::waiting(), 0);
    report.at_most("bytes a waiter, with its future", memory::bytes_a_waiter(), 512);
    report.at_most("bytes an idle slot, without the connection", memory::bytes_an_idle_slot(), 512);
}
