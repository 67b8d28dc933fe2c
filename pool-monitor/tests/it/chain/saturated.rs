//! Advice on a real database: one that gets slower with every connection that is in use, and one that has
//! not as many connections as its users may open.
//!
//! Advice looks back for minutes. Here the pool and its monitor have a clock on which a minute lasts for a
//! second, and the same is true of everything that they measure.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::time::Duration;

use pool_core::runtime::{Instant, NoRuntime, Runtime, Task, Timer, TokioRuntime};
use pool_core::{Pool, PoolConfig};
use pool_monitor::advisor::Rule;
use pool_monitor::{Advice, Deployment, MonitorOptions, PoolMonitor, PoolView, advise};
use pool_postgres::PostgresDriver;

use super::{AGES, patient, pool, server};

const FASTER: u64 = 60;
const MIN: Duration = Duration::from_mins(1);

/// Tokio with a clock that runs faster.
#[derive(Debug)]
struct FastClock(TokioRuntime);

struct FastTimer(Box<dyn Timer>);

impl Runtime for FastClock {
    fn spawn(&self, task: Task) -> Result<(), NoRuntime> {
        self.0.spawn(task)
    }

    fn timer(&self) -> Result<Box<dyn Timer>, NoRuntime> {
        Ok(Box::new(FastTimer(self.0.timer()?)))
    }

    fn driven(&self) -> Option<u64> {
        self.0.driven()
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now().as_nanos().saturating_mul(FASTER))
    }
}

impl Timer for FastTimer {
    fn reset(&mut self, at: Instant) {
        let nanos = at.as_nanos();
        self.0.reset(if at == Instant::NEVER {
            at
        } else {
            Instant::from_nanos(nanos.div_ceil(FASTER))
        });
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_expired(cx)
    }
}

/// `users` who do, one after the other, what only one of them may do at a time.
pub(super) fn contend(pool: &Pool<PostgresDriver>, users: usize) {
    for _ in 0..users {
        let pool = pool.clone();
        tokio::spawn(async move {
            while let Ok(mut connection) = pool.acquire().await {
                let transaction = connection.transaction().await.expect("begun");
                let alone = "SELECT pg_advisory_xact_lock(4711), pg_sleep(0.001)";
                transaction.batch_execute(alone).await.expect("answered");
                transaction.commit().await.expect("committed");
            }
        });
    }
}

/// What `find` makes of what the monitor sees, as soon as that is anything.
#[track_caller]
fn wait_for<T>(monitor: &PoolMonitor, mut find: impl FnMut(&PoolView) -> Option<T>) -> T {
    let (sender, views) = channel();
    let sender = std::sync::Mutex::new(sender);
    let _subscription = monitor.subscribe(move |view: &PoolView| {
        // Who waited may have found it.
        let _sent = sender.lock().expect("no panic").send(view.clone());
    });
    let began = std::time::Instant::now();
    loop {
        let view = views.recv_timeout(AGES).expect("it looks");
        if let Some(found) = find(&view) {
            return found;
        }
        assert!(began.elapsed() < AGES, "{:#?}", view.history.last(2 * MIN));
    }
}

/// A pool of PostgreSQL and its monitor, by the fast clock.
pub(super) fn fast(name: &str, max_open: usize) -> (Pool<PostgresDriver>, PoolMonitor) {
    let runtime: Arc<dyn Runtime> = Arc::new(FastClock(TokioRuntime::new()));
    let access = server();
    let driver = PostgresDriver::from_url(&access.url(&access.first_database));
    let hour = 60 * MIN;
    let config = PoolConfig {
        acquire_timeout: hour,
        connect_timeout: hour,
        check_timeout: hour,
        max_lifetime: None,
        ..patient(max_open)
    };
    let driver = driver.expect("the kit's URLs are right");
    let pool = pool(name, driver, config, Some(Arc::clone(&runtime)));
    let options = MonitorOptions {
        interval: Duration::from_secs(1),
        runtime: Some(runtime),
        ..MonitorOptions::default()
    };
    let monitor = PoolMonitor::start(options).expect("started");
    monitor.watch(&pool.control());
    (pool, monitor)
}

/// What there is once the advisor knows the pool for long enough to say something.
pub(super) fn known(monitor: &PoolMonitor) -> PoolView {
    wait_for(monitor, |view| (view.history.span() > MIN).then(|| view.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_users_wait_for_each_other_gets_no_more_connections() {
    let (pool, monitor) = fast("saturated", 8);
    contend(&pool, 1);
    assert_eq!(advise(&known(&monitor), &Deployment::default()), []);
    contend(&pool, 24);
    let advice = wait_for(&monitor, |view| {
        let advice = advise(view, &Deployment::default());
        let is_it = |advice: &Advice| advice.rule == Rule::DatabaseSaturated;
        advice.iter().any(is_it).then_some(advice)
    });
    let [only] = &advice[..] else { panic!("{advice:#?}") };
    let text = only.to_string();
    assert!(text.contains("more connections will not help: lower max_open to "), "{text}");
    let (name, value) = only.setting.as_ref().expect("a setting");
    assert_eq!(*name, "max_open");
    assert!((1..8).contains(&value.parse::<usize>().expect("a number")), "{text}");
    drop(monitor);
    drop(pool.close(60 * MIN).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_itself_says_how_many_connections_are_too_many() {
    let (pool, monitor) = fast("limit", 10);
    contend(&pool, 1);
    let view = known(&monitor);
    let mut probe = pool.control().probe().await.expect("opened");
    let capacity = probe.capacity().await.expect("it can be asked").expect("answered");
    // The probe's own connection is one, the user's another.
    assert!(capacity.in_use >= 2 && capacity.reserved > 0, "{capacity:?}");
    let room = capacity.max_connections - capacity.reserved;
    let others = capacity.in_use - capacity.in_use_here.expect("PostgreSQL tells");
    let of = |replicas| Deployment { replicas, capacity: Some(capacity) };
    assert_eq!(advise(&view, &of((room - others) / 10)), []);
    let advice = advise(&view, &of((room - others) / 10 + 1));
    let [Advice { rule: Rule::ServerLimitNear, .. }] = advice[..] else { panic!("{advice:#?}") };
    let text = advice[0].to_string();
    let limit = format!(
        "the server allows {room} (max_connections {} less {} reserved), of which {others} are taken by others",
        capacity.max_connections, capacity.reserved
    );
    assert!(text.contains(&limit), "{text}");
    drop(monitor);
    drop(pool.close(60 * MIN).await);
}
