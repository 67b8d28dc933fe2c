//! What a driver is told: which database, and how its connections are set up.
//!
//! Reading it from a URL is in `url.rs`.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

/// Which SQLite database, and how connections to it are set up.
///
/// A plain struct: start from [`file`](Self::file), [`private_memory`](Self::private_memory) or
/// [`shared_memory`](Self::shared_memory) and change fields, or read it
/// [from a URL](Self::from_url).
///
/// ```
/// use std::time::Duration;
/// use pool_sqlite::{Access, SqliteOptions};
///
/// let options = SqliteOptions {
///     access: Access::ReadOnly,
///     busy_timeout: Duration::from_secs(1),
///     ..SqliteOptions::file("orders.db")
/// };
/// assert!(options.foreign_keys);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Where the database is.
    pub source: Source,
    /// What connections may do. Default: [`Access::Create`].
    pub access: Access,
    /// How a file keeps its transactions safe. Default: [`JournalMode::Wal`], with which readers
    /// and the writer do not wait for each other. Not applied to memory or with read-only access.
    pub journal_mode: JournalMode,
    /// When a file is flushed to the disk. Default: [`Synchronous::Normal`], which with a
    /// write-ahead log cannot corrupt the database; the last commits before a power cut may be
    /// lost. Not applied to memory or with read-only access.
    pub synchronous: Synchronous,
    /// How long a statement, or opening, waits for the locks of other connections before it fails
    /// with `SQLITE_BUSY`. Default: 5 s; zero fails at once.
    pub busy_timeout: Duration,
    /// Whether foreign keys are enforced. Default: yes, unlike SQLite's own.
    pub foreign_keys: bool,
    /// Most memory a connection uses for pages of the database, in KiB, taken as pages are read.
    /// Default: 8192. SQLite's own 2000 are meant for small devices; 8 MiB hold the inner pages of
    /// some GiB of tables (one in a few hundred pages is an inner one), and the whole pool stays
    /// below 100 MiB with a dozen connections. At most 2147483647.
    pub cache_size_kib: u32,
    /// Prepared statements a connection keeps for
    /// [`prepare_cached`](rusqlite::Connection::prepare_cached), which
    /// [`SqliteConnection::execute`](crate::SqliteConnection::execute) and its like use.
    /// Default: 64, some KiB each.
    pub statement_cache: usize,
    /// What a connection keeps of its last user. Default: [`Hygiene::Rollback`].
    pub hygiene: Hygiene,
}

impl SqliteOptions {
    /// The database in a file, created if it is missing.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Source::File(path.into()))
    }

    /// A database in memory that only its one connection can see.
    #[must_use]
    pub fn private_memory() -> Self {
        Self::of(Source::PrivateMemory)
    }

    /// The database of this name in this process's memory. A name is not empty and has no NUL.
    pub fn shared_memory(name: impl Into<String>) -> Self {
        Self::of(Source::SharedMemory(name.into()))
    }

    pub(crate) fn of(source: Source) -> Self {
        Self {
            source,
            access: Access::Create,
            journal_mode: JournalMode::Wal,
            synchronous: Synchronous::Normal,
            busy_timeout: Duration::from_secs(5),
            foreign_keys: true,
            cache_size_kib: 8192,
            statement_cache: 64,
            hygiene: Hygiene::Rollback,
        }
    }
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// In a file. A relative path is taken from the working directory at the time the driver is
    /// made.
    File(PathBuf),
    /// In the memory of one connection, which no other can see: a pool of it has one connection,
    /// and the database is gone when that is closed. The driver objects to settings that close a
    /// good one ([`SqliteOptions::pool_defaults`] fits them); one that is lost all the same, by a
    /// reset that takes longer than `check_timeout` or by the pool's `invalidate`, takes the
    /// database with it, and the next is empty.
    PrivateMemory,
    /// In the memory of this process, under a name: all connections that use the name share it, for
    /// as long as one of them, or a driver that has connected to it, is there.
    ///
    /// It is the database `file:/NAME?vfs=memdb`, not one of SQLite's shared caches: those answer
    /// `SQLITE_LOCKED`, for which no connection waits.
    SharedMemory(String),
}

impl fmt::Display for Source {
    /// The path or the name, with what would break a line or hide in it escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write_visibly(&path.to_string_lossy(), f),
            Self::PrivateMemory => f.write_str(":memory:"),
            Self::SharedMemory(name) => write_visibly(name, f),
        }
    }
}

/// Escapes control characters, and those that change the direction of text or show nothing.
fn write_visibly(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_hidden = |c: char| {
        let formats = matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        );
        formats || c.is_control()
    };
    text.chars().try_for_each(|c| {
        if is_hidden(c) { write!(f, "{}", c.escape_debug()) } else { f.write_char(c) }
    })
}

/// What connections may do with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read, write, and create it if it is missing. As always with SQLite, a file that the process
    /// may not write is opened for reading; the driver's role query tells.
    Create,
    /// Read and write; a missing file is an error. Memory is made in any case.
    ReadWrite,
    /// Read. In memory by `PRAGMA query_only`, which a statement could switch off.
    ReadOnly,
}

/// How a file keeps its transactions safe: SQLite's `journal_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JournalMode {
    /// A rollback journal, deleted at each commit.
    Delete,
    /// A rollback journal, truncated at each commit.
    Truncate,
    /// A rollback journal, its header overwritten at each commit.
    Persist,
    /// A rollback journal in memory: a crash in a transaction may corrupt the file.
    Memory,
    /// A write-ahead log: readers and the writer do not wait for each other.
    Wal,
    /// None: no rollback either.
    Off,
}

impl JournalMode {
    pub(crate) const ALL: [Self; 6] =
        [Self::Delete, Self::Truncate, Self::Persist, Self::Memory, Self::Wal, Self::Off];

    /// SQLite's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Persist => "persist",
            Self::Memory => "memory",
            Self::Wal => "wal",
            Self::Off => "off",
        }
    }
}

/// When a file is flushed to the disk: SQLite's `synchronous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Synchronous {
    /// When the operating system likes: a power cut may corrupt the file.
    Off,
    /// At the moments that matter for its consistency.
    Normal,
    /// At each commit.
    Full,
    /// At each commit, and the directory after the journal is deleted.
    Extra,
}

impl Synchronous {
    pub(crate) const ALL: [Self; 4] = [Self::Off, Self::Normal, Self::Full, Self::Extra];

    /// SQLite's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Normal => "normal",
            Self::Full => "full",
            Self::Extra => "extra",
        }
    }
}

/// What a connection keeps of its last user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hygiene {
    /// An open transaction is rolled back before the next user. PRAGMAs, attached databases,
    /// temporary tables and hooks stay.
    Rollback,
    /// Each release closes the connection and nothing stays: SQLite has no other way to undo a
    /// PRAGMA. Opening costs some 100 us. A private database in memory is lost with it.
    Reopen,
}

impl Hygiene {
    pub(crate) const ALL: [Self; 2] = [Self::Rollback, Self::Reopen];

    /// The name used in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Reopen => "reopen",
        }
    }
}
