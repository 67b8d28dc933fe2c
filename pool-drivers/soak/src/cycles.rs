//! A run on one driver: trouble, then quiet, again and again, and what is left after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use pool_core::{Pool, PoolStats};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::audit::{Audit, is_at_rest};
use crate::mayfly;
use crate::place::{Pause, Place};
use crate::resources::{Resources, names};
use crate::steward::{self, CONNECTIONS, at_rest};
use crate::subject::{ACCOUNTS, AMOUNT, Subject};
use crate::tally;
use crate::user::{Shared, User};

/// More than a pool has connections.
const USERS: usize = 24;
const MAYFLIES: usize = 2;

/// Of trouble in a cycle; shorter in a short run, which must have some cycles, too.
const LONGEST_CYCLE: Duration = Duration::from_secs(30);
const FEWEST_CYCLES: u32 = 4;

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const LOOKS_A_LINE: u32 = 5;

/// How long what works may take.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a run lasts, and what it draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

/// One run, and whether all was well. The table at its end is printed.
pub(crate) fn run<P: Place + 'static>(place: P, plan: Plan) -> Result<bool> {
    // Those who serve blocking calls, names' look-ups among them, are gone at rest.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(100))
        .enable_all()
        .build()?;
    let name = place.name();
    println!("\n{name}: {:?} of trouble, seed {}", plan.time, plan.seed);
    let run = Run { runtime: &runtime, place: Arc::new(place), shared: Shared::default(), plan };
    let mut held = Held::default();
    if let Err(error) = run.go(&mut held) {
        run.shared.wrongs.add(format!("the run could not go on: {error:#}"));
    }
    println!("\n{name:<16} {:>12} {:>12} {:>12}", "at first", "at last", "margin");
    held.rows(run.place.kept_descriptors()).iter().for_each(|row| println!("{row}"));
    for wrong in run.shared.wrongs.first() {
        println!("WRONG: {wrong}");
    }
    let wrongs = run.shared.wrongs.count();
    println!("{name}: {wrongs} wrong; seed {}", plan.seed);
    Ok(wrongs == 0)
}

/// What the process held when nobody used anything: at first, and at last as far as the run came.
#[derive(Debug, Default)]
struct Held {
    at_rest: Vec<Resources>,
    without_pool: Vec<Resources>,
}

impl Held {
    /// The table at the end.
    fn rows(&self, spare: usize) -> Vec<String> {
        let parts = [
            ("with a pool at rest", &self.at_rest, spare),
            ("without a pool", &self.without_pool, 0),
        ];
        let mut rows = Vec::new();
        for (title, held, spare) in parts {
            rows.push(title.to_owned());
            match held[..] {
                [first, last] => rows.extend(last.rows(first, spare).map(|row| row.to_string())),
                _ => rows.push("(the run did not come to this)".to_owned()),
            }
        }
        rows
    }
}

struct Run<'r, P: Place> {
    runtime: &'r Runtime,
    place: Arc<P>,
    shared: Shared,
    plan: Plan,
}

impl<P: Place + 'static> Run<'_, P> {
    /// Everything; what was `held` meanwhile is known as far as it came.
    fn go(&self, held: &mut Held) -> Result<()> {
        // The first pool of all makes what is made once in a process.
        let first_of_all = self.pool()?;
        self.runtime.block_on(prepare(&first_of_all))?;
        self.end(first_of_all);
        let handle = self.runtime.handle();
        let before = Resources::settled(&*self.place, handle)?;

        let pool = self.pool()?;
        let mut audit = Audit::of("the pool");
        let mut random = Rng::with_seed(self.plan.seed);
        let time = LONGEST_CYCLE.min(self.plan.time / FEWEST_CYCLES);
        let begun = Instant::now();
        let spare = self.place.kept_descriptors();
        while held.at_rest.len() < 2 || begun.elapsed() < self.plan.time {
            self.trouble(&pool, &mut audit, &mut random, time, begun);
            self.runtime.block_on(self.come_to_rest(&pool))?;
            self.look(&mut audit, &pool);
            let now = match held.at_rest.first() {
                None => Resources::settled(&*self.place, handle)?,
                Some(first) => first.back_to(spare, &*self.place, handle)?,
            };
            held.at_rest.truncate(1);
            held.at_rest.push(now);
            self.compare(held.at_rest[0], now, spare);
            println!(
                "[{:>5} s] at rest: {now}, {} sessions",
                begun.elapsed().as_secs(),
                now.sessions
            );
        }
        self.expect_trouble(&pool.stats());
        self.end(pool);
        // What was freed need not go back to the system.
        let before = Resources { resident: held.at_rest[0].resident, ..before };
        let after = before.back_to(0, &*self.place, handle)?;
        self.compare(before, after, 0);
        held.without_pool = vec![before, after];
        Ok(())
    }

    /// Nothing went wrong; now was there anything that could?
    fn expect_trouble(&self, stats: &PoolStats) {
        let mut counts = self.shared.tally.counts().to_vec();
        if self.place.has_a_server() {
            counts.extend(tally::of_a_harmed_server(stats));
        }
        for what in tally::missing(&counts) {
            self.shared.wrongs.add(format!("never in all this time: {what}"));
        }
    }

    fn pool(&self) -> Result<Pool<P::Driver>> {
        Ok(Pool::new(self.place.driver()?, at_rest())?)
    }

