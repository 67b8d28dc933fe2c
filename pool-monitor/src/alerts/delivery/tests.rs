//! Deliveries in virtual time: what is tried when, and what becomes of it.

mod partly;

use std::collections::BTreeMap;
use std::time::SystemTime;

use pool_core::async_trait;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::super::alert::Alert;
use super::super::rule::Severity;
use super::*;

/// Answers by script, then takes everything; tells when it was given what.
struct Scripted {
    script: Mutex<VecDeque<Reply>>,
    given: mpsc::UnboundedSender<(Duration, Notification)>,
    began: Instant,
}

enum Reply {
    Answer(Outcome),
    Hang,
    Panic,
}

#[async_trait]
impl Sink for Scripted {
    async fn deliver(&self, notification: &Notification) -> Outcome {
        let given = (self.began.elapsed(), notification.clone());
        self.given.send(given).expect("the test listens");
        let reply = self.script.lock().pop_front();
        match reply {
            None => Ok(()),
            Some(Reply::Answer(outcome)) => outcome,
            Some(Reply::Hang) => std::future::pending().await,
            Some(Reply::Panic) => panic!("a sink of the user's"),
        }
    }
}

struct Rig {
    queue: Arc<Queue>,
    given: mpsc::UnboundedReceiver<(Duration, Notification)>,
}

/// A sink that is delivered to in virtual time.
fn rig(script: impl IntoIterator<Item = Reply>, pause: Duration) -> Rig {
    let (sender, given) = mpsc::unbounded_channel();
    let script = Mutex::new(script.into_iter().collect());
    let sink = Scripted { script, given: sender, began: Instant::now() };
    let queue = Arc::new(Queue::new("sink"));
    tokio::spawn(deliver(Arc::clone(&queue), Arc::new(sink), pause));
    Rig { queue, given }
}

impl Rig {
    async fn given(&mut self) -> (f64, Notification) {
        let (at, notification) = self.given.recv().await.expect("the sink lives");
        (at.as_secs_f64(), notification)
    }

    /// What became of it all, once the sink was let go.
    async fn end(mut self) -> DeliveryStats {
        self.queue.close();
        assert!(self.given.recv().await.is_none(), "something was left");
        self.queue.stats()
    }
}

fn busy(after: Option<Duration>) -> Reply {
    Reply::Answer(Err(DeliveryError::Retry { why: "busy".to_owned(), after }))
}

fn refused() -> Reply {
    Reply::Answer(Err(DeliveryError::Refused { why: "no".to_owned() }))
}

fn partly(why: &str, again: bool) -> Reply {
    Reply::Answer(Err(DeliveryError::Partly { why: why.to_owned(), again }))
}

/// Of alerts by their pools, which fire or are over.
fn notification(id: &str, rule: &str, alerts: &[(&str, bool)]) -> Notification {
    let alert = |(pool, is_firing): &(&str, bool)| Alert {
        rule: rule.into(),
        pool: (*pool).into(),
        severity: Severity::Warning,
        summary: String::new(),
        value: 1.0,
        started: SystemTime::UNIX_EPOCH,
        resolved: (!is_firing).then_some(SystemTime::UNIX_EPOCH),
    };
    Notification {
        id: id.to_owned(),
        rule: rule.into(),
        severity: Severity::Warning,
        alerts: alerts.iter().map(alert).collect(),
        at: SystemTime::UNIX_EPOCH,
        repeat: Duration::from_hours(1),
        labels: Arc::new(BTreeMap::new()),
    }
}

fn ids(notifications: Vec<Notification>) -> Vec<String> {
    notifications.into_iter().map(|it| it.id).collect()
}

