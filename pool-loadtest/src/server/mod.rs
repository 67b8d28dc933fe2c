//! What the server itself counts during a run, asked on a connection outside the pool. What each
//! system can be asked is in a file of its own; when it is asked, in `watch`.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod tally;
mod watch;

use std::future::Future;

use pool_core::{LentConnection, Probe, SharedError};

pub(crate) use self::sqlite::write_lock;
use self::tally::Tally;
pub(crate) use self::watch::ServerWatch;

/// A driver's connection that can be asked what its server has counted.
trait Counted: Sized + Send + 'static {
    /// Asks for everything that only grows, and adds it up from the first time on.
    fn count(&mut self, tally: &mut Tally) -> impl Future<Output = Result<(), SharedError>> + Send;

    /// Asks for what goes up and down. Default: nothing.
    fn look(&mut self, tally: &mut Tally) -> impl Future<Output = Result<(), SharedError>> + Send {
        let _ = tally;
        async { Ok(()) }
    }

    /// What follows from the figures of a load of so many seconds, in words.
    fn findings(tally: &Tally, seconds: f64) -> Vec<String>;

    /// Whether the last counts come only once the load's connections are closed.
    const COUNTS_LATE: bool;
}

/// The systems that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "mysql")]
    Mysql,
    Sqlite,
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Count,
    Look,
}

impl System {
    /// Whose connection a probe has, if it can be asked.
    async fn of(probe: &mut dyn Probe) -> Option<Self> {
        let mut lent = probe.lend().ok()?;
        let system = Self::known(&mut lent);
        lent.give_back().await.ok()?;
        system
    }

    fn known(lent: &mut LentConnection<'_>) -> Option<Self> {
        #[cfg(feature = "postgres")]
        if lent.connection::<pool_postgres::PostgresConnection>().is_some() {
            return Some(Self::Postgres);
        }
        #[cfg(feature = "mysql")]
        if lent.connection::<pool_mysql::MysqlConnection>().is_some() {
            return Some(Self::Mysql);
        }
        lent.connection::<pool_sqlite::SqliteConnection>().map(|_| Self::Sqlite)
    }

    async fn ask(
        self,
        probe: &mut dyn Probe,
        question: Question,
        tally: &mut Tally,
    ) -> Result<(), SharedError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                ask::<pool_postgres::PostgresConnection>(probe, question, tally).await
            }
            #[cfg(feature = "mysql")]
            Self::Mysql => ask::<pool_mysql::MysqlConnection>(probe, question, tally).await,
            Self::Sqlite => ask::<pool_sqlite::SqliteConnection>(probe, question, tally).await,
        }
    }

    fn findings(self, tally: &Tally, seconds: f64) -> Vec<String> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => pool_postgres::PostgresConnection::findings(tally, seconds),
            #[cfg(feature = "mysql")]
            Self::Mysql => pool_mysql::MysqlConnection::findings(tally, seconds),
            Self::Sqlite => pool_sqlite::SqliteConnection::findings(tally, seconds),
        }
    }

    /// Whether it is asked once more when the pool is closed.
    const fn counts_late(self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres => pool_postgres::PostgresConnection::COUNTS_LATE,
            #[cfg(feature = "mysql")]
            Self::Mysql => pool_mysql::MysqlConnection::COUNTS_LATE,
            Self::Sqlite => pool_sqlite::SqliteConnection::COUNTS_LATE,
        }
    }
}

async fn ask<C: Counted>(
    probe: &mut dyn Probe,
    question: Question,
    tally: &mut Tally,
) -> Result<(), SharedError> {
    let mut lent = probe.lend()?;
    if let Some(connection) = lent.connection::<C>() {
        match question {
            Question::Count => connection.count(tally).await?,
            Question::Look => connection.look(tally).await?,
        }
    }
    lent.give_back().await
}
