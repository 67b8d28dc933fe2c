//! One pool that is looked at.

use std::sync::Arc;

use pool_core::runtime::Instant;
use pool_core::{ControlHandle, Metadata, PoolState, Subscription};

use crate::closed::Closed;
use crate::history::History;
use crate::names::free_name;
use crate::reading::{health, sizing};
use crate::recorder::{Recorder, Sample};
use crate::view::{PoolView, Snapshot};
use crate::window::{Window, is_full};

/// What a look at a pool has found.
pub(super) struct Seen {
    pub(super) view: PoolView,
    /// What happened since the last line in the log, where one is due.
    pub(super) since_line: Option<Window>,
}

pub(super) struct Watched {
    pool: ControlHandle,
    name: Arc<str>,
    metadata: Arc<Metadata>,
    recorder: Arc<Recorder>,
    _events: Subscription,
    last: Sample,
    /// When it was found full, if it still is.
    full_since: Option<Instant>,
    last_full: Option<Instant>,
    history: Arc<History>,
    since_line: Window,
    view: Option<PoolView>,
}

impl Watched {
    /// Named apart from those that `are_watched`.
    pub(super) fn new(
        pool: &ControlHandle,
        metadata: Metadata,
        are_watched: &[Self],
        now: Instant,
    ) -> Self {
        let recorder = Arc::new(Recorder::new());
        let events = pool.observe(recorder.clone());
        // What happened before is in no window.
        let last = recorder.sample(now, pool.stats());
        Self {
            pool: Arc::clone(pool),
            name: free_name(pool.name(), |name| are_watched.iter().any(|it| &*it.name == name)),
            metadata: Arc::new(metadata),
            recorder,
            _events: events,
            last,
            full_since: None,
            last_full: None,
            history: Arc::default(),
            since_line: Window::default(),
            view: None,
        }
    }

    pub(super) fn is_of(&self, pool: &ControlHandle) -> bool {
        self.pool.id() == pool.id()
    }

    /// What is known of it, if it is closed.
    pub(super) fn closed(&self) -> Option<Closed<'_>> {
        let is_told =
            self.view.as_ref().is_some_and(|view| view.snapshot.stats.state == PoolState::Closed);
        let is_closed = self.pool.state() == PoolState::Closed;
        is_closed.then_some(Closed { name: &self.name, is_told })
    }

    /// Whether nothing will happen to it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.last.stats.state == PoolState::Closed && self.last.stats.open == 0
    }

    pub(super) fn view(&self) -> Option<PoolView> {
        self.view.clone()
    }

    pub(super) fn look(&mut self, now: Instant, is_logged: bool) -> Seen {
        let sample = self.recorder.sample(now, self.pool.stats());
        let window = Window::between(&self.last, &sample);
        Arc::make_mut(&mut self.history).push(window.clone());
        self.since_line = Window::merge([&self.since_line, &window].into_iter());
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
            last_connect_error: sample.last_connect_error.clone(),
            health: health(&*self.pool),
            sizing: sizing(&*self.pool),
        };
        self.last = sample;
        let view = PoolView {
            snapshot: Arc::new(snapshot),
            history: Arc::clone(&self.history),
            config: Arc::new(self.pool.config()),
            metadata: Arc::clone(&self.metadata),
        };
        self.view = Some(view.clone());
        let since_line = is_logged.then(|| std::mem::take(&mut self.since_line));
        Seen { view, since_line }
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
