//! `--workload`: what the load consists of, and what is wrong with how it was asked for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use humantime::format_duration;
use pool_core::{Problem, may_hold_password, parse_duration};

use crate::database::Database;
use crate::workloads::{
    Bank, Chosen, Custom, LongTransactions, MOST_BYTES, MOST_SCALE, Mix, PointRead, SqlFileError,
    TpcbLike,
};

/// How long a transaction may be held: well below what operations may go on for after the end of a
/// load, so that none is dropped for it.
const LONGEST_HOLD: Duration = Duration::from_secs(2);
const DEFAULT_SCALE: u32 = 1;
const DEFAULT_SLOW: u8 = 5;
const DEFAULT_HOLD: Duration = Duration::from_millis(10);

const SQL: &str = "The file of --workload custom";
const SQL_LONG: &str = "\
The file of --workload custom: SQL, which comments divide into sections.

    -- set id = uniform(1, 1000)
    -- setup
    create table shop (id integer primary key, sold bigint not null);
    -- name: look weight=9
    select sold from shop where id = :id;
    -- name: buy
    update shop set sold = sold + 1 where id = :id;
    -- verify
    select count(*) from shop where sold < 0;
    -- teardown
    drop table shop;

-- name: KIND begins a kind of operation, which is drawn as often as its weight says; one
statement is done by itself, several are one transaction. :NAME is what -- set NAME says,
drawn once for each operation and sent beside the statement: uniform(LEAST, MOST),
zipf(LEAST, MOST, EXPONENT), sequence(FIRST), choice('a', 'b', 3) or text(LENGTH). The
questions of -- verify must be answered with 0, or in PostgreSQL with true. Before the load
each kind is tried out once, in a transaction that is rolled back";

#[derive(Debug, Default, Args)]
pub(crate) struct WorkloadArguments {
    /// What the load consists of.
    #[arg(long, value_name = "NAME", default_value = "bank")]
    workload: Name,
    /// How many branches --workload tpcb-like has, each with 100 000 accounts [default: 1].
    #[arg(long, value_name = "NUMBER", value_parser = scale, allow_hyphen_values = true)]
    scale: Option<u32>,
    /// How many of a hundred operations of --workload mix are slow [default: 5].
    #[arg(long, value_name = "PERCENT", value_parser = slow, allow_hyphen_values = true)]
    slow: Option<u8>,
    /// How long --workload long-transactions waits in each [default: 10ms].
    #[arg(long, value_name = "TIME", value_parser = hold, allow_hyphen_values = true)]
    hold: Option<Duration>,
    #[arg(long, value_name = "PATH", help = SQL, long_help = SQL_LONG)]
    sql: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Reads of balances and transfers between accounts, whose sum must not change.
    #[default]
    Bank,
    /// One row by its primary key out of 100 000.
    PointRead,
    /// The transaction of pgbench, on accounts, tellers, branches and a history.
    TpcbLike,
    /// Point reads, and a few that take 20 to 50 times as long.
    Mix,
    /// Transactions that are held open while nothing is asked of the database.
    LongTransactions,
    /// The statements of a file (--sql).
    Custom,
}

/// What was asked for, with what is needed to make it as often as a command runs a load.
#[derive(Debug)]
pub(crate) enum Plan {
    Bank,
    PointRead,
    TpcbLike { scale: u32 },
    Mix { slow: u8 },
    LongTransactions { hold: Duration },
    Custom { name: String, bytes: Vec<u8> },
}

impl WorkloadArguments {
    /// Finds out what is to be done, and everything that is wrong with it. Reads the file of a custom
    /// workload, which blocks, but not what it says: that depends on the database.
    pub(crate) fn read(&self) -> (Plan, Vec<Problem>) {
        let mut problems = self.misplaced();
        let plan = match self.workload {
            Name::Bank => Plan::Bank,
            Name::PointRead => Plan::PointRead,
            Name::TpcbLike => Plan::TpcbLike { scale: self.scale.unwrap_or(DEFAULT_SCALE) },
            Name::Mix => Plan::Mix { slow: self.slow.unwrap_or(DEFAULT_SLOW) },
            Name::LongTransactions => {
                Plan::LongTransactions { hold: self.hold.unwrap_or(DEFAULT_HOLD) }
            }
            Name::Custom => match self.sql.as_deref().map(file) {
                Some(Ok((name, bytes))) => Plan::Custom { name, bytes },
                refused => {
                    let none = || Problem::invalid("--sql", "", "not given", "a file of SQL");
                    problems.push(refused.and_then(Result::err).unwrap_or_else(none));
                    Plan::Bank
                }
            },
        };
        (plan, problems)
    }

    /// Options of other workloads.
    fn misplaced(&self) -> Vec<Problem> {
        let misplaced = |option: &str, value: Option<String>, of: Name| {
            let value = value.filter(|_| self.workload != of)?;
            let of = of.to_possible_value().expect("bug: none is skipped");
            let (why, allowed) =
                ("of another workload", format!("with --workload {}", of.get_name()));
            Some(Problem::invalid(option, value, why, allowed))
        };
        [
            misplaced("--scale", self.scale.map(|scale| scale.to_string()), Name::TpcbLike),
            misplaced("--slow", self.slow.map(|slow| slow.to_string()), Name::Mix),
            misplaced(
                "--hold",
                self.hold.map(|hold| format_duration(hold).to_string()),
                Name::LongTransactions,
            ),
            misplaced("--sql", self.sql.as_deref().map(shown), Name::Custom),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Plan {
    /// Makes the workload for a kind of database, with tables that no other has.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file of a custom one.
    pub(crate) fn workload<D: Database>(&self) -> Result<Chosen<D>, SqlFileError> {
        Ok(match self {
            Self::Bank => Chosen::Bank(Bank::new()),
            Self::PointRead => Chosen::PointRead(PointRead::new()),
            Self::TpcbLike { scale } => Chosen::TpcbLike(TpcbLike::new(*scale)),
            Self::Mix { slow } => Chosen::Mix(Mix::new(*slow)),
            Self::LongTransactions { hold } => {
                Chosen::LongTransactions(LongTransactions::new(*hold))
            }
            Self::Custom { name, bytes } => Chosen::Custom(Custom::read(name, bytes)?),
        })
    }
}

/// What messages call a file, and what it holds: at most one byte more than it may.
fn file(path: &Path) -> Result<(String, Vec<u8>), Problem> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok((shown(path), bytes)),
        Err(error) => {
            let why = format!("cannot be read: {error}");
            Err(Problem::invalid("--sql", shown(path), why, "a file of SQL"))
        }
    }
}

/// A path for messages, unless it may hold a password.
fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    if may_hold_password(&path) { "the SQL file".to_owned() } else { path }
}

fn scale(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_SCALE).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from 1 to {MOST_SCALE}"))
}

fn slow(text: &str) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| *number <= 100);
    number.ok_or_else(|| "allowed: a whole number from 0 to 100".to_owned())
}

fn hold(text: &str) -> Result<Duration, String> {
    parse_duration(text).filter(|hold| *hold <= LONGEST_HOLD).ok_or_else(|| {
        format!("allowed: a duration up to {}, such as 10ms", format_duration(LONGEST_HOLD))
    })
}