    /// Everything at once for some time; afterwards nobody uses the pool and nothing is broken.
    fn trouble(
        &self,
        pool: &Pool<P::Driver>,
        audit: &mut Audit,
        random: &mut Rng,
        time: Duration,
        begun: Instant,
    ) {
        let has_ended = Arc::new(AtomicBool::new(false));
        let (handle, shared) = (self.runtime.handle(), &self.shared);
        let mut tasks = JoinSet::new();
        for _ in 0..USERS {
            let (pool, shared) = (pool.clone(), shared.clone());
            let user = User { pool, random: random.fork(), shared, is_strict: true };
            tasks.spawn_on(user.work(Arc::clone(&has_ended)), handle);
        }
        let (wrongs, ended) = (Arc::clone(&shared.wrongs), Arc::clone(&has_ended));
        tasks.spawn_on(steward::serve(pool.clone(), random.fork(), wrongs, ended), handle);
        for _ in 0..MAYFLIES {
            let (place, ended) = (Arc::clone(&self.place), Arc::clone(&has_ended));
            tasks.spawn_on(mayfly::live(place, random.fork(), shared.clone(), ended), handle);
        }
        let mut random = random.fork();
        thread::scope(|scope| {
            scope.spawn(|| {
                let pause = Pause(&has_ended);
                while !pause.is_over() {
                    if let Err(error) = self.place.befall(&mut random, &pause) {
                        shared.wrongs.add(format!("harm that cannot be mended: {error:#}"));
                    }
                    pause.sleep_up_to(2 * BETWEEN_LOOKS, &mut random);
                }
            });
            let until = Instant::now() + time;
            let mut looks = 0;
            while Instant::now() < until {
                thread::sleep(BETWEEN_LOOKS);
                self.look(audit, pool);
                looks += 1;
                if looks % LOOKS_A_LINE == 0 {
                    self.tell(pool, begun);
                }
            }
            has_ended.store(true, Ordering::Relaxed);
        });
        self.runtime.block_on(async {
            loop {
                match timeout(LIMIT, tasks.join_next()).await {
                    Ok(Some(Ok(()))) => {}
                    Ok(Some(Err(error))) => shared.wrongs.add(format!("a task: {error}")),
                    Ok(None) => return,
                    Err(_) => {
                        return shared.wrongs.add(format!("{} tasks do not end", tasks.len()));
                    }
                }
            }
        });
    }

    fn look(&self, audit: &mut Audit, pool: &Pool<P::Driver>) {
        audit.look(pool.stats()).into_iter().for_each(|wrong| self.shared.wrongs.add(wrong));
    }

    /// The line of an interval.
    fn tell(&self, pool: &Pool<P::Driver>, begun: Instant) {
        let (tally, stats) = (&self.shared.tally, pool.stats());
        let held = Resources::own(self.runtime.handle());
        println!(
            "[{:>5} s] {tally}; {}/{} open, {} waiting, circuit {}; {}",
            begun.elapsed().as_secs(),
            stats.open,
            stats.max_open,
            stats.waiting,
            stats.circuit,
            held.map_or_else(|error| format!("{error:#}"), |held| held.to_string()),
        );
    }

    /// The pool as it was made, every connection fresh, and no money lost.
    async fn come_to_rest(&self, pool: &Pool<P::Driver>) -> Result<()> {
        let control = pool.control();
        control.reconfigure(at_rest())?;
        control.invalidate();
        let begun = Instant::now();
        while let Err(error) = self.use_all(pool).await {
            ensure!(begun.elapsed() < LIMIT, "the pool does not recover: {error:#}");
            sleep(BETWEEN_LOOKS / 10).await;
        }
        let is_quiet = || {
            let stats = pool.stats();
            is_at_rest(&stats) && stats.idle == CONNECTIONS
        };
        while !is_quiet() {
            if begun.elapsed() > LIMIT {
                bail!("the pool does not come to rest: {:?}", pool.stats());
            }
            sleep(BETWEEN_LOOKS / 10).await;
        }
        Ok(())
    }

    /// Has every connection of the pool answer.
    async fn use_all(&self, pool: &Pool<P::Driver>) -> Result<()> {
        let mut guards = Vec::new();
        for number in (0_i64..).take(CONNECTIONS) {
            let mut guard = pool.acquire().await?;
            let answer = timeout(LIMIT / 4, P::Driver::ask(&mut guard, number)).await??;
            if answer.number != number || !answer.is_clean {
                self.shared.wrongs.add(format!("at rest: {answer:?} to {number}"));
            }
            guards.push(guard);
        }
        let total = timeout(LIMIT / 4, P::Driver::total(&mut guards[0])).await??;
        if total != ACCOUNTS * AMOUNT {
            self.shared.wrongs.add(format!("{total} in the bank"));
        }
        Ok(())
    }

    /// Closes the pool and lets go of it.
    fn end(&self, pool: Pool<P::Driver>) {
        let report = self.runtime.block_on(pool.close(LIMIT));
        let stats = pool.stats();
        if !report.drained || stats.open != 0 || stats.opened != stats.closed.total() {
            self.shared.wrongs.add(format!("a pool was not closed: {report:?} {stats:?}"));
        }
        drop(pool);
    }

    fn compare(&self, first: Resources, now: Resources, spare: usize) {
        for row in now.rows(first, spare).iter().filter(|row| !row.is_good) {
            self.shared.wrongs.add(format!("{row}; held: {}", names().join(", ")));
        }
    }
}

async fn prepare<D: Subject>(pool: &Pool<D>) -> Result<()> {
    let mut connection = pool.acquire().await?;
    D::prepare(&mut connection).await.context("the bank cannot be set up")
}
