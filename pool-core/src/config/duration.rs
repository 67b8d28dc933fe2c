//! Durations as text.

use std::time::Duration;

/// Reads a duration such as `250ms` or `1h 30m`: parts of a number and a unit, which add up. `None`
/// if it is not understood or too long to be held.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(pool_core::parse_duration("1m 30s"), Some(Duration::from_secs(90)));
/// assert_eq!(pool_core::parse_duration("30"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = None;
    // Part by part: `humantime` panics where parts together are a little too long (2.4.0).
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[number..].find(|c: char| c.is_ascii_digit() || c == '.');
        let (part, others) = rest.split_at(unit.map_or(rest.len(), |unit| number + unit));
        let part = humantime::parse_duration(part.trim_end()).ok()?;
        sum = Some(sum.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = others;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_however_they_are_written() {
        for (text, millis) in [
            ("250ms", 250),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            (" 2min  5s ", 125_000),
            ("0s", 0),
            ("2 days", 172_800_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_or_too_long_is_none_and_no_panic() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "-1s",
            "1s-1s",
            "soon",
            "1 30s",
            "1x",
            "ä1s",
            "1sä",
            "१s",
            "18446744073709551615s 1000ms",
            "18446744073709551615s 999999999ns 1ns",
            "18446744073709551616s",
            "99999999999999999999999h",
            "584542046090y 365days",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        let longest = "18446744073709551615s 999999999ns";
        assert_eq!(parse_duration(longest), Some(Duration::MAX));
    }
}
