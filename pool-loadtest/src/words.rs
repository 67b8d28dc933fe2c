//! Numbers and paragraphs for people.

use std::fmt::{self, Write};

/// Longest line of a report.
const WIDTH: usize = 96;

/// `1234567` as `1 234 567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// The same with its sign: `-1 234`.
#[cfg(feature = "cli")]
pub(crate) fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// `1 task`, `2 tasks`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A share of 0 to 1 as `42 %`; less than one percent is not nothing.
pub(crate) fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent > 0.0 && percent < 1.0 => "less than 1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// Microseconds to three digits.
pub(crate) fn time(micros: f64) -> String {
    let (amount, unit) = match micros {
        micros if micros < 1e3 => (micros, "us"),
        micros if micros < 1e6 => (micros / 1e3, "ms"),
        micros => (micros / 1e6, "s"),
    };
    let digits = match amount {
        amount if amount < 9.995 => 2,
        amount if amount < 99.95 => 1,
        _ => 0,
    };
    format!("{amount:.digits$} {unit}")
}

/// `text` in one line that is not too long.
#[cfg(feature = "cli")]
pub(crate) fn shortened(text: &str) -> String {
    const REST: &str = "...";
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - REST.len()).chain(REST.chars()).collect()
}

/// Where the text of a paragraph begins.
const INDENT: usize = 12;

/// Writes `text` beside `label`, in lines that are not too long and line up.
pub(crate) fn paragraph(f: &mut impl Write, label: &str, text: &str) -> fmt::Result {
    write!(f, "{label:<INDENT$}")?;
    lines(f, INDENT, text)
}

/// Writes `text` from the beginning of a line on, and what does not fit there indented.
pub(crate) fn heading(f: &mut impl Write, text: &str) -> fmt::Result {
    lines(f, 0, text)
}

/// Writes `text` from this column on, in lines that are not too long.
fn lines(f: &mut impl Write, mut column: usize, text: &str) -> fmt::Result {
    for (number, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WIDTH {
            write!(f, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if number > 0 {
            f.write_char(' ')?;
            column += 1;
        }
        f.write_str(word)?;
        column += length;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|number| counted(number, "task")),
            ["0 tasks", "1 task", "2 tasks"]
        );
    }

    #[test]
    fn a_share_that_is_small_is_not_called_none() {
        assert_eq!([0.0, 0.004, 0.42, 1.0].map(percent), ["0 %", "less than 1 %", "42 %", "100 %"]);
    }

    #[test]
    fn times_have_three_digits_and_one_unit() {
        let shown = [0.06, 12.345, 999.9, 1234.0, 2_500_000.0].map(time);
        assert_eq!(shown, ["0.06 us", "12.3 us", "1000 us", "1.23 ms", "2.50 s"]);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn what_is_too_long_for_a_line_is_cut() {
        let (fits, cut) = ("ä".repeat(WIDTH), format!("{}...", "ä".repeat(WIDTH - 3)));
        assert_eq!((shortened(&fits), shortened(&(fits.clone() + "x"))), (fits, cut));
    }

    #[test]
    fn a_long_text_is_broken_into_lines_that_line_up() {
        let mut written = String::new();
        paragraph(&mut written, "verdict", &"many words ".repeat(20)).expect("fits");
        let lines: Vec<_> = written.lines().collect();
        assert!(lines[0].starts_with("verdict     many words"), "{written}");
        let indent = |line: &str| line.len() - line.trim_start().len();
        assert!(lines[1..].iter().all(|line| indent(line) == 12), "{written}");
        assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= WIDTH), "{written}");
    }
}
