//! What is told while a load goes on, and what is done to its pool meanwhile.

use std::sync::Arc;
use std::time::Duration;

use pool_core::{Driver, Pool, PoolConfig, PoolStats};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Load, later};
use crate::arrivals::Arrivals;
use crate::changes::{ChangeReport, Changes};
use crate::leftover::Leftover;
use crate::opening::OpeningTime;
use crate::processor::ProcessorTime;
use crate::recorder::Recorder;
use crate::report::{About, Latency, Loaded, Outcome, Point, Report};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);
/// How often response times are worked out for progress: it costs more than the rest of it.
const RESPONSE: Duration = Duration::from_secs(1);

/// What comes so shortly before the end is no point of its own.
const LAST: Duration = Duration::from_millis(100);

/// How far a run has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Time since it is measured; zero while it warms up.
    pub elapsed: Duration,
    /// What is left of the warm-up; `None` once the load is measured.
    pub warm_up_left: Option<Duration>,
    /// Operations done so far.
    pub operations: u64,
    /// Operations that failed so far.
    pub errors: u64,
    /// Arrivals dropped so far.
    pub dropped: u64,
    /// Operations per second since the last time progress was told.
    pub throughput: f64,
    /// How long operations took so far, from wanting a connection to having given it back. Worked out
    /// once a second and at the end, `None` in between.
    pub response: Option<Latency>,
    /// Whether the time is up and this is told for the last time.
    pub ended: bool,
    /// What was done to the pool since the last time progress was told.
    pub changes: Vec<ChangeReport>,
    /// Points of the [series](Report::series) that ended since the last time progress was told. If
    /// the run is stopped, the last one may be told again, with what came after it.
    pub points: Vec<Point>,
    /// The pool now.
    pub pool: PoolStats,
    /// What there is so far, as often as [`LoadOptions`](crate::LoadOptions) ask for it, and at the end.
    pub partial: Option<Box<Report>>,
}

/// Tells progress, and makes the changes of the run.
pub(super) struct Teller<'a, D: Driver, F> {
    pool: &'a Pool<D>,
    about: &'a About,
    recorder: Arc<Recorder>,
    changes: Changes,
    /// When the load begins to be measured, and when it ends.
    from: Instant,
    until: Instant,
    /// The pool's settings and how it was then.
    config: PoolConfig,
    before: PoolStats,
    /// What was spent on opening connections since.
    opening: OpeningTime,
    processor: ProcessorTime,
    /// Most connections that were seen in use.
    most_in_use: usize,
    /// When it was last told, and the operations by then.
    last: (Instant, u64),
    points: Vec<Point>,
    /// When the response times are worked out next.
    next_response: Instant,
    /// When the next partial report is due.
    next_partial: Option<Instant>,
    progress: F,
}

impl<'a, D: Driver, F: FnMut(&Progress)> Teller<'a, D, F> {
    pub(super) fn new<W>(
        load: &Load<'a, D, W>,
        recorder: &Arc<Recorder>,
        [from, until]: [Instant; 2],
        progress: F,
    ) -> Self {
        let (pool, options) = (load.pool, &load.about.options);
        Self {
            pool,
            about: load.about,
            recorder: Arc::clone(recorder),
            changes: Changes::new(pool.control(), from, options.changes.clone()),
            from,
            until,
            config: pool.config(),
            before: pool.stats(),
            opening: OpeningTime::start(&pool.control()),
            processor: ProcessorTime::now(),
            most_in_use: 0,
            last: (from, 0),
            points: Vec::new(),
            next_response: later(from, RESPONSE),
            next_partial: options.partial_every.map(|every| later(from, every)),
            progress,
        }
    }

    /// Tells again and again that it warms up.
    pub(super) async fn tell_warm_up(&mut self) {
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let told = self.progress_at(now.min(self.from), false);
            let warm_up_left = Some(self.from.saturating_duration_since(now));
            (self.progress)(&Progress { warm_up_left, ..told });
        }
    }

    /// The load is measured from now on.
    pub(super) fn begin(&mut self) {
        self.before = self.pool.stats();
        self.opening = OpeningTime::start(&self.pool.control());
        self.processor = ProcessorTime::now();
        self.most_in_use = 0;
    }

    /// Tells progress again and again.
    pub(super) async fn tell_on(&mut self) {
        let mut ticks = ticks();
        loop {
            let next_point = later(self.from, self.recorder.next_point());
            // The end ends the last one.
            let is_last = later(next_point, LAST) > self.until;
            tokio::select! {
                // A change is told with the figures of its time.
                biased;
                () = self.changes.make_next() => {}
                () = sleep_until(next_point), if !is_last => {
                    let point = self.recorder.end_point(self.from.elapsed(), &self.pool.stats());
                    self.points.push(point);
                }
                _ = ticks.tick() => self.tell(None),
            }
        }
    }

    /// The time is up, or the run was stopped. How long it was.
    pub(super) fn end(&mut self, is_stopped: bool) -> Duration {
        let elapsed = self.from.elapsed();
        self.points.push(self.recorder.end(elapsed, &self.pool.stats()));
        // The check of the invariant is still to come.
        self.tell(Some(if is_stopped { Outcome::Interrupted } else { Outcome::Running }));
        elapsed
    }

    fn tell(&mut self, ended: Option<Outcome>) {
        let now = Instant::now();
        let mut told = self.progress_at(now, ended.is_some());
        if ended.is_some() || now >= self.next_response {
            self.next_response = later(now, RESPONSE);
            told.response = Some(Latency::new(&self.recorder.response()));
        }
        if let Some(every) = self.about.options.partial_every
            && (ended.is_some() || self.next_partial.is_some_and(|due| due <= now))
        {
            self.next_partial = Some(later(now, every));
            let loaded = self.so_far(now - self.from);
            let outcome = ended.unwrap_or(Outcome::Running);
            told.partial = Some(Box::new(Report::partial(self.about, outcome, loaded, self.pool)));
        }
        (self.progress)(&told);
    }

    fn progress_at(&mut self, now: Instant, ended: bool) -> Progress {
        let (operations, errors) = self.recorder.counts();
        let seconds = now.saturating_duration_since(self.last.0).as_secs_f64().max(1e-3);
        let throughput = (operations - self.last.1) as f64 / seconds;
        self.last = (now, operations);
        let pool = self.pool.stats();
        self.most_in_use = self.most_in_use.max(pool.in_use);
        Progress {
            elapsed: now.saturating_duration_since(self.from),
            warm_up_left: None,
            operations,
            errors,
            dropped: self.recorder.tally().read().dropped(),
            throughput,
            response: None,
            ended,
            changes: self.changes.news(),
            points: std::mem::take(&mut self.points),
            pool,
            partial: None,
        }
    }

    /// What there is so far.
    fn so_far(&self, elapsed: Duration) -> Loaded {
        let (changes, most_open) = self.changes.so_far();
        let is_open = matches!(self.about.options.arrivals, Arrivals::Open { .. });
        Loaded {
            config: self.config.clone(),
            changes,
            most_open,
            elapsed,
            whole: self.from.elapsed(),
            found: self.recorder.found(is_open),
            before: self.before.clone(),
            after: self.pool.stats(),
            opening: self.opening.sum(),
            leftover: Leftover::default(),
            most_in_use: self.most_in_use,
            cores_used: self.processor.cores_since(),
        }
    }

    /// What there is when all is over. `elapsed` is how long it was measured.
    pub(super) fn loaded(mut self, elapsed: Duration) -> Loaded {
        self.changes.end();
        self.so_far(elapsed)
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(TICK);
    // Whole seconds stay whole seconds, however late one tick was.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
