//! The text of a statement without what it says about anybody.

use super::beginning;
use super::lexer::{Kind, Piece};

/// Bytes of a text that are shown.
const MOST_SHOWN: usize = 2 * 1024;

/// The text as telemetry may show it: at most 2 KiB of it, without comments.
///
/// One with parameters is shown as it is: who uses them says by them what is not to be seen. In any
/// other, each literal is a `?`, and so is everything after a place where it cannot be told what is
/// one. Names are shown.
pub(super) fn mask(pieces: &[Piece<'_>]) -> String {
    let shows_literals = is_parameterised(pieces);
    let mut text = Text::default();
    for piece in pieces {
        text.add(*piece, shows_literals);
        if text.shown.len() >= MOST_SHOWN {
            break;
        }
    }
    beginning(text.shown.trim_start(), MOST_SHOWN).trim_end().to_owned()
}

/// Whether it is one statement with places for parameters. With several, the places of one say
/// nothing about the literals of another.
fn is_parameterised(pieces: &[Piece<'_>]) -> bool {
    let (mut has_place, mut has_ended) = (false, false);
    for piece in pieces {
        match piece.kind {
            Kind::Space | Kind::Comment => {}
            Kind::Unclear => return false,
            Kind::Sign if piece.text == ";" => has_ended = true,
            _ if has_ended => return false,
            Kind::Placeholder => has_place = true,
            _ => {}
        }
    }
    has_place
}

#[derive(Default)]
struct Text {
    shown: String,
    list: List,
}

/// Where in `IN (1, 2, 3)` it is.
#[derive(Clone, Copy, Default)]
enum List {
    #[default]
    Outside,
    /// After the `IN`.
    Announced,
    /// After the parenthesis.
    Begun,
    /// After the first literal, which ends here. Others are left out.
    Within(usize),
}

impl Text {
    fn add(&mut self, piece: Piece<'_>, shows_literals: bool) {
        let is_masked = match piece.kind {
            Kind::Literal | Kind::Number => !shows_literals,
            Kind::Unclear => true,
            _ => false,
        };
        if is_masked {
            self.shown.push('?');
            self.list = match self.list {
                List::Begun => List::Within(self.shown.len()),
                List::Within(end) => {
                    self.shown.truncate(end);
                    List::Within(end)
                }
                List::Outside | List::Announced => List::Outside,
            };
            return;
        }
        if piece.kind == Kind::Comment {
            if !self.shown.is_empty() && !self.shown.ends_with(|it: char| it.is_ascii_whitespace())
            {
                self.shown.push(' ');
            }
            return;
        }
        self.list = match (self.list, piece.kind, piece.text) {
            (_, Kind::Word, word) if word.eq_ignore_ascii_case("in") => List::Announced,
            (List::Announced, Kind::Sign, "(") => List::Begun,
            (list, Kind::Space, _)
            | (list @ (List::Begun | List::Within(_)), Kind::Sign, "," | "-" | "+") => list,
            _ => List::Outside,
        };
        self.shown.push_str(piece.text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialect::{self, Mysql, Other, Postgres, Sqlite};
    use super::super::Statement;
    use super::*;

    const ALL: [Dialect; 4] = [Postgres, Mysql, Sqlite, Other];

    fn mask(sql: &str, dialect: Dialect) -> String {
        Statement::read(sql, dialect).masked()
    }

    #[test]
    fn literals_are_masked_in_every_dialect() {
        for (sql, masked) in [
            (
                "SELECT 'it''s', '', 1, -2.5e-10, .5, 0xFF FROM t1",
                "SELECT ?, ?, ?, -?, ?, ? FROM t1",
            ),
            ("SELECT a1, _x FROM s.t WHERE b = 1e3", "SELECT a1, _x FROM s.t WHERE b = ?"),
            ("INSERT INTO t VALUES (1,'a'),(2,'b')", "INSERT INTO t VALUES (?,?),(?,?)"),
            ("SELECT 1 -- 'secret'\n, 2", "SELECT ? \n, ?"),
            ("/* secret */ SELECT/*secret*/1", "SELECT ?"),
            ("SELECT 'never ends, 2", "SELECT ?"),
            ("SELECT 1 /* never ends", "SELECT ? ?"),
            ("SELECT \u{2018}secret\u{2019}", "SELECT ?"),
            ("", ""),
        ] {
            for dialect in ALL {
                assert_eq!(mask(sql, dialect), masked, "{dialect:?}: {sql}");
            }
        }
    }

    #[test]
    fn each_dialect_has_literals_of_its_own() {
        for (dialect, sql, masked) in [
            (Postgres, "SELECT N'x', X'ff', b'01'", "SELECT ?, ?, ?"),
            (Mysql, "SELECT N'x', X'ff', b'01'", "SELECT ?, ?, ?"),
            (Postgres, r"SELECT E'it\'s \\', 1", "SELECT ?, ?"),
            (Postgres, "SELECT $$it's$$, $a$ $$ $b$ $a$, 1", "SELECT ?, ?, ?"),
            (Postgres, "SELECT $a$ never ends $b$", "SELECT ?"),
            (Postgres, r#"SELECT "it's" FROM t"#, r#"SELECT "it's" FROM t"#),
            (Postgres, "SELECT a::text, b #> '{c}'", "SELECT a::text, b #> ?"),
            (Postgres, "SELECT '{}'::jsonb ? 'key'", "SELECT ?::jsonb ? ?"),
            (Postgres, "/* a /* b */ c */ SELECT 1", "SELECT ?"),
            (Postgres, "SELECT a$$b FROM t WHERE c = $$x$$", "SELECT a$$b FROM t WHERE c = ?"),
            (Mysql, r#"SELECT "it's", `a"b`"#, r#"SELECT ?, `a"b`"#),
            (Mysql, "SELECT 1 # it's\n, 2", "SELECT ? \n, ?"),
            (Mysql, "SELECT 5--3", "SELECT ?--?"),
            (Mysql, "SELECT 1 -- a\rsecret\n, 2", "SELECT ? \n, ?"),
            (Mysql, "SELECT 1 --\u{7f}secret\n, 2", "SELECT ? \n, ?"),
            (Sqlite, "SELECT 1 -- a\rsecret\n, 2", "SELECT ? \n, ?"),
            (Postgres, "SELECT 1 -- it's\r, 'b'", "SELECT ? \r, ?"),
            (Mysql, "SELECT _utf8'x', @a := 5", "SELECT _utf8?, @a := ?"),
            (Sqlite, r#"SELECT [it's], `a`, "x" FROM t"#, "SELECT [it's], `a`, ? FROM t"),
            (Sqlite, r"SELECT 'a\', 'b'", "SELECT ?, ?"),
            (Other, "SELECT $$x$$, `y`, \"z\"", "SELECT ?, ?, ?"),
        ] {
            assert_eq!(mask(sql, dialect), masked, "{dialect:?}: {sql}");
        }
    }

    #[test]
    fn what_settings_of_the_server_decide_masks_the_rest() {
        for (dialect, sql) in [
            (Postgres, r"SELECT 'a\', 'secret'"),
            (Mysql, r"SELECT 'a\', 'secret'"),
            (Mysql, r#"SELECT "a\"b", 'secret'"#),
            (Mysql, "SELECT /*!50000 '*/ secret' */"),
            (Mysql, "SELECT /*M! '*/ secret' */"),
            (Mysql, "SELECT /* /* */ 'secret' */"),
            (Other, "SELECT --it's\n secret'"),
            (Other, "SELECT # it's\n secret'"),
            (Other, "SELECT [it's] secret'"),
            (Other, "SELECT -- it's\r secret'"),
            (Other, "SELECT q'[it's secret]'"),
            (Other, "SELECT '''it's secret'''"),
        ] {
            assert_eq!(mask(sql, dialect), "SELECT ?", "{dialect:?}: {sql}");
        }
    }

    #[test]
    fn a_text_with_parameters_is_shown_as_it_is_but_for_comments() {
        for (dialect, sql) in [
            (Postgres, "SELECT 'x' FROM t WHERE a = $1 LIMIT 10;"),
            (Mysql, "SELECT 'x' FROM t WHERE a = ? AND b = :name"),
            (Sqlite, "SELECT 'x' FROM t WHERE a = ?1 AND b = @b AND c = $c"),
        ] {
            assert_eq!(mask(sql, dialect), sql);
            assert_eq!(mask(&format!("/* who */ {sql}"), dialect), sql);
        }
        // The places are another statement's, or no places at all.
        let sql = "PREPARE p AS SELECT $1; EXECUTE p('secret')";
        assert_eq!(mask(sql, Postgres), "PREPARE p AS SELECT $1; EXECUTE p(?)");
        assert_eq!(mask("SELECT '?', '$1', ':a'", Mysql), "SELECT ?, ?, ?");
        assert_eq!(mask("SELECT 'x' = ?", Other), "SELECT ? = ?");
    }

    #[test]
    fn a_list_is_as_long_as_one() {
        for (sql, masked) in [
            (
                "SELECT * FROM t WHERE a IN (1, -2, 'x') AND b = 3",
                "SELECT * FROM t WHERE a IN (?) AND b = ?",
            ),
            ("SELECT a in('x','y')", "SELECT a in(?)"),
            ("SELECT a IN (b, 1, 2), (1, 2)", "SELECT a IN (b, ?, ?), (?, ?)"),
            ("SELECT a IN (1, b, 2)", "SELECT a IN (?, b, ?)"),
        ] {
            assert_eq!(mask(sql, Postgres), masked);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_whole_character() {
        let sql = format!("SELECT {}", "\u{e4}".repeat(5000));
        let masked = mask(&sql, Postgres);
        assert!((MOST_SHOWN - 1..=MOST_SHOWN).contains(&masked.len()), "{}", masked.len());
        let sql = format!("SELECT '{}'", "secret ".repeat(1_000_000));
        assert_eq!(mask(&sql, Postgres), "SELECT ?");
    }
}
