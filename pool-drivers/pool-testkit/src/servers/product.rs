//! Which servers there are, and what each is called. Not here: how they start.

use std::fmt;
use std::str::FromStr;

use super::error::ServerError;

/// A server that the tests can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Product {
    /// PostgreSQL 15, the one of Debian 12.
    Postgres15,
    /// PostgreSQL 18, newer than Debian 12 has it. It cannot be had everywhere.
    Postgres18,
    /// MariaDB as the system's distribution has it: 10.11 on Debian 12.
    MariaDb,
    /// Oracle's MySQL as Debian's unstable suite has it: 9.7. It cannot be had everywhere.
    MySql,
    /// PgBouncer in transaction mode, before a PostgreSQL 15 of its own.
    PgBouncer,
    /// Redis, for the managers of other pools: it has no SQL and few of the faults.
    Redis,
}

/// Servers that speak the same protocol, so that one driver serves them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// PostgreSQL and what stands in front of it.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// Redis.
    Redis,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Postgres15,
        Self::Postgres18,
        Self::PgBouncer,
        Self::MariaDb,
        Self::MySql,
        Self::Redis,
    ];

    /// Its name on the command line and in the environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres15 => "postgres-15",
            Self::Postgres18 => "postgres-18",
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
            Self::PgBouncer => "pgbouncer",
            Self::Redis => "redis",
        }
    }

    /// Whether it comes from where not everybody can fetch it, so that to do without is no failure.
    #[must_use]
    pub const fn is_best_effort(self) -> bool {
        matches!(self, Self::Postgres18 | Self::MySql)
    }

    /// What protocol it speaks.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Postgres15 | Self::Postgres18 | Self::PgBouncer => Family::Postgres,
            Self::MariaDb | Self::MySql => Family::MySql,
            Self::Redis => Family::Redis,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Product {
    type Err = ServerError;

    fn from_str(name: &str) -> Result<Self, ServerError> {
        Self::ALL.into_iter().find(|product| product.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            ServerError::Input {
                input: format!("the server `{name}`"),
                problem: format!("is unknown; there are {names}"),
            }
        })
    }
}

impl Family {
    /// The database that is there before any other, for those who make others.
    pub(super) const fn first_database(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Redis => "0",
        }
    }

    /// The statement that every server of it answers, with one line.
    pub(super) const fn trivial_statement(self) -> &'static str {
        match self {
            Self::Postgres | Self::MySql => "SELECT 1;",
            Self::Redis => "PING",
        }
    }

    /// The environment variable that names the product to test against.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "TESTKIT_POSTGRES",
            Self::MySql => "TESTKIT_MYSQL",
            Self::Redis => "TESTKIT_REDIS",
        }
    }

    /// The environment variable with the URL of a server that runs already.
    #[must_use]
    pub const fn url_variable(self) -> &'static str {
        match self {
            Self::Postgres => "TESTKIT_POSTGRES_URL",
            Self::MySql => "TESTKIT_MYSQL_URL",
            Self::Redis => "TESTKIT_REDIS_URL",
        }
    }

    /// The environment variable with the file of the authority that vouches for that server.
    #[must_use]
    pub const fn authority_variable(self) -> &'static str {
        match self {
            Self::Postgres => "TESTKIT_POSTGRES_CA",
            Self::MySql => "TESTKIT_MYSQL_CA",
            Self::Redis => "TESTKIT_REDIS_CA",
        }
    }

    /// The product that is tested if none is named.
    pub(super) const fn first_product(self) -> Product {
        match self {
            Self::Postgres => Product::Postgres15,
            Self::MySql => Product::MariaDb,
            Self::Redis => Product::Redis,
        }
    }

    /// The scheme of its URLs.
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Redis => "redis",
        }
    }
}
