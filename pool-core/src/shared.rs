//! What a pool's handles, guards and worker share: the state under its mutex, and what stands
//! around it.

use std::sync::Arc;

use crate::contain::contain;
use crate::driver::Driver;
use crate::health::Told;
use crate::listeners::{Observers, Wanted};
use crate::observer::{
    CircuitChanged, ConnectionChecked, ConnectionClosed, ConnectionOpened, LeakSuspected,
    OpenFailed,
};
use crate::runtime::{Instant, Runtime};
use crate::sizing::ToldSizing;
use crate::state::{Effects, Event, State};
use crate::statements::Statements;
use crate::sync::{AtomicBool, Lock, MutexGuard, Ordering};

pub(crate) struct Shared<D: Driver> {
    /// Everything that changes. Held for a transition only: never across an await, a call of the
    /// driver, an observer or a waker.
    state: Lock<State<D::Connection>>,
    pub(crate) driver: D,
    pub(crate) runtime: Arc<dyn Runtime>,
    cheap_clock: Option<fn() -> Instant>,
    pub(crate) observers: Arc<Observers>,
    /// Whether a connection was idle after the last transition. A hint, read without the lock: an
    /// acquire that will have to wait spares itself a look.
    idle_hint: AtomicBool,
    pub(crate) health: Told,
    pub(crate) sizing: ToldSizing,
}

impl<D: Driver> Shared<D> {
    pub(crate) fn new(
        state: State<D::Connection>,
        driver: D,
        runtime: Arc<dyn Runtime>,
        observers: Arc<Observers>,
    ) -> Self {
        Self {
            state: Lock::new(state),
            driver,
            cheap_clock: runtime.cheap_clock(),
            runtime,
            observers,
            idle_hint: AtomicBool::new(false),
            health: Told::default(),
            sizing: ToldSizing::default(),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<D::Connection>> {
        self.state.lock()
    }

    /// The exact time, for where someone waits.
    pub(crate) fn now(&self) -> Instant {
        self.runtime.now()
    }

    /// The cheap time, for hold and idle times.
    #[inline]
    pub(crate) fn recent(&self) -> Instant {
        match self.cheap_clock {
            Some(clock) => clock(),
            None => self.runtime.now(),
        }
    }

    /// Makes one transition and carries out its effects.
    #[inline]
    pub(crate) fn transition<T>(
        &self,
        transition: impl FnOnce(&mut State<D::Connection>, &mut Effects<D::Connection>) -> T,
    ) -> T {
        let mut effects = Effects::new();
        let result = self.change(transition, &mut effects);
        self.carry_out(effects);
        result
    }

    /// Makes one transition and leaves its effects to the caller, to be carried out without a lock.
    pub(crate) fn transition_alone<T>(
        &self,
        transition: impl FnOnce(&mut State<D::Connection>, &mut Effects<D::Connection>) -> T,
    ) -> (T, Effects<D::Connection>) {
        let mut effects = Effects::new();
        let result = self.change(transition, &mut effects);
        (result, effects)
    }

    /// Makes one transition under the lock.
    #[inline]
    fn change<T>(
        &self,
        transition: impl FnOnce(&mut State<D::Connection>, &mut Effects<D::Connection>) -> T,
        effects: &mut Effects<D::Connection>,
    ) -> T {
        let mut state = self.lock();
        let result = transition(&mut state, effects);
        let has_idle = state.has_idle();
        if has_idle != self.idle_hint() {
            self.idle_hint.store(has_idle, Ordering::Relaxed);
        }
        result
    }

    /// Whether a look at the idle connections may be worth the lock.
    #[inline]
    pub(crate) fn idle_hint(&self) -> bool {
        self.idle_hint.load(Ordering::Relaxed)
    }

    /// Does what a transition left to be done. Foreign code runs here, outside the lock.
    #[inline]
    pub(crate) fn carry_out(&self, effects: Effects<D::Connection>) {
        if effects.is_empty() {
            // Nothing to drop; the compiler would look at each part again.
            std::mem::forget(effects);
        } else {
            self.carry_out_some(effects);
        }
    }

    #[inline(never)]
    fn carry_out_some(&self, effects: Effects<D::Connection>) {
        let Effects { wake, wake_worker, unused, rest } = effects;
        for waker in [wake, wake_worker].into_iter().flatten() {
            contain(|| waker.wake());
        }
        if unused.is_some() || rest.is_some() {
            contain(|| drop(unused));
            self.carry_out_rest(rest);
        }
    }

    #[cold]
    fn carry_out_rest(&self, rest: Option<Box<crate::state::Rest<D::Connection>>>) {
        let Some(rest) = rest else { return };
        for waker in rest.wake {
            contain(|| waker.wake());
        }
        for waker in rest.unused {
            contain(|| drop(waker));
        }
        for connection in rest.abort {
            contain(|| self.driver.abort(connection));
        }
        for event in rest.events {
            self.tell(&event);
            contain(|| drop(event));
        }
        for error in rest.errors {
            contain(|| drop(error));
        }
        for circumstances in rest.circumstances {
            contain(|| drop(circumstances));
        }
    }

    fn tell(&self, event: &Event) {
        self.observers.notify(Wanted::RARE, |observer, pool| match *event {
            Event::Opened { connection_id, took } => {
                observer.opened(&ConnectionOpened { pool, connection_id, took });
            }
            Event::OpenFailed { took, class, attempts, ref error, ref code } => {
                let (error, code) = (&**error, code.as_deref());
                observer.open_failed(&OpenFailed { pool, took, class, attempts, error, code });
            }
            Event::Checked { connection_id, idle, took, ref error } => {
                let error = error.as_deref();
                observer.checked(&ConnectionChecked { pool, connection_id, idle, took, error });
            }
            Event::Closed { connection_id, reason, age, ref error } => {
                let error = error.as_deref();
                observer.closed(&ConnectionClosed { pool, connection_id, reason, age, error });
            }
            Event::CircuitChanged { from, to } => {
                observer.circuit_changed(&CircuitChanged { pool, from, to });
            }
            Event::LeakSuspected { site, held } => {
                observer.leak_suspected(&LeakSuspected { pool, site, held });
            }
        });
    }

    /// Where the connection with this number reports its statements.
    pub(crate) fn statements(&self, connection_id: u64) -> Statements {
        let (observers, runtime) = (Arc::clone(&self.observers), Arc::clone(&self.runtime));
        Statements::new(observers, runtime, connection_id)
    }
}
