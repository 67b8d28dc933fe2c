//! Durations for people: three significant digits and one unit.

use std::fmt;
use std::time::Duration;

/// Shows a duration to people, as `12.3 s`, `250 ms` or `40.0 us`.
///
/// ```
/// use std::time::Duration;
/// use pool_core::Brief;
///
/// assert_eq!(Brief(Duration::from_micros(12_345)).to_string(), "12.3 ms");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief(pub Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (amount, unit) = match nanos {
            0..1_000 => return write!(f, "{nanos} ns"),
            1_000..1_000_000 => (nanos as f64 / 1e3, "us"),
            1_000_000..1_000_000_000 => (nanos as f64 / 1e6, "ms"),
            _ => (self.0.as_secs_f64(), "s"),
        };
        let digits = match amount {
            amount if amount < 9.995 => 2,
            amount if amount < 99.95 => 1,
            _ => 0,
        };
        write!(f, "{amount:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_and_one_unit() {
        let shown = |nanos| Brief(Duration::from_nanos(nanos)).to_string();
        assert_eq!(shown(7), "7 ns");
        assert_eq!(shown(40_000), "40.0 us");
        assert_eq!(shown(250_345_678), "250 ms");
        assert_eq!(shown(12_345_678_901), "12.3 s");
        assert_eq!(shown(3_600_000_000_000), "3600 s");
    }
}
