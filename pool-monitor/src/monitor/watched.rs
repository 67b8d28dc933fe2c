//! One pool that is looked at.

use std::sync::Arc;

use pool_core::runtime::Instant;
use pool_core::{ControlHandle, PoolState, Subscription};

use crate::history::History;
use crate::names::free_name;
use crate::recorder::{Recorder, Sample};
use crate::view::{PoolView, Snapshot};
use crate::window::{Window, is_full};

pub(super) struct Watched {
    pool: ControlHandle,
    name: Arc<str>,
    recorder: Arc<Recorder>,
    _events: Subscription,
    last: Sample,
    /// When it was found full, if it still is.
    full_since: Option<Instant>,
    last_full: Option<Instant>,
    history: Arc<History>,
    view: Option<PoolView>,
}

impl Watched {
    /// Named apart from those that `are_watched`.
    pub(super) fn new(pool: &ControlHandle, are_watched: &[Self], now: Instant) -> Self {
        let recorder = Arc::new(Recorder::new());
        let events = pool.observe(recorder.clone());
        // What happened before is in no window.
        let last = recorder.sample(now, pool.stats());
        Self {
            pool: Arc::clone(pool),
            name: free_name(pool.name(), |name| are_watched.iter().any(|it| &*it.name == name)),
            recorder,
            _events: events,
            last,
            full_since: None,
            last_full: None,
            history: Arc::default(),
            view: None,
        }
    }

    pub(super) fn is_of(&self, pool: &ControlHandle) -> bool {
        self.pool.id() == pool.id()
    }

    /// Whether nothing will happen to it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.last.stats.state == PoolState::Closed && self.last.stats.open == 0
    }

    pub(super) fn view(&self) -> Option<PoolView> {
        self.view.clone()
    }

    pub(super) fn look(&mut self, now: Instant) -> PoolView {
        let sample = self.recorder.sample(now, self.pool.stats());
        let window = Window::between(&self.last, &sample);
        Arc::make_mut(&mut self.history).push(window.clone());
        self.note_whether_full(&sample);
        let snapshot = Snapshot {
            pool: Arc::clone(&self.name),
            at: now,
            stats: sample.stats.clone(),
            since_last: window,
            full_for: self.full_since.map(|since| now.since(since)),
            last_full: self.last_full.map(|at| now.since(at)),
            holders: self.pool.holders(),
            last_leak: sample.last_leak,
        };
        self.last = sample;
        let view = PoolView {
            snapshot: Arc::new(snapshot),
            history: Arc::clone(&self.history),
            config: Arc::new(self.pool.config()),
            metadata: Arc::new(self.pool.metadata()),
        };
        self.view = Some(view.clone());
        view
    }

    fn note_whether_full(&mut self, sample: &Sample) {
        if is_full(&sample.stats) {
            self.last_full = Some(sample.at);
            self.full_since = self.full_since.or(self.last_full);
        } else {
            self.full_since = None;
        }
    }
}
