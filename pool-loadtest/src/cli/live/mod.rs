//! The live view of a run on a terminal. It is drawn by a thread of its own, so that a terminal that
//! takes nothing holds up no load.

mod screen;
mod state;
#[cfg(unix)]
mod suspend;
mod view;

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use pool_health::HealthState;

use self::screen::Screen;
use self::state::LiveState;
use crate::load::Progress;

pub(super) use self::screen::check;
#[cfg(test)]
pub(super) use self::state::tests;

/// How often the view is drawn: also when nothing is new, as the window may have changed.
const FRAME: Duration = Duration::from_millis(200);
/// How long the last frame may take. A terminal that takes nothing is left to itself then.
const LAST_FRAME: Duration = Duration::from_secs(1);

/// The view that has the screen, for those who have something to say meanwhile.
static SHOWN: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// What the run tells and the thread draws.
#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    /// Told when the view is to end.
    ends: Condvar,
}

#[derive(Debug)]
struct Slot {
    /// The latest only: a slow terminal misses frames.
    state: LiveState,
    /// The screen was given back for a while.
    is_lost: bool,
    is_over: bool,
}

/// A view that has the screen until it is closed or dropped.
#[derive(Debug)]
pub(super) struct LiveView {
    shared: Arc<Shared>,
    /// Hangs up when the thread has ended.
    thread: Receiver<()>,
}

impl LiveView {
    /// Begins to draw. Needs a tokio runtime around it.
    ///
    /// # Errors
    ///
    /// If there can be no thread, or no handler of a signal.
    pub(super) fn start(duration: Duration) -> anyhow::Result<Self> {
        let slot = Slot { state: LiveState::new(duration), is_lost: false, is_over: false };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), ends: Condvar::new() });
        #[cfg(unix)]
        suspend::watch(&shared).context("cannot listen to signals")?;
        let (running, thread) = mpsc::channel();
        let drawn = Arc::clone(&shared);
        thread::Builder::new()
            .name("live-view".to_owned())
            .spawn(move || {
                draw_on(&drawn);
                drop(running);
            })
            .context("cannot start the thread of the live view")?;
        *lock(&SHOWN) = Some(Arc::clone(&shared));
        Ok(Self { shared, thread })
    }

    /// Shows how far the run has come, and what has happened since the last time.
    pub(super) fn show(&self, progress: &Progress, health: HealthState, events: Vec<String>) {
        let mut slot = lock(&self.shared.slot);
        slot.state.advance(progress, health);
        for event in events {
            slot.state.add_event(event);
        }
    }

    /// Ends the view and gives the screen back. What happened and what others said meanwhile, which is
    /// to be said again where it stays.
    pub(super) fn close(self) -> Vec<String> {
        self.end();
        lock(&self.shared.slot).state.clone().told()
    }

    fn end(&self) {
        lock(&SHOWN).take_if(|shown| Arc::ptr_eq(shown, &self.shared));
        lock(&self.shared.slot).is_over = true;
        self.shared.ends.notify_all();
        // It sends nothing: either it has ended, or it is stuck.
        let _ = self.thread.recv_timeout(LAST_FRAME);
        screen::give_back();
    }
}

/// Also when a run ends early, with an error.
impl Drop for LiveView {
    fn drop(&mut self) {
        if !lock(&self.shared.slot).is_over {
            self.end();
        }
    }
}

/// Has the view show a line, if there is a view.
pub(super) fn tell(line: &str) -> bool {
    let Some(shared) = lock(&SHOWN).clone() else { return false };
    lock(&shared.slot).state.add_event(line.to_owned());
    true
}

/// Gives the screen back because the program is about to end.
pub(super) fn abandon() {
    lock(&SHOWN).take();
    screen::give_back();
}

/// Draws until the view is over or nothing can be drawn any more: then the run goes on unseen.
fn draw_on(shared: &Shared) {
    let is_coloured = screen::is_coloured();
    let mut screen: Option<Screen> = None;
    let mut slot = lock(&shared.slot);
    while !slot.is_over {
        if std::mem::take(&mut slot.is_lost) {
            screen = None;
        }
        let state = slot.state.clone();
        // Never held while the terminal is written to, which may take its time.
        drop(slot);
        let taken = match screen.take() {
            Some(taken) => Ok(taken),
            None => Screen::take(),
        };
        match taken.and_then(|mut screen| screen.draw(&state, is_coloured).map(|()| screen)) {
            Ok(drawn) => screen = Some(drawn),
            Err(_) => return,
        }
        let waited = shared.ends.wait_timeout_while(lock(&shared.slot), FRAME, |it| !it.is_over);
        slot = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A thread that panicked has left whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
