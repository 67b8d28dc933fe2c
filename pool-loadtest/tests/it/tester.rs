//! `LoadTester` on the scripted driver: what goes in comes out in the report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_core::runtime::TokioRuntime;
use pool_core::{Pool, PoolConfig};
use pool_loadtest::{
    Arrivals, Checked, Invariant, Limit, LoadOptions, LoadTester, Outcome, Report, Step, StepError,
    Workload, WorkloadError,
};
use pool_testkit::{Answer, Call, FakeDriver, FakeError, FakeServer};
use tokio::sync::Semaphore;

const MS: Duration = Duration::from_millis(1);

/// Counts its operations; some fail.
struct Counting {
    done: Arc<AtomicU64>,
    /// Every so many operations, the server hangs up.
    sever_every: Option<u64>,
    /// What the check finds.
    check: Check,
    cleaned_up: Arc<AtomicU64>,
}

#[derive(Clone, Copy)]
enum Check {
    Held,
    Lost,
    Fails,
}

impl Workload<FakeDriver> for Counting {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, step: Step<'_, FakeDriver>) -> Result<(), StepError> {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        if self.sever_every.is_some_and(|every| number.is_multiple_of(every)) {
            step.connection.sever();
        }
        step.connection.query("work")?;
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        let words = "as counted".to_owned();
        match self.check {
            Check::Held => Ok(Checked::Held(words)),
            Check::Lost => Ok(Checked::Broken(words)),
            Check::Fails => Err(WorkloadError::during("counting")(FakeError::Severed)),
        }
    }

    async fn clean_up(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        self.cleaned_up.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn counting() -> Counting {
    Counting {
        done: Arc::default(),
        sever_every: None,
        check: Check::Held,
        cleaned_up: Arc::default(),
    }
}

pub(crate) fn pool(config: PoolConfig) -> (FakeServer, Pool<FakeDriver>) {
    let server = FakeServer::new(Arc::new(TokioRuntime::new()));
    let pool = Pool::new(FakeDriver::new(&server), config).expect("valid");
    (server, pool)
}

fn options(tasks: usize) -> LoadOptions {
    LoadOptions {
        arrivals: Arrivals::closed(tasks),
        duration: 200 * MS,
        baseline: 5 * MS,
        ..LoadOptions::default()
    }
}

pub(crate) fn max_open(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, ..PoolConfig::default() }
}

async fn run(pool: &Pool<FakeDriver>, workload: Counting, tasks: usize) -> Report {
    let tester = LoadTester::new(pool.clone(), workload, options(tasks));
    tester.run().await.expect("prepared")
}

#[tokio::test]
async fn every_operation_is_counted_and_every_connection_given_back() {
    let (server, pool) = pool(max_open(3));
    let workload = counting();
    let done = Arc::clone(&workload.done);
    let report = run(&pool, workload, 12).await;
    let acquires = report.pool.acquires;
    assert_eq!(report.operations + report.late, acquires.started - acquires.cancelled);
    assert!(done.load(Ordering::Relaxed) > report.operations + report.late, "and the baseline");
    assert!(report.operations > 0 && report.errors == 0 && report.throughput > 0.0);
    assert_eq!((report.in_use, report.pool.peak_in_use), (0, 3));
    assert_eq!((report.invariant, report.outcome), (Invariant::Held, Outcome::Completed));
    assert_eq!((pool.stats().in_use, server.most_sockets()), (0, 3));
}

#[tokio::test]
async fn the_same_numbers_come_out_as_json_and_as_text() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, counting(), 4).await;
    let json = serde_json::to_value(&report).expect("serialises");
    assert_eq!(json["schema_version"], pool_loadtest::SCHEMA_VERSION);
    assert_eq!(json["operations"], report.operations);
    assert_eq!(json["config"]["max_open"], 2);
    assert_eq!(json["invariant"], "held");
    assert!(
        json["wait"]["p99"].as_f64().expect("a number")
            >= json["wait"]["p50"].as_f64().expect("a number")
    );
    let text = report.to_string();
    assert!(text.contains("4 tasks over at most 2 connections"), "{text}");
    assert!(text.contains("invariant   held: as counted"), "{text}");
}

#[tokio::test]
async fn errors_are_counted_by_kind_and_the_run_goes_on() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, Counting { sever_every: Some(10), ..counting() }, 4).await;
    assert!(report.errors > 0 && report.operations > report.errors, "{report}");
    let [group] = &report.error_groups[..] else { panic!("one kind: {report}") };
    assert_eq!((group.kind.as_str(), group.count), ("the server has hung up", report.errors));
}

#[tokio::test]
async fn a_broken_invariant_is_reported() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, Counting { check: Check::Lost, ..counting() }, 2).await;
    assert_eq!(report.invariant, Invariant::Broken);
    assert!(report.to_string().contains("invariant   BROKEN: as counted"));
}

#[tokio::test]
async fn what_was_made_is_removed_even_after_a_check_that_failed() {
    let (_, pool) = pool(max_open(2));
    let workload = Counting { check: Check::Fails, ..counting() };
    let cleaned_up = Arc::clone(&workload.cleaned_up);
    let report = run(&pool, workload, 2).await;
    assert_eq!(report.invariant, Invariant::Unchecked);
    assert_eq!(report.invariant_detail, "fake: counting failed: the server has hung up");
    assert_eq!(cleaned_up.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_run_that_is_stopped_reports_what_it_has() {
    let (_, pool) = pool(max_open(2));
    let stop = Arc::new(Semaphore::new(0));
    let mut long = options(4);
    long.duration = Duration::from_hours(1);
    let tester = LoadTester::new(pool, counting(), long);
    let stopped = async { drop(stop.acquire().await) };
    let run = tester.run_until(stopped, |progress| {
        if progress.operations > 100 {
            stop.add_permits(1);
        }
    });
    let report = run.await.expect("prepared");
    assert_eq!((report.outcome, report.in_use), (Outcome::Interrupted, 0));
    assert!(report.operations > 100, "{report}");
    assert!(report.to_string().contains("interrupted, so this is a part"), "{report}");
}

#[tokio::test]
async fn a_run_ends_on_time_though_nothing_can_be_opened() {
    let (server, pool) = pool(PoolConfig { outage_grace: None, ..max_open(1) });
    server.always(Call::Connect, Answer::Never);
    let mut options = options(3);
    options.baseline = Duration::ZERO;
    let report = LoadTester::new(pool, counting(), options).run().await.expect("prepared");
    assert_eq!((report.operations, report.pool.acquires.cancelled), (0, 3));
    assert_eq!(report.verdict.limit, Limit::Unknown);
}
