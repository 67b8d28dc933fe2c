//! The manager, with a monitor and with sinks of the user's own.

mod losses;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use pool_core::async_trait;
use pool_core::runtime::Instant;
use pool_monitor::{
    AlertError, AlertManager, AlertOptions, Bound, DeliveryError, Habits, Notification, Rule,
    Rules, Severity, Signal, Sink, SinkOptions,
};

use pool_core::{Circuit, CloseReason, HealthState, PoolConfig, ShareState};
use pool_testkit::{Answer, Call};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{AGES, at_once, busy, see, start, wait_for};
use crate::rig::{Rig, SEC, sizing};

/// Keeps what it is told.
struct Own(Mutex<Sender<Notification>>);

impl Own {
    fn new() -> (Arc<Self>, Receiver<Notification>) {
        let (sender, told) = channel();
        (Arc::new(Self(Mutex::new(sender))), told)
    }
}

#[async_trait]
impl Sink for Own {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        self.0.lock().expect("no panic").send(notification.clone()).expect("the test listens");
        Ok(())
    }
}

/// Tells of each attempt, and answers by script; then takes everything.
struct Scripted {
    told: Arc<Own>,
    script: Mutex<Vec<DeliveryError>>,
}

impl Scripted {
    /// With what it answers last first.
    fn new(script: Vec<DeliveryError>) -> (Arc<Self>, Receiver<Notification>) {
        let (own, told) = Own::new();
        (Arc::new(Self { told: own, script: Mutex::new(script) }), told)
    }
}

#[async_trait]
impl Sink for Scripted {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        self.told.deliver(notification).await?;
        self.script.lock().expect("no panic").pop().map_or(Ok(()), Err)
    }
}

fn refused() -> DeliveryError {
    DeliveryError::Refused { why: "no".to_owned() }
}

/// Never answers.
struct Deaf;

#[async_trait]
impl Sink for Deaf {
    async fn deliver(&self, _: &Notification) -> Result<(), DeliveryError> {
        std::future::pending().await
    }
}

#[track_caller]
fn next(told: &Receiver<Notification>) -> Notification {
    told.recv_timeout(AGES).expect("told")
}

/// Of each alert that fires: rule and summary.
fn firing(alerts: &AlertManager) -> Vec<(String, String)> {
    let firing = alerts.firing().into_iter();
    firing.map(|alert| (alert.rule.to_string(), alert.summary)).collect()
}

