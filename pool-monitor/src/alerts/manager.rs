//! The [`AlertManager`]: the engine, and a lane for each sink.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{AbortHandle, abortable};
use parking_lot::Mutex;
use pool_core::runtime::Instant;
use pool_core::{ConfigError, PoolState};
use thiserror::Error;
use tokio::sync::mpsc;

use super::alert::{Alert, Moment, Notification};
use super::delivery::{DeliveryStats, Queue, deliver};
use super::engine::{Engine, Look, WatchedRules};
use super::grouping::Grouping;
use super::options::{AlertOptions, SinkOptions};
use super::rule::Severity;
use crate::background::Background;
use crate::monitor::Subscriber;
use crate::signal::Signal;
use crate::view::{PoolView, Snapshot};
use crate::window::Window;

/// Why there is no [`AlertManager`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AlertError {
    /// What it was told is wrong.
    #[error("the alerts cannot be used")]
    Config(#[from] ConfigError),
    /// The system has no thread or no descriptors left.
    #[error("cannot start the thread that delivers alerts")]
    Thread(#[source] io::Error),
}

/// What was not delivered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Undelivered {
    /// To whom.
    pub sink: String,
    /// What.
    pub notification: Notification,
}

/// Finds out which alerts fire, and tells those who are to know.
///
/// It is a [`Subscriber`] of a [`PoolMonitor`](crate::PoolMonitor). All delivery is done by a thread of
/// its own; nothing here waits for it but [`shutdown`](Self::shutdown). Clones are handles of the same;
/// when the last is dropped, nothing more is delivered.
///
/// ```no_run
/// use std::time::Duration;
/// use pool_monitor::{AlertManager, AlertOptions, MonitorOptions, PoolMonitor};
///
/// # fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let alerts = AlertManager::start(AlertOptions::from_toml_file("alerts.toml")?)?;
/// let monitor = PoolMonitor::start(MonitorOptions::default())?;
/// monitor.subscribe(alerts.clone()).keep();
/// // At the end of the program:
/// let undelivered = alerts.shutdown(Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
///
/// Told by hand what pools are like:
///
/// ```
/// use std::time::Duration;
/// use pool_core::runtime::Instant;
/// use pool_monitor::{AlertManager, AlertOptions, Signal};
///
/// let alerts = AlertManager::start(AlertOptions::default())?;
/// let slow = |signal, _over| match signal {
///     Signal::WaitP99 => Some(1.5),
///     Signal::Acquires => Some(600.0),
///     _ => None,
/// };
/// alerts.observe(Instant::EPOCH, "orders", &slow);
/// let [alert] = &*alerts.firing() else { panic!("one alert") };
/// assert_eq!(alert.summary, "one acquire in a hundred of the pool orders waits 1.5 s or longer");
/// assert!(alerts.shutdown(Duration::from_secs(5)).is_empty());
/// # Ok::<(), pool_monitor::AlertError>(())
/// ```
#[derive(Clone)]
pub struct AlertManager(Arc<Inner>);

struct Inner {
    rules: Arc<WatchedRules>,
    labels: Arc<BTreeMap<String, String>>,
    /// Who is to be told what. Never held while a pool is looked at.
    state: Mutex<State>,
    lanes: Vec<Lane>,
    /// Ends when every lane has.
    ended: Mutex<Option<mpsc::Receiver<()>>>,
    background: Background,
}

struct State {
    engine: Engine,
    /// Of each sink, in the order of the lanes.
    groupings: Vec<Grouping>,
}

/// A sink's way out.
struct Lane {
    queue: Arc<Queue>,
    send_resolved: bool,
    repeat: Duration,
    /// Ends the delivery where it is.
    end: AbortHandle,
}

impl AlertManager {
    /// Starts it, with a thread for delivery.
    ///
    /// # Errors
    ///
    /// Rules or sinks are wrong, with every problem at once; or there is no thread to be had.
    pub fn start(options: AlertOptions) -> Result<Self, AlertError> {
        options.validate()?;
        let background = Background::start("pool-alerts").map_err(AlertError::Thread)?;
        let rules = Arc::new(WatchedRules::new(options.rules));
        let (alive, ended) = mpsc::channel(1);
        let (mut groupings, mut lanes) = (Vec::new(), Vec::new());
        for options in options.sinks {
            let queue = Arc::new(Queue::new(&options.name));
            groupings.push(Grouping::new(options.manner()));
            // Here, where a panic of foreign code is seen, and not in the thread of all.
            let pause = options.sink.habits().pause;
            let delivery = deliver(Arc::clone(&queue), options.sink, pause);
            let (delivery, end) = abortable(delivery);
            let SinkOptions { send_resolved, repeat, .. } = options;
            lanes.push(Lane { queue, send_resolved, repeat, end });
            let alive = alive.clone();
            background.spawn(async move {
                let _aborted = delivery.await;
                drop(alive);
            });
        }
        let engine = Engine::new(Arc::clone(&rules));
        Ok(Self(Arc::new(Inner {
            rules,
            labels: Arc::new(options.labels),
            state: Mutex::new(State { engine, groupings }),
            lanes,
            ended: Mutex::new(Some(ended)),
            background,
        })))
    }

    /// Looks at a pool: `look` returns the value of a signal over the last so long, if there is one.
    ///
    /// To be called for each pool every few seconds, as a [`PoolMonitor`](crate::PoolMonitor) does. Does
    /// not wait for any sink.
    pub fn observe(&self, now: Instant, pool: &str, look: Look<'_>) {
        let sight = self.0.rules.look(pool, look);
        self.0.change(now, |engine, at| engine.observe(at, pool, &sight));
    }

