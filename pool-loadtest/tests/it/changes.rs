//! What is done to the pool while it is under load: when, and what is said of it. In virtual time.

use std::future::pending;
use std::time::Duration;

use pool_core::{Pool, PoolState};
use pool_loadtest::{
    Arrivals, Change, ChangeOutcome, Limit, LoadOptions, LoadTester, Progress, Report,
};
use pool_testkit::FakeDriver;

use crate::phases::{phased, seconds};
use crate::tester::{max_open, pool};

/// Ten seconds of load with these changes, given in seconds.
async fn run(
    pool: &Pool<FakeDriver>,
    changes: &[(u64, &str)],
    progress: impl FnMut(&Progress),
) -> Report {
    let change = |(at, action): &(u64, &str)| Change {
        at: Duration::from_secs(*at),
        action: action.parse().expect("right"),
    };
    let changes = changes.iter().map(change).collect();
    let options = LoadOptions { arrivals: Arrivals::closed(4), changes, ..seconds(10) };
    let tester = LoadTester::new(pool.clone(), phased(None), options);
    tester.run_until(pending(), progress).await.expect("prepared")
}

/// Time, request and result of each.
fn made(report: &Report) -> Vec<(u64, &str, &str)> {
    let made = report.changes.iter().map(|change| {
        assert_eq!(change.outcome, ChangeOutcome::Applied, "{change}");
        (change.at_seconds.round() as u64, &*change.action, &*change.detail)
    });
    made.collect()
}

#[tokio::test(start_paused = true)]
async fn changes_are_made_and_told_at_their_time_in_whatever_order_they_are_given() {
    let (_, pool) = pool(max_open(2));
    let changes =
        [(6, "pause"), (3, "max_open=1, leak_after=1m"), (8, "resume"), (8, "invalidate")];
    let (mut told, mut paused_for) = (Vec::new(), 0);
    let report = run(&pool, &changes, |progress| {
        told.extend(progress.changes.iter().map(|it| (progress.elapsed.as_secs(), it.to_string())));
        paused_for += u32::from(progress.pool.state == PoolState::Paused);
    })
    .await;
    let lowered =
        "max_open 2 -> 1, leak_after off -> 1m; 1 connection too many until they come back";
    assert_eq!(
        made(&report),
        [
            (3, "max_open=1, leak_after=1m", lowered),
            (6, "pause", "paused"),
            (8, "resume", "resumed"),
            (8, "invalidate", "invalidated 1 connection"),
        ]
    );
    let expected = made(&report).into_iter().map(|(at, _, detail)| (at, detail.to_owned()));
    assert_eq!(told, expected.collect::<Vec<_>>());
    assert_eq!(paused_for, 10, "two seconds of five");
    assert!(report.to_string().contains("changes     3.0 s: max_open 2 -> 1, "), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_changed_its_pool_reports_the_first_settings_and_no_verdict() {
    let (_, pool) = pool(max_open(4));
    let report = run(&pool, &[(5, "max_open=2")], |_| {}).await;
    assert_eq!((report.config.max_open, pool.config().max_open), (4, 2));
    let busy = report.pool.utilisation;
    assert!((0.7..0.8).contains(&busy), "four of four, then two of four: {busy}");
    assert_eq!(
        (report.verdict.limit, report.verdict.recommendation.as_ref()),
        (Limit::Unknown, None)
    );
    let advice = "nothing yet: that takes a run with each of the settings by itself";
    assert!(report.to_string().contains(advice), "{report}");
    let unchanged = run(&pool, &[], |_| {}).await;
    assert_eq!(unchanged.verdict.limit, Limit::Pool, "{unchanged}");
    assert!(!unchanged.to_string().contains("changes"), "{unchanged}");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_left_paused_is_resumed_when_the_load_is_over() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, &[(4, "pause")], |_| {}).await;
    assert_eq!(made(&report), [(4, "pause", "paused"), (10, "resume", "resumed")]);
    assert_eq!((pool.stats().state, report.pool.acquires.cancelled), (PoolState::Open, 4));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_pool_refuses_is_reported_and_changes_nothing() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, &[(1, "min_idle=3, max_open=1")], |_| {}).await;
    let [change] = &report.changes[..] else { panic!("one: {report}") };
    assert_eq!(change.outcome, ChangeOutcome::Refused);
    let expected = "min_idle=3, max_open=1 was refused: min_idle = \"3\": more than the pool keeps";
    assert!(change.to_string().starts_with(expected), "{change}");
    assert_eq!(pool.config(), max_open(2));
    assert_eq!(report.verdict.limit, Limit::Pool, "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_the_duration_is_left_out() {
    let (_, pool) = pool(max_open(2));
    let report = run(&pool, &[(11, "pause"), (u64::MAX, "pause")], |_| {}).await;
    assert_eq!(made(&report), []);
}
