//! How often two runs of the same load compare as unchanged, and one that is a tenth slower as regressed.

use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig};
use pool_loadtest::{
    Arrivals, Checked, Comparison, ComparisonVerdict, LoadOptions, LoadTester, Report, Step,
    StepError, Workload, WorkloadError,
};
use pool_testkit::Nothing;
use tokio::runtime::Builder;
use tokio::task::yield_now;

use super::Extent;
use super::figure::{Figure, Target};

/// Pairs of runs; asked are all but one of them.
const PAIRS: u32 = 20;

/// An operation that keeps a core busy for so long.
struct Busy(Duration);

impl Workload<Nothing> for Busy {
    async fn prepare(&self, _: &Pool<Nothing>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, _: Step<'_, Nothing>) -> Result<(), StepError> {
        let started = Instant::now();
        while started.elapsed() < self.0 {
            yield_now().await;
        }
        Ok(())
    }

    async fn verify(&self, _: &Pool<Nothing>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("nothing was done".to_owned()))
    }
}

pub(crate) fn measure(extent: Extent) -> Vec<Figure> {
    let (pairs, time) = match extent {
        Extent::Test => (1, Duration::from_millis(300)),
        // A comparison takes less than eight seconds for too few.
        Extent::Quick => (2, Duration::from_secs(9)),
        Extent::Full => (PAIRS, Duration::from_secs(10)),
    };
    let usual = Duration::from_micros(200);
    let (mut same, mut slower) = (0, 0);
    for _ in 0..pairs {
        let first = run(usual, time);
        let judged = |second: &Report| Comparison::of(&first, second).verdict;
        same += u32::from(judged(&run(usual, time)) == ComparisonVerdict::Unchanged);
        slower += u32::from(judged(&run(usual * 11 / 10, time)) == ComparisonVerdict::Regressed);
    }
    let figure = |name: &str, count: u32| {
        let asked = f64::from(pairs) * f64::from(PAIRS - 1) / f64::from(PAIRS);
        let name = format!("{name}, of {pairs}");
        Figure::new(name, "", vec![f64::from(count)], Some(Target::AtLeast(asked)))
    };
    vec![
        figure("pairs of the same load that are unchanged", same),
        figure("pairs with a second that is 10 % slower that are regressed", slower),
    ]
}

fn run(takes: Duration, time: Duration) -> Report {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = LoadOptions {
        arrivals: Arrivals::closed(1),
        duration: time,
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    let pool = Pool::new(Nothing, PoolConfig::default()).expect("valid");
    runtime.block_on(LoadTester::new(pool, Busy(takes), options).run()).expect("a run")
}
