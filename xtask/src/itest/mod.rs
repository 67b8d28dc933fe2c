//! `cargo xtask itest`: the tests of the drivers, and of the load tester with them, each against every
//! server it is for; those of the monitor beside what receives its telemetry; those of health while
//! something befalls servers, of which it prints a table.
//!
//! Here is what runs and against what; which tests go with which servers is in `suites`, how servers
//! and receivers start in pool-testkit.

mod count;
mod faults;
mod matrix;
mod suites;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use pool_testkit::receivers::Tool;
use pool_testkit::servers::{
    Access, Fetching, OFFLINE_VARIABLE, Product, Server, ServerError, Setup, chosen, provide,
    shared,
};
use pool_testkit::{FAULTS_VARIABLE, NOT_TRIED_VARIABLE};

use self::count::Count;
use self::faults::Table;
use self::matrix::{Cell, Matrix, Outcome};
use self::suites::{Run, SUITES, Subject, Suite};
use crate::child;
use crate::plugin::NEXTEST;

/// Run the drivers' tests against real servers, the monitor's beside real receivers of telemetry, and
/// those of health on servers that something befalls; all of these are started for them.
#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Only the tests of this driver, or of this part of the project; without it, all of them.
    #[arg(long, value_name = "NAME", visible_alias = "driver")]
    suite: Option<Subject>,
    /// Only against this server; may be given several times.
    #[arg(long, value_name = "NAME")]
    server: Vec<Product>,
    /// Against a server that runs already, by its URL; with --server it is said to be that.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A server that is missing is a failure, even one that cannot be had everywhere.
    #[arg(long)]
    require: bool,
    /// Leave the servers running after the tests, until enter is pressed.
    #[arg(long)]
    keep: bool,
    /// Fetch nothing: what is neither installed nor in the cache is missing.
    #[arg(long)]
    offline: bool,
}

impl Arguments {
    /// Whether it is a failure if `product` is missing.
    fn requires(&self, product: Product, in_ci: bool) -> bool {
        // With a server named, nothing runs that is not against it.
        let is_named = !self.server.is_empty();
        let names_suite = self.suite.is_some_and(|subject| subject != Subject::All);
        self.require || is_named || ((in_ci || names_suite) && !product.is_best_effort())
    }
}

/// The packages whose tests need servers or receivers.
pub(crate) fn packages_with_others() -> Vec<&'static str> {
    let suites = SUITES.iter().filter(|suite| suite.needs_others() && suite.is_whole());
    suites.map(|suite| suite.package).collect()
}

/// In other packages, what the names of tests have in common that need such.
pub(crate) fn tests_with_others() -> Vec<&'static str> {
    let suites = SUITES.iter().filter(|suite| suite.needs_others() && !suite.is_whole());
    let mut words: Vec<_> =
        suites.flat_map(|suite| suite.runs).flat_map(|run| run.only).copied().collect();
    words.dedup();
    words
}

/// Fetches what servers and receivers are not there, and says which are missing.
pub(crate) fn provide_others() {
    for product in Product::ALL {
        if let Err(error) = provide(product) {
            println!("NOTE: {:#}", anyhow::Error::from(error));
        }
    }
    for tool in Tool::ALL {
        if let Err(error) = tool.provide(Fetching::default()) {
            println!("NOTE: {:#}", anyhow::Error::from(error));
        }
    }
}

/// All tests that need servers or receivers, as `ci` runs them.
pub(crate) fn run_with_others() -> Result<()> {
    let chosen = SUITES.iter().filter(|suite| suite.needs_others());
    let arguments = Arguments::default();
    let mut runner = Runner { in_ci: true, ..Runner::new(&arguments)? };
    let matrix = runner.run_all(chosen)?;
    println!("\n{matrix}");
    ensure!(!matrix.has_failed(), "tests against servers failed");
    Ok(())
}

/// Runs what was chosen, whether or not something failed before.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match run_chosen(arguments) {
        Ok(matrix) if !matrix.has_failed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_chosen(arguments: &Arguments) -> Result<Matrix> {
    let mut runner = Runner::new(arguments)?;
    let subject = arguments.suite.unwrap_or(Subject::All);
    let chosen = SUITES.iter().filter(|suite| [Subject::All, suite.subject].contains(&subject));
    let matrix = runner.run_all(chosen)?;
    println!("\n{matrix}");
    if arguments.keep {
        runner.keep()?;
    }
    Ok(matrix)
}

/// Starts each server once, and runs tests against it.
struct Runner<'a> {
    arguments: &'a Arguments,
    started: BTreeMap<Product, Server>,
    given: Option<Access>,
    /// A missing server is a failure, unless it cannot be had everywhere.
    in_ci: bool,
}

impl<'a> Runner<'a> {
    fn new(arguments: &'a Arguments) -> Result<Self> {
        let given =
            arguments.url.as_deref().map(|url| given(url, &arguments.server)).transpose()?;
        let in_ci = env::var_os("CI").is_some();
        Ok(Self { arguments, started: BTreeMap::new(), given, in_ci })
    }

