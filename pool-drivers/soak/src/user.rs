//! Users of a pool: most behave, some give up, some panic, some leave a mess.

use std::any::Any;
use std::ops::DerefMut;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_util::FutureExt as _;
use pool_core::{AcquireError, AcquireErrorKind, Guard, OwnedPoolGuard, Pool};
use tokio::time::{sleep, timeout};

use crate::subject::{ACCOUNTS, Subject};
use crate::tally::Tally;
use crate::wrongs::Wrongs;

/// How much later than its deadline an acquire may return: the machine is busy.
const SLACK: Duration = Duration::from_secs(3);

const MOST_PATIENT: Duration = Duration::from_secs(2);

/// What users panic with.
const DELIBERATE: &str = "a user's panic";

/// Has users' own panics say nothing.
pub(crate) fn expect_panics() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !is_deliberate(info.payload()) {
            told(info);
        }
    }));
}

fn is_deliberate(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<&str>() == Some(&DELIBERATE)
}

/// What all users of a run share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub(crate) tally: Arc<Tally>,
    pub(crate) wrongs: Arc<Wrongs>,
}

/// One user of one pool.
#[derive(Debug)]
pub(crate) struct User<D: Subject> {
    pub(crate) pool: Pool<D>,
    pub(crate) random: Rng,
    pub(crate) shared: Shared,
    /// The database is the bank's, and the pool never closed meanwhile.
    pub(crate) is_strict: bool,
}

impl<D: Subject> User<D> {
    /// One turn after the other until told otherwise.
    pub(crate) async fn work(mut self, has_ended: Arc<AtomicBool>) {
        while !has_ended.load(Ordering::Relaxed) {
            self.turn().await;
            if self.random.u8(..4) == 0 {
                sleep(Duration::from_millis(self.random.u64(..20))).await;
            }
        }
    }

    /// One turn.
    pub(crate) async fn turn(&mut self) {
        let patience = MOST_PATIENT.mul_f64(self.random.f64());
        let patience = if self.random.bool() { patience } else { patience / 50 };
        let begun = Instant::now();
        if self.random.bool() {
            let pool = self.pool.clone();
            let acquired = self.give_up_perhaps(pool.acquire_within(patience)).await;
            if let Some(guard) = self.judge(acquired, begun.elapsed(), patience) {
                self.use_up(guard).await;
            }
        } else {
            let acquired = self.give_up_perhaps(self.pool.acquire_owned_within(patience)).await;
            match self.judge(acquired, begun.elapsed(), patience) {
                Some(guard) if self.random.u8(..10) == 0 => self.give_away(guard),
                Some(guard) => self.use_up(guard).await,
                None => {}
            }
        }
    }

    /// What an acquire comes to, unless it is dropped after some time or a few polls.
    async fn give_up_perhaps<T>(&mut self, acquire: impl Future<Output = T>) -> Option<T> {
        match self.random.u8(..10) {
            0 => {
                let time = Duration::from_micros(self.random.u64(..50_000));
                timeout(time, acquire).await.ok()
            }
            1 => {
                let mut acquire = pin!(acquire);
                for _ in 0..self.random.u8(..4) {
                    if let Poll::Ready(acquired) = futures_util::poll!(acquire.as_mut()) {
                        return Some(acquired);
                    }
                    tokio::task::yield_now().await;
                }
                None
            }
            _ => Some(acquire.await),
        }
    }

    fn judge<G>(
        &self,
        acquired: Option<Result<G, AcquireError>>,
        took: Duration,
        patience: Duration,
    ) -> Option<G> {
        if took > patience + SLACK {
            self.shared.wrongs.add(format!("an acquire of {patience:?} took {took:?}"));
        }
        let error = match acquired {
            Some(Ok(guard)) => return Some(guard),
            Some(Err(error)) => error,
            None => {
                self.count(|tally| &tally.given_up);
                return None;
            }
        };
        self.count(|tally| &tally.turned_away);
        let is_odd = match error.kind() {
            AcquireErrorKind::Closed => self.is_strict,
            AcquireErrorKind::NoRuntime => true,
            _ => false,
        };
        if is_odd {
            self.shared.wrongs.add(format!("an acquire failed with {error}"));
        }
        None
    }

    /// Lets another thread, which knows no runtime, or nobody give the connection back.
    fn give_away(&mut self, guard: OwnedPoolGuard<D>) {
        match self.random.u8(..4) {
            0 => drop(thread::spawn(move || drop(guard))),
            1 => drop(Guard::detach(guard)),
            2 => Guard::discard(guard),
            _ => drop(guard),
        }
        self.count(|tally| &tally.served);
    }

    /// Uses a connection in one way or another, for as long as that may take.
    async fn use_up<G: DerefMut<Target = D::Connection> + Send>(&mut self, mut guard: G) {
        let bound = match self.random.u8(..5) {
            0 => Duration::from_micros(self.random.u64(..20_000)),
            _ => MOST_PATIENT,
        };
        let (what, number) = (self.random.u8(..100), self.random.i64(..));
        let mut account = || self.random.i64(..ACCOUNTS);
        let (from, to) = (account(), account());
        let wrongs = Arc::clone(&self.shared.wrongs);
        let is_strict = self.is_strict;
        let used = async move {
            // Owned by what panics, so that it is dropped while that unwinds.
            let connection = &mut *guard;
            match what {
                0..45 => {
                    let answer = D::ask(connection, number).await?;
                    if answer.number != number {
                        wrongs.add("another user's answer");
                    }
                    if is_strict && !answer.is_clean {
                        wrongs.add("a connection that was not clean");
                    }
                    Ok(())
                }
                45..65 if is_strict => D::transfer(connection, from, to).await,
                65..70 if is_strict => D::leave_open(connection, from).await,
                70..78 => D::soil(connection).await,
                78..80 => D::read_half(connection).await,
                80..84 => D::dawdle(connection).await,
                84..90 => D::err(connection).await,
                90..92 if is_strict => {
                    D::leave_open(connection, from).await?;
                    panic::panic_any(DELIBERATE)
                }
                92..94 => panic::panic_any(DELIBERATE),
                _ => {
                    sleep(Duration::from_millis(number.unsigned_abs() % 20)).await;
                    Ok(())
                }
            }
        };
        match timeout(bound, AssertUnwindSafe(used).catch_unwind()).await {
            Ok(Ok(Ok(()))) => self.count(|tally| &tally.served),
            Ok(Ok(Err(error))) => {
                let _error: D::Error = error;
                self.count(|tally| &tally.failed);
            }
            Ok(Err(payload)) => {
                if !is_deliberate(&*payload) {
                    self.shared.wrongs.add("a panic in a statement");
                }
                self.count(|tally| &tally.panicked);
            }
            Err(_) => self.count(|tally| &tally.cut_short),
        }
    }

    fn count(&self, which: impl FnOnce(&Tally) -> &AtomicU64) {
        which(&self.shared.tally).fetch_add(1, Ordering::Relaxed);
    }
}
