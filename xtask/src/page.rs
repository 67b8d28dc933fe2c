//! Pages that hold what was measured: between two marks, the rest is written by people.

use anyhow::{Context as _, Result};

/// `1234567` as `1 234 567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// In lines of at most 110 columns.
pub(crate) fn wrapped(words: &str) -> String {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.last_mut().expect("bug: there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= 110 {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

/// The page with what was measured between its marks, `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
pub(crate) fn filled(page: &str, name: &str, tables: &str) -> Result<String> {
    let [begin, end] = ["begin", "end"].map(|mark| format!("<!-- {name}:{mark} -->"));
    let (before, rest) = page.split_once(&begin).with_context(|| format!("no {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no {end}"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", tables.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_what_is_around_its_marks() {
        let page = "a\n<!-- sizing:begin -->\nold\n<!-- sizing:end -->\nb\n";
        let filled = filled(page, "sizing", "\nnew\n").expect("marked");
        assert_eq!(filled, "a\n<!-- sizing:begin -->\n\nnew\n<!-- sizing:end -->\nb\n");
        assert!(super::filled(page, "adaptive", "new").is_err());
    }

    #[test]
    fn long_numbers_are_grouped_and_long_lines_wrapped() {
        assert_eq!([999, 1_234_567].map(grouped), ["999", "1 234 567"]);
        let text = wrapped(&"word ".repeat(50));
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    }
}
