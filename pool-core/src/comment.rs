//! Comments in statements, for those who look at them on the server.
//!
//! The format is sqlcommenter's: `SELECT 1 /*key='value',other='value'*/`. Keys and values are
//! percent-encoded here, so that whatever an observer says, nothing of it ends the comment.

use std::fmt::Write as _;

/// Bytes of all pairs together. Servers show the first kilobyte or so of a statement.
const MOST_BYTES: usize = 512;

/// What is to be said in a comment: keys and values.
#[derive(Clone, Debug, Default)]
pub struct SqlComment {
    /// Written as they will be sent: `key='value'`.
    pairs: Vec<String>,
}

impl SqlComment {
    /// Adds a pair. It is left out if its key is empty or there already, or if all would be longer
    /// than 512 bytes.
    pub fn add(&mut self, key: &str, value: &str) {
        let key = encoded(key) + "=";
        let pair = format!("{key}'{}'", encoded(value));
        let length = self.pairs.iter().map(|pair| pair.len() + 1).sum::<usize>() + pair.len();
        let is_there = self.pairs.iter().any(|pair| pair.starts_with(&key));
        if key.len() > 1 && !is_there && length <= MOST_BYTES {
            self.pairs.push(pair);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The statement with the comment at its end, before the semicolon; `None` if there is nothing
    /// to say, or it has a comment already.
    pub(crate) fn put_into(mut self, sql: &str) -> Option<String> {
        // At the end of a statement and not before it: there is where servers' tools look, and
        // where proxies do not. It has as many quotes as to leave open what was open before.
        let statement =
            sql.trim_end_matches(|sign: char| sign == ';' || sign.is_ascii_whitespace());
        let has_comment = ["/*", "--"].iter().any(|begin| sql.contains(begin));
        if self.is_empty() || statement.is_empty() || has_comment {
            return None;
        }
        self.pairs.sort_unstable();
        let end = &sql[statement.len()..];
        Some(format!("{statement} /*{}*/{end}", self.pairs.join(",")))
    }
}

/// With each byte but letters, digits and `-_.~` as `%` and two digits.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes it");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(pairs: &[(&str, &str)]) -> SqlComment {
        let mut comment = SqlComment::default();
        for (key, value) in pairs {
            comment.add(key, value);
        }
        comment
    }

    #[test]
    fn it_stands_at_the_end_of_a_statement_in_the_order_of_its_keys() {
        let pairs = [("traceparent", "00-ab-cd-01"), ("route", "/orders/{id}")];
        let said = "/*route='%2Forders%2F%7Bid%7D',traceparent='00-ab-cd-01'*/";
        let put = |sql| comment(&pairs).put_into(sql);
        assert_eq!(put("SELECT 1"), Some(format!("SELECT 1 {said}")));
        assert_eq!(put("SELECT 1 ;\n"), Some(format!("SELECT 1 {said} ;\n")));
    }

    #[test]
    fn nothing_is_put_into_nothing_nor_beside_another_comment() {
        for sql in ["", " ; ", "SELECT 1 /* mine */", "SELECT 1 -- mine", "/*+ hint */ SELECT 1"] {
            assert_eq!(comment(&[("key", "value")]).put_into(sql), None, "{sql}");
        }
        assert_eq!(comment(&[]).put_into("SELECT 1"), None);
    }

    #[test]
    fn no_key_or_value_ends_it() {
        let evil = "x'*/; DROP TABLE account; --\\ \"`$$\0é!+M";
        let put = comment(&[(evil, evil)]).put_into("SELECT 1").expect("something to say");
        let inside = put.strip_prefix("SELECT 1 /*").and_then(|put| put.strip_suffix("*/"));
        let (key, value) = inside.and_then(|inside| inside.split_once('=')).expect("a pair");
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
        for text in [key, value.expect("quoted")] {
            let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "%-_.~".contains(sign);
            assert!(!text.is_empty() && text.chars().all(is_plain), "{text}");
        }
    }

    #[test]
    fn a_key_is_said_once_and_everything_is_bounded() {
        let put = comment(&[("a", "1"), ("a", "2"), ("", "3")]).put_into("x");
        assert_eq!(put.as_deref(), Some("x /*a='1'*/"));
        let long = "y".repeat(MOST_BYTES);
        let put = comment(&[("a", &long), ("b", "1")]).put_into("x");
        assert_eq!(put.as_deref(), Some("x /*b='1'*/"));
        let mut many = SqlComment::default();
        (0..1000).for_each(|number| many.add(&number.to_string(), "value"));
        assert!(many.put_into("x").expect("something").len() <= MOST_BYTES + "x /**/".len());
    }
}
