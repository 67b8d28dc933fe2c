//! The summary of a statement: what it does and to what, in a few words.

use super::Dialect;
use super::lexer::{Kind, Piece};

/// Bytes of a summary, by the conventions.
const MOST_BYTES: usize = 255;

/// What a statement does and to what: `SELECT orders`, `INSERT archive SELECT orders`. Several have
/// `; ` between them, and those in a row that are alike are said once. It holds keywords and names
/// only, and nothing of a text in which none of them is found.
pub(super) fn summary(pieces: &[Piece<'_>], dialect: Dialect) -> String {
    let is_said = |piece: &&Piece<'_>| !matches!(piece.kind, Kind::Space | Kind::Comment);
    let pieces: Vec<_> = pieces.iter().filter(is_said).copied().collect();
    let mut summary = String::new();
    let mut last = String::new();
    for statement in pieces.split(|piece| piece.text == ";") {
        let said = Reader::read(statement, dialect);
        if said.is_empty() || said == last {
            continue;
        }
        let separator = if summary.is_empty() { "" } else { "; " };
        if summary.len() + separator.len() + said.len() > MOST_BYTES {
            break;
        }
        summary = summary + separator + &said;
        last = said;
    }
    summary
}

/// What a statement, or a part of one in parentheses, may say next.
#[derive(Clone, Copy, Default)]
struct Level {
    /// A `SELECT` or `DELETE` that has had no `FROM` yet: other ones are of functions.
    lacks_from: bool,
    /// In a list of tables.
    lists_tables: bool,
}

struct Reader<'a> {
    pieces: &'a [Piece<'a>],
    dialect: Dialect,
    said: String,
    is_full: bool,
    levels: Vec<Level>,
    level: Level,
}

