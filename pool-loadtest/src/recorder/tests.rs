//! What the recorder makes of what is recorded.

use pool_core::runtime::TokioRuntime;
use pool_core::{Pool, PoolConfig};
use pool_testkit::{FakeDriver, FakeServer};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn sample(wait: Duration) -> Sample {
    let service = Some(Duration::from_millis(1));
    Sample { kind: 0, is_timed: true, end: End::Succeeded, wait, service, lateness: None }
}

fn pool() -> PoolStats {
    let server = FakeServer::new(std::sync::Arc::new(TokioRuntime::new()));
    let config = PoolConfig { max_open: 7, ..PoolConfig::default() };
    Pool::new(FakeDriver::new(&server), config).expect("valid").stats()
}

fn record(recorder: &Recorder, count: usize) {
    (0..count).for_each(|task| recorder.record(task, sample(Duration::from_millis(task as u64))));
}

#[test]
fn what_the_shards_hold_is_counted_at_once() {
    let recorder = Recorder::new(1);
    record(&recorder, 100);
    let error = std::io::Error::other("broken");
    let failed = Sample { end: End::Failed, ..sample(SECOND) };
    recorder.record_failure(&failed, Failure::step(&error));
    assert_eq!(recorder.counts(), (100, 1));
    let total = recorder.found(true).measured.total();
    let p50 = total.wait.value_at_quantile(0.5);
    assert!((49_000_000..51_000_000).contains(&p50), "{p50}");
    assert_eq!((total.response.len(), total.failed), (101, 1));
}

#[test]
fn what_ends_after_the_time_is_late_and_in_no_point() {
    let recorder = Recorder::new(1);
    record(&recorder, 10);
    recorder.end(SECOND, &pool());
    record(&recorder, 3);
    let Found { measured, in_time, series, .. } = recorder.found(true);
    assert_eq!((in_time, measured.total().succeeded), (10, 13));
    assert_eq!(series.iter().map(|point| point.operations).sum::<u64>(), 10);
}

#[tokio::test]
async fn a_point_has_what_came_since_the_last_one() {
    let (recorder, pool) = (Recorder::new(1), pool());
    assert_eq!(recorder.next_point(), SECOND);
    record(&recorder, 1_000);
    let first = recorder.end_point(SECOND, &pool);
    assert_eq!((first.operations, first.max_open, first.seconds), (1_000, Some(7), 1.0));
    assert!(first.response_p50 > Some(495_000.0) && first.response_max > Some(999_000.0));
    recorder.record(0, sample(Duration::ZERO));
    Tally::count(&recorder.tally().stalled);
    let late = recorder.end_point(SECOND * 5 / 2, &pool);
    assert_eq!((late.operations, late.dropped, late.seconds), (1, 1, 1.5));
    assert!(late.response_max < Some(1_010.0), "the last second's are forgotten: {late:?}");
    assert_eq!(recorder.next_point(), 3 * SECOND);
}

#[tokio::test]
async fn a_stub_is_part_of_the_point_before() {
    let (recorder, pool) = (Recorder::new(1), pool());
    record(&recorder, 999);
    recorder.end_point(SECOND, &pool);
    recorder.record(0, sample(SECOND));
    Tally::count(&recorder.tally().stalled);
    recorder.end(SECOND + SECOND / 20, &pool);
    // Found out only when the load has drained.
    Tally::count(&recorder.tally().unasked);
    let [point] = &recorder.found(true).series[..] else { panic!("more than one") };
    assert_eq!((point.operations, point.dropped), (1_000, 2));
    assert_eq!((point.at_seconds, point.seconds), (1.05, 1.05));
    assert!(point.response_p50 < Some(510_000.0) && point.response_max >= Some(1_001_000.0));
}

#[tokio::test]
async fn a_series_of_hours_is_bounded_and_has_all_of_it() {
    let (recorder, pool) = (Recorder::new(1), pool());
    let mut at = Duration::ZERO;
    let end = Duration::from_hours(3);
    let mut recorded = 0;
    while at < end {
        at = recorder.next_point();
        record(&recorder, 2);
        recorded += 2;
        recorder.end_point(at, &pool);
    }
    let series = recorder.found(true).series;
    assert!((1_800..3_600).contains(&series.len()), "{}", series.len());
    assert_eq!(series.iter().map(|point| point.operations).sum::<u64>(), recorded);
    let seconds: f64 = series.iter().map(|point| point.seconds).sum();
    assert!((seconds - at.as_secs_f64()).abs() < 1.0, "{seconds}");
    assert!(series.iter().all(|point| point.response_p99 >= Some(1_000.0)));
    assert!(series.is_sorted_by(|a, b| a.at_seconds < b.at_seconds));
}

#[test]
fn memory_does_not_grow_with_operations() {
    let (recorder, pool) = (Recorder::new(3), pool());
    let record_many = || {
        for number in 0..20_000_usize {
            let wait = Duration::from_micros(number as u64);
            recorder.record(number, Sample { kind: number % 3, ..sample(wait) });
        }
        recorder.end_point(recorder.next_point(), &pool);
    };
    // Histograms and the list of points grow to their size.
    (0..33).for_each(|_| record_many());
    let allocated = allocation_counter::measure(|| (0..30).for_each(|_| record_many()));
    assert_eq!((allocated.bytes_total, recorder.counts().0), (0, 63 * 20_000));
}