fn names(alerts: &AlertManager) -> Vec<String> {
    firing(alerts).into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn a_pool_that_is_full_for_long_alerts_until_connections_come_back() {
    let rig = Rig::with_max_open(2);
    let (sink, told) = Own::new();
    let sinks = vec![at_once("own", sink)];
    let options = AlertOptions { sinks, ..AlertOptions::default() };
    let alerts = AlertManager::start(options).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    let held = [rig.acquire(), rig.acquire()];
    rig.sim.advance(50 * SEC);
    assert_eq!(names(&alerts), [""; 0]);
    rig.sim.advance(20 * SEC);
    assert_eq!(names(&alerts), ["utilisation"]);
    rig.sim.advance(5 * 60 * SEC);
    let (rule, summary) = firing(&alerts).swap_remove(0);
    assert_eq!((&*rule, &*summary), ("full", "the pool fake has been full for 6.15 min"));
    drop(held);
    rig.sim.advance(2 * 60 * SEC);
    assert_eq!(names(&alerts), [""; 0]);
    let titles: Vec<_> = (0..4).map(|_| next(&told).title()).collect();
    assert_eq!(
        titles[..2],
        [
            "WARNING utilisation: firing for the pool fake",
            "CRITICAL full: firing for the pool fake",
        ]
    );
    assert!(titles[2..].iter().all(|title| title.contains("resolved for the pool fake")));
}

#[test]
fn slow_acquires_of_a_busy_pool_alert_by_their_percentile() {
    let rig = Rig::with_max_open(1);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    rig.use_by(6, SEC, Duration::ZERO);
    rig.sim.advance(60 * SEC);
    assert!(names(&alerts).contains(&"wait".to_owned()), "{:?}", alerts.firing());
}

#[test]
fn a_healthy_pool_is_silent() {
    let rig = Rig::with_max_open(8);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    rig.use_by(4, SEC / 10, SEC / 10);
    rig.sim.advance(10 * 60 * SEC);
    assert_eq!(alerts.firing(), []);
}

#[test]
fn one_failed_connect_is_silent_and_an_outage_is_not() {
    let rig = Rig::with_max_open(2);
    let (sink, told) = Own::new();
    let sinks = vec![at_once("own", sink)];
    let alerts = AlertManager::start(AlertOptions { sinks, ..AlertOptions::default() });
    let alerts = alerts.expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    rig.server.next(Call::Connect, &[Answer::Error]);
    rig.use_by(1, SEC / 10, SEC / 10);
    rig.sim.advance(5 * 60 * SEC);
    assert_eq!(rig.pool.stats().open_failed, 1);
    assert!(told.try_recv().is_err());
    rig.server.always(Call::Connect, Answer::Error);
    rig.server.sever_all();
    rig.sim.advance(60 * SEC);
    assert!(names(&alerts).contains(&"connect_failures".to_owned()), "{:?}", alerts.firing());
}

#[test]
fn a_pool_that_is_unhealthy_for_a_minute_alerts() {
    let rig = Rig::with_max_open(2);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    let tell = |state| {
        rig.pool.control().tell_health(state, Circuit::Closed, &[]);
        rig.sim.advance(58 * SEC);
        names(&alerts)
    };
    assert_eq!(tell(HealthState::Unhealthy), [""; 0], "not for a minute");
    assert_eq!(tell(HealthState::Degraded), [""; 0], "it serves");
    tell(HealthState::Unhealthy);
    assert_eq!(tell(HealthState::Unhealthy), ["unhealthy"]);
    tell(HealthState::Healthy);
    assert_eq!(tell(HealthState::Healthy), [""; 0]);
}

#[test]
fn a_member_of_a_fleet_that_may_open_nothing_for_a_minute_alerts() {
    let rig = Rig::with_max_open(2);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    let tell = |state| {
        rig.pool.control().tell_sizing(sizing(2, state));
        rig.sim.advance(58 * SEC);
        names(&alerts)
    };
    assert_eq!(tell(ShareState::Pending), [""; 0], "not for a minute");
    assert_eq!(tell(ShareState::Granted), [""; 0]);
    tell(ShareState::Pending);
    assert_eq!(tell(ShareState::Lapsed), ["share_withheld"]);
    tell(ShareState::Granted);
    assert_eq!(tell(ShareState::Draining), [""; 0], "that is what it wants");
}

#[test]
fn a_refused_configuration_alerts_for_a_while() {
    let rig = Rig::with_max_open(2);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    rig.sim.advance(10 * SEC);
    rig.pool.reconfigure(PoolConfig { max_open: 0, ..PoolConfig::default() }).expect_err("wrong");
    rig.sim.advance(10 * SEC);
    assert_eq!(names(&alerts), ["configuration_refused"]);
    rig.sim.advance(6 * 60 * SEC);
    assert_eq!(names(&alerts), [""; 0]);
}

#[test]
fn a_large_pool_whose_connections_live_briefly_is_silent() {
    let config = PoolConfig {
        max_open: 400,
        max_idle: 400,
        max_lifetime: Some(120 * SEC),
        ..PoolConfig::default()
    };
    let rig = Rig::new(config);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    rig.use_by(300, 9 * SEC, SEC);
    rig.sim.advance(12 * 60 * SEC);
    assert!(rig.pool.stats().closed.of(CloseReason::Lifetime) > 500, "{:?}", rig.pool.stats());
    assert_eq!(alerts.firing(), []);
}

#[test]
fn a_closed_pool_is_silent_and_its_alerts_are_resolved() {
    let rig = Rig::with_max_open(1);
    let (sink, told) = Own::new();
    let sinks = vec![at_once("own", sink)];
    let alerts = AlertManager::start(AlertOptions { sinks, ..AlertOptions::default() });
    let alerts = alerts.expect("started");
    rig.monitor.subscribe(alerts.clone()).keep();
    let held = rig.acquire();
    rig.sim.advance(70 * SEC);
    assert!(next(&told).is_firing());
    drop(held);
    assert!(rig.sim.block_on(rig.pool.close(SEC)).drained);
    rig.sim.advance(2 * SEC);
    assert_eq!(alerts.firing(), []);
    let resolved = next(&told);
    assert_eq!(resolved.title(), "WARNING utilisation: resolved for the pool fake");
}

#[test]
fn the_alerts_of_a_dropped_pool_are_resolved() {
    let Rig { sim, pool, monitor, .. } = Rig::with_max_open(1);
    let alerts = AlertManager::start(AlertOptions::default()).expect("started");
    monitor.subscribe(alerts.clone()).keep();
    let held = sim.block_on(pool.acquire_owned()).expect("acquired");
    sim.advance(70 * SEC);
    assert_eq!(names(&alerts), ["utilisation"]);
    drop((held, pool));
    sim.advance(2 * SEC);
    assert_eq!(names(&alerts), [""; 0]);
}

#[test]
fn each_sink_is_told_of_what_is_bad_enough_for_it() {
    let (all, told_all) = Own::new();
    let (few, told_few) = Own::new();
    let rules = Rules(vec![
        Rule::new("bad", Signal::InUse, Bound::Above(10.0)),
        Rule {
            severity: Severity::Critical,
            ..Rule::new("worse", Signal::InUse, Bound::Above(20.0))
        },
    ]);
    let few = SinkOptions { minimum_severity: Severity::Critical, ..at_once("few", few) };
    let sinks = vec![at_once("all", all), few];
    let options = AlertOptions { rules, sinks, ..AlertOptions::default() };
    let alerts = AlertManager::start(options).expect("started");
    see(&alerts, "orders", 15.0);
    assert_eq!(next(&told_all).rule.as_ref(), "bad");
    see(&alerts, "orders", 25.0);
    assert_eq!(next(&told_all).rule.as_ref(), "worse");
    assert_eq!(next(&told_few).rule.as_ref(), "worse");
    assert!(alerts.shutdown(AGES).is_empty());
    assert!(told_few.try_recv().is_err());
}

#[test]
fn what_is_still_gathered_is_told_at_shutdown() {
    let (sink, told) = Own::new();
    let options = SinkOptions { group_wait: AGES, ..SinkOptions::new("own", sink) };
    let alerts = start(vec![options]);
    for pool in ["b", "a"] {
        see(&alerts, pool, 11.0);
    }
    assert!(told.try_recv().is_err());
    assert!(alerts.shutdown(AGES).is_empty());
    let told = next(&told);
    assert_eq!(told.title(), "CRITICAL busy: firing for 2 pools");
    let pools: Vec<_> = told.alerts.iter().map(|alert| &*alert.pool).collect();
    assert_eq!(pools, ["a", "b"]);
    assert_eq!(told.alerts[0].summary, "11 connections of a are in use");
    see(&alerts, "c", 11.0);
    assert_eq!(alerts.delivery()[0].delivered, 1);
}

#[test]
fn a_sink_that_never_answers_holds_up_neither_the_others_nor_the_shutdown() {
    let (sink, told) = Own::new();
    let alerts = start(vec![at_once("deaf", Arc::new(Deaf)), at_once("own", sink)]);
    see(&alerts, "orders", 11.0);
    assert_eq!(next(&told).title(), "CRITICAL busy: firing for the pool orders");
    let began = StdInstant::now();
    let undelivered = alerts.shutdown(Duration::from_millis(50));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let [undelivered] = &*undelivered else { panic!("{undelivered:?}") };
    assert_eq!(undelivered.sink, "deaf");
    assert_eq!(undelivered.notification.title(), "CRITICAL busy: firing for the pool orders");
    assert!(alerts.shutdown(Duration::ZERO).is_empty(), "said once");
}

/// Asks the manager about everything when it logs something, and then says which part of it did.
#[derive(Clone)]
struct Curious {
    alerts: Arc<OnceLock<AlertManager>>,
    heard: Arc<Mutex<Sender<(String, u64)>>>,
}

impl<S: tracing::Subscriber> Layer<S> for Curious {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let Some(part) = event.metadata().target().strip_prefix("pool_monitor::alerts::") else {
            return;
        };
        let alerts = self.alerts.get().expect("nothing is logged before it is there");
        assert_eq!(alerts.firing().len(), 1);
        let failed = alerts.delivery()[0].failed;
        let heard = self.heard.lock().expect("no panic");
        heard.send((part.to_owned(), failed)).expect("the test listens");
    }
}

