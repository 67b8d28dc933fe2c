//! An open loop: operations start when a schedule says, whatever became of those before.
//!
//! One task, the pacer, hands each arrival to a worker at its time. There are as many workers as were
//! ever needed at once; between operations they wait for the next arrival.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use pool_core::Driver;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, consume_budget};
use tokio::time::{Instant, sleep_until};

use super::alarm::Alarm;
use super::later;
use super::operation::{Job, Wish};
use crate::arrivals::Schedule;
use crate::generator::Tally;
use crate::workload::Workload;

/// What is due so shortly before the end need not be started: two ticks of the runtime's timer.
const GRACE: Duration = Duration::from_millis(2);

/// When the arrivals of a load are due. While it warms up, they are the first of the schedule, of
/// which more and more are taken; the schedule begins anew when it is measured.
pub(super) fn times(
    schedule: &Schedule,
    seed: u64,
    [began, from]: [Instant; 2],
) -> impl Iterator<Item = Instant> + Send + use<> {
    let warm_up = from - began;
    let mut share = 0.0;
    let is_taken = move |offset: &Duration| {
        share += offset.as_secs_f64() / warm_up.as_secs_f64();
        let is_taken = share >= 1.0;
        share -= f64::from(u8::from(is_taken));
        is_taken
    };
    let warming = schedule.offsets(!seed).take_while(move |offset| *offset < warm_up);
    let warming = warming.filter(is_taken).map(move |offset| later(began, offset));
    warming.chain(schedule.offsets(seed).map(move |offset| later(from, offset)))
}

/// An operation to do.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    due: Instant,
    /// Which random numbers it draws: an arrival does the same work whoever does it, and when.
    seed: u64,
}

/// What the pacer and the workers share.
struct Open<D: Driver, W> {
    job: Arc<Job<D, W>>,
    queue: Mutex<VecDeque<Arrival>>,
    /// As many permits as the queue has arrivals, each for a worker.
    ready: Semaphore,
    /// Operations handed to a worker that have not ended.
    in_flight: AtomicUsize,
    /// Those of them whose connection was not asked for yet.
    unasked: AtomicUsize,
}

/// Hands out the arrivals of a load.
pub(super) struct Pacer<D: Driver, W> {
    open: Arc<Open<D, W>>,
    /// When the load ends; it may be ended before.
    until: Instant,
    limit: usize,
    ended: watch::Receiver<()>,
    workers: JoinSet<()>,
    /// Where there can be no more threads, the runtime's timer has to do.
    alarm: Option<Alarm>,
    /// Each arrival's numbers begin anew: those of seeds that follow each other resemble each other.
    seeds: Rng,
}

impl<D: Driver, W: Workload<D>> Pacer<D, W> {
    pub(super) fn new(
        job: Arc<Job<D, W>>,
        until: Instant,
        limit: usize,
        ended: watch::Receiver<()>,
    ) -> Self {
        let open = Open {
            job,
            queue: Mutex::default(),
            ready: Semaphore::new(0),
            in_flight: AtomicUsize::new(0),
            unasked: AtomicUsize::new(0),
        };
        // Not those of the schedule, which has the same seed.
        let seeds = Rng::with_seed(open.job.seed).fork();
        let (workers, alarm) = (JoinSet::new(), Alarm::start().ok());
        Self { open: Arc::new(open), until, limit: limit.max(1), ended, workers, alarm, seeds }
    }

    /// Hands out arrivals at these times until the load ends, or all are done. Whoever works then is
    /// in the set that is returned.
    pub(super) async fn run(mut self, mut times: impl Iterator<Item = Instant>) -> JoinSet<()> {
        let mut next = times.next();
        while let Some(due) = next.filter(|due| *due < self.until) {
            if !self.wait(due).await {
                break;
            }
            self.hand_out(due);
            next = times.next();
        }
        if next.is_none() {
            // Nothing comes any more: the load is over once all is done.
            self.open.ready.close();
            self.all_done().await;
        } else {
            while self.ended.changed().await.is_ok() {}
        }
        self.give_up(next.into_iter().chain(times)).await;
        self.workers
    }

