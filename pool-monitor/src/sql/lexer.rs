//! Cuts SQL into pieces, without understanding it.

use super::{Dialect, MOST_READ, beginning};

/// A piece of a statement. All of them together are the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    /// A keyword, or a name without quotes.
    Word,
    /// A name in quotes.
    Name,
    /// A string, whatever its quotes.
    Literal,
    Number,
    /// Where a parameter goes.
    Placeholder,
    /// Any other sign.
    Sign,
    /// What cannot be told: a literal that does not end, or ends where the server's settings say.
    /// Everything after it belongs to it.
    Unclear,
}

/// The pieces of a statement; of a very long one, of its beginning.
pub(super) struct Pieces<'a> {
    rest: &'a str,
    dialect: Dialect,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(sql: &'a str, dialect: Dialect) -> Self {
        Self { rest: beginning(sql, MOST_READ), dialect }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let first = self.rest.chars().next()?;
        let (kind, length) =
            first_piece(self.rest, first, self.dialect).unwrap_or((Kind::Unclear, self.rest.len()));
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(Piece { kind, text })
    }
}

/// What `sql` begins with, and how long that is; `None` if it is unclear.
fn first_piece(sql: &str, first: char, dialect: Dialect) -> Option<(Kind, usize)> {
    use Dialect::{Mysql, Other, Postgres, Sqlite};
    let sign = Some((Kind::Sign, first.len_utf8()));
    let second = sql[first.len_utf8()..].chars().next();
    match (first, dialect) {
        _ if first.is_ascii_whitespace() => {
            Some((Kind::Space, run(sql, |next| next.is_ascii_whitespace())))
        }
        ('-', _) if second == Some('-') => {
            let is_comment =
                sql[2..].chars().next().is_none_or(|it| it == ' ' || it.is_ascii_control());
            match dialect {
                Postgres | Sqlite => Some((Kind::Comment, line(sql, dialect)?)),
                Mysql | Other if is_comment => Some((Kind::Comment, line(sql, dialect)?)),
                Mysql => sign,
                Other => None,
            }
        }
        ('#', Mysql) => Some((Kind::Comment, line(sql, dialect)?)),
        ('#', Other) => None,
        ('/', _) if second == Some('*') => Some((Kind::Comment, comment(sql, dialect)?)),
        // Some begin and end a string with three of them, or with a letter and a bracket inside.
        ('\'' | '"', Other) if run(sql, |next| next == first) >= 3 => None,
        _ if dialect == Other && begins_word(first) && ends_before_quote(sql) => None,
        ('\'', _) => Some((Kind::Literal, quoted(sql, '\'', dialect != Sqlite)?)),
        ('e' | 'E', Postgres) if second == Some('\'') => {
            Some((Kind::Literal, 1 + escaped(&sql[1..])?))
        }
        ('n' | 'N' | 'b' | 'B' | 'x' | 'X', _) if second == Some('\'') => {
            Some((Kind::Literal, 1 + quoted(&sql[1..], '\'', dialect != Sqlite)?))
        }
        ('"', Postgres) => Some((Kind::Name, quoted(sql, '"', false)?)),
        // SQLite takes it for a string where there is no such name.
        ('"', _) => Some((Kind::Literal, quoted(sql, '"', dialect != Sqlite)?)),
        ('`', Mysql | Sqlite) => Some((Kind::Name, quoted(sql, '`', false)?)),
        ('`', Other) => Some((Kind::Literal, quoted(sql, '`', true)?)),
        ('[', Sqlite) => Some((Kind::Name, sql.find(']')? + 1)),
        // A name to some; to others, what is in it may be anything.
        ('[', Other) if sql.split(']').next()?.contains(['\'', '"', '`']) => None,
        ('$', Postgres | Other) if let Some(tag) = dollar_tag(sql) => {
            Some((Kind::Literal, tag.len() + sql[tag.len()..].find(tag)? + tag.len()))
        }
        ('$', Postgres) if is_digit(second) => {
            Some((Kind::Placeholder, 1 + run(&sql[1..], |next| next.is_ascii_digit())))
        }
        ('?', Mysql | Sqlite) => {
            Some((Kind::Placeholder, 1 + run(&sql[1..], |next| next.is_ascii_digit())))
        }
        (':', Mysql | Sqlite) | ('@' | '$', Sqlite) if second.is_some_and(begins_word) => {
            Some((Kind::Placeholder, 1 + run(&sql[1..], continues_word)))
        }
        // Two of them are no placeholder.
        (':', _) if second == Some(':') => Some((Kind::Sign, 2)),
        ('.', _) if is_digit(second) => Some((Kind::Number, number(sql))),
        _ if first.is_ascii_digit() => Some((Kind::Number, number(sql))),
        _ if is_typographic(first) => None,
        _ if begins_word(first) || first == '$' => Some((Kind::Word, run(sql, continues_word))),
        _ => sign,
    }
}