#[test]
fn whoever_listens_to_the_log_may_ask_the_manager_while_it_speaks() {
    let (heard, told) = channel();
    let curious = Curious { alerts: Arc::default(), heard: Arc::new(Mutex::new(heard)) };
    // In a thread of its own: if it is locked there, the test fails and does not hang.
    thread::spawn(move || {
        let _listening = tracing_subscriber::registry().with(curious.clone()).set_default();
        let (sink, _told) = Scripted::new(vec![refused()]);
        let alerts = start(vec![at_once("scripted", sink)]);
        curious.alerts.set(alerts.clone()).expect("set once");
        see(&alerts, "orders", 11.0);
        wait_for(&alerts, |stats| stats.failed == 1);
    });
    let mut parts: Vec<_> = (0..2).map(|_| told.recv_timeout(AGES).expect("said")).collect();
    parts.sort();
    let [(delivery, failed), (manager, _)] = &*parts else { panic!("{parts:?}") };
    assert_eq!((&**delivery, *failed, &**manager), ("delivery", 1, "manager"));
}

#[test]
fn a_thousand_pools_are_one_message_a_rule() {
    let (sink, told) = Own::new();
    let options = SinkOptions { group_wait: SEC, ..SinkOptions::new("own", sink) };
    let alerts = start(vec![options]);
    for pool in 0..1000 {
        see(&alerts, &format!("pool-{pool}"), 11.0);
    }
    assert!(alerts.shutdown(AGES).is_empty());
    assert_eq!(next(&told).alerts.len(), 1000);
    assert!(told.try_recv().is_err());
}

