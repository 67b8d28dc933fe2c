//! Users who work on a pool while something befalls its server, and what every one of them is owed: an
//! acquire returns within its deadline, and an answer is that to the user's own question.

use std::future::Future;
use std::time::{Duration, Instant};

use pool_core::{Driver, Pool};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Longer than anything takes that works, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(40);

/// How much later than its deadline an acquire may return: the machine is busy.
const SLACK: Duration = Duration::from_secs(1);

/// What users ask their connections.
pub trait Question: 'static {
    /// The driver of the pool.
    type Driver: Driver;

    /// Has the server send a number back.
    fn ask(
        connection: &mut <Self::Driver as Driver>::Connection,
        number: i64,
    ) -> impl Future<Output = Result<i64, <Self::Driver as Driver>::Error>> + Send;

    /// The server's number of the connection's session.
    fn session(
        connection: &mut <Self::Driver as Driver>::Connection,
    ) -> impl Future<Output = u64> + Send;
}

/// What became of the users' turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Turns in which the user's own answer came back.
    pub served: usize,
    /// Acquires that failed.
    pub turned_away: usize,
    /// Statements that failed or were given up.
    pub failed: usize,
}

/// Users of one pool, each taking one turn after the other.
#[derive(Debug)]
pub struct Load {
    users: JoinSet<()>,
    count: usize,
    tally: watch::Sender<Tally>,
    has_ended: watch::Sender<bool>,
}

impl Load {
    /// Starts so many users, and waits until they are at work.
    ///
    /// # Panics
    ///
    /// A user is wronged, or it takes too long. So it is with all that is waited for here.
    pub async fn start<Q: Question>(pool: &Pool<Q::Driver>, count: usize) -> Self {
        let (tally, has_ended) = (watch::Sender::default(), watch::Sender::new(false));
        let mut users = JoinSet::new();
        for user in (0_i64..).take(count) {
            let (pool, tally, has_ended) = (pool.clone(), tally.clone(), has_ended.subscribe());
            users.spawn(async move {
                // No two turns ask for the same.
                let mut number = user << 32;
                while !*has_ended.borrow() {
                    number += 1;
                    take_a_turn::<Q>(&pool, number, &tally).await;
                }
            });
        }
        let mut load = Self { users, count, tally, has_ended };
        load.is_served().await;
        load
    }

    /// What became of the turns up to now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        *self.tally.borrow()
    }

    /// Waits until every user can have been served several times from now on.
    pub async fn is_served(&mut self) {
        let enough = self.tally().served + 10 * self.count;
        self.wait_for(|tally| tally.served >= enough).await;
    }

    /// Waits until one user is served from now on; how long that took.
    pub async fn first_success(&mut self) -> Duration {
        let (begun, before) = (Instant::now(), self.tally().served);
        self.wait_for(|tally| tally.served > before).await;
        begun.elapsed()
    }

    /// Waits until so many acquires have failed from now on.
    pub async fn is_turned_away(&mut self, times: usize) {
        let enough = self.tally().turned_away + times;
        self.wait_for(|tally| tally.turned_away >= enough).await;
    }

    /// Waits until as many turns have ended badly from now on as there are users.
    pub async fn fails(&mut self) {
        let bad = |tally: &Tally| tally.turned_away + tally.failed;
        let enough = bad(&self.tally()) + self.count;
        self.wait_for(|tally| bad(tally) >= enough).await;
    }

    async fn wait_for(&mut self, holds: impl FnMut(&Tally) -> bool) {
        let mut tally = self.tally.subscribe();
        tokio::select! {
            waited = timeout(LIMIT, tally.wait_for(holds)) => {
                drop(waited.expect("takes too long").expect("still counting"));
            }
            Some(ended) = self.users.join_next() => ended.expect("no user was wronged"),
        }
    }

    /// Ends the users' work; afterwards nobody uses the pool.
    pub async fn end(mut self) {
        self.has_ended.send_replace(true);
        while let Some(ended) =
            timeout(LIMIT, self.users.join_next()).await.expect("takes too long")
        {
            ended.expect("no user was wronged");
        }
    }
}

/// A statement has a deadline, too: its server may be frozen.
async fn take_a_turn<Q: Question>(pool: &Pool<Q::Driver>, mine: i64, tally: &watch::Sender<Tally>) {
    let deadline = pool.config().acquire_timeout;
    let begun = Instant::now();
    let acquired = pool.acquire().await;
    let waited = begun.elapsed();
    let error = acquired.as_ref().err();
    assert!(waited < deadline + SLACK, "an acquire took {waited:?}: {error:?}");
    let Ok(mut guard) = acquired else {
        tally.send_modify(|tally| tally.turned_away += 1);
        return;
    };
    if let Ok(Ok(answer)) = timeout(deadline / 2, Q::ask(&mut guard, mine)).await {
        assert_eq!(answer, mine, "another user's answer");
        tally.send_modify(|tally| tally.served += 1);
    } else {
        tally.send_modify(|tally| tally.failed += 1);
    }
}

/// That all of a pool's connections can be had at once and answer, each a session of its own; that the
/// server knows of these, by `known`, and of no others; and that they come to rest.
///
/// # Panics
///
/// It is not so.
pub async fn expect_whole<Q: Question>(pool: &Pool<Q::Driver>, known: impl AsyncFn() -> Vec<u64>) {
    let most = pool.config().max_open;
    let (mut guards, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..most {
        let acquired = timeout(LIMIT, pool.acquire()).await.expect("takes too long");
        let mut guard = acquired.expect("one of all");
        assert_eq!(Q::ask(&mut guard, 7).await.expect("answered"), 7);
        ours.push(Q::session(&mut guard).await);
        guards.push(guard);
    }
    ours.sort_unstable();
    ours.dedup();
    assert_eq!(ours.len(), most, "each a session of its own");
    // A server finds out about a lost client in its own time.
    until(async || {
        let mut known = known().await;
        known.sort_unstable();
        known == ours
    })
    .await;
    drop(guards);
    until(async || pool.stats().idle == most).await;
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting, stats.opening), (0, 0, 0), "{stats:?}");
}

async fn until(holds: impl AsyncFn() -> bool) {
    let waited = timeout(LIMIT, async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("takes too long");
}
