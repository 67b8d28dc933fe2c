//! How long something took, as percentiles.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Percentiles to three significant digits; `None` (in JSON null) if there was nothing to time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Latency {
    /// What the others are measured in.
    pub unit: Unit,
    /// How many were timed.
    pub count: u64,
    /// Average.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % took no longer.
    pub p90: Option<f64>,
    /// 99 % took no longer.
    pub p99: Option<f64>,
    /// 99.9 % took no longer.
    pub p99_9: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// What a latency is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Unit {
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
}

impl Latency {
    pub(crate) fn new(nanos: &Histogram<u64>) -> Self {
        let some = !nanos.is_empty();
        let micros = |nanos: f64| some.then_some(nanos / 1e3);
        let quantile = |quantile| micros(nanos.value_at_quantile(quantile) as f64);
        Self {
            unit: Unit::Microseconds,
            count: nanos.len(),
            mean: micros(nanos.mean()),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: micros(nanos.max() as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_timed_has_no_percentiles() {
        let mut nanos = Histogram::<u64>::new(3).expect("three digits");
        let empty = Latency::new(&nanos);
        assert_eq!((empty.count, empty.mean, empty.p50, empty.max), (0, None, None, None));
        nanos.record(2_000).expect("in range");
        let one = Latency::new(&nanos);
        assert_eq!((one.count, one.p50, one.max), (1, Some(2.0), Some(2.0)));
    }
}