fn is_digit(sign: Option<char>) -> bool {
    sign.is_some_and(|sign| sign.is_ascii_digit())
}

fn begins_word(sign: char) -> bool {
    sign.is_ascii_alphabetic() || sign == '_' || (!sign.is_ascii() && !is_typographic(sign))
}

fn continues_word(sign: char) -> bool {
    begins_word(sign) || sign.is_ascii_digit() || sign == '$'
}

/// A quote of a word processor's, which servers take for a letter. Whoever wrote it meant a literal.
fn is_typographic(sign: char) -> bool {
    matches!(sign, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}')
}

/// How far `belongs` goes from the beginning.
fn run(sql: &str, belongs: impl Fn(char) -> bool) -> usize {
    sql.find(|sign| !belongs(sign)).unwrap_or(sql.len())
}

/// Whether a quote follows the word at the beginning.
fn ends_before_quote(sql: &str) -> bool {
    sql[run(sql, continues_word)..].starts_with(['\'', '"'])
}

/// A line. Only to PostgreSQL a lone carriage return ends it.
fn line(sql: &str, dialect: Dialect) -> Option<usize> {
    let line = run(sql, |sign| sign != '\n');
    match sql[..line].find('\r') {
        Some(end) if dialect == Dialect::Postgres => Some(end),
        Some(end) if dialect == Dialect::Other && end + 1 < line => None,
        _ => Some(line),
    }
}

/// A comment in stars; `None` if it does not end, or the server may see a statement in it.
fn comment(sql: &str, dialect: Dialect) -> Option<usize> {
    if dialect == Dialect::Postgres {
        return nested_comment(sql);
    }
    let end = 2 + sql[2..].find("*/")?;
    let inside = &sql[2..end];
    // To MySQL, `/*!` and `/*M!` are no comments. Who nests them, nobody agrees on.
    let is_clear = !inside.starts_with('!') && !inside.starts_with("M!") && !inside.contains("/*");
    (dialect == Dialect::Sqlite || is_clear).then_some(end + 2)
}

fn nested_comment(sql: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        at += sql[at..].find(['/', '*'])?;
        match sql.as_bytes().get(at..at + 2)? {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// What stands in quotes, with two of them for one; `None` if it does not end. A backslash before a
/// quote makes it unclear, if some setting of the server may give it a meaning.
fn quoted(sql: &str, quote: char, backslash_may_escape: bool) -> Option<usize> {
    let mut at = 1;
    loop {
        at += sql[at..].find(quote)?;
        if backslash_may_escape && sql[..at].ends_with('\\') {
            return None;
        }
        at += 1;
        if !sql[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// What stands in quotes, with a backslash before what is not to be taken for its end.
fn escaped(sql: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        at += sql[at..].find(['\'', '\\'])?;
        let is_end = sql[at..].starts_with('\'') && !sql[at + 1..].starts_with('\'');
        at += 1;
        if is_end {
            return Some(at);
        }
        at += sql[at..].chars().next()?.len_utf8();
    }
}

/// `$$` or `$tag$`.
fn dollar_tag(sql: &str) -> Option<&str> {
    let tag = &sql[1..];
    let length = run(tag, |sign| continues_word(sign) && sign != '$');
    let is_tag = tag[length..].starts_with('$') && !is_digit(tag.chars().next());
    is_tag.then(|| &sql[..length + 2])
}

/// Digits, and all that may follow them in a number.
fn number(sql: &str) -> usize {
    let belongs = |sign: char| sign.is_ascii_alphanumeric() || "_.".contains(sign);
    let length = run(sql, belongs);
    let has_exponent = sql[..length].ends_with(['e', 'E']);
    let signed = sql[length..].strip_prefix(['+', '-']);
    match signed {
        Some(exponent) if has_exponent => length + 1 + run(exponent, belongs),
        _ => length,
    }
}
