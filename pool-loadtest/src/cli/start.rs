//! `--start`: a server of the command's own, and which.

use clap::{Args, ValueEnum};

use crate::scenario::Fault;

const START: &str = "Start a private server for this, and remove it at the end";
const START_LONG: &str = "\
Start a private, throw-away server on loopback for this, and remove it at the end, on Linux.
What is not installed is fetched into a cache ($TESTKIT_CACHE), this once";

/// Whether a command has a server of its own.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct StartArguments {
    #[arg(long, value_name = "SERVER", help = START, long_help = START_LONG, conflicts_with = "url")]
    pub(crate) start: Option<Product>,
}

impl StartArguments {
    /// The server, to which nothing will happen.
    pub(super) fn calm(self) -> Option<OwnSetup> {
        self.start.map(|product| OwnSetup { product, fault: None })
    }
}

/// A server that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Product {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
    /// Oracle's MySQL.
    Mysql,
}

impl Product {
    /// A URL of the form that its server will have, to look at the settings before it is there.
    pub(super) const fn url(self) -> &'static str {
        match self {
            Self::Postgres => "postgres://pool@127.0.0.1:5432/loadtest",
            Self::Mariadb | Self::Mysql => "mysql://pool@127.0.0.1:3306/loadtest",
        }
    }
}

/// A server to start, and what will befall it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnSetup {
    pub(super) product: Product,
    pub(super) fault: Option<Fault>,
}
