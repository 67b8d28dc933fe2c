//! Whether the load generator kept up with what it was asked for.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::report::Latency;
use crate::words::{counted, grouped, percent, time};

/// Lateness of at least this share of the response says more of the generator than of the pool.
const RELEVANT: f64 = 0.1;
/// What is shorter, in microseconds, is nobody's fault: two ticks of the runtime's timer.
const FLOOR_US: f64 = 2_000.0;
/// At least this share of what is asked must be started.
const STARTED: f64 = 0.98;
/// More than this share of the machine's cores is nearly all.
const NEARLY_ALL: f64 = 0.9;

/// How the arrivals of an open loop fare, as they are counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) arrivals: AtomicU64,
    /// Dropped as too many were under way, most of them waiting for the pool or at work.
    pub(crate) stalled: AtomicU64,
    /// Dropped as too many were under way, most of them waiting for the generator.
    pub(crate) overrun: AtomicU64,
    /// Due, but no connection was asked for when the time was up.
    pub(crate) unasked: AtomicU64,
    most_in_flight: AtomicUsize,
}

/// How the arrivals of an open loop fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) arrivals: u64,
    pub(crate) stalled: u64,
    pub(crate) overrun: u64,
    pub(crate) unasked: u64,
    /// Most operations under way at once.
    pub(crate) most_in_flight: usize,
}

impl Tally {
    pub(crate) fn count(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// So many are under way.
    pub(crate) fn in_flight(&self, count: usize) {
        self.most_in_flight.fetch_max(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Arrived {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Arrived {
            arrivals: read(&self.arrivals),
            stalled: read(&self.stalled),
            overrun: read(&self.overrun),
            unasked: read(&self.unasked),
            most_in_flight: self.most_in_flight.load(Ordering::Relaxed),
        }
    }
}

impl Arrived {
    pub(crate) fn dropped(&self) -> u64 {
        self.stalled + self.overrun + self.unasked
    }
}

/// What it takes to judge the generator.
#[derive(Clone, Debug)]
pub(crate) struct Fared {
    /// `None` in a closed loop.
    pub(crate) open: Option<(Arrived, Latency)>,
    pub(crate) response: Latency,
    pub(crate) cores_used: Option<f64>,
    /// Those of this machine.
    pub(crate) cores: usize,
    /// Whether a server does the work, rather than this process.
    pub(crate) has_server: bool,
}

/// What was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Why it could not keep up, if it could not.
    pub(crate) saturated: Option<String>,
    /// The same for the report, or else how it fared.
    pub(crate) detail: String,
}

impl Fared {
    pub(crate) fn judge(&self) -> Judged {
        let mut reasons = Vec::new();
        if let Some((arrived, lateness)) = &self.open {
            reasons.extend(late_starts(arrived));
            reasons.extend(self.lateness(lateness));
        }
        reasons.extend(self.cores());
        let saturated = Some(reasons.join("; ")).filter(|reasons| !reasons.is_empty());
        let mut detail = match (&saturated, &self.open) {
            (Some(reasons), _) => format!("generator saturated: {reasons}"),
            (None, Some((arrived, lateness))) => kept_up(arrived, lateness),
            (None, None) => "a closed loop keeps up with itself".to_owned(),
        };
        if let Some((Arrived { stalled, .. }, _)) = &self.open
            && *stalled > 0
        {
            let dropped = counted(*stalled, "arrival");
            detail += &format!(
                "; {dropped} dropped because too many operations were waiting for the pool or at \
                 work, which is not the generator's fault"
            );
        }
        Judged { saturated, detail }
    }

    fn lateness(&self, lateness: &Latency) -> Option<String> {
        let relevant = |lateness: Option<f64>, response: Option<f64>| {
            let (lateness, response) = (lateness?, response?);
            let is_relevant = lateness > FLOOR_US && lateness >= RELEVANT * response;
            is_relevant.then_some((lateness, response))
        };
        let of_mean = relevant(lateness.mean, self.response.mean).map(|it| (it, "mean"));
        let of_p99 = || relevant(lateness.p99, self.response.p99).map(|it| (it, "p99"));
        let ((lateness, response), which) = of_mean.or_else(of_p99)?;
        Some(format!(
            "operations start late, by {} ({which}), which is {} of their response's",
            time(lateness),
            percent(lateness / response)
        ))
    }

    fn cores(&self) -> Option<String> {
        let (used, cores) = (self.cores_used?, self.cores as f64);
        // What the work itself takes cannot be told apart where there is no server.
        let is_nearly_all = self.has_server && used >= NEARLY_ALL * cores;
        is_nearly_all.then(|| {
            format!("this process alone used {used:.1} of the machine's {} cores", self.cores)
        })
    }
}

fn late_starts(arrived: &Arrived) -> Option<String> {
    let Arrived { arrivals, overrun, unasked, .. } = *arrived;
    let missed = overrun + unasked;
    let is_too_many = missed as f64 > arrivals as f64 * (1.0 - STARTED);
    (overrun > 0 || is_too_many).then(|| {
        let share = percent(missed as f64 / arrivals.max(1) as f64);
        format!(
            "{} of {} arrivals ({share}) were due and not started",
            grouped(missed),
            grouped(arrivals)
        )
    })
}

fn kept_up(arrived: &Arrived, lateness: &Latency) -> String {
    let started = arrived.arrivals - arrived.dropped();
    let share = started as f64 / arrived.arrivals.max(1) as f64;
    let late = lateness.p99.map_or_else(|| "none".to_owned(), time);
    format!(
        "{} of {} arrivals were started ({}), 99 % of them no later than {late}",
        grouped(started),
        grouped(arrived.arrivals),
        percent(share)
    )
}
