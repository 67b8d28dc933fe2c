//! What a sink did not get is told again, or reported.

use super::*;

/// Lets it see a pool so many seconds later.
fn see_at(alerts: &AlertManager, seconds: u64, in_use: f64) {
    let at = Instant::EPOCH.after(Duration::from_secs(seconds));
    alerts.observe(at, "orders", &|_, _| Some(in_use));
}

#[test]
fn what_a_sink_did_not_get_it_is_told_again_within_minutes_and_no_other_is() {
    let (sink, told) = Scripted::new(vec![refused()]);
    let (other, told_other) = Own::new();
    let alerts = start(vec![at_once("scripted", sink), at_once("other", other)]);
    see_at(&alerts, 0, 11.0);
    let lost = next(&told);
    wait_for(&alerts, |stats| stats.failed == 1);
    for seconds in [1, 300, 301] {
        see_at(&alerts, seconds, 11.0);
    }
    let again = next(&told);
    assert_ne!(again.id, lost.id);
    assert_eq!(again.title(), "CRITICAL busy: firing for the pool orders");
    see_at(&alerts, 602, 11.0);
    assert!(alerts.shutdown(AGES).is_empty());
    assert!(next(&told_other).is_firing());
    assert!(told.try_recv().is_err() && told_other.try_recv().is_err(), "told once more");
}

#[test]
fn shutdown_tries_once_more_what_was_lost_and_reports_what_is_lost_then() {
    let (sink, told) = Scripted::new(vec![refused(), refused()]);
    let alerts = start(vec![at_once("scripted", sink)]);
    see_at(&alerts, 0, 11.0);
    wait_for(&alerts, |stats| stats.failed == 1);
    see_at(&alerts, 1, 11.0);
    let [undelivered] = &*alerts.shutdown(AGES) else { panic!("one") };
    let [_, second] = [next(&told), next(&told)];
    assert_eq!(undelivered.notification.id, second.id);
    assert_eq!(alerts.delivery()[0].failed, 2);
}

#[test]
fn a_sink_that_refuses_all_is_left_alone_while_the_last_pool_is_seen_to_be_closed() {
    let (sink, told) = Scripted::new(vec![refused(), refused(), refused(), refused()]);
    let alerts = start(vec![at_once("scripted", sink)]);
    see_at(&alerts, 0, 11.0);
    wait_for(&alerts, |stats| stats.failed == 1);
    for (look, seconds) in (1..=10).map(|look| (look, 5 * look)) {
        alerts.withdraw(Instant::EPOCH.after(Duration::from_secs(seconds)), "orders");
        wait_for(&alerts, |stats| stats.waiting == 0);
        assert_eq!(alerts.delivery()[0].failed, 2, "at look {look}");
    }
    assert_eq!(alerts.shutdown(AGES).len(), 1);
    assert_eq!([next(&told), next(&told)].map(|it| it.is_firing()), [true, false]);
}

#[test]
fn the_last_pool_that_goes_silently_takes_what_was_to_be_told_of_it_along() {
    let (sink, told) = Own::new();
    let alerts = start(vec![SinkOptions { group_wait: SEC, ..SinkOptions::new("own", sink) }]);
    for seconds in [0, 1] {
        see_at(&alerts, seconds, 11.0);
    }
    assert!(next(&told).is_firing());
    see_at(&alerts, 2, 0.0);
    alerts.withdraw(Instant::EPOCH.after(2 * SEC), "orders");
    assert!(!next(&told).is_firing());
}

#[test]
fn shutdown_tells_at_once_what_was_lost_and_reports_each_alert_once() {
    let (sink, told) = Scripted::new(vec![refused()]);
    let alerts = start(vec![at_once("scripted", sink)]);
    see_at(&alerts, 0, 11.0);
    wait_for(&alerts, |stats| stats.failed == 1);
    assert_eq!(alerts.shutdown(AGES), []);
    assert_ne!(next(&told).id, next(&told).id);
}

/// Refuses everything.
struct Unwilling;

#[async_trait]
impl Sink for Unwilling {
    async fn deliver(&self, _: &Notification) -> Result<(), DeliveryError> {
        Err(refused())
    }
}

#[test]
fn what_was_lost_is_reported_by_shutdown_also_if_somebody_looks_at_that_moment() {
    for _ in 0..20 {
        // Many, since the moment is short.
        let sinks = (0..100).map(|sink| at_once(&sink.to_string(), Arc::new(Unwilling)));
        let alerts = start(sinks.collect());
        see_at(&alerts, 0, 11.0);
        let began = StdInstant::now();
        while alerts.delivery().iter().any(|stats| stats.failed == 0) {
            assert!(began.elapsed() < AGES);
            thread::yield_now();
        }
        let looking = alerts.clone();
        let looking = thread::spawn(move || (1..100).for_each(|_| see_at(&looking, 1, 11.0)));
        assert_eq!(alerts.shutdown(AGES).len(), 100);
        looking.join().expect("no panic");
    }
}

#[test]
fn who_does_not_want_to_know_that_it_is_over_is_not_told_late_that_it_fired() {
    let later = DeliveryError::Retry { why: "busy".to_owned(), after: None };
    let (sink, told) = Scripted::new(vec![later]);
    let options = SinkOptions { send_resolved: false, ..at_once("scripted", sink) };
    let alerts = start(vec![options]);
    see_at(&alerts, 0, 11.0);
    assert!(next(&told).is_firing());
    see_at(&alerts, 1, 0.0);
    assert!(alerts.shutdown(AGES).is_empty());
    assert!(told.try_recv().is_err());
}