#[test]
fn the_last_pool_that_goes_takes_what_was_to_be_told_with_it() {
    let (sink, told) = Own::new();
    let options = SinkOptions { group_wait: AGES, ..SinkOptions::new("own", sink) };
    let alerts = start(vec![options]);
    see(&alerts, "orders", 11.0);
    let later = |seconds| Instant::EPOCH.after(Duration::from_secs(seconds));
    let look = |_, _| Some(11.0);
    alerts.observe(later(60), "orders", &look);
    assert!(next(&told).is_firing());
    // Nobody looks at anything after that, so that nobody says that a minute has gone by.
    alerts.withdraw(later(61), "orders");
    assert!(!next(&told).is_firing());
}

/// Never answers, and says when it is gone.
struct Gone(#[expect(dead_code, reason = "dropped with it")] Mutex<Sender<Notification>>);

#[async_trait]
impl Sink for Gone {
    async fn deliver(&self, _: &Notification) -> Result<(), DeliveryError> {
        std::future::pending().await
    }
}

#[test]
fn what_is_reported_as_not_delivered_is_not_delivered_later() {
    let (sender, gone) = channel();
    let alerts = start(vec![at_once("gone", Arc::new(Gone(Mutex::new(sender))))]);
    see(&alerts, "orders", 11.0);
    assert_eq!(alerts.shutdown(Duration::from_millis(10)).len(), 1);
    // Sooner than an attempt ends by itself.
    assert_eq!(gone.recv_timeout(5 * SEC), Err(RecvTimeoutError::Disconnected));
}

/// Has habits for only two who ask.
struct Shy(Arc<Own>, AtomicUsize);

#[async_trait]
impl Sink for Shy {
    async fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        self.0.deliver(notification).await
    }

    fn habits(&self) -> Habits {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) < 2, "asked again");
        Habits::default()
    }
}

#[test]
fn habits_are_asked_for_at_the_start_and_not_in_the_thread_that_delivers() {
    let (sink, told) = Own::new();
    let alerts = start(vec![at_once("shy", Arc::new(Shy(sink, AtomicUsize::new(0))))]);
    see(&alerts, "orders", 11.0);
    assert!(next(&told).is_firing());
    for in_use in [0.0, 11.0, 0.0] {
        see(&alerts, "orders", in_use);
        assert_eq!(next(&told).is_firing(), in_use > 0.0);
    }
}

#[test]
fn a_sink_is_told_again_within_thirty_days() {
    let (sink, _told) = Own::new();
    let sinks = vec![SinkOptions { repeat: Duration::MAX, ..at_once("own", sink) }];
    let error = AlertManager::start(AlertOptions { sinks, ..AlertOptions::default() });
    let Err(AlertError::Config(error)) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("too long; allowed: at most 30d"), "{error}");
}

#[test]
fn wrong_options_are_refused_with_every_problem() {
    let rules = Rules([busy().0, busy().0].concat());
    let error = AlertManager::start(AlertOptions { rules, ..AlertOptions::default() });
    let Err(AlertError::Config(error)) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("two rules of one name"), "{error}");
}
