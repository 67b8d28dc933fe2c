//! Foreign text in documents that would take a part of it for their own signs.

use std::borrow::Cow;

/// `text` as content or attribute of HTML, SVG and XML. Characters that XML does not know become the
/// one for what cannot be shown.
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            other if other.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` in a line of Markdown, or in a cell of a table there.
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            // A table's row is one line.
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `text` as a field of CSV (RFC 4180). A text that a spreadsheet would take for a formula is told
/// apart by an apostrophe before it.
pub(crate) fn csv(text: &str) -> Cow<'_, str> {
    let is_number = text.parse::<f64>().is_ok();
    let is_formula = !is_number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let has_signs = text.contains([',', '"', '\n', '\r']);
    match (is_formula, has_signs) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(format!("'{text}")),
        (is_formula, true) => {
            let mark = if is_formula { "'" } else { "" };
            Cow::Owned(format!("\"{mark}{}\"", text.replace('"', "\"\"")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_of_a_document_stays_one() {
        assert_eq!(xml("<a href='x'>\"&\""), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;");
        assert_eq!(markdown("a|b\n<b> *x*"), "a\\|b &lt;b&gt; \\*x\\*");
    }

    #[test]
    fn what_xml_does_not_know_is_replaced() {
        assert_eq!(xml("a\0b\u{1b}[1m\u{ffff}\tc\n"), "a\u{fffd}b\u{fffd}[1m\u{fffd}\tc\n");
    }

    #[test]
    fn a_field_is_quoted_only_where_it_must_be() {
        let fields = ["plain", "1.5", "-1.5", "a,b", "say \"x\"", "=1+1", "-x,y"].map(csv);
        let expected =
            ["plain", "1.5", "-1.5", "\"a,b\"", "\"say \"\"x\"\"\"", "'=1+1", "\"'-x,y\""];
        assert_eq!(fields, expected);
    }
}
