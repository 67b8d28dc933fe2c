//! What is measured: the shapes of load, who takes part in each, and what is demanded of ours.

mod busy;
mod growth;
mod load;
mod memory;
mod outage;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

use self::busy::Shared;
use crate::Count;
use crate::contender::{
    Asyncband, BareMutex, BareSemaphore, Bb8, Contender, Deadpool, Ours, OursOwned, R2d2, Sqlx, Who,
};

/// What one process measured, by the key of the quantity.
pub(crate) type Sample = BTreeMap<&'static str, f64>;

/// A shape of load, by the name on the command line and in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Shape {
    Uncontended,
    #[value(name = "2/2")]
    TwoOverTwo,
    #[value(name = "8/8")]
    EightOverEight,
    #[value(name = "64/8")]
    SixtyFourOverEight,
    #[value(name = "1000/10")]
    ThousandOverTen,
    CancelStorm,
    Spike,
    Ramp,
    Fairness,
    Memory,
    Connections,
    Waiters,
    Outage,
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// For waits of tens of milliseconds.
    pub(crate) crowd: Duration,
}

impl Windows {
    pub(crate) const USUAL: Self = Self {
        warm_up: Duration::from_millis(50),
        measured: Duration::from_millis(300),
        crowd: Duration::from_millis(1_500),
    };

    /// Enough to see that it works, not to judge by.
    pub(crate) const QUICK: Self = Self {
        warm_up: Duration::from_millis(10),
        measured: Duration::from_millis(60),
        crowd: Duration::from_millis(400),
    };
}

/// What a measurement is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) windows: Windows,
    pub(crate) round: u32,
    /// Only in the program that counts.
    pub(crate) count: Option<Count>,
}

/// One figure of a shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    /// In a sample and in the JSON.
    pub(crate) key: &'static str,
    /// In tables, with its unit.
    pub(crate) title: &'static str,
    pub(crate) better: Better,
    /// What ours has to reach; without one it is there to be read.
    pub(crate) target: Option<Target>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

/// What is demanded of our median. "The best" is the peer with the best median; it is compared with
/// in the same round.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// No round may be worse than the second; the median no worse than the first.
    AtMostAndNever(f64, f64),
    TimesTheBest(f64),
    /// The same among the peers that serve everybody: a pool that lets some callers starve is quick
    /// for the others, whose waits are nearly all there are.
    TimesTheBestFair(f64),
}

const fn less(key: &'static str, title: &'static str, target: Option<Target>) -> Quantity {
    Quantity { key, title, better: Better::Less, target }
}

const fn more(key: &'static str, title: &'static str, target: Option<Target>) -> Quantity {
    Quantity { key, title, better: Better::More, target }
}

const MOPS: &str = "million operations/s";
const FEWEST_OVER_MOST: &str = "fewest/most operations of a caller";

/// Those of callers who share connections.
const fn of_shared(
    mops: Option<Target>,
    fairness: Option<Target>,
    p999: Option<Target>,
) -> [Quantity; 7] {
    [
        more("mops", MOPS, mops),
        more("fairness", FEWEST_OVER_MOST, fairness),
        less("p50", "wait p50, us", None),
        less("p90", "p90, us", None),
        less("p99", "p99, us", None),
        less("p999", "p99.9, us", p999),
        less("max", "longest, us", None),
    ]
}

/// The same where most of them wait.
const fn of_queueing(times: f64) -> [Quantity; 7] {
    let p999 = Some(Target::TimesTheBestFair(1.0));
    of_shared(Some(Target::TimesTheBest(times)), Some(Target::AtLeast(0.97)), p999)
}

/// A search of 10,000 entries would make an acquire more than ten times dearer, even a heap or a
/// tree four times (log 10,000 / log 8). What is left is for caches that no longer hold everything.
const CONSTANT: Option<Target> = Some(Target::AtMost(1.5));

/// The same where each of 100,000 waiters' memory is visited in turn, which no near cache holds: a
/// heap or a tree would cost five times as much (log 100,000 / log 10), a list thousands.
const CONSTANT_BUT_FOR_CACHES: Option<Target> = Some(Target::AtMost(2.0));

const SMALL: Option<Target> = Some(Target::AtMost(512.0));
const NONE: Option<Target> = Some(Target::AtMost(0.0));

impl Shape {
    pub(crate) fn key(self) -> String {
        self.to_possible_value().expect("bug: no shape is hidden").get_name().to_owned()
    }

