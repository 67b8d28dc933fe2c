//! The phases of a run: each is bounded, each can be stopped, and what was made is removed. In
//! virtual time.

use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{Pool, PoolState};
use pool_loadtest::{
    Arrivals, Change, Checked, Invariant, LoadError, LoadOptions, LoadTester, Outcome, Progress,
    Report, Step, StepError, Workload, WorkloadError,
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

/// Hangs in one phase for ever, and says when it is there; or panics in one.
#[derive(Clone)]
pub(crate) struct Phased {
    hangs_in: Option<Phase>,
    panics_in: Option<Phase>,
    there: Arc<Notify>,
    /// The numbers of the operations that fail.
    failing: fn(u64) -> bool,
    steps: Arc<AtomicU64>,
    cleaned_up: Arc<AtomicU64>,
}

impl Phased {
    async fn reach(&self, phase: Phase) {
        assert_ne!(self.panics_in, Some(phase), "as it is told");
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
        panics_in: None,
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

/// Runs a workload until it panics; with what words, and how long that took.
async fn panicked(
    workload: &Phased,
    options: LoadOptions,
    mut progress: impl FnMut(&Progress) + Send + 'static,
) -> (String, Duration) {
    let (_, pool) = pool(max_open(2));
    let (tester, started) = (LoadTester::new(pool, workload.clone(), options), Instant::now());
    let run = async move { tester.run_until(pending(), &mut progress).await };
    let panic = tokio::spawn(run).await.expect_err("it panics").into_panic();
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    (words.expect("words"), started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn whatever_panics_what_was_made_is_removed_and_nobody_waits_for_the_end() {
    for phase in [Phase::Prepare, Phase::Step, Phase::Verify] {
        for (baseline, warm_up) in [(300, 0), (0, 0), (0, 10_000)] {
            let workload = Phased { panics_in: Some(phase), ..phased(None) };
            let options =
                LoadOptions { baseline: baseline * MS, warm_up: warm_up * MS, ..seconds(60) };
            let (words, elapsed) = panicked(&workload, options, |_| {}).await;
            assert!(words.contains("as it is told"), "{words}");
            assert_eq!(workload.cleaned_up.load(Ordering::Relaxed), 1, "{phase:?}");
            let is_soon = elapsed < Duration::from_secs(1);
            assert_eq!(is_soon, phase != Phase::Verify, "{phase:?} after {elapsed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_whoever_is_told_of_progress_panics_what_was_made_is_removed() {
    let workload = phased(None);
    let tell = |progress: &Progress| assert!(progress.operations < 10, "enough {}", 10);
    let (words, elapsed) = panicked(&workload, seconds(60), tell).await;
    assert_eq!(words, "enough 10");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    assert_eq!(workload.cleaned_up.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_paused_when_a_load_dies_is_resumed_to_remove_what_was_made() {
    let (_, pool) = pool(max_open(2));
    let action = "pause".parse().expect("known");
    let changes = vec![Change { at: Duration::from_secs(3), action }];
    let options = LoadOptions { changes, ..seconds(60) };
    let tester = LoadTester::new(pool.clone(), phased(None), options);
    let run = async move {
        let tell = |it: &Progress| assert_ne!(it.pool.state, PoolState::Paused);
        tester.run_until(pending(), tell).await
    };
    tokio::spawn(run).await.expect_err("it panics");
    assert_ne!(pool.stats().state, PoolState::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_operation_comes_after_a_report_of_what_there_was() {
    let workload = Phased {
        failing: |number| {
            assert!(number < 50, "{number}");
            false
        },
        ..phased(None)
    };
    let (partial, told) = (Arc::new(Mutex::new(None)), Duration::from_secs(90));
    let options =
        LoadOptions { partial_every: Some(told), baseline: Duration::ZERO, ..seconds(60) };
    let kept = Arc::clone(&partial);
    let keep = move |progress: &Progress| {
        if let Some(report) = &progress.partial {
            *kept.lock().expect("no panic") = Some(report.clone());
        }
    };
    let (words, _) = panicked(&workload, options, keep).await;
    assert_eq!(words, "50");
    let report = partial.lock().expect("no panic").take().expect("one, at the end");
    assert!((48..=50).contains(&report.operations), "{report}");
    assert_eq!(report.outcome, Outcome::Running, "it cannot tell yet");
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
