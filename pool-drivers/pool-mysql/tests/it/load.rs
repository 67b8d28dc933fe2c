//! Tasks that use a pool over and over while something befalls its server, and hold the pool to its
//! word: every acquire returns within its deadline, every answer is that to the question.

use std::time::{Duration, Instant};

use pool_core::{Pool, PoolConfig};
use pool_mysql::{MysqlDriver, MysqlOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::rig::{Schema, within};

/// The deadline of every acquire under load.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// How late a busy machine may run a task whose time has come.
const LATE: Duration = Duration::from_secs(1);

/// Of a small pool.
pub(crate) const CONNECTIONS: usize = 4;
const TASKS: u64 = 16;

/// A pool of few connections, which goes on trying while its server is away.
pub(crate) fn small_pool(options: MysqlOptions) -> Pool<MysqlDriver> {
    let config = PoolConfig {
        max_open: CONNECTIONS,
        acquire_timeout: DEADLINE,
        connect_timeout: DEADLINE,
        check_timeout: DEADLINE / 4,
        outage_grace: None,
        ..PoolConfig::default()
    };
    Pool::new(MysqlDriver::new(options), config).expect("valid")
}

/// More tasks than the pool has connections.
pub(crate) struct Load {
    tasks: JoinSet<()>,
    tally: watch::Sender<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    failed: u64,
    is_over: bool,
}

impl Load {
    pub(crate) fn on(pool: &Pool<MysqlDriver>) -> Self {
        let tally = watch::Sender::new(Tally::default());
        let mut tasks = JoinSet::new();
        for number in 0..TASKS {
            tasks.spawn(use_often(pool.clone(), number, tally.clone()));
        }
        Self { tasks, tally }
    }

    /// Waits until every task can have been answered several times more.
    pub(crate) async fn is_answered(&mut self) {
        let enough = self.tally.borrow().answered + 10 * TASKS;
        self.wait_for(|tally| tally.answered >= enough).await;
    }

    /// Waits until as many have failed as there are tasks.
    pub(crate) async fn fails(&mut self) {
        let enough = self.tally.borrow().failed + TASKS;
        self.wait_for(|tally| tally.failed >= enough).await;
    }

    async fn wait_for(&mut self, holds: impl FnMut(&Tally) -> bool) {
        let mut tally = self.tally.subscribe();
        tokio::select! {
            waited = within(tally.wait_for(holds)) => drop(waited.expect("still counting")),
            Some(ended) = self.tasks.join_next() => ended.expect("a pool that keeps its word"),
        }
    }

    /// Ends it; afterwards nobody uses the pool.
    pub(crate) async fn end(mut self) {
        self.tally.send_modify(|tally| tally.is_over = true);
        while let Some(ended) = within(self.tasks.join_next()).await {
            ended.expect("a pool that keeps its word");
        }
    }
}

async fn use_often(pool: Pool<MysqlDriver>, number: u64, tally: watch::Sender<Tally>) {
    while !tally.borrow().is_over {
        let is_answered = use_once(&pool, number).await;
        tally.send_modify(|tally| {
            *(if is_answered { &mut tally.answered } else { &mut tally.failed }) += 1;
        });
    }
}

/// Whether it was answered. A statement has a deadline, too: its server may be frozen.
async fn use_once(pool: &Pool<MysqlDriver>, number: u64) -> bool {
    let began = Instant::now();
    let acquired = pool.acquire().await;
    let took = began.elapsed();
    assert!(took < DEADLINE + LATE, "an acquire took {took:?}: {acquired:?}");
    let Ok(mut guard) = acquired else { return false };
    let asked = guard.exec_first::<u64, _>("SELECT ?", (number,));
    let Ok(Ok(answer)) = tokio::time::timeout(DEADLINE, asked).await else { return false };
    assert_eq!(answer, Some(number), "somebody else's answer");
    true
}

/// Every connection can be had at once and answers, the server knows of these and no others, and
/// they come to rest.
pub(crate) async fn expect_whole(pool: &Pool<MysqlDriver>, schema: &Schema) {
    let mut guards = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut guard = within(pool.acquire()).await.expect("one of all");
        assert_eq!(guard.query::<u32>("SELECT 7").await.expect("answered"), [7]);
        guards.push(guard);
    }
    let mut ours: Vec<_> = guards.iter().map(|guard| guard.server_id()).collect();
    ours.sort_unstable();
    within(async {
        loop {
            let mut known = schema.sessions().await;
            known.sort_unstable();
            // A server finds out about a lost client in its own time.
            if known == ours {
                break;
            }
        }
    })
    .await;
    drop(guards);
    within(async {
        while pool.stats().idle < CONNECTIONS {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting, stats.opening), (0, 0, 0), "{stats:?}");
}
