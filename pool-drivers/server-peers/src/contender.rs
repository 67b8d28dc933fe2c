//! One way to run a statement, and what it does in a second.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::cpu::Cpu;

/// How long each is under load before it is measured, and measured.
const WARM_UP: Duration = Duration::from_millis(200);
const WINDOW: Duration = Duration::from_secs(1);

type Turn = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One way to run a statement, with what it did in each round.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    tasks: usize,
    turn: Turn,
    pub(crate) rounds: Vec<Round>,
}

/// What a contender did in one round. Latencies are in milliseconds, from asking for a connection to
/// having the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// The fewest turns of a task over the most.
    pub(crate) fairness: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Processor time for each turn, in microseconds.
    pub(crate) cpu: Cpu,
}

impl Contender {
    /// One that takes `tasks` tasks; `turn` is given the number of the task.
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        tasks: usize,
        turn: impl Fn(usize) -> F + Send + Sync + 'static,
    ) -> Self {
        let turn: Turn = Arc::new(move |task| Box::pin(turn(task)));
        Self { name, tasks, turn, rounds: Vec::new() }
    }

    async fn run(&mut self, server: u32) {
        let before = Cpu::now(server);
        let turns = Arc::new(AtomicUsize::new(0));
        let begin = Instant::now() + WARM_UP;
        let end = begin + WINDOW;
        let task = |task| -> JoinHandle<Vec<f64>> {
            let (turn, turns) = (Arc::clone(&self.turn), Arc::clone(&turns));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let asked = Instant::now();
                    if asked >= end {
                        return latencies;
                    }
                    turn(task).await;
                    turns.fetch_add(1, Ordering::Relaxed);
                    if asked >= begin {
                        latencies.push(asked.elapsed().as_secs_f64() * 1e3);
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..self.tasks).map(task).collect();
        let mut all = Vec::new();
        let (mut fewest, mut most) = (usize::MAX, 0);
        for task in tasks {
            let latencies = task.await.expect("no panic");
            (fewest, most) = (fewest.min(latencies.len()), most.max(latencies.len()));
            all.extend(latencies);
        }
        let cpu = Cpu::now(server).since(before, turns.load(Ordering::Relaxed));
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
        self.rounds.push(Round {
            per_second: all.len() as f64 / WINDOW.as_secs_f64(),
            fairness: fewest as f64 / most as f64,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            cpu,
        });
    }
}

/// Measures each in each round. No contender always follows the same other.
pub(crate) async fn alternate(contenders: &mut [Contender], server: u32, rounds: u8) {
    for round in 0..rounds.into() {
        let many = contenders.len();
        for number in 0..many {
            let number = (number + round) % many;
            let number = if round % 2 == 0 { number } else { many - 1 - number };
            contenders[number].run(server).await;
        }
    }
}
