//! How the SQL of one database differs from that of another, as far as workloads care.

/// The SQL of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
    /// That of MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// How a statement writes its parameter of that number, the first being 1.
    pub(crate) fn parameter(self, number: usize) -> String {
        match self {
            Self::Sqlite => format!("?{number}"),
            Self::Postgres => format!("${number}"),
            Self::Mysql => "?".to_owned(),
        }
    }

    /// Whether a statement may use one parameter in several places.
    pub(crate) fn numbers_parameters(self) -> bool {
        self != Self::Mysql
    }

    /// Begins a transaction that writes. SQLite's takes its lock at once: one that reads first and
    /// writes later may find, too late to wait, that somebody else has written.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "begin immediate",
            Self::Postgres | Self::Mysql => "begin",
        }
    }

    /// Whether `#` begins a comment, and `\` in a string makes the next character a plain one.
    pub(crate) fn is_mysql(self) -> bool {
        self == Self::Mysql
    }

    /// Whether `$tag$` begins a string that the same ends, and `/* */` comments nest.
    pub(crate) fn is_postgres(self) -> bool {
        self == Self::Postgres
    }
}