impl<'a> Reader<'a> {
    fn read(pieces: &'a [Piece<'a>], dialect: Dialect) -> String {
        let mut reader = Self {
            pieces,
            dialect,
            said: String::new(),
            is_full: false,
            levels: Vec::new(),
            level: Level::default(),
        };
        let mut at = 0;
        while at < pieces.len() && !reader.is_full {
            at = reader.piece(at);
        }
        reader.said
    }

    /// Takes in the piece at this place; where to go on.
    fn piece(&mut self, at: usize) -> usize {
        let Piece { kind, text } = self.pieces[at];
        match (kind, text) {
            (Kind::Sign, "(") => self.levels.push(std::mem::take(&mut self.level)),
            (Kind::Sign, ")") => self.level = self.levels.pop().unwrap_or_default(),
            (Kind::Sign, ",") if self.level.lists_tables => return self.target(at + 1),
            (Kind::Word, word) if word.len() <= LONGEST_KEYWORD => {
                let mut upper = [0; LONGEST_KEYWORD];
                let upper = &mut upper[..word.len()];
                upper.copy_from_slice(word.as_bytes());
                upper.make_ascii_uppercase();
                return self.word(at, std::str::from_utf8(upper).unwrap_or_default());
            }
            _ => {}
        }
        at + 1
    }

    fn word(&mut self, at: usize, word: &str) -> usize {
        match word {
            "SELECT" => {
                self.say(at);
                self.level = Level { lacks_from: true, lists_tables: false };
            }
            "FROM" if self.level.lacks_from && !self.follows(at, "DISTINCT") => {
                self.level = Level { lacks_from: false, lists_tables: true };
                return self.target(at + 1);
            }
            "JOIN" => return self.target(at + 1),
            _ if at == 0 && OTHERS.contains(&word) => self.say(at),
            _ if END_OF_TABLES.contains(&word) => self.level.lists_tables = false,
            _ if !self.may_begin(at) => {}
            "INSERT" | "REPLACE" | "MERGE" | "UPDATE" | "CALL" | "EXEC" | "TRUNCATE" | "COPY" => {
                self.say(at);
                return self.target(at + 1);
            }
            "DELETE" => {
                self.say(at);
                self.level = Level { lacks_from: true, lists_tables: false };
            }
            "CREATE" | "ALTER" | "DROP" => return self.definition(at),
            _ => {}
        }
        at + 1
    }

    /// Whether a statement may begin here, as the whole or within another.
    fn may_begin(&self, at: usize) -> bool {
        let is_call = self.pieces.get(at + 1).is_none_or(|next| next.kind == Kind::Sign);
        match at.checked_sub(1).map(|before| self.pieces[before].text) {
            None => true,
            _ if is_call => false,
            Some(before) => ["(", ")", "EXPLAIN", "ANALYZE", "VERBOSE"]
                .iter()
                .any(|word| before.eq_ignore_ascii_case(word)),
        }
    }

    fn follows(&self, at: usize, word: &str) -> bool {
        at > 0 && self.pieces[at - 1].text.eq_ignore_ascii_case(word)
    }

    /// `CREATE UNIQUE INDEX name`.
    fn definition(&mut self, at: usize) -> usize {
        self.say(at);
        let mut kind = at + 1;
        while self.is_any_of(
            kind,
            &["OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY", "UNLOGGED", "MATERIALIZED"],
        ) {
            kind += 1;
        }
        let has_name = [
            "TABLE",
            "INDEX",
            "VIEW",
            "SEQUENCE",
            "FUNCTION",
            "PROCEDURE",
            "TRIGGER",
            "SCHEMA",
            "TYPE",
        ];
        if self.is_any_of(kind, &has_name) {
            self.say(kind);
            return self.target(kind + 1);
        }
        if self.is_any_of(kind, &["DATABASE", "USER", "ROLE", "EXTENSION", "EVENT", "DOMAIN"]) {
            self.say(kind);
        }
        kind
    }

    /// The name of a table, after words that may stand before it.
    fn target(&mut self, mut at: usize) -> usize {
        while self.is_any_of(at, BEFORE_TABLES) {
            at += 1;
        }
        if !self.is_name(at) {
            return at;
        }
        let first = at;
        while self.pieces.get(at + 1).is_some_and(|next| next.text == ".") && self.is_name(at + 2) {
            at += 2;
        }
        let name: String = self.pieces[first..=at].iter().map(|piece| piece.text).collect();
        self.add(&name);
        at + 1
    }

    fn is_name(&self, at: usize) -> bool {
        self.pieces.get(at).is_some_and(|piece| match piece.kind {
            Kind::Word => !piece.text.eq_ignore_ascii_case("SELECT"),
            Kind::Name => true,
            // Where a table stands, no string can.
            Kind::Literal => self.dialect == Dialect::Sqlite && piece.text.starts_with('"'),
            _ => false,
        })
    }

    fn is_any_of(&self, at: usize, words: &[&str]) -> bool {
        let piece = self.pieces.get(at).filter(|piece| piece.kind == Kind::Word);
        piece.is_some_and(|piece| words.iter().any(|word| piece.text.eq_ignore_ascii_case(word)))
    }

    fn say(&mut self, at: usize) {
        self.add(self.pieces[at].text);
    }

    fn add(&mut self, word: &str) {
        let separator = if self.said.is_empty() { "" } else { " " };
        if self.said.len() + separator.len() + word.len() > MOST_BYTES {
            self.is_full = true;
        } else {
            self.said += separator;
            self.said += word;
        }
    }
}

/// Bytes of the longest word that [`Reader::word`] looks for.
const LONGEST_KEYWORD: usize = "DEALLOCATE".len();

/// What may stand between an operation and the table.
const BEFORE_TABLES: &[&str] = &[
    "INTO",
    "TABLE",
    "ONLY",
    "LATERAL",
    "IF",
    "NOT",
    "EXISTS",
    "CONCURRENTLY",
    "OR",
    "REPLACE",
    "IGNORE",
    "ABORT",
    "FAIL",
    "ROLLBACK",
    "LOW_PRIORITY",
    "HIGH_PRIORITY",
    "DELAYED",
    "QUICK",
];

/// What ends a list of tables.
const END_OF_TABLES: &[&str] = &[
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "WINDOW",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "SET",
    "VALUES",
    "RETURNING",
    "FOR",
];

