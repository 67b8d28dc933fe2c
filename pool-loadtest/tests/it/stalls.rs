//! What goes wrong or does not end shows in the latencies. In virtual time.

use std::time::Duration;

use pool_core::{Pool, PoolConfig};
use pool_loadtest::{
    Arrivals, Checked, Limit, LoadOptions, LoadTester, Report, Step, StepError, Workload,
    WorkloadError,
};
use pool_testkit::{Answer, Call, FakeDriver, FakeError};
use tokio::time::sleep;

use crate::tester::{max_open, pool};

const SECOND: Duration = Duration::from_secs(1);
const MICROS: f64 = 1e6;

/// Every operation takes this long and ends so.
#[derive(Clone, Copy)]
struct Slow {
    takes: Duration,
    fails: bool,
}

impl Workload<FakeDriver> for Slow {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, _: Step<'_, FakeDriver>) -> Result<(), StepError> {
        sleep(self.takes).await;
        if self.fails { Err(FakeError::Severed.into()) } else { Ok(()) }
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("not counted".to_owned()))
    }
}

fn slow(takes: Duration) -> Slow {
    Slow { takes, fails: false }
}

async fn run(pool: &Pool<FakeDriver>, workload: Slow, tasks: usize, seconds: u64) -> Report {
    let options = LoadOptions {
        arrivals: Arrivals::closed(tasks),
        duration: Duration::from_secs(seconds),
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    LoadTester::new(pool.clone(), workload, options).run().await.expect("prepared")
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_late_is_as_slow_as_one_that_succeeds_late() {
    let (_, pool) = pool(max_open(1));
    let report = run(&pool, Slow { fails: true, ..slow(SECOND) }, 1, 10).await;
    assert!(report.errors >= 8, "{report}");
    assert!(report.service.p50 >= Some(0.99 * MICROS), "{report}");
    assert!(report.response.p50 >= Some(0.99 * MICROS), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_acquire_that_times_out_has_waited() {
    let (_, pool) = pool(PoolConfig { acquire_timeout: SECOND, ..max_open(1) });
    let report = run(&pool, slow(60 * SECOND), 2, 10).await;
    assert!(report.errors >= 8, "{report}");
    assert!(report.wait.p50 >= Some(0.99 * MICROS), "{report}");
    assert!(report.response.p50 >= Some(0.99 * MICROS), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_acquire_still_waiting_at_the_end_counts_with_its_age() {
    let (server, pool) = pool(PoolConfig { outage_grace: None, ..max_open(1) });
    server.always(Call::Connect, Answer::Never);
    let report = run(&pool, slow(SECOND), 3, 9).await;
    assert!(report.wait.p50 >= Some(8.9 * MICROS), "{report}");
    assert_eq!((report.unfinished.waiting, report.unfinished.dropped), (3, 0));
    assert_eq!(report.errors, 0, "waiting is not an error");
    assert_eq!((report.service.count, report.service.p99), (0, None), "nobody had a connection");
    assert!(report.to_string().contains("service             -"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_never_ends_counts_with_its_age() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, slow(Duration::from_hours(1)), 2, 10).await;
    assert!(report.service.p50 >= Some(9.9 * MICROS), "{report}");
    assert_eq!((report.unfinished.waiting, report.unfinished.dropped), (0, 2));
    assert_eq!((report.operations, report.in_use), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn throughput_counts_what_was_done_in_time() {
    let (_, pool) = pool(max_open(1));
    let report = run(&pool, slow(3 * SECOND), 1, 4).await;
    assert_eq!((report.operations, report.late), (1, 1));
    assert!((report.throughput - 0.25).abs() < 0.01, "{report}");
    assert!(report.service.max >= Some(2.9 * MICROS), "the late one is timed too: {report}");
}

#[tokio::test(start_paused = true)]
async fn errors_that_come_at_once_are_no_busy_loop() {
    // One works, one waits, the third is refused at once again and again.
    let (_, pool) = pool(PoolConfig { max_waiters: 1, ..max_open(1) });
    let report = run(&pool, slow(Duration::from_hours(1)), 3, 10).await;
    // After pauses of 1, 2, 4 ... 64 ms, ten a second; timers are precise to a millisecond.
    assert!((100..=107).contains(&report.errors), "{report}");
    assert_eq!(report.verdict.limit, Limit::Failing);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_what_the_verdict_is_about() {
    let (_, pool) = pool(PoolConfig { max_waiters: 1, ..max_open(1) });
    let report = run(&pool, slow(SECOND / 1000), 8, 10).await;
    let verdict = report.verdict;
    assert_eq!(verdict.limit, Limit::Failing, "{verdict:?}");
    let advice = verdict.recommendation.expect("there is a setting for it");
    assert_eq!((&*advice.field, &*advice.value), ("max_waiters", "8"));
    assert!(verdict.summary.contains("too many waiting"), "{}", verdict.summary);
}

#[tokio::test(start_paused = true)]
async fn what_opening_takes_is_counted_while_it_is_measured_and_makes_the_churn() {
    let opens_each_time = PoolConfig { max_idle: 0, idle_grace: Duration::ZERO, ..max_open(1) };
    let (server, pool) = pool(opens_each_time);
    server.always(Call::Connect, Answer::Late(SECOND / 50));
    let options = LoadOptions {
        arrivals: Arrivals::closed(1),
        warm_up: 10 * SECOND,
        duration: 10 * SECOND,
        baseline: Duration::ZERO,
        ..LoadOptions::default()
    };
    let report = LoadTester::new(pool, slow(SECOND / 200), options).run().await.expect("prepared");
    let opened = &report.pool;
    assert!(opened.opened > 300, "for nearly each operation: {report}");
    let each = opened.opening_seconds / opened.opened as f64;
    assert!((0.0199..0.0221).contains(&each), "{each} s: {report}");
    assert!((5.0..10.0).contains(&opened.opening_seconds), "without the warm-up: {report}");
    assert_eq!(report.verdict.limit, Limit::Churn, "{report}");
    assert!(report.to_string().contains(" opened in 2"), "{report}");
}
