//! Requests at a steady rate, whatever becomes of them, and the books on what did.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pool_core::AcquireErrorKind;
use pool_testkit::FaultRow;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::{until, within};

/// How many requests have to be served so that it is no accident.
pub(super) const PROOF: usize = 50;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The database said that it is written.
    Acknowledged,
    /// It was sent, and nobody said what became of it.
    InDoubt,
    /// It was sent, and the database has said why it does not write it.
    Rejected,
    /// It was not sent: it got no connection.
    Refused(AcquireErrorKind),
    /// It was not sent: its acquire took longer than its deadline, which must not be.
    Overdue,
    /// It was not sent: there was no server to send it to.
    Unrouted,
}

struct Entry {
    begun: Instant,
    fate: Fate,
}

/// Requests that come whether or not those before were served, each by its number.
pub(super) struct Load {
    work: JoinHandle<BTreeMap<i64, Entry>>,
    over: watch::Sender<bool>,
    tally: Arc<Tally>,
}

/// What became of requests so far.
#[derive(Default)]
struct Tally {
    /// When each of those that were served began.
    served: Mutex<Vec<Instant>>,
    failed: AtomicUsize,
}

impl Load {
    /// Starts so many requests a second.
    pub(super) fn start<F>(rate: u32, request: impl Fn(i64) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Fate> + Send + 'static,
    {
        let (over, mut ended) = watch::channel(false);
        let tally = Arc::new(Tally::default());
        let counted = Arc::clone(&tally);
        let work = tokio::spawn(async move {
            let mut requests = JoinSet::new();
            let mut ticks = interval(Duration::from_secs(1) / rate);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for number in 0.. {
                tokio::select! {
                    _tick = ticks.tick() => {}
                    _over = ended.changed() => break,
                }
                let (begun, work) = (Instant::now(), request(number));
                let tally = Arc::clone(&counted);
                requests.spawn(async move {
                    let fate = work.await;
                    if fate == Fate::Acknowledged {
                        tally.served.lock().push(begun);
                    } else {
                        tally.failed.fetch_add(1, Ordering::Relaxed);
                    }
                    (number, Entry { begun, fate })
                });
            }
            requests.join_all().await.into_iter().collect()
        });
        Self { work, over, tally }
    }

    /// Waits until so many more are served.
    pub(super) async fn is_served(&self, times: usize) {
        let enough = self.tally.served.lock().len() + times;
        until(|| self.tally.served.lock().len() >= enough).await;
    }

    /// Waits until so many are served that began since then.
    pub(super) async fn is_served_since(&self, since: Instant, times: usize) {
        let served = || self.tally.served.lock().iter().filter(|begun| **begun >= since).count();
        until(|| served() >= times).await;
    }

    /// Waits until so many more are not.
    pub(super) async fn fails(&self, times: usize) {
        let enough = self.tally.failed.load(Ordering::Relaxed) + times;
        until(|| self.tally.failed.load(Ordering::Relaxed) >= enough).await;
    }

    /// No more requests; waits for those there are.
    pub(super) async fn end(self) -> Ledger {
        self.over.send(true).expect("the load goes on until now");
        Ledger { entries: within(self.work).await.expect("no request was wronged") }
    }
}

/// What became of all requests.
pub(super) struct Ledger {
    entries: BTreeMap<i64, Entry>,
}

impl Ledger {
    fn having(&self, holds: impl Fn(&Entry) -> bool) -> BTreeSet<i64> {
        let having = self.entries.iter().filter(|(_, entry)| holds(entry));
        having.map(|(number, _)| *number).collect()
    }

    fn of(&self, fate: Fate) -> BTreeSet<i64> {
        self.having(|entry| entry.fate == fate)
    }

    /// How many met which fate.
    fn fates(&self) -> BTreeMap<String, usize> {
        self.entries.values().fold(BTreeMap::new(), |mut fates, entry| {
            *fates.entry(format!("{:?}", entry.fate)).or_default() += 1;
            fates
        })
    }

    /// That no request failed, but that many may be in doubt.
    #[track_caller]
    pub(super) fn expect_none_failed(&self, in_doubt: usize) {
        let kept = self.of(Fate::Acknowledged).len() + self.of(Fate::InDoubt).len();
        let fates = self.fates();
        assert_eq!(kept, self.entries.len(), "{fates:?}");
        assert!(self.of(Fate::InDoubt).len() <= in_doubt, "{fates:?}, allowed are {in_doubt}");
    }

    /// That requests that were turned away were so for these reasons.
    #[track_caller]
    pub(super) fn expect_refused_for(&self, kinds: &[AcquireErrorKind]) {
        for (number, Entry { fate, .. }) in &self.entries {
            if let Fate::Refused(kind) = fate {
                assert!(kinds.contains(kind), "request {number}: {kind:?}");
            }
        }
    }

    /// That every request that began since then was served.
    #[track_caller]
    pub(super) fn expect_served_since(&self, since: Instant) {
        let begun = self.having(|entry| entry.begun >= since);
        assert!(begun.len() >= PROOF, "{} requests are no proof", begun.len());
        let failed = self.having(|e| e.begun >= since && e.fate != Fate::Acknowledged);
        let fates: Vec<_> = failed.iter().map(|number| self.entries[number].fate).collect();
        assert!(failed.is_empty(), "{failed:?}: {fates:?}");
    }

    /// Balances the books with the rows that are there, and makes a row of the table of them.
    ///
    /// What was acknowledged is there, what was never sent is not, and nothing twice.
    #[track_caller]
    pub(super) fn balance(&self, rows: &[i64]) -> FaultRow {
        let there: BTreeSet<_> = rows.iter().copied().collect();
        assert_eq!(there.len(), rows.len(), "a row is there twice");
        assert!(self.of(Fate::Overdue).is_empty(), "{:?}", self.fates());
        let (acknowledged, in_doubt) = (self.of(Fate::Acknowledged), self.of(Fate::InDoubt));
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        let known: BTreeSet<_> = acknowledged.union(&in_doubt).copied().collect();
        let strange: Vec<_> = there.difference(&known).collect();
        assert!(strange.is_empty(), "rows that were never acknowledged nor sent: {strange:?}");
        assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
        FaultRow {
            requests: self.entries.len(),
            failed: self.entries.len() - acknowledged.len() - in_doubt.len(),
            in_doubt: in_doubt.len(),
            lost: lost.len(),
            ..FaultRow::default()
        }
    }
}
