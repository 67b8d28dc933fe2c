//! What telemetry may show of a statement: its text without what it says about anybody, and a summary
//! short enough to name it by.
//!
//! Nothing here parses SQL. A text is cut into words, names, literals and signs, in the way of its
//! dialect; where two servers, or two settings of one, would cut it differently, the rest of it counts
//! as a literal.

mod lexer;
mod mask;
mod summary;

use self::lexer::{Piece, Pieces};

/// Bytes of a text that are looked at: a statement may hold a file.
const MOST_READ: usize = 16 * 1024;

/// How a database writes SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    /// `MariaDB`, too.
    Mysql,
    Sqlite,
    /// Nobody knows: what is a literal in any dialect is one.
    Other,
}

impl Dialect {
    /// The dialect of a database, by its OpenTelemetry name.
    pub(crate) fn of(system: &str) -> Self {
        match system {
            "postgresql" => Self::Postgres,
            "mysql" | "mariadb" => Self::Mysql,
            "sqlite" => Self::Sqlite,
            _ => Self::Other,
        }
    }
}

/// A statement, cut into pieces once.
pub(crate) struct Statement<'a> {
    pieces: Vec<Piece<'a>>,
    dialect: Dialect,
}

impl<'a> Statement<'a> {
    pub(crate) fn read(sql: &'a str, dialect: Dialect) -> Self {
        Self { pieces: Pieces::of(sql, dialect).collect(), dialect }
    }

    /// Its text as telemetry may show it.
    pub(crate) fn masked(&self) -> String {
        mask::mask(&self.pieces)
    }

    /// What it does and to what; empty if that cannot be told.
    pub(crate) fn summary(&self) -> String {
        summary::summary(&self.pieces, self.dialect)
    }
}

/// The beginning of `text`: `most` bytes, but no broken character.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use pool_testkit::hostile::{CANARY, any_password, any_text, settings};
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    const ALL: [Dialect; 4] = [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite, Dialect::Other];

    /// Statements of any kind. Where an `@` is, a literal may stand.
    const STATEMENTS: &[&str] = &[
        "SELECT @",
        "SELECT * FROM t WHERE a = @ AND b <> @",
        "SELECT a, @ AS b FROM t JOIN u ON t.a = u.a WHERE a IN (@, @, 1,@) ORDER BY 1",
        "INSERT INTO t (a, b) VALUES (@, @),(1, @)",
        "UPDATE t SET a=@, b = b + 1 WHERE c LIKE @",
        "DELETE FROM t WHERE a BETWEEN @ AND @; SELECT @",
        "WITH x AS (SELECT @ AS a) SELECT * FROM x, u WHERE a = f(@)",
        "CREATE USER app IDENTIFIED BY @",
        "ALTER ROLE app PASSWORD @",
        "SET x = @",
        "CALL f(@, g(@))",
        "PRAGMA key = @",
        "EXPLAIN SELECT -@::text || @",
        "PREPARE p FROM @; EXECUTE p",
        "@",
        "FROM @ UPDATE @",
    ];

    /// A literal, in the way of its dialect, with the canary in it.
    fn literal(dialect: Dialect) -> impl Strategy<Value = String> {
        let ways = match dialect {
            Dialect::Postgres | Dialect::Mysql => 5,
            Dialect::Sqlite => 3,
            Dialect::Other => 2,
        };
        (0..ways, any_password()).prop_map(move |(way, text)| {
            let doubled = |quote: char| {
                let text = if dialect == Dialect::Mysql {
                    text.replace('\\', r"\\")
                } else {
                    text.clone()
                };
                let two = format!("{quote}{quote}");
                format!("{quote}{}{quote}", text.replace(quote, &two))
            };
            let in_comment = || format!("/*{}*/ 1", text.replace(['*', '/', '!'], ""));
            let escaped = |quote: char| {
                let text = text.replace('\\', r"\\").replace(quote, &format!("\\{quote}"));
                format!("{quote}{text}{quote}")
            };
            match (dialect, way) {
                (_, 0) => doubled('\''),
                (_, 1) => in_comment(),
                (Dialect::Postgres, 2) => format!("E{}", escaped('\'')),
                (Dialect::Postgres, 3) => format!("$$ {} $$", text.replace('$', "")),
                (Dialect::Postgres, _) => format!("$a1${}$a1$", text.replace("$a1", "")),
                (Dialect::Mysql, 2) => escaped('\''),
                (Dialect::Mysql, 3) => escaped('"'),
                (_, _) => doubled('"'),
            }
        })
    }

    fn statement() -> impl Strategy<Value = (Dialect, String)> {
        select(&ALL[..]).prop_flat_map(|dialect| {
            let literals = proptest::collection::vec(literal(dialect), 5);
            (select(STATEMENTS), literals).prop_map(move |(statement, literals)| {
                let mut pieces = statement.split('@');
                let first = pieces.next().unwrap_or_default().to_owned();
                let sql = pieces
                    .zip(literals)
                    .fold(first, |sql, (piece, literal)| sql + &literal + piece);
                (dialect, sql)
            })
        })
    }

    fn shown(sql: &str, dialect: Dialect) -> String {
        let statement = Statement::read(sql, dialect);
        let (text, summary) = (statement.masked(), statement.summary());
        assert!(text.len() <= 2048 && summary.len() <= 255, "bounded");
        text + "\n" + &summary
    }

    proptest! {
        #![proptest_config(settings())]

        #[test]
        fn no_literal_is_shown_wherever_it_stands((dialect, sql) in statement()) {
            let shown = shown(&sql, dialect);
            prop_assert!(!shown.contains(CANARY), "{dialect:?} {sql:?}: {shown:?}");
        }

        #[test]
        fn no_literal_is_shown_of_a_text_that_was_cut_off(
            (dialect, sql) in statement(),
            end in any::<Index>(),
        ) {
            let sql = beginning(&sql, end.index(sql.len() + 1));
            let shown = shown(sql, dialect);
            prop_assert!(!shown.contains(CANARY), "{dialect:?} {sql:?}: {shown:?}");
        }

        #[test]
        fn no_number_is_shown((dialect, sql) in statement(), number in 10_000_000_u64..) {
            let sql = sql.replace(" 1", &format!(" {number}")) + &format!(" = {number}");
            let shown = shown(&sql, dialect);
            prop_assert!(!shown.contains(&number.to_string()), "{dialect:?} {sql:?}: {shown:?}");
        }

        #[test]
        fn any_text_at_all_has_a_mask_and_a_summary(text in any_text()) {
            for dialect in ALL {
                shown(&text, dialect);
            }
        }
    }
}
