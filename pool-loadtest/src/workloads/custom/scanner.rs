//! Takes SQL apart into what matters here: what is quoted or a comment, where a statement ends, and
//! what is a parameter. Each database quotes in its own way.

use crate::database::Dialect;

/// Where something begins in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    /// To the end of its line.
    LineComment,
    BlockComment,
    /// A string or a quoted name.
    Quoted,
    /// A name, a keyword or a number.
    Word,
    /// `:name`
    Parameter,
    /// A parameter in a way of writing that only the database's own clients have.
    ForeignParameter,
    Semicolon,
    /// Anything else.
    Symbol,
    /// What begins with this has no end.
    Unclosed(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) at: Position,
}

/// The tokens of a text; together they are the whole of it.
pub(super) struct Scanner<'a> {
    rest: &'a str,
    at: Position,
    dialect: Dialect,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { rest: text, at: Position { line: 1, column: 1 }, dialect }
    }

    /// What the rest begins with, and how long that is.
    fn first(&self) -> Option<(Kind, usize)> {
        let rest = self.rest;
        let mut chars = rest.chars();
        let (first, second) = (chars.next()?, chars.next());
        let Self { dialect, .. } = *self;
        Some(match first {
            _ if first.is_whitespace() => (Kind::Space, run(rest, char::is_whitespace)),
            '-' if rest.starts_with("--") && self.is_comment() => to_end_of_line(rest),
            '#' if dialect.is_mysql() => to_end_of_line(rest),
            '/' if second == Some('*') => block_comment(rest, dialect.is_postgres()),
            '\'' => quoted(rest, "'", dialect.is_mysql()),
            '"' => quoted(rest, "\"", dialect.is_mysql()),
            '`' if !dialect.is_postgres() => quoted(rest, "`", false),
            '[' if dialect == Dialect::Sqlite => enclosed(rest, "[", "]"),
            'e' | 'E' if dialect.is_postgres() && second == Some('\'') => {
                let (kind, length) = quoted(&rest[1..], "'", true);
                (kind, length + 1)
            }
            '$' if dialect.is_postgres() => dollar(rest),
            '$' | '@' if dialect == Dialect::Sqlite && second.is_some_and(starts_word) => {
                (Kind::ForeignParameter, 1 + run(&rest[1..], is_in_word))
            }
            '?' if !dialect.is_postgres() => {
                (Kind::ForeignParameter, 1 + run(&rest[1..], |char| char.is_ascii_digit()))
            }
            ':' if second == Some(':') => (Kind::Symbol, 2),
            ':' if second.is_some_and(starts_word) => {
                (Kind::Parameter, 1 + run(&rest[1..], |char| is_in_word(char) && char != '$'))
            }
            ';' => (Kind::Semicolon, 1),
            _ if is_in_word(first) => (Kind::Word, run(rest, is_in_word)),
            _ => (Kind::Symbol, first.len_utf8()),
        })
    }

    /// Whether the two dashes here begin a comment: in MySQL they may be two signs.
    fn is_comment(&self) -> bool {
        let next = self.rest[2..].chars().next();
        !self.dialect.is_mysql() || next.is_none_or(char::is_whitespace)
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (kind, length) = self.first()?;
        let (text, rest) = self.rest.split_at(length);
        let token = Token { kind, text, at: self.at };
        self.rest = rest;
        match text.rfind('\n') {
            None => self.at.column += text.chars().count(),
            Some(last) => {
                self.at.line += text.matches('\n').count();
                self.at.column = text[last..].chars().count();
            }
        }
        Some(token)
    }
}

/// Whether a name may begin so.
pub(super) fn starts_word(char: char) -> bool {
    is_in_word(char) && !char.is_ascii_digit() && char != '$'
}

fn is_in_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

/// The length of what `text` begins with as long as its characters are such.
fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|char| !is(char)).unwrap_or(text.len())
}

fn to_end_of_line(text: &str) -> (Kind, usize) {
    (Kind::LineComment, text.find('\n').unwrap_or(text.len()))
}

fn enclosed(text: &str, opening: &'static str, closing: &str) -> (Kind, usize) {
    match text[opening.len()..].find(closing) {
        Some(inner) => (Kind::Quoted, opening.len() + inner + closing.len()),
        None => (Kind::Unclosed(opening), text.len()),
    }
}

/// Two of the quotes beside each other are one inside.
fn quoted(text: &str, quote: &'static str, has_backslashes: bool) -> (Kind, usize) {
    let mut length = quote.len();
    loop {
        let rest = &text[length..];
        let Some(next) =
            rest.find(|char| quote.contains(char) || (has_backslashes && char == '\\'))
        else {
            return (Kind::Unclosed(quote), text.len());
        };
        length += next;
        if text[length..].starts_with('\\') {
            length += 1 + text[length + 1..].chars().next().map_or(0, char::len_utf8);
        } else if text[length + 1..].starts_with(quote) {
            length += 2;
        } else {
            return (Kind::Quoted, length + 1);
        }
    }
}

