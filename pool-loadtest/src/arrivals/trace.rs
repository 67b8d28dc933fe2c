//! Arrivals as a file tells them, such as one made from a log.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use humantime::parse_rfc3339_weak;
use pool_core::{ConfigError, Problem, may_hold_password};

use super::schedule::{Schedule, Shape};

/// Most bytes of a trace, and most arrivals: each takes eight bytes while the load runs.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
const MOST_ARRIVALS: usize = 10_000_000;
/// Numbers from here on are seconds of Unix time, those below are seconds of the load: it is
/// the year 1973, and three years.
const UNIX_TIME: f64 = 1e8;
const LINES: &str = "seconds such as 0.25, or times such as 2026-05-01T12:00:00Z, one a line, all of \
                     one form";

impl Schedule {
    /// Arrivals at the times a CSV file tells in its first column: seconds since the load's
    /// beginning, seconds of Unix time, or times such as `2026-05-01T12:00:00Z`. The latter two are
    /// taken from the first one on. They need not be in order; a heading may come first.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is too large (256 MiB, 10 million arrivals), holds no time, or
    /// holds a line that is none, which is named.
    pub fn trace(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let failed = |why: String, allowed: &str| {
            // A path may well hold an `@`, but nothing else of an address.
            let shown = if may_hold_password(&file.replace('@', "")) { "" } else { &file };
            let mut problem = Problem::invalid("trace", "", why, allowed);
            shown.clone_into(&mut problem.value);
            ConfigError::from(problem)
        };
        let allowed = "a CSV file of at most 256 MiB that can be read";
        let text = read(path).map_err(|error| failed(format!("not read: {error}"), allowed))?;
        let nanos = offsets(&text).map_err(|why| failed(why, LINES))?;
        Ok(Self(Shape::Trace { file, nanos: nanos.into() }))
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// What the first column of a line says, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Time {
    /// Since the load's beginning.
    OfLoad(Duration),
    /// Of Unix time, so that the first one is the load's beginning.
    OfDay(Duration),
}

fn offsets(text: &str) -> Result<Vec<u64>, String> {
    let mut times = Vec::new();
    let mut are_of_day = None;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let first = line.split([',', ';', '\t']).next().unwrap_or_default();
        let first = first.trim().trim_matches('"');
        let wrong = |why: &str| {
            let shown: String = first.chars().take(40).collect();
            let shown = if may_hold_password(first) { "(not shown)" } else { &*shown };
            format!("line {}, {shown:?}, {why}", number + 1)
        };
        let (is_of_day, time) = match time(first) {
            Some(Time::OfDay(time)) => (true, time),
            Some(Time::OfLoad(time)) => (false, time),
            None if number == 0 && first.chars().any(char::is_alphabetic) => continue,
            None => return Err(wrong("is not a time")),
        };
        if *are_of_day.get_or_insert(is_of_day) != is_of_day {
            return Err(wrong("is not of the form of those before"));
        }
        if times.len() == MOST_ARRIVALS {
            return Err(wrong("is one too many: 10 million arrivals are the most"));
        }
        times.push(u64::try_from(time.as_nanos()).map_err(|_| wrong("is too late"))?);
    }
    times.sort_unstable();
    let Some(first) = times.first().copied() else { return Err("no times in it".to_owned()) };
    if are_of_day == Some(true) {
        for time in &mut times {
            *time -= first;
        }
    }
    Ok(times)
}

fn time(text: &str) -> Option<Time> {
    if let Ok(seconds) = text.parse::<f64>() {
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        return Some(if seconds < UNIX_TIME { Time::OfLoad(time) } else { Time::OfDay(time) });
    }
    let time = parse_rfc3339_weak(text).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(Time::OfDay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Vec<u64> {
        offsets(text).expect(text).into_iter().map(|nanos| nanos / 1_000_000).collect()
    }

    #[test]
    fn seconds_are_taken_as_they_are_and_put_in_order() {
        assert_eq!(millis("0.5\n0.25\n\n1e1\n"), [250, 500, 10_000]);
        assert_eq!(millis("\u{feff}offset,what\r\n1.5,read\r\n2,\"a, b\"\r\n"), [1_500, 2_000]);
    }

    #[test]
    fn times_of_day_are_taken_from_the_first_one_on() {
        let text = "time;ms\n2026-05-01T12:00:01.5Z;3\n\"2026-05-01 12:00:01\";4\n";
        assert_eq!(millis(text), [0, 500]);
        assert_eq!(millis("1777636800.75\n1777636801"), [0, 250]);
    }

    #[test]
    fn what_is_no_time_is_named_with_its_line() {
        for (text, expected) in [
            ("", "no times in it"),
            ("when\n", "no times in it"),
            ("0\nsoon", "line 2, \"soon\", is not a time"),
            ("-1", "line 1, \"-1\", is not a time"),
            ("NaN", "no times in it"),
            ("0\nNaN", "line 2, \"NaN\", is not a time"),
            ("0\n1777636800", "line 2, \"1777636800\", is not of the form of those before"),
            (
                "0\n1,postgres://a:hunter2@db\npostgres://a:hunter2@db",
                "line 3, \"(not shown)\", is",
            ),
            ("1e12", "line 1, \"1e12\", is too late"),
        ] {
            let error = offsets(text).expect_err(text);
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = "trace no/such/file.csv".parse::<Schedule>().expect_err("not there");
        let problem = &error.problems()[0];
        assert_eq!((&*problem.field, &*problem.value), ("trace", "no/such/file.csv"));
        assert!(problem.why.starts_with("not read: "), "{problem}");
    }
}
