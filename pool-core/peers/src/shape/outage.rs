//! Outages in real time: eight callers, a server that refuses, or that answers nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::sleep;

use super::load::{MS, query};
use super::{Sample, millis, percentile, two_threads};
use crate::contender::{Answer, Connector, Contender, Patience, caller};

const DEADLINE: Duration = Duration::from_millis(500);
const PATIENCE: Patience = Patience { acquire: DEADLINE, outage: Duration::from_millis(200) };
/// Whoever serves nobody by then has not come back.
const BACK_BY: Duration = Duration::from_millis(1500);

/// One acquire.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    began: Instant,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Open,
    Served(Instant),
    Failed(Instant),
}

impl Attempt {
    /// How long it has been open, or was, until `end`.
    fn open_for(&self, end: Instant) -> Duration {
        let closed = match self.outcome {
            Outcome::Open => end,
            Outcome::Served(at) | Outcome::Failed(at) => at.min(end),
        };
        closed.saturating_duration_since(self.began)
    }

    fn is_open_at(&self, instant: Instant) -> bool {
        match self.outcome {
            Outcome::Open => true,
            Outcome::Served(at) | Outcome::Failed(at) => at >= instant,
        }
    }

    fn is_served_by(&self, end: Instant) -> bool {
        matches!(self.outcome, Outcome::Served(at) if at < end)
    }
}

/// What one caller tried, the latest last. It is written when an attempt begins, too: one that
/// never ends would be none.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Attempt>>>);

impl Log {
    fn begin(&self) {
        self.0.lock().push(Attempt { began: Instant::now(), outcome: Outcome::Open });
    }

    fn end(&self, outcome: fn(Instant) -> Outcome) {
        let mut attempts = self.0.lock();
        attempts.last_mut().expect("bug: it began").outcome = outcome(Instant::now());
    }
}

struct Callers {
    connector: Connector,
    logs: [Log; 8],
    stop: Arc<AtomicBool>,
}

impl Callers {
    async fn start<C: Contender>() -> Self {
        let connector = Connector::after(5 * MS);
        let pool = C::new(8, connector.clone(), PATIENCE).await;
        let (logs, stop): ([Log; 8], _) = Default::default();
        for log in &logs {
            drop(caller::<C, _>(call(pool.clone(), log.clone(), Arc::clone(&stop))));
        }
        sleep(500 * MS).await;
        Self { connector, logs, stop }
    }

    fn fail(&self, answer: Answer) {
        self.connector.answer(answer);
        self.connector.sever_all();
    }