fn block_comment(text: &str, may_nest: bool) -> (Kind, usize) {
    let (mut depth, mut length) = (1, 2);
    while depth > 0 {
        let rest = &text[length..];
        let end = rest.find("*/");
        let inner = rest.find("/*").filter(|inner| may_nest && end.is_none_or(|end| *inner < end));
        match (inner, end) {
            (Some(inner), _) => (depth, length) = (depth + 1, length + inner + 2),
            (None, Some(end)) => (depth, length) = (depth - 1, length + end + 2),
            (None, None) => return (Kind::Unclosed("/*"), text.len()),
        }
    }
    (Kind::BlockComment, length)
}

/// `$tag$ ... $tag$`, `$1`, or a mere sign.
fn dollar(text: &str) -> (Kind, usize) {
    let inner = run(&text[1..], |char| is_in_word(char) && char != '$');
    let tag = &text[1..=inner];
    if tag.chars().next().is_some_and(|char| char.is_ascii_digit()) {
        return (Kind::ForeignParameter, 1 + inner);
    }
    if !text[1 + inner..].starts_with('$') {
        return (Kind::Symbol, 1);
    }
    let delimiter = &text[..inner + 2];
    match text[delimiter.len()..].find(delimiter) {
        Some(body) => (Kind::Quoted, body + 2 * delimiter.len()),
        None => (Kind::Unclosed("$"), text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    const ALL: [Dialect; 3] = [Sqlite, Postgres, Mysql];

    /// The parameters of a text.
    fn parameters(text: &str, dialect: Dialect) -> Vec<&str> {
        let tokens = Scanner::new(text, dialect);
        tokens.filter(|token| token.kind == Kind::Parameter).map(|token| token.text).collect()
    }

    #[test]
    fn what_is_quoted_or_a_comment_has_no_parameters() {
        for (text, dialects) in [
            ("':no' || 'it''s :no'", &ALL[..]),
            ("\":no\" \"a\"\":no\"", &ALL),
            ("-- :no\n", &ALL),
            ("/* :no\n * :no */", &ALL),
            ("1::integer", &ALL),
            ("a := 1", &ALL),
            ("time '12:30' : 5", &ALL),
            ("`:no`", &[Sqlite, Mysql]),
            ("[:no]", &[Sqlite]),
            ("$$ :no $$ $tag$ :no $$ :no $tag$", &[Postgres]),
            ("E'it\\'s :no' e'\\\\'", &[Postgres]),
            ("/* /* */ :no */", &[Postgres]),
            ("x::name", &[Postgres]),
            ("# :no\n", &[Mysql]),
            ("'it\\'s :no' \"\\\":no\"", &[Mysql]),
        ] {
            for dialect in dialects {
                let all = format!("{text} :yes");
                assert_eq!(parameters(&all, *dialect), [":yes"], "{dialect:?}: {all}");
            }
        }
    }

    #[test]
    fn what_only_looks_quoted_hides_no_parameter() {
        for (text, dialects) in [
            (":a+:b", &ALL[..]),
            ("(:a,:b)", &ALL),
            ("'\\' || :a || :b", &[Sqlite, Postgres]),
            ("/* /* */ :a || :b", &[Sqlite, Mysql]),
            ("1--:a\n:b", &[Mysql]),
            ("a # :a || :b", &[Postgres]),
            ("a[:a] || :b", &[Postgres]),
            ("$ :a $ :b", &[Postgres]),
        ] {
            for dialect in dialects {
                assert_eq!(parameters(text, *dialect), [":a", ":b"], "{dialect:?}: {text}");
            }
        }
    }

    #[test]
    fn parameters_of_other_clients_are_told_apart() {
        for (text, dialect, found) in [
            ("a = ?", Mysql, &["?"][..]),
            ("a = ?12", Sqlite, &["?12"]),
            ("a = @b or a = $c", Sqlite, &["@b", "$c"]),
            ("a = $1", Postgres, &["$1"]),
            ("a ? 'key' and b = @c", Postgres, &[]),
            ("@variable", Mysql, &[]),
        ] {
            let tokens = Scanner::new(text, dialect);
            let foreign = tokens.filter(|token| token.kind == Kind::ForeignParameter);
            let foreign: Vec<_> = foreign.map(|token| token.text).collect();
            assert_eq!(foreign, found, "{text}");
        }
    }

    #[test]
    fn what_is_not_closed_says_where_it_began() {
        for (text, opening) in [("'it", "'"), ("\"it", "\""), ("/* it", "/*")] {
            for dialect in ALL {
                let all = format!("select 1;\n  {text} ;");
                let last = Scanner::new(&all, dialect).last().expect("a token");
                assert_eq!(last.kind, Kind::Unclosed(opening), "{dialect:?}: {text}");
                assert_eq!(last.at, Position { line: 2, column: 3 });
            }
        }
    }

    #[test]
    fn tokens_are_the_whole_text_with_columns_in_characters() {
        let text = "séléct 'ä\nö', :x; -- ü\n é";
        for dialect in ALL {
            let tokens: Vec<_> = Scanner::new(text, dialect).collect();
            assert_eq!(tokens.iter().map(|token| token.text).collect::<String>(), text);
            let at = |text| tokens.iter().find(|token| token.text == text).expect("there").at;
            assert_eq!(at(":x"), Position { line: 2, column: 5 });
            assert_eq!(at("é"), Position { line: 3, column: 2 });
        }
    }
}