    /// Forgets a pool that was closed or dropped. Its alerts are resolved.
    pub fn withdraw(&self, now: Instant, pool: &str) {
        self.0.change(now, |engine, at| engine.withdraw(at, pool));
    }

    /// The alerts that fire, by rule and pool.
    #[must_use]
    pub fn firing(&self) -> Vec<Alert> {
        self.0.state.lock().engine.firing()
    }

    /// What became of the notifications of each sink.
    #[must_use]
    pub fn delivery(&self) -> Vec<DeliveryStats> {
        self.0.lanes.iter().map(|lane| lane.queue.stats()).collect()
    }

    /// Tries to deliver what there is to be told, and once more what was lost, at most until the deadline,
    /// and returns what was not delivered, nor told again since. Nothing is delivered after that.
    ///
    /// Blocks the thread. Alerts that fire are not resolved by it: they are still so.
    #[must_use]
    pub fn shutdown(&self, deadline: Duration) -> Vec<Undelivered> {
        let at = SystemTime::now();
        let mut state = self.0.state.lock();
        let State { engine, groupings } = &mut *state;
        for (grouping, lane) in groupings.iter_mut().zip(&self.0.lanes) {
            for lost in lane.queue.take_lost() {
                // Whenever it is due, it is told now.
                grouping.lost(Instant::EPOCH, lost);
            }
            self.0.put(lane, at, grouping.rest(engine));
            // Before anybody else looks: what is lost from now on is to be found here.
            lane.queue.close();
        }
        drop(state);
        let ended = self.0.ended.lock().take();
        if let Some(mut ended) = ended {
            // Nothing is ever sent: it ends when the last sender is gone.
            self.0.background.run(deadline, async move { ended.recv().await });
        }
        // What is reported as not delivered is not to arrive after that.
        self.0.lanes.iter().for_each(|lane| lane.end.abort());
        let rest = |lane: &Lane| {
            let sink = lane.queue.stats().sink;
            let rest = lane.queue.take_rest().into_iter();
            rest.map(move |notification| Undelivered { sink: sink.clone(), notification })
        };
        self.0.lanes.iter().flat_map(rest).collect()
    }
}

impl Inner {
    fn change(&self, now: Instant, change: impl FnOnce(&mut Engine, Moment) -> Vec<Alert>) {
        let at = Moment { now, wall: SystemTime::now() };
        let mut state = self.state.lock();
        let State { engine, groupings } = &mut *state;
        let was_idle = engine.is_idle();
        let changes = change(engine, at);
        // When the last pool is gone, nobody may tell the time any more. If somebody does, what was lost
        // has its pause as ever.
        let is_last = !was_idle && engine.is_idle();
        for (grouping, lane) in groupings.iter_mut().zip(&self.lanes) {
            for lost in lane.queue.take_lost() {
                grouping.lost(now, lost);
            }
            for alert in &changes {
                grouping.change(now, alert);
                if !alert.is_firing() && !lane.send_resolved {
                    lane.queue.forget(alert);
                }
            }
            let groups = if is_last { grouping.rest(engine) } else { grouping.due(now, engine) };
            self.put(lane, at.wall, groups);
        }
        drop(state);
        // Outside the lock: whoever listens is foreign code.
        changes.iter().for_each(log);
    }

    fn put(&self, lane: &Lane, at: SystemTime, groups: Vec<Vec<Alert>>) {
        for alerts in groups {
            let Some(first) = alerts.first() else { continue };
            lane.queue.put(Notification {
                id: format!("msg_{:032x}", fastrand::u128(..)),
                rule: Arc::clone(&first.rule),
                severity: first.severity,
                at,
                repeat: lane.repeat,
                labels: Arc::clone(&self.labels),
                alerts,
            });
        }
    }
}

impl Subscriber for AlertManager {
    /// A closed pool is silent: who closed it knows.
    fn seen(&self, view: &PoolView) {
        let Snapshot { at, pool, stats, .. } = &*view.snapshot;
        match stats.state {
            PoolState::Closed => self.withdraw(*at, pool),
            PoolState::Open | PoolState::Paused => {
                let looked = Looked { view, windows: RefCell::default() };
                self.observe(*at, pool, &|signal, over| looked.value(signal, over));
            }
        }
    }
}

/// A pool that is looked at for several rules: its history is added up once for each stretch of time.
struct Looked<'a> {
    view: &'a PoolView,
    windows: RefCell<Vec<(Duration, Window)>>,
}

impl Looked<'_> {
    fn value(&self, signal: Signal, over: Duration) -> Option<f64> {
        let of_the_moment = signal.now(self.view);
        if of_the_moment.is_some() {
            return of_the_moment;
        }
        let mut windows = self.windows.borrow_mut();
        if let Some((_, window)) = windows.iter().find(|(span, _)| *span == over) {
            return signal.over(window);
        }
        let window = self.view.history.last(over);
        let value = signal.over(&window);
        windows.push((over, window));
        value
    }
}

/// What fires and what is over is in the log, whoever else is told.
fn log(alert: &Alert) {
    let Alert { rule, pool, severity, summary, value, .. } = alert;
    match (alert.is_firing(), severity) {
        (true, Severity::Critical) => {
            tracing::error!(%rule, %pool, %severity, value, summary, "alert fires");
        }
        (true, Severity::Warning | Severity::Info) => {
            tracing::warn!(%rule, %pool, %severity, value, summary, "alert fires");
        }
        (false, _) => tracing::info!(%rule, %pool, %severity, "alert is resolved"),
    }
}

impl fmt::Debug for AlertManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertManager").field("delivery", &self.delivery()).finish_non_exhaustive()
    }
}
