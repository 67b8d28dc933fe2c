//! Arrivals that do not wait for each other. In virtual time, but for a generator that is kept from
//! its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pool_core::Pool;
use pool_loadtest::{
    Arrivals, Checked, Limit, LoadModel, LoadOptions, LoadTester, Outcome, Report, Step, StepError,
    Workload, WorkloadError,
};
use pool_testkit::FakeDriver;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, sleep_until};

use crate::tester::{max_open, pool};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MICROS: f64 = 1e6;

/// Every operation takes a millisecond; but for a while after the first one none ends.
struct Stalls {
    first: OnceCell<Instant>,
    from: Duration,
    until: Duration,
}

impl Stalls {
    fn between(from: Duration, until: Duration) -> Self {
        Self { first: OnceCell::new(), from, until }
    }
}

impl Workload<FakeDriver> for Stalls {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, _: Step<'_, FakeDriver>) -> Result<(), StepError> {
        let first = *self.first.get_or_init(async || Instant::now()).await;
        if (self.from..self.until).contains(&first.elapsed()) {
            sleep_until(first + self.until).await;
        }
        sleep(MS).await;
        Ok(())
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("nothing was written".to_owned()))
    }
}

/// What keeps the threads of the generator busy.
struct Blocks;

impl Workload<FakeDriver> for Blocks {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, _: Step<'_, FakeDriver>) -> Result<(), StepError> {
        std::thread::sleep(4 * MS);
        Ok(())
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("nothing was written".to_owned()))
    }
}

pub(crate) fn open(schedule: &str, in_flight: usize) -> Arrivals {
    Arrivals::Open { schedule: schedule.parse().expect(schedule), in_flight }
}

async fn run<W: Workload<FakeDriver>>(
    workload: W,
    arrivals: Arrivals,
    duration: Duration,
) -> Report {
    let (_, pool) = pool(max_open(32));
    let options =
        LoadOptions { arrivals, duration, baseline: Duration::ZERO, ..LoadOptions::default() };
    LoadTester::new(pool, workload, options).run().await.expect("prepared")
}

