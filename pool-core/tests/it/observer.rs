//! What observers are told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{
    AcquireCancelled, AcquireFailed, AcquireStarted, AcquireSucceeded, Circuit, ConnectionChecked,
    ConnectionClosed, ConnectionOpened, ConnectionReleased, Frequent, Guard, HealthChanged,
    HealthState, Observer, OpenFailed, PoolConfig, PoolReconfigured, ReconfigureRefused,
    SqlComment, StatementFinished, StatementOutcome, StatementStarted, WaiterQueued,
};
use pool_testkit::{Answer, Call};

use crate::rig::{MS, Rig, SEC};

/// Writes down every event in a few words.
struct Diary(Mutex<Vec<String>>, Frequent);

impl Default for Diary {
    fn default() -> Self {
        Self(Mutex::default(), Frequent::ALL)
    }
}

impl Diary {
    fn note(&self, pool: &str, event: String) {
        assert_eq!(pool, "fake");
        self.0.lock().expect("no panic").push(event);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Observer for Diary {
    fn frequent(&self) -> Frequent {
        self.1
    }
    fn acquire_started(&self, event: &AcquireStarted<'_>) {
        assert!(event.site.line() > 0, "{}", event.site);
        self.note(event.pool, "started".to_owned());
    }
    fn acquire_succeeded(&self, event: &AcquireSucceeded<'_>) {
        self.note(event.pool, format!("succeeded {:?} after {:?}", event.served, event.waited));
    }
    fn acquire_failed(&self, event: &AcquireFailed<'_>) {
        self.note(event.pool, format!("failed {:?}", event.error.kind()));
    }
    fn acquire_cancelled(&self, event: &AcquireCancelled<'_>) {
        self.note(event.pool, format!("cancelled after {:?}", event.waited));
    }
    fn waiter_queued(&self, event: &WaiterQueued<'_>) {
        self.note(event.pool, format!("queued {}", event.waiting));
    }
    fn released(&self, event: &ConnectionReleased<'_>) {
        self.note(event.pool, format!("released after {:?}", event.held));
    }
    fn opened(&self, event: &ConnectionOpened<'_>) {
        self.note(event.pool, format!("opened {} in {:?}", event.connection_id, event.took));
    }
    fn open_failed(&self, event: &OpenFailed<'_>) {
        let OpenFailed { class, attempts, error, code, .. } = event;
        self.note(event.pool, format!("open failed {class:?} {attempts}: {error} ({code:?})"));
    }
    fn checked(&self, event: &ConnectionChecked<'_>) {
        let ConnectionChecked { connection_id, idle, took, error, .. } = event;
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        let told = format!("checked {connection_id} after {idle:?} in {took:?}{error}");
        self.note(event.pool, told);
    }
    fn closed(&self, event: &ConnectionClosed<'_>) {
        let ConnectionClosed { connection_id, reason, age, error, .. } = event;
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        self.note(event.pool, format!("closed {connection_id} {reason} at {age:?}{error}"));
    }
    fn reconfigured(&self, event: &PoolReconfigured<'_>) {
        self.note(event.pool, format!("reconfigured {}", event.outcome.generation));
    }
    fn reconfigure_refused(&self, event: &ReconfigureRefused<'_>) {
        self.note(event.pool, format!("refused {}", event.error.problems().len()));
    }
    fn health_changed(&self, event: &HealthChanged<'_>) {
        let HealthChanged { from, to, reasons, probe_circuit, .. } = event;
        self.note(event.pool, format!("{from} -> {to}, probes {probe_circuit} {reasons:?}"));
    }
    fn statement_started(&self, event: &StatementStarted<'_>) {
        self.note(event.pool, format!("{} runs {:?}", event.connection_id, event.text));
    }
    fn statement_finished(&self, event: &StatementFinished<'_>) {
        let outcome = match event.outcome {
            StatementOutcome::Ok => "ok".to_owned(),
            StatementOutcome::Failed { error, code } => format!("failed: {error} ({code:?})"),
            _ => "cancelled".to_owned(),
        };
        self.note(event.pool, format!("{} ran {:?} {outcome}", event.connection_id, event.text));
    }
}

fn observed(config: PoolConfig) -> (Rig, Arc<Diary>) {
    let rig = Rig::new(config);
    let diary = Arc::new(Diary::default());
    rig.pool.control().observe(diary.clone()).keep();
    (rig, diary)
}

fn max_open(max_open: usize) -> PoolConfig {
    PoolConfig { max_open, ..PoolConfig::default() }
}

#[test]
fn an_acquire_is_told_from_start_to_release() {
    let (rig, diary) = observed(max_open(1));
    rig.server.next(Call::Connect, &[Answer::Late(5 * MS)]);
    let guard = rig.acquire();
    let told = ["started", "queued 1", "opened 1 in 5ms", "succeeded Opened after 5ms"];
    assert_eq!(diary.take(), told);
    rig.sim.advance(7 * MS);
    drop(guard);
    drop(rig.acquire());
    let told =
        ["released after 7ms", "started", "succeeded Immediate after 0ns", "released after 0ns"];
    assert_eq!(diary.take(), told);
}

#[test]
fn of_the_frequent_events_an_observer_is_told_those_it_wants() {
    let rig = Rig::new(max_open(1));
    let wanting = |wanted| {
        let diary = Arc::new(Diary(Mutex::default(), wanted));
        (diary.clone(), rig.pool.control().observe(diary))
    };
    let (rare, _rare) = wanting(Frequent::NONE);
    let (released, last) = wanting(Frequent::RELEASED);
    drop(rig.acquire());
    assert_eq!(released.take(), ["queued 1", "opened 1 in 0ns", "released after 0ns"]);
    drop(last);
    drop(rig.acquire());
    assert_eq!(released.take(), [""; 0]);
    assert_eq!(rare.take(), ["queued 1", "opened 1 in 0ns"]);
}

#[test]
fn waiting_failing_and_giving_up_are_told() {
    let (rig, diary) = observed(PoolConfig { acquire_timeout: SEC, ..max_open(1) });
    let held = rig.acquire();
    diary.take();
    let waiter = rig.spawn_acquire();
    rig.sim.advance(2 * SEC);
    drop(waiter.take());
    assert_eq!(diary.take()[1..], ["queued 1", "failed Timeout"]);
    let given_up = rig.waiter();
    rig.sim.advance(3 * MS);
    drop(given_up);
    assert_eq!(diary.take(), ["started", "queued 1", "cancelled after 3ms"]);
    drop(held);
}

#[test]
fn opening_and_closing_are_told_with_reasons_and_causes() {
    let (rig, diary) = observed(max_open(1));
    rig.server.next(Call::Connect, &[Answer::Error]);
    drop(rig.acquire());
    let told = diary.take();
    assert!(
        told.contains(&"open failed Transient 1: scripted failure of Connect (None)".to_owned()),
        "{told:?}"
    );
    rig.sim.advance(SEC);
    rig.server.sever_all();
    Guard::discard(rig.acquire());
    rig.sim.run();
    let told = diary.take();
    let closed: Vec<_> = told.iter().filter(|event| event.starts_with("closed")).collect();
    assert_eq!(
        closed,
        ["closed 2 check_failed at 1s: the server has hung up", "closed 3 broken at 0ns"]
    );
    rig.pool.reconfigure(max_open(2)).expect("valid");
    assert_eq!(diary.take(), ["reconfigured 2"]);
}

#[test]
fn statements_are_told_by_the_connections_of_a_driver() {
    let (rig, diary) = observed(max_open(1));
    let mut guard = rig.acquire();
    diary.take();
    guard.query("select 1").expect("alive");
    guard.sever();
    assert_eq!(guard.query("select 2"), Err(pool_testkit::FakeError::Severed));
    let told = [
        r#"1 runs Some("select 1")"#,
        r#"1 ran Some("select 1") ok"#,
        r#"1 runs Some("select 2")"#,
        r#"1 ran Some("select 2") failed: the server has hung up (Some("F5701"))"#,
    ];
    assert_eq!(diary.take(), told);
}

#[test]
fn each_check_is_told_with_its_time_and_why_it_failed() {
    let (rig, diary) = observed(PoolConfig { check_timeout: SEC, ..max_open(1) });
    let checks = |answer| {
        drop(rig.acquire());
        rig.sim.advance(5 * SEC);
        diary.take();
        rig.server.next(Call::Check, &[answer]);
        drop(rig.acquire());
        rig.sim.run();
        let told = diary.take();
        told.into_iter().filter(|event| event.starts_with("checked")).collect::<Vec<_>>()
    };
    assert_eq!(checks(Answer::Late(3 * MS)), ["checked 1 after 5s in 3ms"]);
    assert_eq!(checks(Answer::Error), ["checked 1 after 5s in 0ns: scripted failure of Check"]);
    let panicked =
        "checked 2 after 5s in 0ns: the driver's check panicked: scripted panic of Check";
    assert_eq!(checks(Answer::Panic), [panicked]);
    let late = "checked 3 after 5s in 1s: the driver's check did not finish within 1.00 s";
    assert_eq!(checks(Answer::Never), [late]);
}

#[test]
fn a_check_cut_short_by_the_end_of_the_pool_is_no_failed_one() {
    let (rig, diary) = observed(max_open(1));
    drop(rig.acquire());
    rig.sim.advance(5 * SEC);
    rig.server.next(Call::Check, &[Answer::Never]);
    let waiter = rig.spawn_acquire();
    rig.sim.run();
    diary.take();
    let report = rig.sim.block_on(rig.pool.close(SEC));
    assert!(report.drained, "{report}");
    drop(waiter.take());
    let told = diary.take();
    assert!(!told.iter().any(|event| event.starts_with("checked")), "{told:?}");
}

#[test]
fn a_refused_configuration_is_told() {
    let (rig, diary) = observed(max_open(1));
    let refused = PoolConfig { connect_timeout: Duration::ZERO, ..max_open(0) };
    let error = rig.pool.reconfigure(refused).expect_err("two mistakes");
    assert_eq!(diary.take(), [format!("refused {}", error.problems().len())]);
}

#[test]
fn a_change_of_health_is_told_once_and_known_to_who_asks_later() {
    let (rig, diary) = observed(max_open(1));
    let control = rig.pool.control();
    assert_eq!(control.health(), None);
    let tell = |state, circuit, reasons: &[&str]| {
        let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
        control.tell_health(state, circuit, &reasons);
        let told = control.health().expect("told");
        assert_eq!((told.state, told.probe_circuit), (state, circuit));
        diary.take()
    };
    let (unknown, unhealthy) = (HealthState::Unknown, HealthState::Unhealthy);
    assert_eq!(tell(unknown, Circuit::Closed, &["no probe yet"]), [""; 0]);
    let healthy = tell(HealthState::Healthy, Circuit::Closed, &[]);
    assert_eq!(healthy, ["unknown -> healthy, probes closed []"]);
    let down = tell(unhealthy, Circuit::Open, &["no answer"]);
    assert_eq!(down, [r#"healthy -> unhealthy, probes open ["no answer"]"#]);
    assert_eq!(tell(unhealthy, Circuit::Open, &["no connection"]), [""; 0]);
    let back = tell(unhealthy, Circuit::HalfOpen, &["back"]);
    assert_eq!(back, [r#"unhealthy -> unhealthy, probes half_open ["back"]"#]);
}

#[test]
fn a_connect_that_the_server_refuses_is_told_with_its_code() {
    let (rig, diary) = observed(max_open(2));
    rig.server.set_max_sockets(1);
    let held = rig.acquire();
    let waiter = rig.spawn_acquire();
    rig.sim.run();
    let told = diary.take();
    let failed = r#"open failed Overloaded 1: too many connections (Some("F1040"))"#;
    assert!(told.iter().any(|event| event == failed), "{told:?}");
    drop((held, waiter));
}

/// Says something in each comment.
struct Commentator(&'static str, String);

impl Observer for Commentator {
    fn sql_comment(&self, statement_id: u64, comment: &mut SqlComment) {
        assert!(statement_id > 0);
        comment.add(self.0, &self.1);
    }
}

#[test]
fn what_observers_want_to_comment_goes_into_the_text() {
    let (rig, _diary) = observed(max_open(1));
    let guard = rig.acquire();
    let commented = |text| guard.statements().start(text).and_then(|running| running.commented());
    assert_eq!(commented(Some("select 1")), None, "nobody has anything to say");
    let evil = Arc::new(Commentator("b", "*/; drop table t --".to_owned()));
    rig.pool.control().observe(evil).keep();
    rig.pool.control().observe(Arc::new(Commentator("a", "1".to_owned()))).keep();
    let said = "select 1 /*a='1',b='%2A%2F%3B%20drop%20table%20t%20--'*/";
    assert_eq!(commented(Some("select 1")).as_deref(), Some(said));
    assert_eq!(commented(None), None);
}

#[test]
fn a_statement_dropped_halfway_is_told_as_cancelled() {
    let (rig, diary) = observed(max_open(1));
    let guard = rig.acquire();
    diary.take();
    drop(guard.statements().start(None));
    assert_eq!(diary.take(), ["1 runs None", "1 ran None cancelled"]);
}

#[test]
fn a_dropped_subscription_tells_no_more_while_others_go_on() {
    let (rig, kept) = observed(max_open(1));
    let left = Arc::new(Diary::default());
    let subscription = rig.pool.control().observe(left.clone());
    drop(rig.acquire());
    assert_eq!(left.take(), kept.take());
    drop(subscription);
    drop(rig.acquire());
    assert_eq!((left.take().len(), kept.take().len()), (0, 3));
    assert_eq!(Arc::strong_count(&left), 1, "the pool has let go of it");
}
