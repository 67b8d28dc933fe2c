//! When operations are wanted, and what is measured of them. In virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use pool_core::Pool;
use pool_loadtest::{
    Action, Arrivals, Change, Checked, LoadError, LoadOptions, LoadTester, Outcome, Step,
    StepError, ThinkTime, Workload, WorkloadError, workload_of,
};
use pool_testkit::{FakeDriver, FakeError};
use tokio::time::{Instant, sleep};

use crate::open_loop::open;
use crate::tester::{max_open, pool};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Two kinds of operations, of which the second takes longer; every tenth one fails.
#[derive(Default)]
struct Kinds {
    /// How long each took longer in the first two seconds.
    slow_at_first: Duration,
    began: Mutex<Option<Instant>>,
    drawn: Mutex<Vec<usize>>,
}

impl Workload<FakeDriver> for Kinds {
    async fn prepare(&self, _: &Pool<FakeDriver>) -> Result<(), WorkloadError> {
        Ok(())
    }

    fn kinds(&self) -> Vec<String> {
        vec!["read".to_owned(), "write".to_owned()]
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let kind = rng.usize(..2);
        self.drawn.lock().expect("not poisoned").push(kind);
        kind
    }

    async fn step(&self, step: Step<'_, FakeDriver>) -> Result<(), StepError> {
        let began = *self.began.lock().expect("not poisoned").get_or_insert_with(Instant::now);
        if began.elapsed() < 2 * SECOND {
            sleep(self.slow_at_first).await;
        }
        sleep(if step.kind == 0 { MS } else { 10 * MS }).await;
        if step.rng.u8(..10) == 0 { Err(FakeError::Severed.into()) } else { Ok(()) }
    }

    async fn verify(&self, _: &Pool<FakeDriver>) -> Result<Checked, WorkloadError> {
        let drawn = self.drawn.lock().expect("not poisoned");
        let head: Vec<_> = drawn.iter().take(50).map(ToString::to_string).collect();
        Ok(Checked::Held(head.concat()))
    }
}

fn options(arrivals: Arrivals, duration: Duration) -> LoadOptions {
    LoadOptions { arrivals, duration, baseline: Duration::ZERO, ..LoadOptions::default() }
}

fn tester(workload: Kinds, options: LoadOptions) -> LoadTester<FakeDriver, Kinds> {
    LoadTester::new(pool(max_open(8)).1, workload, options)
}