#[tokio::test(start_paused = true)]
async fn a_stall_of_two_seconds_shows_in_the_p99_of_an_open_loop_and_hides_in_a_closed_one() {
    let stalls = || Stalls::between(SECOND, 3 * SECOND);
    let open = run(stalls(), open("constant 5000/s", 20_000), 5 * SECOND).await;
    assert!(open.response.p99 >= Some(1.9 * MICROS), "{open}");
    assert!(open.wait.p99 >= Some(1.9 * MICROS), "and it was a wait: {open}");
    // The last millisecond's are due at the end, as far as the timer can tell.
    let arrivals = open.generator.arrivals;
    assert!((24_990..=25_000).contains(&arrivals) && open.generator.dropped == 0, "{open}");
    assert_eq!((open.load.model, open.load.in_flight_limit), (LoadModel::Open, Some(20_000)));
    let all = open.operations + open.late + open.unfinished.waiting + open.unfinished.dropped;
    assert_eq!((all, open.response.count), (arrivals, arrivals), "{open}");
    assert!(!open.generator.saturated, "{open}");

    let closed = run(stalls(), Arrivals::closed(16), 5 * SECOND).await;
    assert!(closed.response.p99 < Some(0.1 * MICROS), "{closed}");
    assert!(closed.response.max >= Some(1.9 * MICROS), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn arrivals_beyond_the_limit_are_dropped_and_counted_and_it_is_not_the_generators_fault() {
    let stalled = Stalls::between(Duration::ZERO, 4 * SECOND);
    let report = run(stalled, open("constant 1000/s", 100), 2 * SECOND).await;
    let generator = &report.generator;
    assert_eq!((generator.arrivals, generator.dropped), (2_000, 1_900), "{report}");
    assert_eq!((report.operations, report.unfinished.waiting), (0, 68), "{report}");
    assert!(!generator.saturated, "{report}");
    assert!(generator.detail.contains("1 900 arrivals dropped because"), "{}", generator.detail);
    assert!(generator.detail.contains("not the generator's fault"), "{}", generator.detail);
    assert_eq!(report.series.iter().map(|point| point.dropped).sum::<u64>(), 1_900);
    let text = report.to_string();
    assert!(text.contains("arrivals    2 000 arrivals, 1 900 dropped"), "{text}");
    let heading = "constant 1000/s (at most 100 under way) over at most 32 connections, 2.0 s";
    assert!(text.contains(heading), "{text}");
}

#[tokio::test]
async fn a_generator_that_is_kept_from_its_work_says_so_and_nothing_is_recommended() {
    let report = run(Blocks, open("constant 2000/s", 10_000), SECOND).await;
    let generator = &report.generator;
    assert!(generator.saturated, "{report}");
    // One thread does at most 250 a second.
    assert!(generator.dropped >= 1_000, "{report}");
    assert!(generator.detail.contains("%) were due and not started"), "{report}");
    assert!(generator.detail.contains("operations start late"), "{report}");
    let lateness = generator.lateness.expect("an open loop");
    assert!(lateness.p99 <= report.wait.p99 && lateness.p99 > Some(100_000.0), "{report}");
    assert_eq!((report.verdict.limit, &report.verdict.recommendation), (Limit::Generator, &None));
    assert_eq!(report.unfinished.waiting, 0, "who asked for nothing does not wait: {report}");
    let text = report.to_string();
    assert!(
        text.contains("verdict     generator saturated: the load generator could not"),
        "{text}"
    );
    assert!(text.contains("recommended nothing: run it with less load"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn arrivals_are_started_when_they_are_due() {
    let never = Stalls::between(SECOND, SECOND);
    let report = run(never, open("burst 10 every 500ms", 1_000), 2 * SECOND).await;
    assert_eq!((report.generator.arrivals, report.operations), (40, 40), "{report}");
    // The timer of a runtime whose time is virtual is precise to a millisecond.
    let lateness = report.generator.lateness.expect("an open loop");
    assert!(lateness.count == 40 && lateness.max <= Some(1_001.0), "{report}");
    assert!(report.generator.detail.starts_with("40 of 40 arrivals were started (100 %)"));
    assert_eq!((report.outcome, report.load.tasks), (Outcome::Completed, None));
}

#[tokio::test(start_paused = true)]
async fn the_load_ends_with_the_last_line_of_its_trace() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("open_loop_trace.csv");
    std::fs::write(&file, "at\n0\n0.25\n0.25\n1.5\n").expect("written");
    let schedule = format!("trace {}", file.display());
    let never = Stalls::between(SECOND, SECOND);
    let report = run(never, open(&schedule, 10), 3_600 * SECOND).await;
    assert_eq!((report.operations, report.late, report.generator.arrivals), (4, 0, 4));
    assert!((1.5..1.51).contains(&report.duration_seconds), "{report}");
    assert_eq!((report.load.arrivals, report.outcome), (schedule, Outcome::Completed));
    let by_point: Vec<_> = report.series.iter().map(|point| point.operations).collect();
    assert_eq!(by_point, [3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_pool_with_room_to_spare_is_idle_in_an_open_loop() {
    let (_, pool) = pool(max_open(32));
    let options = LoadOptions {
        arrivals: open("constant 1000/s", 1_000),
        duration: SECOND,
        baseline: 100 * MS,
        ..LoadOptions::default()
    };
    let quick = Stalls::between(Duration::ZERO, Duration::ZERO);
    let report = LoadTester::new(pool, quick, options).run().await.expect("prepared");
    assert_eq!(report.verdict.limit, Limit::Idle, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_was_full_before_anybody_looked_is_not_idle() {
    let (_, pool) = pool(max_open(10));
    let options = LoadOptions {
        // Between the looks at the pool.
        arrivals: open("burst 40 every 310ms", 1_000),
        warm_up: SECOND,
        duration: 4 * SECOND,
        baseline: 100 * MS,
        ..LoadOptions::default()
    };
    let quick = Stalls::between(Duration::ZERO, Duration::ZERO);
    let report = LoadTester::new(pool, quick, options).run().await.expect("prepared");
    assert!(!report.pool.peak_is_exact && report.pool.peak_in_use < 10, "{report}");
    assert_ne!(report.verdict.limit, Limit::Idle, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_schedule_of_many_stages_is_broken_into_lines() {
    let stage = "constant 10/s for 100ms";
    let schedule = [stage; 12].join(", ");
    let stalled = Stalls::between(Duration::ZERO, Duration::ZERO);
    let text = run(stalled, open(&schedule, 100), SECOND).await.to_string();
    let first = "custom, constant 10/s for 100ms, constant 10/s for 100ms, constant 10/s for 100ms, \
                 constant 10/s\n            for 100ms, ";
    assert!(text.contains(first), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

/// Panics at work, and knows whether it was asked to clean up.
struct Panics(Arc<AtomicBool>);

impl Workload<FakeDriver> for Panics {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    async fn step(&self, _: Step<'_, FakeDriver>) -> Result<(), StepError> {
        panic!("as it is told")
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        Ok(Checked::Held("nothing was written".to_owned()))
    }

    async fn clean_up(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_panics_ends_the_run_with_its_panic_once_all_is_cleaned_up() {
    for baseline in [Duration::ZERO, SECOND] {
        for arrivals in [open("constant 10/s", 10), Arrivals::closed(2)] {
            let is_clean = Arc::new(AtomicBool::new(false));
            let (_, pool) = pool(max_open(32));
            let options =
                LoadOptions { arrivals, baseline, duration: SECOND, ..LoadOptions::default() };
            let tester = LoadTester::new(pool.clone(), Panics(Arc::clone(&is_clean)), options);
            let panic = tokio::spawn(tester.run()).await.expect_err("it panics").into_panic();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"as it is told"));
            assert!(is_clean.load(Ordering::Relaxed), "with a baseline of {baseline:?}");
            assert_eq!(pool.stats().in_use, 0);
        }
    }
}
