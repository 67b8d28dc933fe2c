//! What the generator adds to an operation that does nothing, on one core.
//!
//! 3 % of one core at 100 000 operations a second are 300 ns an operation. Bare is a loop that acquires,
//! does nothing and releases; rounds take turns, and each is compared with the bare one of its round.

use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig};
use pool_loadtest::{
    Arrivals, Checked, LoadOptions, LoadTester, Report, Step, StepError, Workload, WorkloadError,
};
use pool_testkit::Nothing;
use tokio::runtime::{Builder, Runtime};
use tokio::task::consume_budget;

use super::Extent;
use super::figure::{Figure, Target};

/// Operations a second of an open loop.
const RATE: u32 = 100_000;
/// 3 % of a core at that rate, in nanoseconds an operation.
const MOST: f64 = 300.0;

/// An operation that does nothing.
pub(crate) struct Idle;

impl Workload<Nothing> for Idle {
    async fn prepare(&self, _: &Pool<Nothing>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, _: Step<'_, Nothing>) -> Result<(), StepError> {
        Ok(())
    }

    async fn verify(&self, _: &Pool<Nothing>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("nothing was done".to_owned()))
    }
}

pub(crate) fn measure(extent: Extent) -> Vec<Figure> {
    let (rounds, time) = match extent {
        Extent::Test => (1, Duration::from_millis(20)),
        Extent::Quick => (5, Duration::from_millis(300)),
        Extent::Full => (31, Duration::from_secs(1)),
    };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let bare = bare(&runtime, time);
        let load = load(&runtime, Arrivals::closed(1), time);
        closed.push(time.as_nanos() as f64 / load.operations as f64 - bare);
        let rate = format!("constant {RATE}/s").parse().expect("a rate");
        let load = self::load(&runtime, Arrivals::open(rate), time);
        if let Some(cores) = load.generator.cores_used {
            open.push(cores * 1e9 / f64::from(RATE) - bare);
        }
    }
    let mut figures = vec![Figure::new(
        "closed loop: an operation takes longer by",
        "ns",
        closed,
        Some(Target::AtMost(MOST)),
    )];
    if !open.is_empty() {
        let name = format!("open loop at {RATE}/s: processor time an operation more");
        figures.push(Figure::new(name, "ns", open, None));
    }
    figures
}

/// Nanoseconds of one operation in a loop that does nothing else.
fn bare(runtime: &Runtime, time: Duration) -> f64 {
    let pool = pool();
    runtime.block_on(async {
        let (started, mut operations) = (Instant::now(), 0_u64);
        while started.elapsed() < time {
            for _ in 0..64 {
                consume_budget().await;
                drop(pool.acquire().await.expect("one is idle"));
            }
            operations += 64;
        }
        started.elapsed().as_nanos() as f64 / operations as f64
    })
}

fn load(runtime: &Runtime, arrivals: Arrivals, time: Duration) -> Report {
    let options = LoadOptions {
        arrivals,
        duration: time,
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    let report = runtime.block_on(LoadTester::new(pool(), Idle, options).run()).expect("a run");
    assert!(report.operations > 0 && report.errors == 0, "{report}");
    report
}

fn pool() -> Pool<Nothing> {
    Pool::new(Nothing, PoolConfig::default()).expect("valid")
}