    /// Waits until an arrival is due; whether the load goes on then.
    async fn wait(&mut self, due: Instant) -> bool {
        // Also if it is behind, others have their turn.
        consume_budget().await;
        if self.ended.has_changed().is_err() {
            return false;
        }
        if due <= Instant::now() {
            return true;
        }
        if let Some(alarm) = &self.alarm {
            alarm.set(due.into_std());
        }
        let timer = sleep_until(due);
        tokio::pin!(timer);
        loop {
            tokio::select! {
                biased;
                _ = self.ended.changed() => return false,
                () = rings(self.alarm.as_ref()) => {
                    if due <= Instant::now() {
                        return true;
                    }
                }
                () = &mut timer => return true,
            }
        }
    }

    /// Hands an arrival to a worker, or drops it.
    fn hand_out(&mut self, due: Instant) {
        let (seed, open) = (self.seeds.u64(..), &self.open);
        let tally = open.tally_of(due);
        if let Some(tally) = tally {
            Tally::count(&tally.arrivals);
        }
        let in_flight = open.in_flight.load(Ordering::Relaxed);
        if in_flight >= self.limit {
            if let Some(tally) = tally {
                // If most have not even asked for a connection, it is not the pool they wait for.
                let are_own = open.unasked.load(Ordering::Relaxed) > self.limit / 2;
                Tally::count(if are_own { &tally.overrun } else { &tally.stalled });
            }
            return;
        }
        open.in_flight.fetch_add(1, Ordering::Relaxed);
        open.unasked.fetch_add(1, Ordering::Relaxed);
        open.job.recorder.tally().in_flight(in_flight + 1);
        open.queue().push_back(Arrival { due, seed });
        open.ready.add_permits(1);
        if in_flight >= self.workers.len() {
            let (open, number) = (Arc::clone(open), self.workers.len());
            self.workers.spawn(open.work(number, self.ended.clone()));
        }
    }

    /// Waits until all that was handed out is done, or the load ends.
    async fn all_done(&mut self) {
        loop {
            tokio::select! {
                biased;
                _ = self.ended.changed() => return,
                done = self.workers.join_next() => match done {
                    Some(Ok(())) => {}
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => return,
                }
            }
        }
    }

    /// Counts what was due and is not done, now that the load has ended.
    async fn give_up(&mut self, times: impl Iterator<Item = Instant>) {
        let open = &self.open;
        open.ready.close();
        let left = std::mem::take(&mut *open.queue());
        for arrival in &left {
            open.leave_out(arrival.due);
        }
        let ended = Instant::now().min(self.until);
        for due in times.take_while(|due| *due < ended) {
            consume_budget().await;
            if let Some(tally) = open.tally_of(due) {
                Tally::count(&tally.arrivals);
            }
            open.leave_out(due);
        }
    }
}

async fn rings(alarm: Option<&Alarm>) {
    match alarm {
        Some(alarm) => alarm.rings().await,
        None => std::future::pending().await,
    }
}

impl<D: Driver, W: Workload<D>> Open<D, W> {
    /// Does what arrives, until the load ends.
    async fn work(self: Arc<Self>, number: usize, mut ended: watch::Receiver<()>) {
        let _witness = self.job.witness();
        let mut rng = Rng::with_seed(0);
        while let Some(Arrival { due, seed }) = self.next().await {
            self.unasked.fetch_sub(1, Ordering::Relaxed);
            if ended.has_changed().is_err() {
                self.leave_out(due);
                return;
            }
            rng.seed(seed);
            let wish = Wish { at: due, asked: Some(Instant::now()) };
            if self.job.operate(number, wish, &mut rng, &mut ended).await.is_none() {
                return;
            }
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Waits for an arrival; `None` if there are no more.
    async fn next(&self) -> Option<Arrival> {
        // Once it is closed, what is left of the queue needs no permit.
        if let Ok(permit) = self.ready.acquire().await {
            permit.forget();
        }
        self.queue().pop_front()
    }

    /// The load has ended before a connection was asked for. What was due only just then is as if it
    /// was due later: the load does not end more precisely.
    fn leave_out(&self, due: Instant) {
        if let Some(tally) = self.tally_of(due) {
            if due.elapsed() < GRACE {
                tally.arrivals.fetch_sub(1, Ordering::Relaxed);
            } else {
                Tally::count(&tally.unasked);
            }
        }
    }

    /// Where an arrival is counted, if it is: while the load warms up none is.
    fn tally_of(&self, due: Instant) -> Option<&Tally> {
        (due >= self.job.from).then(|| self.job.recorder.tally())
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
