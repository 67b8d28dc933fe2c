//! Outages in real time, on the scripted driver: eight callers, a server that refuses, or that
//! answers nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pool_core::runtime::TokioRuntime;
use pool_core::{Pool, PoolConfig};
use pool_testkit::{Answer, Call, FakeDriver, FakeServer};
use tokio::time::sleep;

use super::load::{MS, query};
use super::{Sample, millis, percentile, two_threads};

const DEADLINE: Duration = Duration::from_millis(500);

struct Asked {
    at: Instant,
    took: Duration,
    served: bool,
}

struct Callers {
    server: FakeServer,
    log: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Callers {
    async fn start() -> Self {
        let config = PoolConfig { max_open: 8, acquire_timeout: DEADLINE, ..PoolConfig::default() };
        let config = PoolConfig { outage_grace: Some(200 * MS), ..config };
        let server = FakeServer::new(Arc::new(TokioRuntime::new()));
        let pool = Pool::new(FakeDriver::new(&server), config).expect("valid");
        server.always(Call::Connect, Answer::Late(5 * MS));
        let (log, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        for _ in 0..8 {
            drop(tokio::spawn(call(pool.clone(), Arc::clone(&log), Arc::clone(&stop))));
        }
        sleep(500 * MS).await;
        Self { server, log, stop }
    }

    fn answer(&self, connect: Answer, check: Answer) {
        self.server.always(Call::Connect, connect);
        self.server.always(Call::Check, check);
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn call(pool: Pool<FakeDriver>, log: Arc<Mutex<Vec<Asked>>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let at = Instant::now();
        let guard = pool.acquire_owned().await;
        let (took, served) = (at.elapsed(), guard.is_ok());
        log.lock().push(Asked { at, took, served });
        if let Ok(mut guard) = guard {
            query(2 * MS).await;
            // One that died meanwhile says so, and is not used again.
            let _ = guard.query("select 1");
        }
        sleep(20 * MS).await;
    }
}

/// One outage of each kind; `round` shifts its end.
pub(crate) fn outages(round: u32) -> Sample {
    let (fails, connects, back) = two_threads().block_on(refused(round));
    let late = two_threads().block_on(black_holed());
    Sample::from([("fails", fails), ("connects", connects), ("back", back), ("late", late)])
}

/// How long failing took once the outage was known, connects a second, and how long the pool took
/// to serve after the server was back; in milliseconds.
async fn refused(round: u32) -> (f64, f64, f64) {
    let callers = Callers::start().await;
    callers.answer(Answer::Error, Answer::Error);
    callers.server.sever_all();
    sleep(300 * MS).await;
    let (known, before) = (Instant::now(), callers.server.started(Call::Connect));
    // Not in step with the probes.
    sleep(2000 * MS + 27 * MS * round).await;
    let rate =
        (callers.server.started(Call::Connect) - before) as f64 / known.elapsed().as_secs_f64();
    let back = Instant::now();
    callers.answer(Answer::Late(5 * MS), Answer::Ok);
    sleep(600 * MS).await;
    let log = callers.log.lock();
    let failed = log.iter().filter(|asked| asked.at >= known && asked.at < back && !asked.served);
    let mut failed: Vec<_> = failed.map(|asked| millis(asked.took)).collect();
    let served = log.iter().filter(|asked| asked.served).map(|asked| asked.at + asked.took);
    let served = served.filter(|served| *served >= back).min().expect("served again");
    (percentile(&mut failed, 0.99), rate, millis(served.duration_since(back)))
}

/// How far acquires passed their deadline, in milliseconds.
async fn black_holed() -> f64 {
    let callers = Callers::start().await;
    callers.log.lock().clear();
    callers.answer(Answer::Never, Answer::Never);
    callers.server.sever_all();
    sleep(3000 * MS).await;
    let log = callers.log.lock();
    let mut late: Vec<_> = log.iter().map(|it| millis(it.took.saturating_sub(DEADLINE))).collect();
    percentile(&mut late, 0.99)
}