    /// Of each caller.
    fn attempts(&self) -> Vec<Vec<Attempt>> {
        self.logs.iter().map(|log| log.0.lock().clone()).collect()
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn call<C: Contender>(pool: C, log: Log, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        log.begin();
        // A connection that died meanwhile says so at release, and is not used again.
        let served = pool.with(async {
            log.end(Outcome::Served);
            query(2 * MS).await;
        });
        if served.await.is_err() {
            log.end(Outcome::Failed);
        }
        sleep(20 * MS).await;
    }
}

/// One outage of each kind; `round` shifts its end.
pub(crate) fn outages<C: Contender>(round: u32) -> Sample {
    let mut sample = two_threads().block_on(refused::<C>(round));
    sample.insert("late", two_threads().block_on(black_holed::<C>()));
    sample
}

/// How long failing took once the outage was known, connects a second, and how long the pool took
/// to serve after the server was back; in milliseconds.
async fn refused<C: Contender>(round: u32) -> Sample {
    let callers = Callers::start::<C>().await;
    callers.fail(Answer::No);
    sleep(300 * MS).await;
    let (known, before) = (Instant::now(), callers.connector.started());
    // Not in step with the probes.
    sleep(2000 * MS + 27 * MS * round).await;
    let connects = (callers.connector.started() - before) as f64;
    let back = Instant::now();
    callers.connector.answer(Answer::Yes);
    sleep(BACK_BY).await;
    let attempts = callers.attempts();
    let mut failed = until_failed(&attempts, known, back);
    Sample::from([
        ("fails", percentile(&mut failed, 0.99)),
        ("connects", connects / (back - known).as_secs_f64()),
        ("back", millis(until_served(&attempts, back).unwrap_or(BACK_BY))),
    ])
}

/// How far acquires passed their deadline, in milliseconds.
async fn black_holed<C: Contender>() -> f64 {
    let callers = Callers::start::<C>().await;
    callers.fail(Answer::Never);
    let began = Instant::now();
    sleep(3000 * MS).await;
    percentile(&mut beyond_the_deadline(&callers.attempts(), began, Instant::now()), 0.99)
}

/// How long each attempt of an outage took, in milliseconds; one that was open when it ended, until
/// then.
fn until_failed(callers: &[Vec<Attempt>], known: Instant, back: Instant) -> Vec<f64> {
    each_asked(callers, known, back);
    let attempts = callers.iter().flatten();
    let during = attempts.filter(|it| it.began >= known && it.began < back);
    let failed = during.filter(|attempt| !attempt.is_served_by(back));
    failed.map(|attempt| millis(attempt.open_for(back))).collect()
}

fn until_served(callers: &[Vec<Attempt>], back: Instant) -> Option<Duration> {
    let served = callers.iter().flatten().filter_map(|attempt| match attempt.outcome {
        Outcome::Served(at) => at.checked_duration_since(back),
        Outcome::Open | Outcome::Failed(_) => None,
    });
    served.min()
}

/// How far each attempt of a black hole passed its deadline, in milliseconds; one that is still open
/// by now, so far.
fn beyond_the_deadline(callers: &[Vec<Attempt>], began: Instant, now: Instant) -> Vec<f64> {
    each_asked(callers, began, now);
    let during = callers.iter().flatten().filter(|attempt| attempt.is_open_at(began));
    during.map(|attempt| millis(attempt.open_for(now).saturating_sub(DEADLINE))).collect()
}

/// Without a question of each caller in that time, nothing is known of it.
fn each_asked(callers: &[Vec<Attempt>], from: Instant, to: Instant) {
    for (caller, attempts) in callers.iter().enumerate() {
        let asked = attempts.iter().any(|it| it.began >= from && it.began < to);
        assert!(asked, "caller {caller} did not ask in the outage");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attempt by the milliseconds it began and ended at, since some origin.
    fn attempt(origin: Instant, began: u32, outcome: Outcome) -> Attempt {
        Attempt { began: origin + began * MS, outcome }
    }

    #[test]
    fn an_acquire_that_never_returns_is_late() {
        let origin = Instant::now();
        let ends = attempt(origin, 10, Outcome::Failed(origin + 512 * MS));
        let never = attempt(origin, 20, Outcome::Open);
        let before = attempt(origin, 0, Outcome::Served(origin + MS));
        let callers = [vec![before, ends], vec![never]];
        let late = beyond_the_deadline(&callers, origin + 5 * MS, origin + 3000 * MS);
        assert_eq!(late, [2.0, 2480.0]);
    }

    #[test]
    fn one_acquire_of_forty_that_never_returns_is_in_the_percentile() {
        let origin = Instant::now();
        let ends = attempt(origin, 0, Outcome::Failed(origin + 500 * MS));
        let never = attempt(origin, 0, Outcome::Open);
        let mut attempts = vec![ends; 39];
        attempts.push(never);
        let mut late = beyond_the_deadline(&[attempts], origin, origin + 3000 * MS);
        assert_eq!(percentile(&mut late, 0.99), 2500.0);
    }

    #[test]
    #[should_panic(expected = "caller 1 did not ask in the outage")]
    fn a_caller_who_never_asked_in_a_black_hole_shows_nothing() {
        let origin = Instant::now();
        let ends = attempt(origin, 10, Outcome::Failed(origin + 510 * MS));
        let hangs_since_before = attempt(origin, 0, Outcome::Open);
        beyond_the_deadline(
            &[vec![ends], vec![hangs_since_before]],
            origin + 5 * MS,
            origin + 3000 * MS,
        );
    }

    #[test]
    fn an_acquire_that_waits_until_the_end_of_an_outage_took_that_long_to_fail() {
        let origin = Instant::now();
        let at_once = attempt(origin, 10, Outcome::Failed(origin + 11 * MS));
        let served_later = attempt(origin, 100, Outcome::Served(origin + 2100 * MS));
        let never = attempt(origin, 200, Outcome::Open);
        let callers = [vec![at_once], vec![served_later], vec![never]];
        let failed = until_failed(&callers, origin, origin + 2000 * MS);
        assert_eq!(failed, [1.0, 1900.0, 1800.0]);
    }

    #[test]
    fn service_is_back_with_the_first_who_is_served() {
        let origin = Instant::now();
        let during = attempt(origin, 0, Outcome::Served(origin + 99 * MS));
        let [later, first] =
            [400, 310].map(|at| attempt(origin, 90, Outcome::Served(origin + at * MS)));
        let back = origin + 100 * MS;
        assert_eq!(until_served(&[vec![during, later], vec![first]], back), Some(210 * MS));
        assert_eq!(until_served(&[vec![during]], back), None);
    }
}