    fn run_all(&mut self, suites: impl Iterator<Item = &'static Suite>) -> Result<Matrix> {
        let mut matrix = Matrix::default();
        for suite in suites {
            for run in suite.runs {
                if !self.is_chosen(run) {
                    continue;
                }
                println!("\n== {} on {}", suite.package, run.name());
                let outcome = self.outcome(suite, run).unwrap_or_else(|error| {
                    println!("FAILED: {error:#}");
                    Outcome::Failed(format!("{error:#}"))
                });
                if let Outcome::Skipped(why) = &outcome {
                    println!("SKIPPED: {why}");
                }
                matrix.cells.push(Cell { servers: run.name(), suite: suite.package, outcome });
            }
        }
        ensure!(!matrix.cells.is_empty(), "no test of this suite runs against this server");
        Ok(matrix)
    }

    /// With a server named or given, nothing runs that is not against it.
    fn is_chosen(&self, run: &Run) -> bool {
        match &self.given {
            Some(given) => run.servers.contains(&given.product),
            None => {
                let named = &self.arguments.server;
                named.is_empty() || run.servers.iter().any(|server| named.contains(server))
            }
        }
    }

    fn outcome(&mut self, suite: &Suite, run: &Run) -> Result<Outcome> {
        for tool in run.receivers {
            tool.provide(self.fetching())?;
        }
        let mut servers = Vec::new();
        for product in run.servers {
            match self.access(*product) {
                Ok(access) => servers.push(access),
                Err(error @ ServerError::Missing { .. })
                    if !self.arguments.requires(*product, self.in_ci) =>
                {
                    return Ok(Outcome::Skipped(error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Compiling is no part of how long the tests take.
        child::run(&mut test_command(suite, run, &["--no-run"]))?;
        // Of this run alone: the cache is shared with others, which may go on at the same time.
        let told = tempfile::tempdir().context("cannot create a folder for what tests tell")?;
        let [not_tried, faults] = ["not-tried", "faults"].map(|name| told.path().join(name));
        let mut tests = test_command(suite, run, &[]);
        direct(&mut tests, &servers);
        tests.env(NOT_TRIED_VARIABLE, &not_tried).env(FAULTS_VARIABLE, &faults);
        if self.arguments.offline {
            tests.env(OFFLINE_VARIABLE, "1");
        }
        let started = Instant::now();
        let (succeeded, printed) = child::run_and_watch(&mut tests)?;
        let took = started.elapsed();
        let count = count::count(&printed).context("the tests did not come to their end")?;
        ensure!(succeeded || count.failed > 0, "the test runner failed");
        ensure!(count != Count::default(), "no test ran");
        let lines = fs::read_to_string(&not_tried).unwrap_or_default();
        let not_tried = lines.lines().map(str::to_owned).collect();
        if suite.subject == Subject::Health {
            let table = Table::read(&faults);
            println!("\n{table}");
            // Of one whose test has failed nothing was told.
            let missing = table.missing().join(", ");
            ensure!(count.failed > 0 || missing.is_empty(), "no test told of: {missing}");
        }
        Ok(Outcome::Ran { count, not_tried, took })
    }

    fn fetching(&self) -> Fetching {
        if self.arguments.offline { Fetching::Forbidden } else { Fetching::default() }
    }

    /// The server of the URL, if it is `product`.
    fn given(&self, product: Product) -> Option<&Access> {
        self.given.as_ref().filter(|given| given.product == product)
    }

    /// How `product` is reached, which is started if it is not running yet.
    fn access(&mut self, product: Product) -> Result<Access, ServerError> {
        if let Some(given) = self.given(product) {
            return Ok(given.clone());
        }
        let family = product.family();
        if env::var_os(family.url_variable()).is_some() && chosen(family)? == product {
            return shared(family);
        }
        if let Some(server) = self.started.get(&product) {
            return Ok(server.access().clone());
        }
        let started = Instant::now();
        let server = Server::start_as(Setup { fetching: self.fetching(), ..Setup::new(product) })?;
        let access = server.access().clone();
        println!("{product} listens on {} ({:.1} s)", access.port, started.elapsed().as_secs_f64());
        self.started.insert(product, server);
        Ok(access)
    }

    /// Leaves the servers to the user for a while.
    fn keep(&self) -> Result<()> {
        println!();
        for (product, server) in &self.started {
            let access = server.access();
            println!("{product}: {}", access.url(&access.first_database));
        }
        println!("press enter to stop them");
        io::stdin().read_line(&mut String::new()).context("nobody there to press enter")?;
        Ok(())
    }
}

/// The server behind `url`, which is what was named, or its protocol's first.
fn given(url: &str, named: &[Product]) -> Result<Access> {
    let access = |product: &Product| Access::given(*product, url, "--url");
    match named {
        [] => Product::ALL.iter().find_map(|product| access(product).ok()).context(
            "the URL in --url is not user:password@host:port/database after postgres://, mysql:// \
             or redis://",
        ),
        [product] => Ok(access(product)?),
        [_, _, ..] => bail!("--url is one server; name one with --server"),
    }
}

/// The tests of a run, with nextest where it is.
fn test_command(suite: &Suite, run: &Run, options: &[&str]) -> Command {
    let package = ["--package", suite.package, "--all-features"];
    if NEXTEST.is_present() {
        let mut command = NEXTEST.command(&["run", "--color", "never"]);
        command.args(package).args(options);
        if options.is_empty() {
            command.arg("--no-fail-fast");
        }
        let names: Vec<_> = run.only.iter().map(|word| format!("test({word})")).collect();
        if !names.is_empty() {
            command.args(["--filterset", &names.join(" | ")]);
        }
        command
    } else {
        // Asked for certain targets, it would not build the examples that tests run.
        let mut command = child::cargo(&["test", "--no-fail-fast"]);
        command.args(package).args(options).arg("--").args(run.only);
        command
    }
}

/// Has `tests` run against `servers`.
fn direct(tests: &mut Command, servers: &[Access]) {
    for server in servers {
        // That of `db env` vouches for its own server only, which has brought it along if it is this.
        tests.env_remove(server.product.family().authority_variable());
    }
    for server in servers {
        tests.envs(server.environment());
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{OsStr, OsString};

    use super::*;

    #[test]
    fn a_package_whose_other_tests_need_no_server_is_named_by_its_tests() {
        assert_eq!(
            packages_with_others(),
            ["pool-postgres", "pool-mysql", "pool-deadpool", "pool-monitor"]
        );
        let words = [
            "on_servers::postgres",
            "on_servers::mysql",
            "on_receivers",
            "in_a_browser",
            "under_faults",
            "fleet::postgres",
            "fleet::mysql",
            "fleet::pgbouncer",
        ];
        assert_eq!(tests_with_others(), words);
    }

    #[test]
    fn what_was_named_is_required_and_in_ci_what_can_be_had_everywhere() {
        let nothing = Arguments::default;
        let named = Arguments { server: vec![Product::MySql], ..nothing() };
        let suite = |subject| Arguments { suite: Some(subject), ..nothing() };
        let strict = Arguments { require: true, ..nothing() };
        let on = |arguments: &Arguments, in_ci| {
            [Product::Postgres15, Product::Postgres18, Product::MariaDb, Product::MySql]
                .map(|product| arguments.requires(product, in_ci))
        };
        assert_eq!(on(&nothing(), false), [false; 4]);
        assert_eq!(on(&suite(Subject::All), false), [false; 4]);
        assert_eq!(on(&suite(Subject::Mysql), false), [true, false, true, false]);
        assert_eq!(on(&nothing(), true), [true, false, true, false]);
        assert_eq!(on(&strict, false), [true; 4]);
        assert!(named.requires(Product::MySql, false));
    }

    #[test]
    fn the_authority_of_another_server_is_not_inherited() {
        let authority = |server| {
            let mut tests = Command::new("tests");
            direct(&mut tests, &[server]);
            let name = OsStr::new("TESTKIT_POSTGRES_CA");
            let mut set = tests.get_envs();
            set.find_map(|(variable, value)| (variable == name).then(|| value.map(OsString::from)))
        };
        let plain = given("postgres://me:secret@there:5432/test", &[]).expect("valid");
        assert_eq!(authority(plain.clone()), Some(None), "removed");
        let vouched = Access { authority: Some("/its/authority.pem".into()), ..plain };
        assert_eq!(authority(vouched), Some(Some("/its/authority.pem".into())));
    }

    #[test]
    fn a_url_is_for_every_run_with_its_server_and_for_that_alone() {
        let [deadpool, pool_mysql] = ["pool-deadpool", "pool-mysql"].map(|package| {
            let mut suites = SUITES.iter();
            &suites.find(|suite| suite.package == package).expect("a suite").runs[0]
        });
        for (url, own, other) in [
            ("postgres://me:secret@there:5432/test", Product::Postgres15, Product::Redis),
            ("redis://me:secret@there:6379/0", Product::Redis, Product::Postgres15),
        ] {
            let arguments = Arguments { url: Some(url.to_owned()), ..Arguments::default() };
            let runner = Runner::new(&arguments).expect("valid");
            assert!(runner.is_chosen(deadpool) && !runner.is_chosen(pool_mysql), "{own}");
            assert_eq!(runner.given(own).map(|access| access.product), Some(own));
            assert!(runner.given(other).is_none(), "{other} is started");
        }
    }

    #[test]
    fn a_url_is_of_the_server_that_was_named_or_of_its_protocol_s_first() {
        let product = |url, named: &[Product]| given(url, named).map(|access| access.product);
        let url = "mysql://me:secret@there:3306/test";
        assert_eq!(product(url, &[]).expect("valid"), Product::MariaDb);
        assert_eq!(product(url, &[Product::MySql]).expect("valid"), Product::MySql);
        let error = product(url, &[Product::Postgres15]).expect_err("another protocol");
        assert_eq!(
            error.to_string(),
            "the URL in --url is not postgres://user:password@host:port/database"
        );
        let error = product("mysql://me:secret@there/test", &[]).expect_err("no port");
        assert!(error.to_string().contains("mysql://"), "{error}");
    }
}
