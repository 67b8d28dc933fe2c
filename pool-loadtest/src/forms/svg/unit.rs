//! Figures beside the ticks of an axis: short, with their unit.

/// What an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Anything; its label says what.
    Plain,
    /// Things of which there is no half.
    Count,
    /// By how many percent something has changed.
    Change,
    /// Microseconds, shown as whatever unit is near.
    Micros,
    /// How many took longer than one: 100 is the 99th percentile.
    OneIn,
}

impl Unit {
    /// A tick as it is written.
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Plain | Self::Count => plain(value),
            Self::Change => format!("{}{} %", if value > 0.0 { "+" } else { "" }, short(value)),
            Self::Micros => micros(value),
            Self::OneIn => percentile(value),
        }
    }

    /// Whether there can be a tick.
    pub(crate) fn has(self, value: f64) -> bool {
        self != Self::Count || (value - value.round()).abs() < 1e-9
    }
}

/// `1500000` as `1.5M`, `20000` as `20k`, `0.05` as it is.
fn plain(value: f64) -> String {
    let (value, letter) = match value {
        value if value >= 1e9 => (value / 1e9, "G"),
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e4 => (value / 1e3, "k"),
        value => (value, ""),
    };
    format!("{}{letter}", short(value))
}

fn micros(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{} us", short(value)),
        value if value < 1e6 => format!("{} ms", short(value / 1e3)),
        value => format!("{} s", short(value / 1e6)),
    }
}

/// 1 is `p0`, 2 `p50`, 1000 `p99.9`.
fn percentile(one_in: f64) -> String {
    format!("p{}", short(100.0 - 100.0 / one_in.max(1.0)))
}

/// Without digits that say nothing.
fn short(value: f64) -> String {
    let digits = if value.abs() < 1.0 { 4 } else { 3 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        let plain = [0.0, 0.05, 500.0, 2_500.0, 20_000.0, 1.5e6].map(|it| Unit::Plain.write(it));
        assert_eq!(plain, ["0", "0.05", "500", "2500", "20k", "1.5M"]);
        let times = [0.5, 100.0, 2_000.0, 1e6].map(|it| Unit::Micros.write(it));
        assert_eq!(times, ["0.5 us", "100 us", "2 ms", "1 s"]);
        let percentiles = [1.0, 2.0, 10.0, 1e3, 1e5].map(|it| Unit::OneIn.write(it));
        assert_eq!(percentiles, ["p0", "p50", "p90", "p99.9", "p99.999"]);
    }

    #[test]
    fn a_change_has_its_sign() {
        let changes = [-7.5, 0.0, 10.0].map(|it| Unit::Change.write(it));
        assert_eq!(changes, ["-7.5 %", "0 %", "+10 %"]);
    }

    #[test]
    fn there_is_no_half_a_connection() {
        assert_eq!((Unit::Count.has(0.5), Unit::Count.has(2.0)), (false, true));
        assert!(Unit::Plain.has(0.5));
    }
}
