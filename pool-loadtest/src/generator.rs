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
            let stalled = format!(
                "; {dropped} dropped because too many operations were waiting for the pool or at \
                 work, which is not the generator's fault"
            );
            detail.push_str(&stalled);
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

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    /// Of times in microseconds.
    fn latency(micros: &[u64]) -> Latency {
        let mut nanos = Histogram::<u64>::new(3).expect("three digits");
        micros.iter().for_each(|it| nanos.record(it * 1_000).expect("in range"));
        Latency::new(&nanos)
    }

    /// Ten thousand arrivals of 20 ms, which were started within 0.1 ms.
    fn kept_up() -> Fared {
        let arrived = Arrived { arrivals: 10_000, ..Arrived::default() };
        Fared {
            open: Some((arrived, latency(&[100; 100]))),
            response: latency(&[20_000; 100]),
            cores_used: Some(0.5),
            cores: 4,
            has_server: true,
        }
    }

    fn arrived(fared: &mut Fared) -> &mut Arrived {
        &mut fared.open.as_mut().expect("an open loop").0
    }

    #[track_caller]
    fn assert_saturated(fared: &Fared, why: &str) {
        let judged = fared.judge();
        let saturated = judged.saturated.unwrap_or_else(|| panic!("{}", judged.detail));
        assert!(saturated.contains(why) && judged.detail.contains(why), "{}", judged.detail);
    }

    #[test]
    fn one_that_starts_all_in_time_is_not_saturated_and_says_so() {
        let Judged { saturated, detail } = kept_up().judge();
        assert_eq!(saturated, None);
        let expected =
            "10 000 of 10 000 arrivals were started (100 %), 99 % of them no later than 100 us";
        assert_eq!(detail, expected);
        let closed = Fared { open: None, ..kept_up() }.judge();
        assert_eq!(
            (closed.saturated, &*closed.detail),
            (None, "a closed loop keeps up with itself")
        );
    }

    #[test]
    fn lateness_counts_from_a_tenth_of_the_response_and_two_ticks_of_the_timer_on() {
        let late = |micros: &[u64]| {
            let mut fared = kept_up();
            fared.open.as_mut().expect("an open loop").1 = latency(micros);
            fared
        };
        assert_saturated(&late(&[3_000; 100]), "by 3.00 ms (mean), which is 15 % of their");
        let mut few_are = [10; 100];
        few_are[97..].fill(4_000);
        assert_saturated(&late(&few_are), "by 4.00 ms (p99), which is 20 % of their");
        assert_eq!(late(&[1_900; 100]).judge().saturated, None, "nearly a tenth");
        let short = Fared { response: latency(&[1_000; 100]), ..late(&[900; 100]) };
        assert_eq!(short.judge().saturated, None, "below what the timer can do");
    }

    #[test]
    fn arrivals_that_were_not_started_are_its_fault_and_those_of_a_full_pool_are_not() {
        let mut fared = kept_up();
        arrived(&mut fared).unasked = 200;
        assert_eq!(fared.judge().saturated, None, "two in a hundred");
        arrived(&mut fared).unasked = 201;
        assert_saturated(&fared, "201 of 10 000 arrivals (2 %) were due and not started");
        arrived(&mut fared).unasked = 0;
        arrived(&mut fared).overrun = 1;
        assert_saturated(&fared, "1 of 10 000 arrivals (less than 1 %) were due and not");
        arrived(&mut fared).overrun = 0;
        arrived(&mut fared).stalled = 9_000;
        let Judged { saturated, detail } = fared.judge();
        assert_eq!(saturated, None);
        assert!(detail.contains("1 000 of 10 000 arrivals were started (10 %)"), "{detail}");
        assert!(detail.contains("9 000 arrivals dropped because too many operations"), "{detail}");
    }

    #[test]
    fn one_that_needs_nearly_all_cores_is_saturated_if_a_server_does_the_work() {
        let busy = Fared { cores_used: Some(3.7), ..kept_up() };
        assert_saturated(&busy, "this process alone used 3.7 of the machine's 4 cores");
        assert_saturated(&Fared { open: None, ..busy.clone() }, "3.7 of the machine's 4 cores");
        assert_eq!(Fared { has_server: false, ..busy.clone() }.judge().saturated, None);
        assert_eq!(Fared { cores_used: None, ..busy }.judge().saturated, None);
    }
}