fn pools(notification: &Notification) -> Vec<(&str, bool)> {
    let alerts = notification.alerts.iter();
    alerts.map(|alert| (&*alert.pool, alert.is_firing())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_busy_receiver_did_not_take_is_tried_again_with_growing_pauses() {
    let busy_for_long = std::iter::repeat_with(|| busy(None)).take(10);
    let mut rig = rig(busy_for_long, Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    let mut last = None;
    for longest in [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0_f64] {
        let (at, given) = rig.given().await;
        assert_eq!(given.id, "one", "the same, for whoever compares");
        let pause = at - last.replace(at).unwrap_or(at);
        assert!((longest / 2.0..=longest + 0.01).contains(&pause), "{pause} of {longest}");
    }
    let DeliveryStats { retried, delivered, last_error, .. } = rig.end().await;
    assert_eq!((retried, delivered, last_error), (10, 1, None));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks_within_reason() {
    let script = [Some(Duration::from_secs(90)), Some(Duration::from_hours(100))].map(busy);
    let mut rig = rig(script, Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    let times = [rig.given().await.0, rig.given().await.0, rig.given().await.0];
    for (pause, asked) in [(times[1] - times[0], 90.0), (times[2] - times[1], 600.0)] {
        assert!((asked..=asked + 1.01).contains(&pause), "{pause} for {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_wants_no_pause_gets_those_of_any_other() {
    let busy_for_long = std::iter::repeat_with(|| busy(Some(Duration::ZERO))).take(10);
    let mut rig = rig(busy_for_long, Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    let mut last = rig.given().await.0;
    for longest in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0_f64] {
        let (at, _) = rig.given().await;
        let pause = at - last;
        assert!((longest / 2.0..=longest + 0.01).contains(&pause), "{pause} of {longest}");
        last = at;
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_holds_up_no_other_rule() {
    let mut rig = rig([busy(None), busy(None)], Duration::ZERO);
    for rule in ["a", "b"] {
        rig.queue.put(notification(rule, rule, &[("a", true)]));
    }
    let mut given = Vec::new();
    for _ in 0..4 {
        given.push(rig.given().await.1.id);
    }
    assert_eq!(given, ["a", "b", "a", "b"]);
    assert_eq!(rig.end().await.delivered, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_tried_again_and_holds_up_nothing() {
    let mut rig = rig([refused(), Reply::Panic], Duration::ZERO);
    for (id, rule) in [("one", "a"), ("two", "b")] {
        rig.queue.put(notification(id, rule, &[("a", true)]));
    }
    assert_eq!([rig.given().await.1.id, rig.given().await.1.id], ["one", "two"]);
    tokio::task::yield_now().await;
    assert_eq!(ids(rig.queue.take_lost()), ["one", "two"]);
    assert_eq!(ids(rig.queue.take_lost()), [""; 0], "said once");
    let stats = rig.end().await;
    assert_eq!((stats.failed, stats.retried), (2, 0));
    assert_eq!(stats.last_error.as_deref(), Some("the sink panicked"));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_is_given_ten_seconds() {
    let mut rig = rig([Reply::Hang], Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    rig.given().await;
    let (at, _) = rig.given().await;
    assert!((10.5..=11.01).contains(&at), "{at}");
    assert_eq!(rig.queue.stats().retried, 1);
}

#[tokio::test(start_paused = true)]
async fn a_sink_has_its_pause_between_two_messages() {
    let mut rig = rig([refused()], Duration::from_secs(1));
    for rule in ["a", "b", "c"] {
        rig.queue.put(notification(rule, rule, &[("a", true)]));
    }
    let times = [rig.given().await.0, rig.given().await.0, rig.given().await.0];
    assert_eq!(times.map(|time| time.round() as u64), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_hour_is_given_up() {
    let down = std::iter::repeat_with(|| busy(None)).take(200);
    let mut rig = rig(down, Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    let mut last = 0.0;
    // No pause is that long: it has been given up.
    while let Ok((at, _)) = timeout(2 * LONGEST_PAUSE, rig.given()).await {
        last = at;
    }
    assert_eq!(ids(rig.queue.take_lost()), ["one"]);
    assert!((3600.0..=3660.0).contains(&last), "{last}");
    let stats = rig.end().await;
    assert_eq!((stats.failed, stats.waiting), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_takes_the_place_of_what_waits_and_tells_what_that_would_have_told() {
    let mut rig = rig([Reply::Hang], Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true), ("b", true), ("c", false)]));
    rig.given().await;
    // While it is tried come two newer ones, of which only one is left; then it comes back.
    rig.queue.put(notification("two", "rule", &[("a", false), ("b", true)]));
    rig.queue.put(notification("three", "rule", &[("d", true)]));
    let (_, given) = rig.given().await;
    assert_eq!(given.id, "three");
    assert_eq!(pools(&given), [("a", false), ("c", false), ("d", true)]);
    let stats = rig.end().await;
    assert_eq!((stats.delivered, stats.dropped), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_rules_the_oldest_notification_is_dropped_and_counted() {
    let queue = Queue::new("sink");
    for rule in 0..MOST_WAITING + 3 {
        queue.put(notification(&rule.to_string(), &rule.to_string(), &[("a", true)]));
    }
    let stats = queue.stats();
    assert_eq!((stats.waiting, stats.dropped), (MOST_WAITING, 3));
    assert_eq!(ids(queue.take_lost()), ["0", "1", "2"]);
    assert_eq!(queue.next().await.map(|it| it.id).as_deref(), Some("3"));
}

#[tokio::test(start_paused = true)]
async fn closing_tries_what_waits_at_once_and_takes_nothing_more() {
    let down = std::iter::repeat_with(|| busy(None)).take(7);
    let mut rig = rig(down, Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    let mut last = 0.0;
    for _ in 0..7 {
        last = rig.given().await.0;
    }
    // It would pause for half a minute now.
    tokio::task::yield_now().await;
    rig.queue.close();
    rig.queue.put(notification("two", "rule", &[("a", true)]));
    let (at, given) = rig.given().await;
    assert!(at - last < 0.1, "{at} after {last}");
    assert_eq!(given.id, "one");
    let stats = rig.end().await;
    assert_eq!((stats.delivered, stats.dropped, stats.waiting), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn closing_tries_once_more_what_a_receiver_wanted_later() {
    let mut rig = rig([busy(Some(Duration::from_mins(5)))], Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    rig.given().await;
    tokio::task::yield_now().await;
    rig.queue.close();
    let (at, given) = rig.given().await;
    assert!(at < 0.1, "{at}");
    assert_eq!(given.id, "one");
    assert_eq!(rig.end().await.delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_away_while_it_is_tried_counts_as_not_delivered() {
    let mut rig = rig([Reply::Hang], Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    rig.queue.put(notification("two", "other", &[("a", true)]));
    rig.given().await;
    rig.queue.close();
    let ids: Vec<_> = rig.queue.take_rest().into_iter().map(|it| it.id).collect();
    assert_eq!(ids, ["one", "two"]);
    assert_eq!(
        rig.end().await,
        DeliveryStats { sink: "sink".to_owned(), ..DeliveryStats::default() }
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_after_closing_is_left_for_whoever_asks_what_was_not_delivered() {
    let mut rig = rig([Reply::Hang, refused()], Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    rig.given().await;
    rig.queue.close();
    rig.given().await;
    tokio::task::yield_now().await;
    assert_eq!(ids(rig.queue.take_lost()), [""; 0]);
    assert_eq!(ids(rig.queue.take_rest()), ["one"]);
    assert_eq!(rig.end().await.failed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_and_forgotten_is_neither_tried_again_nor_told_with_the_rest() {
    let mut rig = rig([busy(None), busy(None), busy(None)], Duration::ZERO);
    let over = |rule, pool| notification("over", rule, &[(pool, false)]).alerts.swap_remove(0);
    rig.queue.put(notification("one", "rule", &[("a", true), ("b", true)]));
    rig.queue.put(notification("two", "other", &[("a", true)]));
    assert_eq!(rig.given().await.1.alerts.len(), 2);
    // While it is tried.
    rig.queue.forget(&over("rule", "a"));
    assert_eq!(rig.given().await.1.id, "two");
    tokio::task::yield_now().await;
    // While it waits.
    rig.queue.forget(&over("other", "a"));
    let (_, given) = rig.given().await;
    assert_eq!((&*given.id, pools(&given)), ("one", vec![("b", true)]));
    rig.queue.forget(&over("rule", "b"));
    let stats = rig.end().await;
    assert_eq!((stats.retried, stats.delivered, stats.failed), (3, 0, 0));
}

#[tokio::test]
async fn what_was_refused_is_told_by_a_newer_one_and_not_lost() {
    let queue = Queue::new("sink");
    let refused = Err(DeliveryError::Refused { why: "no".to_owned() });
    queue.put(notification("one", "rule", &[("a", false), ("b", true)]));
    queue.next().await;
    // One comes while it is tried, one after that, before anybody has heard of the loss.
    queue.put(notification("two", "rule", &[("b", false)]));
    queue.finish(&refused);
    assert_eq!(ids(queue.take_lost()), [""; 0]);
    queue.next().await;
    queue.finish(&refused);
    queue.put(notification("three", "rule", &[("c", true)]));
    assert_eq!(ids(queue.take_lost()), [""; 0]);
    let three = queue.next().await.expect("waits");
    assert_eq!(pools(&three), [("a", false), ("b", false), ("c", true)]);
    assert_eq!(queue.stats().failed, 2);
}

#[tokio::test]
async fn what_is_over_and_forgotten_while_it_is_tried_does_not_fail() {
    let queue = Queue::new("sink");
    let told = notification("one", "rule", &[("a", true)]);
    queue.put(told.clone());
    queue.next().await;
    queue.forget(&told.alerts[0]);
    queue.finish(&Err(DeliveryError::Refused { why: "no".to_owned() }));
    assert_eq!((queue.stats().failed, queue.take_rest()), (0, Vec::new()));
}

/// What is said in the log, with the words of what went wrong.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        #[derive(Default)]
        struct Said(String, Option<String>);
        impl Visit for Said {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }

            fn record_str(&mut self, field: &Field, value: &str) {
                if field.name() == "error" {
                    self.1 = Some(value.to_owned());
                }
            }
        }
        let mut said = Said::default();
        event.record(&mut said);
        let Said(message, error) = said;
        self.0.lock().push(error.map_or(message.clone(), |error| format!("{message}: {error}")));
    }
}

#[tokio::test(start_paused = true)]
async fn whom_nothing_reaches_is_named_once_and_not_for_each_notification() {
    let log = Log::default();
    let _listening = tracing_subscriber::registry().with(log.clone()).set_default();
    let script = ["a", "a", "b", "a"].map(|why| partly(why, false));
    let mut rig = rig(script, Duration::ZERO);
    for id in ["one", "two", "three", "four"] {
        rig.queue.put(notification(id, "rule", &[("a", true)]));
        assert_eq!(rig.given().await.1.id, id);
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.end().await.partly, 4);
    assert_eq!(*log.0.lock(), ["a", "b", "a"].map(|why| format!("{MISSED}: {why}")));
}

const MISSED: &str = "an alert has not reached everybody";

#[tokio::test(start_paused = true)]
async fn an_outage_is_said_though_somebody_is_never_reached_and_who_is_reached_later_is_no_outage()
{
    let log = Log::default();
    let _listening = tracing_subscriber::registry().with(log.clone()).set_default();
    let outage = [partly("a", false), busy(None), busy(None), partly("a", false)];
    let partial = [partly("b", true), partly("b", true)];
    let mut rig = rig(outage.into_iter().chain(partial), Duration::ZERO);
    for id in ["one", "two", "three"] {
        rig.queue.put(notification(id, "rule", &[("a", true)]));
        while timeout(2 * LONGEST_PAUSE, rig.given()).await.is_ok() {}
    }
    assert_eq!(rig.end().await.delivered, 3);
    let all = [
        &*format!("{MISSED}: a"),
        "alerts cannot be delivered for now: busy",
        "alerts are delivered again",
        &*format!("{MISSED}: b"),
    ];
    assert_eq!(*log.0.lock(), all);
}
