//! Which driver's tests run against which servers, and the load tester's with that driver. A new driver is
//! a row here, and a new server a word in one.

use clap::ValueEnum;
use pool_testkit::servers::Product;

/// A driver of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Driver {
    /// Each of them.
    All,
    /// The scripted driver of pool-testkit.
    Fake,
    /// The driver of pool-sqlite.
    Sqlite,
    /// The driver of pool-postgres.
    Postgres,
    /// The driver of pool-mysql, for MariaDB, too.
    Mysql,
    /// The managers of other pools that pool-deadpool adapts.
    Deadpool,
}

/// A driver's tests.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) driver: Driver,
    pub(super) package: &'static str,
    /// Each run of the tests.
    pub(super) runs: &'static [Run],
}

/// One run of a driver's tests.
#[derive(Debug)]
pub(super) struct Run {
    /// All of them run meanwhile.
    pub(super) servers: &'static [Product],
    /// Only the tests that have one of these words in their names; all, if there is none.
    pub(super) only: &'static [&'static str],
}

const fn against(servers: &'static [Product]) -> Run {
    Run { servers, only: &[] }
}

/// What `itest` runs, in this order.
pub(super) const SUITES: [Suite; 7] = [
    Suite {
        driver: Driver::Fake,
        package: "pool-testkit",
        runs: &[Run { servers: &[], only: &["conformance"] }],
    },
    Suite { driver: Driver::Sqlite, package: "pool-sqlite", runs: &[against(&[])] },
    Suite {
        driver: Driver::Postgres,
        package: "pool-postgres",
        runs: &[
            against(&[Product::Postgres15]),
            against(&[Product::Postgres18]),
            // Its sessions are not the client's own, which most tests take for granted.
            Run { servers: &[Product::PgBouncer], only: &["conformance", "pgbouncer"] },
        ],
    },
    Suite {
        driver: Driver::Postgres,
        package: "pool-loadtest",
        runs: &[Run { servers: &[Product::Postgres15], only: &["on_servers::postgres"] }],
    },
    Suite {
        driver: Driver::Mysql,
        package: "pool-mysql",
        runs: &[against(&[Product::MariaDb]), against(&[Product::MySql])],
    },
    Suite {
        driver: Driver::Mysql,
        package: "pool-loadtest",
        runs: &[
            Run { servers: &[Product::MariaDb], only: &["on_servers::mysql"] },
            Run { servers: &[Product::MySql], only: &["on_servers::mysql"] },
        ],
    },
    Suite {
        driver: Driver::Deadpool,
        package: "pool-deadpool",
        runs: &[against(&[Product::Postgres15, Product::Redis])],
    },
];

impl Suite {
    /// Whether its tests need servers.
    pub(super) fn needs_servers(&self) -> bool {
        self.runs.iter().any(|run| !run.servers.is_empty())
    }

    /// Whether all tests of its package are among them.
    pub(super) fn is_whole(&self) -> bool {
        self.runs.iter().any(|run| run.only.is_empty())
    }
}

impl Run {
    /// How it is called in the matrix.
    pub(super) fn name(&self) -> String {
        match self.servers {
            [] => "-".to_owned(),
            servers => servers.iter().map(|server| server.name()).collect::<Vec<_>>().join(" + "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_has_a_suite() {
        let mut drivers = vec![Driver::All];
        drivers.extend(SUITES.iter().map(|suite| suite.driver));
        drivers.dedup();
        assert_eq!(drivers, Driver::value_variants());
    }
}
