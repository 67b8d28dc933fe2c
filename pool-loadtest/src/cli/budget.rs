//! `pool-loadtest budget`: how many connections of a server each replica may have.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use pool_core::{ControlHandle, Pool, PoolConfig, PoolOptions, Problem, Resolved};
use schemars::JsonSchema;
use serde::Serialize;

use super::Failure;
use super::arguments::SettingsArguments;
use super::on_database::{self, Place, Work};
use super::run::usage;
use super::start::StartArguments;
use super::target::Target;
use crate::budget::{Sharing, share};
use crate::database::Database;
use crate::report::{BudgetReport, ReportKind, SCHEMA_VERSION, database};
use crate::words::paragraph;

/// Most replicas there may be.
const MOST: usize = 1_000_000;

#[derive(Debug, Args)]
pub(crate) struct BudgetArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    #[command(flatten)]
    start: StartArguments,
    #[arg(long, value_name = "NUMBER", value_parser = replicas, help = REPLICAS)]
    #[arg(default_value = "1", allow_hyphen_values = true)]
    replicas: usize,
    /// Connections kept for others, beside those that the server keeps for administrators.
    #[arg(long, value_name = "NUMBER", value_parser = number, default_value = "0")]
    #[arg(allow_hyphen_values = true)]
    reserve: usize,
    /// Further replicas that a rolling deployment starts before it stops others.
    #[arg(long, value_name = "NUMBER", value_parser = number, default_value = "0")]
    #[arg(allow_hyphen_values = true)]
    surge: usize,
    /// How to print the budget.
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Form,
}

pub(super) const REPLICAS: &str = "Replicas of the application, each with a pool of its own";

/// What `budget --help` says at its end.
pub(super) const ABOUT: &str = "\
Whose connections they are, PostgreSQL tells by application_name, MySQL by program_name: name
the application in the URL, and what its replicas have open does not count as others'.

Exit codes:
  0    max_open fits in all replicas, or there is no limit
  1    the server cannot be asked
  2    the command line makes no sense
  3    max_open does not fit";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Reads a number of replicas.
pub(super) fn replicas(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from 1 to {MOST}"))
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| format!("allowed: a whole number from 0 to {MOST}"))
}

/// Asks the server, and prints what fits.
///
/// # Errors
///
/// [`Failure::Missed`] if what the pool may open does not fit; [`Failure::Run`] if the server cannot
/// be asked.
pub(crate) fn budget(arguments: &BudgetArguments) -> Result<(), Failure> {
    let mut target = Target::read(&arguments.settings, |sources| sources);
    let own = arguments.start.calm();
    if own.is_none() && !target.names_url() {
        let allowed = "the URL of a server, such as postgres://USER:PASSWORD@HOST/DATABASE, or \
                       --start postgres";
        target.object(vec![Problem::invalid("--url", "", "a budget is of a server", allowed)]);
    }
    on_database::run(target, own, Ask(arguments))
}

struct Ask<'a>(&'a BudgetArguments);

impl Work for Ask<'_> {
    fn check<D: Database + Clone>(&self, _: &D, _: &PoolConfig) -> Result<(), Failure> {
        Ok(())
    }

    async fn on<D: Database + Clone>(
        self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<(), Failure> {
        let answer = tokio::select! {
            answer = self.answer(place, driver, resolved) => answer?,
            () = place.stopped.wait() => return Err(Failure::Interrupted),
        };
        answer.print(self.0.output).map_err(Failure::Run)?;
        match answer.budget {
            Some(budget) if !budget.fits => Err(Failure::Missed(anyhow!("{}", answer.misses))),
            _ => Ok(()),
        }
    }
}

impl Ask<'_> {
    async fn answer<D: Database + Clone>(
        &self,
        place: &Place,
        driver: D,
        resolved: Resolved,
    ) -> Result<Answer, Failure> {
        let name = place.name().unwrap_or_else(|| database(&driver));
        let system = driver.metadata().system_name.into_owned();
        let config = resolved.config().clone();
        let sharing = Sharing {
            replicas: self.0.replicas,
            surge: self.0.surge,
            reserve: self.0.reserve,
            max_open: config.max_open,
            own: 1,
        };
        // It opens none of its own: it is asked on a connection beside it.
        let pool = Pool::new(driver, PoolOptions::from(config));
        let pool = pool.map_err(|error| Failure::Run(error.into()))?;
        match ask(&pool.control(), sharing).await {
            Ok(budget) => Ok(Answer::new(name, system, budget)),
            Err(NoBudget::Refused(problem)) => Err(usage(problem.into())),
            Err(NoBudget::Unanswered(error)) => {
                Err(Failure::Run(error.context(format!("cannot ask the database {name}"))))
            }
        }
    }
}