/// Operations whose objects are left out: there are none, or too many different ones.
const OTHERS: &[&str] = &[
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "DEALLOCATE",
    "DECLARE",
    "DESCRIBE",
    "DETACH",
    "DISCARD",
    "DO",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "FLUSH",
    "GRANT",
    "KILL",
    "LISTEN",
    "LOAD",
    "LOCK",
    "NOTIFY",
    "OPTIMIZE",
    "PRAGMA",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "START",
    "TABLE",
    "UNLISTEN",
    "UNLOCK",
    "USE",
    "VACUUM",
    "VALUES",
    "XA",
];

#[cfg(test)]
mod tests {
    use super::super::Statement;
    use super::*;

    fn summary(sql: &str, dialect: Dialect) -> String {
        Statement::read(sql, dialect).summary()
    }

    fn postgres(sql: &str) -> String {
        summary(sql, Dialect::Postgres)
    }

    #[test]
    fn it_names_operations_and_tables_in_their_order() {
        for (sql, said) in [
            ("SELECT * FROM orders WHERE id = $1", "SELECT orders"),
            (
                "select a from public.orders o join users u on o.a = u.a",
                "select public.orders users",
            ),
            ("SELECT * FROM a, b AS c, ONLY d WHERE x IN (1, 2)", "SELECT a b d"),
            ("SELECT * FROM (SELECT * FROM a) x, b", "SELECT SELECT a b"),
            ("INSERT INTO archive (a, b) SELECT a, b FROM orders", "INSERT archive SELECT orders"),
            ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1", "INSERT t"),
            (
                "WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x",
                "DELETE a INSERT b SELECT x",
            ),
            ("UPDATE ONLY orders SET a = (SELECT max(b) FROM c) FROM d", "UPDATE orders SELECT c"),
            ("DELETE FROM orders", "DELETE orders"),
            ("SELECT extract(year FROM born), a IS DISTINCT FROM b FROM t FOR UPDATE", "SELECT t"),
            ("CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)", "CREATE INDEX i"),
            ("create temp table t as select 1", "create table t select"),
            ("DROP TABLE IF EXISTS t", "DROP TABLE t"),
            ("ALTER ROLE app PASSWORD 'secret'", "ALTER ROLE"),
            ("CALL pay(1)", "CALL pay"),
            ("EXPLAIN ANALYZE UPDATE t SET a = 1", "EXPLAIN UPDATE t"),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN"),
            ("SELECT 1", "SELECT"),
            ("SELECT * FROM \"song list\"", "SELECT \"song list\""),
            ("SELECT replace(a, 'x', 'y') FROM t", "SELECT t"),
            ("hunter2", ""),
            ("'secret'", ""),
            ("", ""),
        ] {
            assert_eq!(postgres(sql), said, "{sql}");
        }
        let sql = "INSERT OR REPLACE INTO \"a\" SELECT \"secret\" FROM [b c]";
        assert_eq!(summary(sql, Dialect::Sqlite), "INSERT \"a\" SELECT [b c]");
        let sql = "INSERT IGNORE INTO `a` VALUES (1) ON DUPLICATE KEY UPDATE b = 2";
        assert_eq!(summary(sql, Dialect::Mysql), "INSERT `a`");
    }

    #[test]
    fn several_statements_are_told_apart_and_repetitions_are_not() {
        let sql = "BEGIN; INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); ; COMMIT";
        assert_eq!(postgres(sql), "BEGIN; INSERT a; COMMIT");
    }

    #[test]
    fn it_is_bounded_and_ends_with_a_whole_name() {
        let tables: Vec<_> = (100..500).map(|number| format!("table_{number}")).collect();
        let said = postgres(&format!("SELECT * FROM {}", tables.join(", ")));
        assert!(said.len() <= MOST_BYTES && said.len() > MOST_BYTES - 11, "{}", said.len());
        assert!(said.split(' ').skip(1).all(|name| name.len() == 9), "{said}");
        let statements: Vec<_> =
            tables.iter().map(|table| format!("DELETE FROM {table}")).collect();
        assert!(postgres(&statements.join(";")).len() <= MOST_BYTES);
    }
}
