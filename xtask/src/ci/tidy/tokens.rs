//! Rust source as words and signs, without comments, strings and characters.
//!
//! No grammar: enough to tell code from text, so that a rule never stumbles over a word in prose.

/// A word, a number, a lifetime or a single sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) text: &'a str,
}

/// The tokens of `source`.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while !rest.is_empty() {
        let text_length = text_length(rest);
        let (text, tail) = rest.split_at(text_length.unwrap_or_else(|| code_length(rest)));
        if text_length.is_none() {
            tokens.push(Token { line, text });
        }
        line += text.matches('\n').count();
        rest = tail;
    }
    tokens
}

/// The lines where the tokens of `pattern` follow one another.
pub(super) fn lines_with(tokens: &[Token<'_>], pattern: &str) -> Vec<usize> {
    let pattern = self::tokens(pattern);
    let matches =
        |window: &&[Token<'_>]| window.iter().map(|t| t.text).eq(pattern.iter().map(|t| t.text));
    tokens.windows(pattern.len()).filter(matches).map(|window| window[0].line).collect()
}

/// How far `rest` is not code: a blank, a comment, a string or a character.
fn text_length(rest: &str) -> Option<usize> {
    let blank = rest.len() - rest.trim_start().len();
    if blank > 0 {
        Some(blank)
    } else if rest.starts_with("//") {
        Some(rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        Some(block_comment_length(rest))
    } else if rest.starts_with('\'') {
        character_length(rest)
    } else {
        string_length(rest)
    }
}

fn code_length(rest: &str) -> usize {
    let sign = rest.chars().next().map_or(0, char::len_utf8);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = usize::from(rest.starts_with('\''));
    let word = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |end| start + end);
    word.max(sign)
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let (change, length) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth = depth.saturating_add_signed(change);
        at += length;
        if depth == 0 {
            break;
        }
    }
    at
}

/// `'x'` and `'\n'` are characters, `'x` is a lifetime.
fn character_length(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return Some(quoted_length(rest, '\''));
    }
    chars.next().filter(|(_, second)| *second == '\'').map(|(at, _)| at + 1)
}

fn string_length(rest: &str) -> Option<usize> {
    raw_string_length(rest).or_else(|| {
        let starts = |prefix: &&str| rest.strip_prefix(prefix).is_some_and(|s| s.starts_with('"'));
        let prefix = ["", "b", "c"].iter().find(|prefix| starts(prefix))?.len();
        Some(prefix + quoted_length(&rest[prefix..], '"'))
    })
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let (hashes, body) = after.split_once('"')?;
    if !hashes.chars().all(|c| c == '#') {
        return None;
    }
    let close = format!("\"{hashes}");
    let tail = body.split_once(&close).map_or("", |(_, tail)| tail);
    Some(rest.len() - tail.len())
}

/// From one `quote` to the next that is not escaped.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return at + c.len_utf8();
        }
        if c == '\\' {
            chars.next();
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<&str> {
        tokens(source).iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_and_signs_are_tokens() {
        assert_eq!(texts("#![a_b(c)]"), ["#", "!", "[", "a_b", "(", "c", ")", "]"]);
        assert_eq!(texts("a::b1 "), ["a", ":", ":", "b1"]);
        assert_eq!(texts("größe→x"), ["größe", "→", "x"]);
    }

    #[test]
    fn comments_are_not() {
        assert_eq!(texts("a // b\nc"), ["a", "c"]);
        assert_eq!(texts("//! b\n/// c\nd"), ["d"]);
        assert_eq!(texts("a /* b /* c */ \" é */ d"), ["a", "d"]);
        assert_eq!(texts("a / b"), ["a", "/", "b"]);
    }

    #[test]
    fn strings_are_not() {
        assert_eq!(texts(r#"a "b \" c" d"#), ["a", "d"]);
        assert_eq!(texts(r#"a "\\" d"#), ["a", "d"]);
        assert_eq!(texts(r##"a r#"b " c"# d"##), ["a", "d"]);
        assert_eq!(texts(r#"a r"\" d"#), ["a", "d"]);
        assert_eq!(texts(r##"b"x" c"x" br"x" cr#"x"# bar"##), ["bar"]);
    }

    #[test]
    fn characters_are_not_but_lifetimes_are() {
        assert_eq!(texts(r"'a' '\'' '\u{e9}' 'é' '' x"), ["'", "'", "x"]);
        assert_eq!(texts("&'a str, 'static"), ["&", "'a", "str", ",", "'static"]);
        assert_eq!(texts("'\"' x"), ["x"]);
    }

    #[test]
    fn raw_words_are_no_strings() {
        assert_eq!(texts("r#type \"a\" b"), ["r", "#", "type", "b"]);
    }

    #[test]
    fn what_is_never_closed_runs_to_the_end() {
        assert_eq!(texts("a \"b"), ["a"]);
        assert_eq!(texts("a /* b"), ["a"]);
        assert_eq!(texts("a r#\"b\""), ["a"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let source = "a /*\n*/ b\n\"\n\"\nc";
        let lines: Vec<_> = tokens(source).iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 2), ("c", 5)]);
    }

    #[test]
    fn a_pattern_matches_whole_words_whatever_the_spaces() {
        let source = "a::b(c);\na :: b (d);\nxa::b;\na::bx;\n// a::b";
        assert_eq!(lines_with(&tokens(source), "a::b"), [1, 2]);
    }
}
