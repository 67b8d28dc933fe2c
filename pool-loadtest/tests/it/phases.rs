//! The phases of a run: each is bounded, each can be stopped, and what was made is removed. In
//! virtual time.

use std::future::{Future, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_core::Pool;
use pool_loadtest::{
    Arrivals, Checked, Invariant, LoadError, LoadOptions, LoadTester, Outcome, Report, Step,
    StepError, Workload, WorkloadError,
};
use pool_testkit::{FakeDriver, FakeError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::tester::{max_open, pool};

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Prepare,
    Step,
    Verify,
    CleanUp,
}

/// Hangs in one phase for ever, and says when it is there.
#[derive(Clone)]
pub(crate) struct Phased {
    hangs_in: Option<Phase>,
    there: Arc<Notify>,
    /// The numbers of the operations that fail.
    failing: fn(u64) -> bool,
    steps: Arc<AtomicU64>,
    cleaned_up: Arc<AtomicU64>,
}

impl Phased {
    async fn reach(&self, phase: Phase) {
        if self.hangs_in == Some(phase) {
            self.there.notify_one();
            pending::<()>().await;
        }
    }
}

impl Workload<FakeDriver> for Phased {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        self.reach(Phase::Prepare).await;
        Ok(())
    }

    async fn step(&self, _: Step<'_, FakeDriver>) -> Result<(), StepError> {
        let number = self.steps.fetch_add(1, Ordering::Relaxed);
        sleep(MS).await;
        self.reach(Phase::Step).await;
        if (self.failing)(number) { Err(FakeError::Severed.into()) } else { Ok(()) }
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        self.reach(Phase::Verify).await;
        Ok(Checked::Held("all of it".to_owned()))
    }

    async fn clean_up(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        self.cleaned_up.fetch_add(1, Ordering::Relaxed);
        self.reach(Phase::CleanUp).await;
        Ok(())
    }
}

pub(crate) fn phased(hangs_in: Option<Phase>) -> Phased {
    Phased {
        hangs_in,
        there: Arc::default(),
        failing: |_| false,
        steps: Arc::default(),
        cleaned_up: Arc::default(),
    }
}

pub(crate) fn seconds(seconds: u64) -> LoadOptions {
    let duration = Duration::from_secs(seconds);
    LoadOptions {
        arrivals: Arrivals::closed(2),
        duration,
        baseline: 300 * MS,
        ..LoadOptions::default()
    }
}

/// Runs it, and stops it with `stop`.
async fn stopped(
    workload: &Phased,
    options: LoadOptions,
    stop: impl Future<Output = ()>,
) -> Result<Report, LoadError> {
    let (_, pool) = pool(max_open(2));
    LoadTester::new(pool, workload.clone(), options).run_until(stop, |_| {}).await
}

#[tokio::test(start_paused = true)]
async fn a_baseline_that_hangs_ends_in_time_and_is_unknown() {
    let started = Instant::now();
    let workload = phased(Some(Phase::Step));
    let stop = async {
        // Once in the baseline, then in the load.
        workload.there.notified().await;
        workload.there.notified().await;
    };
    let report = stopped(&workload, seconds(60), stop).await.expect("the load had begun");
    assert_eq!(report.baseline_us, None);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_baseline_leaves_out_what_fails() {
    let workload = Phased { failing: |number| number == 0, ..phased(None) };
    let report = stopped(&workload, seconds(1), pending()).await.expect("prepared");
    let alone = report.baseline_us.expect("the others succeeded");
    assert!((900.0..3000.0).contains(&alone), "{alone} us");
    assert_eq!(report.errors, 0, "it was not part of the run");
}

#[tokio::test(start_paused = true)]
async fn the_pool_is_reported_without_what_came_before_the_load() {
    let (_, pool) = pool(max_open(2));
    for _ in 0..50 {
        drop(pool.acquire().await.expect("opened"));
    }
    let tester = LoadTester::new(pool, phased(None), seconds(1));
    let report = tester.run().await.expect("prepared");
    let acquires = report.pool.acquires;
    let served = acquires.immediate + acquires.waited + acquires.opened;
    assert_eq!(served, report.operations + report.late, "{report}");
    assert_eq!(report.pool.opened, 1, "the first was open already");
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_preparing_ends_without_a_report_and_cleans_up() {
    let workload = phased(Some(Phase::Prepare));
    let stopped = stopped(&workload, seconds(60), workload.there.notified()).await;
    assert!(matches!(stopped, Err(LoadError::Interrupted)), "{stopped:?}");
    assert_eq!(workload.cleaned_up.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_baseline_ends_without_a_report_and_cleans_up() {
    let workload = phased(Some(Phase::Step));
    let stopped = stopped(&workload, seconds(60), workload.there.notified()).await;
    assert!(matches!(stopped, Err(LoadError::Interrupted)), "{stopped:?}");
    assert_eq!(workload.cleaned_up.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_operations_finish_drops_them_and_reports() {
    let workload = phased(Some(Phase::Step));
    let options = LoadOptions { baseline: Duration::ZERO, ..seconds(10) };
    let stop = sleep(Duration::from_millis(10_100));
    let report = stopped(&workload, options, stop).await.expect("the load had begun");
    assert_eq!((report.outcome, report.unfinished.dropped), (Outcome::Interrupted, 2));
    assert!(report.service.max < Some(10.5e6), "they were dropped at once: {report}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_checking_leaves_the_invariant_unchecked_and_cleans_up() {
    let workload = phased(Some(Phase::Verify));
    let stop = workload.there.notified();
    let report = stopped(&workload, seconds(1), stop).await.expect("the load had begun");
    assert_eq!((report.outcome, report.invariant), (Outcome::Interrupted, Invariant::Unchecked));
    assert!(report.operations > 0, "{report}");
    assert_eq!(workload.cleaned_up.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_in_time_is_named_in_a_warning() {
    let workload = phased(Some(Phase::CleanUp));
    let stop = workload.there.notified();
    let report = stopped(&workload, seconds(1), stop).await.expect("the load had begun");
    let expected = "what the workload made in fake may still be there: it takes too long";
    assert_eq!(report.warnings, [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_from_the_start_does_nothing_at_all() {
    let workload = phased(None);
    let stopped = stopped(&workload, seconds(1), ready(())).await;
    assert!(matches!(stopped, Err(LoadError::Interrupted)), "{stopped:?}");
    assert_eq!(workload.steps.load(Ordering::Relaxed), 0);
}

/// Work that is done before it could wait.
struct NeverWaits;

impl Workload<FakeDriver> for NeverWaits {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, step: Step<'_, FakeDriver>) -> Result<(), StepError> {
        Ok(step.connection.query("work")?)
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("all of it".to_owned()))
    }
}

#[tokio::test]
async fn work_that_never_waits_ends_in_time_on_one_thread() {
    let (_, pool) = pool(max_open(1));
    let options =
        LoadOptions { arrivals: Arrivals::closed(2), duration: 100 * MS, ..LoadOptions::default() };
    let report = LoadTester::new(pool, NeverWaits, options).run().await.expect("prepared");
    assert!(report.operations > 0, "{report}");
}