/// Why there is no budget.
#[derive(Debug)]
pub(super) enum NoBudget {
    /// What is to be shared makes no sense.
    Refused(Problem),
    /// The server could not be asked.
    Unanswered(anyhow::Error),
}

/// Asks the server on a connection outside the pool; `None` if it has no limit on connections.
pub(super) async fn ask(
    pool: &ControlHandle,
    sharing: Sharing,
) -> Result<Option<BudgetReport>, NoBudget> {
    if !pool.capabilities().capacity {
        return Ok(None);
    }
    let probe = pool.probe().await;
    let mut probe = probe.map_err(|error| NoBudget::Unanswered(error.into()))?;
    match probe.capacity().await {
        None => Ok(None),
        Some(Ok(capacity)) => share(&capacity, sharing).map(Some).map_err(NoBudget::Refused),
        Some(Err(error)) => Err(NoBudget::Unanswered(anyhow::Error::new(error))),
    }
}

/// What is printed.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Answer {
    /// Version of this form.
    schema_version: u32,
    /// What kind of report this is: `budget`.
    kind: ReportKind,
    /// The database system: `postgresql` ...
    system: String,
    /// The database's file or name.
    database: String,
    /// Absent if there is no limit.
    budget: Option<BudgetReport>,
    /// The same in words.
    detail: String,
    #[serde(skip)]
    misses: String,
}

impl Answer {
    fn new(database: String, system: String, budget: Option<BudgetReport>) -> Self {
        let detail = match &budget {
            Some(budget) => budget.detail.clone(),
            None => format!("{system} has no limit on connections, so any max_open fits"),
        };
        let misses = format!("{database}: max_open does not fit in all replicas");
        let kind = ReportKind::Budget;
        Self { schema_version: SCHEMA_VERSION, kind, system, database, budget, detail, misses }
    }

    fn print(&self, form: Form) -> anyhow::Result<()> {
        let text = match form {
            Form::Json => serde_json::to_string_pretty(self)? + "\n",
            Form::Text => self.text()?,
        };
        let mut out = stdout();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print the budget")
    }

    fn text(&self) -> anyhow::Result<String> {
        let mut text = format!("{}, {}\n\n", self.system, self.database);
        paragraph(&mut text, "budget", &self.detail)?;
        if let Some(most) = self.budget.as_ref().map(|budget| budget.max_open_each)
            && most > 0
        {
            let forms = [
                (format!("max_open = {most}"), "in the table [pool] of a TOML file"),
                (format!("POOL_MAX_OPEN={most}"), "in the environment"),
                (format!("pool_max_open={most}"), "as a parameter of the URL"),
            ];
            text.push('\n');
            for (number, (form, place)) in forms.iter().enumerate() {
                let label = if number == 0 { "to set" } else { "" };
                writeln!(text, "{label:<12}{form:<20}{place}")?;
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_make_no_sense_say_what_is_allowed() {
        assert_eq!((replicas("1"), number("0")), (Ok(1), Ok(0)));
        for (refused, words) in [
            (replicas("0"), "from 1 to 1000000"),
            (replicas("-1"), "from 1 to 1000000"),
            (replicas("many"), "from 1 to 1000000"),
            (number("1000001"), "from 0 to 1000000"),
        ] {
            assert!(refused.is_err_and(|error| error.contains(words)), "{words}");
        }
    }

    #[test]
    fn a_database_without_a_limit_has_no_budget_and_says_so() {
        let answer = Answer::new("orders.db".to_owned(), "sqlite".to_owned(), None);
        let expected = "sqlite, orders.db\n\nbudget      sqlite has no limit on connections, so any \
                        max_open fits\n";
        assert_eq!(answer.text().expect("text"), expected);
    }
}
