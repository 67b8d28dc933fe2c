//! Whether the generator's memory stays what it was, however long it runs.

use std::fs;
use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_loadtest::{Arrivals, LoadOptions, LoadTester};
use pool_testkit::Nothing;
use tokio::runtime::Builder;

use super::Extent;
use super::figure::{Figure, Target};
use super::overhead::Idle;

/// By how much the second half of a run may grow: noise of the allocator.
const MOST: f64 = 512.0;

/// The growth of a run's memory in its second half, in KiB. Nothing where that cannot be read.
pub(crate) fn measure(extent: Extent) -> Vec<Figure> {
    let time = match extent {
        Extent::Test => Duration::from_secs(1),
        Extent::Quick => Duration::from_secs(10),
        Extent::Full => Duration::from_mins(5),
    };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = LoadOptions {
        arrivals: Arrivals::closed(64),
        duration: time,
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    let pool = Pool::new(Nothing, PoolConfig::default()).expect("valid");
    let mut samples = Vec::new();
    let report = runtime.block_on(LoadTester::new(pool, Idle, options).run_until(
        std::future::pending(),
        |progress| {
            samples.extend(resident().map(|kib| (progress.elapsed, kib)));
        },
    ));
    let report = report.expect("a run");
    assert!(report.errors == 0, "{report}");
    let half = samples.iter().find(|(elapsed, _)| *elapsed >= time / 2);
    let (Some((_, half)), Some((_, end))) = (half, samples.last()) else { return Vec::new() };
    let (seconds, millions) = (time.as_secs(), report.operations / 1_000_000);
    let name = format!("memory after {seconds} s and {millions} million operations: since half");
    vec![Figure::new(name, "KiB", vec![end - half], Some(Target::AtMost(MOST)))]
}

/// Memory of this process, in KiB.
fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