#[tokio::test(start_paused = true)]
async fn the_series_and_the_kinds_add_up_to_the_totals() {
    for arrivals in [Arrivals::closed(4), open("poisson 300/s", 100)] {
        let options = options(arrivals, 3_500 * MS);
        let report = tester(Kinds::default(), options).run().await.expect("prepared");
        let points = &report.series;
        let sum = |of: fn(&pool_loadtest::Point) -> u64| points.iter().map(of).sum::<u64>();
        assert_eq!((points.len(), sum(|it| it.operations)), (4, report.operations), "{report}");
        assert!(report.operations > 500 && report.errors > 30, "{report}");
        assert!(sum(|it| it.errors).abs_diff(report.errors) <= 8, "but the last: {report}");
        let seconds: f64 = points.iter().map(|point| point.seconds).sum();
        assert!((seconds - report.duration_seconds).abs() < 1e-6, "{seconds}");
        let [read, write] = &report.kinds[..] else { panic!("two kinds: {report}") };
        assert_eq!(read.operations + write.operations, report.operations + report.late);
        assert_eq!(read.errors + write.errors, report.errors);
        assert_eq!(read.response.count + write.response.count, report.response.count);
        assert_eq!((&*read.name, &*write.name), ("read", "write"));
        assert!(read.service.p50 < Some(3_000.0) && write.service.p50 >= Some(10_000.0));
        let text = report.to_string();
        assert!(text.contains("kinds       read: ") && text.contains(" errors\n"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_while_it_warms_up_is_among_no_latencies() {
    for arrivals in [Arrivals::closed(4), open("constant 100/s", 1_000)] {
        let slow = Kinds { slow_at_first: 300 * MS, ..Kinds::default() };
        let options = LoadOptions { warm_up: 3 * SECOND, ..options(arrivals, 2 * SECOND) };
        let mut told = Vec::new();
        let run = tester(slow, options);
        let report = run
            .run_until(std::future::pending(), |progress| {
                told.push((progress.warm_up_left, progress.elapsed));
            })
            .await
            .expect("prepared");
        assert!(report.response.max < Some(100_000.0), "{report}");
        assert!((report.load.warm_up_seconds - 3.0).abs() < 1e-9, "{report}");
        assert!((report.duration_seconds - 2.0).abs() < 0.01, "{report}");
        let done = report.operations + report.late + report.errors;
        assert!(done.abs_diff(report.pool.acquires.started) <= 8, "{report}");
        assert!(done.abs_diff(report.response.count) <= 8, "{report}");
        let text = report.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("2.0 s after a warm-up of 3.0 s"), "{report}");
        let (warming, measured): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|(left, _)| left.is_some());
        assert!(warming.len() >= 14 && warming.iter().all(|(_, at)| at.is_zero()), "{warming:?}");
        assert!(measured.len() >= 10 && measured.is_sorted(), "{measured:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_start_one_after_the_other_and_arrivals_become_more_while_it_warms_up() {
    for (arrivals, expected) in
        [(Arrivals::closed(8), [1, 8]), (open("constant 1000/s", 1_000), [0, 4])]
    {
        let options = LoadOptions { warm_up: 4 * SECOND, ..options(arrivals, SECOND) };
        let mut used = Vec::new();
        let seen = |progress: &pool_loadtest::Progress| {
            used.push((progress.warm_up_left, progress.pool.in_use + progress.pool.waiting));
        };
        tester(Kinds::default(), options)
            .run_until(std::future::pending(), seen)
            .await
            .expect("ok");
        let at = |left: u32| {
            let is_then = |it: &&(Option<Duration>, usize)| {
                it.0.is_some_and(|it| it.abs_diff(left * SECOND) < 20 * MS)
            };
            used.iter().find(is_then).unwrap_or_else(|| panic!("told at {left}: {used:?}")).1
        };
        let [first, last] = expected;
        assert!(at(4) <= first && at(1) >= last, "{used:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_it_warms_up_has_nothing_to_report() {
    for arrivals in [Arrivals::closed(4), open("constant 100/s", 10)] {
        let options = LoadOptions { warm_up: Duration::MAX, ..options(arrivals, SECOND) };
        let stopped = tester(Kinds::default(), options).run_until(sleep(SECOND), |_| {}).await;
        assert!(matches!(stopped, Err(LoadError::Interrupted)), "{stopped:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn durations_as_long_as_there_are_do_not_panic() {
    for arrivals in [
        Arrivals::Closed { tasks: 2, think_time: ThinkTime::Fixed(Duration::MAX) },
        open("burst 3 every 18446744073709551615s", 10),
    ] {
        let at = Duration::MAX;
        let action: Action = "pause".parse().expect("understood");
        let options = LoadOptions {
            partial_every: Some(Duration::MAX),
            changes: vec![Change { at, action }],
            ..options(arrivals, Duration::MAX)
        };
        let run = tester(Kinds::default(), options).run_until(sleep(SECOND), |_| {});
        let report = run.await.expect("begun");
        assert_eq!((report.outcome, report.changes.len()), (Outcome::Interrupted, 0));
        assert!(report.operations + report.errors >= 2, "{report}");
    }
    let endless = LoadOptions { baseline: Duration::MAX, ..LoadOptions::default() };
    let stopped = tester(Kinds::default(), endless).run_until(sleep(SECOND), |_| {}).await;
    assert!(matches!(stopped, Err(LoadError::Interrupted)), "{stopped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_thinks_between_its_operations() {
    let think_time = ThinkTime::Fixed(90 * MS);
    let thinking = options(Arrivals::Closed { tasks: 1, think_time }, 10 * SECOND);
    let report = tester(Kinds::default(), thinking).run().await.expect("prepared");
    // An operation takes 1 to 11 ms; after one in ten, which fails, the pause is another.
    assert!((95..=125).contains(&(report.operations + report.errors)), "{report}");
    assert!(report.response.max < Some(20_000.0), "thinking is no waiting: {report}");
    assert_eq!(report.load.arrivals, "closed, think 90ms");
    assert!(report.to_string().contains("1 task that think for 90ms over"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_arrival_does_the_same_work_in_every_run() {
    let run = async |seed| {
        let options = LoadOptions { seed, ..options(open("poisson 200/s", 100), SECOND) };
        let report = tester(Kinds::default(), options).run().await.expect("prepared");
        (report.generator.arrivals, report.invariant_detail)
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn what_an_arrival_draws_says_nothing_of_what_the_next_one_does() {
    let drawn: Arc<Mutex<Vec<bool>>> = Arc::default();
    let log = Arc::clone(&drawn);
    let workload = workload_of::<FakeDriver>("draws", move |step| {
        log.lock().expect("not poisoned").push(step.rng.u8(..100) < 20);
        Box::pin(async { Ok(()) })
    });
    let options = options(open("constant 1000/s", 100), 4 * SECOND);
    LoadTester::new(pool(max_open(4)).1, workload, options).run().await.expect("prepared");
    let drawn = drawn.lock().expect("not poisoned");
    let pairs = drawn.windows(2).filter(|pair| pair[0]);
    let (all, both) = (pairs.clone().count(), pairs.filter(|pair| pair[1]).count());
    // One in five of some eight hundred, within four standard errors.
    let share = both as f64 / all as f64;
    assert!((0.14..0.26).contains(&share), "{both} of {all}");
}

#[tokio::test(start_paused = true)]
async fn a_run_under_way_tells_what_there_is_so_far() {
    let options =
        LoadOptions { partial_every: Some(SECOND), ..options(Arrivals::closed(4), 3_500 * MS) };
    let (mut partial, mut points) = (Vec::new(), Vec::new());
    let run = tester(Kinds::default(), options).run_until(std::future::pending(), |progress| {
        partial.extend(progress.partial.clone());
        points.extend(progress.points.clone());
    });
    let report = run.await.expect("prepared");
    assert_eq!((partial.len(), points.len()), (4, report.series.len()));
    let at_the_end = partial.pop().expect("four");
    assert!(at_the_end.duration_seconds > 3.4, "{at_the_end}");
    for (number, part) in partial.iter().enumerate() {
        assert_eq!((part.outcome, part.in_use), (Outcome::Running, part.pool.in_use));
        assert!((part.duration_seconds - (number + 1) as f64).abs() < 0.5, "{part}");
        assert!(part.operations > 100 && part.operations < report.operations, "{part}");
        assert_eq!(part.invariant_detail, "fake: the run had not ended");
    }
    assert!(partial.is_sorted_by_key(|part| part.operations));
    assert_eq!(points, report.series);
}
