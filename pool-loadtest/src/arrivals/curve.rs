//! Rates that change with time, and the time at which so many arrivals have come: the inverse of
//! the rate's integral.

use std::f64::consts::TAU;

/// A rate that goes from one to another in a straight line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Arrivals per second at its beginning and at its end.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Seconds.
    pub(super) length: f64,
}

impl Line {
    /// Arrivals in all of it.
    pub(super) fn arrivals(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.length
    }

    /// After how many seconds so many have come. The rate goes on as it was at the end,
    /// which is not zero then.
    pub(super) fn time_of(&self, arrivals: f64) -> f64 {
        if arrivals <= 0.0 {
            return 0.0;
        }
        let beyond = arrivals - self.arrivals();
        if beyond > 0.0 {
            return self.length + beyond / self.to;
        }
        let slope = (self.to - self.from) / self.length;
        // The larger root of `from * t + slope / 2 * t^2 = arrivals`, written so that nothing
        // cancels out.
        let root = (self.from * self.from + 2.0 * slope * arrivals).max(0.0).sqrt();
        (2.0 * arrivals / (self.from + root)).min(self.length)
    }
}

/// A rate that swings between two, beginning in the middle and rising.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wave {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Seconds from one top to the next.
    pub(super) period: f64,
}

impl Wave {
    fn mean(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// Arrivals in the first seconds of a period.
    fn arrivals(&self, seconds: f64) -> f64 {
        let swing = (self.high - self.low) / 2.0 * self.period / TAU;
        self.mean() * seconds + swing * (1.0 - (TAU * seconds / self.period).cos())
    }

    fn rate(&self, seconds: f64) -> f64 {
        self.mean() + (self.high - self.low) / 2.0 * (TAU * seconds / self.period).sin()
    }

    /// After how many seconds so many have come.
    pub(super) fn time_of(&self, arrivals: f64) -> f64 {
        let in_period = self.mean() * self.period;
        let periods = (arrivals / in_period).floor();
        let rest = arrivals - periods * in_period;
        let (mut least, mut most) = (0.0, self.period);
        let mut seconds = rest / self.mean();
        // Newton's method, within bounds that shrink; it takes about five steps.
        for _ in 0..60 {
            let excess = self.arrivals(seconds) - rest;
            if excess.abs() < 1e-9 * in_period.max(1.0) {
                break;
            }
            *(if excess > 0.0 { &mut most } else { &mut least }) = seconds;
            let next = seconds - excess / self.rate(seconds);
            seconds = if next > least && next < most { next } else { f64::midpoint(least, most) };
        }
        periods * self.period + seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn a_line_has_as_many_arrivals_as_its_rates_integral() {
        let up = Line { from: 0.0, to: 2_000.0, length: 10.0 };
        assert_near(up.arrivals(), 10_000.0);
        // A quarter of them in the first half.
        assert_near(up.time_of(2_500.0), 5.0);
        assert_near(up.time_of(10_000.0), 10.0);
        assert_near(up.time_of(12_000.0), 11.0);
        let down = Line { from: 100.0, to: 0.0, length: 2.0 };
        assert_near(down.time_of(75.0), 1.0);
        assert_near(down.time_of(100.0), 2.0);
        let flat = Line { from: 50.0, to: 50.0, length: 4.0 };
        assert_near(flat.time_of(25.0), 0.5);
        assert_near(flat.time_of(0.0), 0.0);
    }

    #[test]
    fn a_wave_has_as_many_arrivals_as_its_rates_integral() {
        let wave = Wave { low: 500.0, high: 1_500.0, period: 30.0 };
        assert_near(wave.time_of(0.0), 0.0);
        assert_near(wave.time_of(30_000.0), 30.0);
        // The rising half has more: the mean, and the swing's integral over half a period.
        assert_near(wave.time_of(15_000.0 + 500.0 * 30.0 / std::f64::consts::PI), 15.0);
        assert_near(wave.time_of(90_000.0 + 7_500.0 + 500.0 * 30.0 / TAU), 97.5);
    }

    #[test]
    fn a_wave_that_falls_to_zero_goes_on() {
        let wave = Wave { low: 0.0, high: 10.0, period: 1.0 };
        let times: Vec<_> = (0..50).map(|number| wave.time_of(f64::from(number))).collect();
        assert!(times.is_sorted() && times.iter().all(|time| time.is_finite()), "{times:?}");
        assert_near(times[25], 5.0);
    }
}
