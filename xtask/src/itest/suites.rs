//! Which tests run against which servers and beside which receivers: those of each driver, the load
//! tester's with it, the monitor's, those of health. A new driver is a row here, and a new server a word in
//! one.

use clap::ValueEnum;
use pool_testkit::receivers::Tool;
use pool_testkit::servers::Product;

/// What is tested with programs of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Subject {
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
    /// What pool-monitor tells, as collectors, Prometheus and mail servers receive it.
    Monitor,
    /// How pool-loadtest's pages look in a browser.
    Page,
    /// What pool-health says while something befalls a server, and what users of a pool see.
    Health,
    /// Processes that share a server's connections, while some are killed, stopped and sent away.
    Fleet,
}

/// The tests of a subject in one package.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) subject: Subject,
    pub(super) package: &'static str,
    /// Each run of the tests.
    pub(super) runs: &'static [Run],
}

/// One run of these tests.
#[derive(Debug)]
pub(super) struct Run {
    /// All of them run meanwhile.
    pub(super) servers: &'static [Product],
    /// They are there; the tests start them.
    pub(super) receivers: &'static [Tool],
    /// Only the tests that have one of these words in their names; all, if there is none.
    pub(super) only: &'static [&'static str],
}

const fn against(servers: &'static [Product]) -> Run {
    Run { servers, receivers: &[], only: &[] }
}

const fn only(only: &'static [&'static str], servers: &'static [Product]) -> Run {
    Run { servers, receivers: &[], only }
}

/// What `itest` runs, in this order.
pub(super) const SUITES: [Suite; 12] = [
    Suite { subject: Subject::Fake, package: "pool-testkit", runs: &[only(&["conformance"], &[])] },
    Suite { subject: Subject::Sqlite, package: "pool-sqlite", runs: &[against(&[])] },
    Suite {
        subject: Subject::Postgres,
        package: "pool-postgres",
        runs: &[
            against(&[Product::Postgres15]),
            against(&[Product::Postgres18]),
            // Its sessions are not the client's own, which most tests take for granted.
            only(&["conformance", "pgbouncer"], &[Product::PgBouncer]),
        ],
    },
    Suite {
        subject: Subject::Postgres,
        package: "pool-loadtest",
        runs: &[only(&["on_servers::postgres"], &[Product::Postgres15])],
    },
    Suite {
        subject: Subject::Mysql,
        package: "pool-mysql",
        runs: &[against(&[Product::MariaDb]), against(&[Product::MySql])],
    },
    Suite {
        subject: Subject::Mysql,
        package: "pool-loadtest",
        runs: &[
            only(&["on_servers::mysql"], &[Product::MariaDb]),
            only(&["on_servers::mysql"], &[Product::MySql]),
        ],
    },
    Suite {
        subject: Subject::Deadpool,
        package: "pool-deadpool",
        runs: &[against(&[Product::Postgres15, Product::Redis])],
    },
    Suite {
        subject: Subject::Monitor,
        package: "pool-monitor",
        runs: &[Run {
            servers: &[Product::Postgres15, Product::MariaDb],
            receivers: &Tool::RECEIVERS,
            only: &[],
        }],
    },
    Suite {
        subject: Subject::Monitor,
        package: "pool-loadtest",
        runs: &[Run {
            servers: &[],
            receivers: &[Tool::Rotel, Tool::Prometheus],
            only: &["on_receivers"],
        }],
    },
    Suite {
        subject: Subject::Page,
        package: "pool-loadtest",
        runs: &[Run { servers: &[], receivers: &[Tool::Chromium], only: &["in_a_browser"] }],
    },
    Suite {
        subject: Subject::Health,
        package: "pool-health",
        runs: &[only(&["under_faults"], &[Product::Postgres15, Product::MariaDb])],
    },
    Suite {
        subject: Subject::Fleet,
        package: "pool-loadtest",
        runs: &[
            only(&["fleet::postgres"], &[Product::Postgres15]),
            only(&["fleet::mysql"], &[Product::MariaDb]),
            only(&["fleet::pgbouncer"], &[Product::PgBouncer]),
        ],
    },
];

impl Suite {
    /// Whether its tests need programs of others: servers or receivers.
    pub(super) fn needs_others(&self) -> bool {
        self.runs.iter().any(|run| !run.servers.is_empty() || !run.receivers.is_empty())
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
            [] if self.receivers.is_empty() => "-".to_owned(),
            [] if self.receivers == [Tool::Chromium] => "browser".to_owned(),
            [] => "receivers".to_owned(),
            servers => servers.iter().map(|server| server.name()).collect::<Vec<_>>().join(" + "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_a_suite() {
        let mut subjects = vec![Subject::All];
        subjects.extend(SUITES.iter().map(|suite| suite.subject));
        subjects.dedup();
        assert_eq!(subjects, Subject::value_variants());
    }
}