    /// What it is, for the tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Uncontended => "Uncontended: one caller, an idle connection",
            Self::TwoOverTwo => "2/2: two callers, two connections, released at once",
            Self::EightOverEight => "8/8: eight callers, eight connections, held for one yield",
            Self::SixtyFourOverEight => "64/8: 64 callers, 8 connections, held for one yield",
            Self::ThousandOverTen => "1000/10: 1000 callers, 10 connections, held for one yield",
            Self::CancelStorm => {
                "Cancel storm: 64 callers, 8 connections, every other attempt given up after a yield"
            }
            Self::Spike => "Spike: 50 callers at once, connect 150 ms, query 2 ms, 5 of 50 open",
            Self::Ramp => "Ramp: 100 callers ask again and again, query 20 ms, from 5 to 50 open",
            Self::Fairness => {
                "Fairness: 32 callers, 4 connections, query 5 ms, 35 ms of waiting at best"
            }
            Self::Memory => "Memory: allocations of an acquire and release, bytes at rest",
            Self::Connections => "Growth of the pool: acquire + release beside idle connections",
            Self::Waiters => "Growth of the queue: joining it to give up, and being next",
            Self::Outage => {
                "Outage: 8 callers, refused for 2 s (grace 200 ms), black-holed for 3 s (deadline 500 ms)"
            }
        }
    }

    pub(crate) fn quantities(self) -> Vec<Quantity> {
        match self {
            Self::Uncontended => {
                vec![less("nanos", "acquire + release, ns", Some(Target::TimesTheBest(0.40)))]
            }
            Self::TwoOverTwo => {
                of_shared(Some(Target::TimesTheBest(2.0)), None, Some(Target::TimesTheBest(1.0)))
                    .to_vec()
            }
            Self::EightOverEight => of_shared(None, None, Some(Target::TimesTheBest(1.0))).to_vec(),
            Self::SixtyFourOverEight => of_queueing(1.2).to_vec(),
            Self::ThousandOverTen => of_queueing(1.3).to_vec(),
            Self::CancelStorm => vec![
                more("mops", "million served/s", None),
                more("given_up", "million given up/s", None),
                less("lost", "connections lost", NONE),
            ],
            Self::Spike => vec![
                less("millis", "all served, ms", Some(Target::AtMost(25.0))),
                less("opened", "connections opened", Some(Target::AtMost(2.0))),
            ],
            Self::Ramp => {
                vec![less(
                    "millis",
                    "all open, ms (5000: not reached)",
                    Some(Target::AtMost(1200.0)),
                )]
            }
            Self::Fairness => vec![
                less("p50", "wait p50, ms", None),
                less("p99", "p99, ms", Some(Target::AtMost(52.0))),
                less("max", "longest, ms", None),
                more("fairness", FEWEST_OVER_MOST, None),
            ],
            Self::Memory => vec![
                less("alone", "allocations, uncontended", NONE),
                less("waiting", "allocations, having waited", NONE),
                less("waiter", "bytes a waiter, with its future", SMALL),
                less("idle", "bytes an idle connection", SMALL),
            ],
            Self::Connections => vec![
                less("8", "ns beside 8", None),
                less("300", "beside 300", None),
                less("10000", "beside 10,000", None),
                less("ratio", "beside 10,000 / beside 8", CONSTANT),
            ],
            Self::Waiters => vec![
                less("join_10", "join and leave, ns, behind 10", None),
                less("join_1000", "behind 1,000", None),
                less("join_100000", "behind 100,000", None),
                less("join_ratio", "join: 100,000 / 10", CONSTANT),
                less("hand_10", "release, be next, queue again, ns, of 10", None),
                less("hand_1000", "of 1,000", None),
                less("hand_100000", "of 100,000", None),
                less("hand_ratio", "be next: 100,000 / 10", CONSTANT_BUT_FOR_CACHES),
            ],
            Self::Outage => vec![
                less(
                    "fails",
                    "refused: p99 until an acquire fails, once known, ms",
                    Some(Target::AtMost(50.0)),
                ),
                less("connects", "refused: connects/s", Some(Target::AtMost(4.0))),
                less(
                    "back",
                    "service is back after, ms (1500: not by then)",
                    Some(Target::AtMostAndNever(250.0, 350.0)),
                ),
                less("late", "black-holed: p99 beyond the deadline, ms", Some(Target::AtMost(5.0))),
            ],
        }
    }

    /// Ours first, the floors last. Who is missing has nothing to show there: r2d2's callers are
    /// threads, which do not yield; floors open nothing; sqlx's connections bring a thread each, and
    /// are of a database that does not die. Without timeouts deadpool waits through an outage as
    /// asyncband does.
    pub(crate) fn contenders(self) -> &'static [Who] {
        use Who::{
            Asyncband, Bb8, Deadpool, DeadpoolTimeouts, Mutex, Ours, OursOwned, R2d2, Semaphore,
            Sqlx,
        };
        match self {
            Self::Uncontended => &[
                Ours,
                OursOwned,
                Asyncband,
                Deadpool,
                DeadpoolTimeouts,
                Bb8,
                Sqlx,
                R2d2,
                Semaphore,
                Mutex,
            ],
            Self::TwoOverTwo => {
                &[Ours, Asyncband, Deadpool, DeadpoolTimeouts, Bb8, Sqlx, R2d2, Semaphore, Mutex]
            }
            Self::EightOverEight | Self::SixtyFourOverEight | Self::ThousandOverTen => {
                &[Ours, Asyncband, Deadpool, DeadpoolTimeouts, Bb8, Sqlx, Semaphore, Mutex]
            }
            Self::CancelStorm | Self::Memory => {
                &[Ours, Asyncband, Deadpool, DeadpoolTimeouts, Bb8, Sqlx]
            }
            Self::Spike | Self::Ramp | Self::Fairness => {
                &[Ours, Asyncband, Deadpool, DeadpoolTimeouts, Bb8, Sqlx, R2d2]
            }
            Self::Connections => &[Ours, Asyncband, Deadpool, DeadpoolTimeouts, Bb8],
            Self::Waiters => &[Ours, Asyncband, Deadpool, DeadpoolTimeouts, Bb8, Semaphore],
            Self::Outage => &[Ours, Asyncband, DeadpoolTimeouts, Bb8],
        }
    }

    /// Measures one contender, in this process.
    pub(crate) fn measure(self, who: Who, how: How) -> Sample {
        let sample = match who {
            Who::Ours => self.measure_a::<Ours>(how),
            Who::OursOwned => self.measure_a::<OursOwned>(how),
            Who::Asyncband => self.measure_a::<Asyncband>(how),
            Who::Deadpool => self.measure_a::<Deadpool<false>>(how),
            Who::DeadpoolTimeouts => self.measure_a::<Deadpool<true>>(how),
            Who::Bb8 => self.measure_a::<Bb8>(how),
            Who::Sqlx => self.measure_a::<Sqlx>(how),
            Who::R2d2 => self.measure_a::<R2d2>(how),
            Who::Semaphore => self.measure_a::<BareSemaphore>(how),
            Who::Mutex => self.measure_a::<BareMutex>(how),
        };
        let quantities = self.quantities();
        for key in sample.keys() {
            let is_told = quantities.iter().any(|quantity| quantity.key == *key);
            assert!(is_told, "bug: {key} is measured and never told");
        }
        sample
    }

    fn measure_a<C: Contender>(self, how: How) -> Sample {
        let How { windows, round, count } = how;
        let shared = |callers, connections, held| {
            busy::shared::<C>(Shared { callers, connections, held }, windows)
        };
        match self {
            Self::Uncontended => busy::uncontended::<C>(windows),
            Self::TwoOverTwo => shared(2, 2, false),
            Self::EightOverEight => shared(8, 8, true),
            Self::SixtyFourOverEight => shared(64, 8, true),
            Self::ThousandOverTen => shared(1000, 10, true),
            Self::CancelStorm => busy::cancel_storm::<C>(windows),
            Self::Spike => load::spike::<C>(),
            Self::Ramp => load::ramp::<C>(),
            Self::Fairness => load::fairness::<C>(windows),
            Self::Memory => {
                memory::memory::<C>(count.expect("bug: the program that counts measures it"))
            }
            Self::Connections => growth::connections::<C>(windows),
            Self::Waiters => growth::waiters::<C>(windows),
            Self::Outage => outage::outages::<C>(round),
        }
    }
}

fn single_threaded() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Polls once, and nobody is woken.
fn is_ready<F: Future + ?Sized>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The smallest of the values that at least this share of them do not exceed: of fewer than a hundred,
/// p99 is the largest.
fn percentile(values: &mut [f64], share: f64) -> f64 {
    let rank = (values.len() as f64 * share).ceil() as usize;
    *values.select_nth_unstable_by(rank.max(1) - 1, f64::total_cmp).1
}
