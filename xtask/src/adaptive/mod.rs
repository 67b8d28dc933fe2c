//! `cargo xtask bench adaptive`: what a pool that adapts itself finds, measured by the load tester and
//! written into `docs/adaptive.md` with its plots.
//!
//! First alone: fixed sizes against the tuner, which starts too small and too large, under loads from 30 %
//! to 130 % of what the best fixed size does. Then eight processes on a small server: joining and leaving,
//! and all of them under more than the server can do, with few connections each and with tuners.
//! `-- --quick` tries whether it works, and writes nothing.

mod alone;
mod together;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use pool_testkit::servers::{Database, Product, Server, Setup};
use serde_json::Value;

use crate::child;
use crate::page::{filled, wrapped};

const PAGE: &str = "docs/adaptive.md";
/// Where plots are drawn.
const PLOTS: &str = "target/bench-adaptive";
/// The statements of the load.
const SQL: &str = "xtask/src/adaptive/load.sql";
/// The rows that they update.
const TABLE: &str = "create table adaptive_hot (id integer primary key, done bigint not null);
    insert into adaptive_hot select id, 0 from generate_series(1, 4) id;";
/// Tasks of a closed loop: more than the largest pool.
const TASKS: &str = "128";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let is_quick = match arguments {
        [] => false,
        [only] if only == "--quick" => true,
        _ => bail!("unknown: {}; allowed: nothing, or --quick", arguments.join(" ")),
    };
    child::run(&mut child::cargo(&["build", "--release", "--package", "pool-loadtest"]))?;
    let plots = child::root().join(PLOTS);
    if plots.exists() {
        fs::remove_dir_all(&plots)?;
    }
    fs::create_dir_all(&plots)?;
    println!("\n== alone");
    let alone = alone::measure(is_quick)?;
    println!("\n== together");
    let together = together::measure(is_quick, alone.capacity())?;
    let missed: Vec<_> = alone.missed().into_iter().chain(together.missed()).collect();
    let tables = alone.in_markdown() + &together.in_markdown() + &verdict(&missed);
    println!("\n{tables}");
    if is_quick {
        println!("quick: nothing was judged or written");
        return Ok(());
    }
    let path = child::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let page = filled(&page, "adaptive", &tables)?;
    publish_plots()?;
    fs::write(&path, page)?;
    println!("written: {PAGE}, docs/plots/adaptive-*.svg");
    if missed.is_empty() { Ok(()) } else { bail!("missed: {}", missed.join("; ")) }
}

/// What was asked for, and what of it was not reached.
fn verdict(missed: &[String]) -> String {
    let missed = match missed {
        [] => "Nothing of that was missed".to_owned(),
        missed => format!("Missed in this run: {}", missed.join("; ")),
    };
    let text = format!(
        "Asked for were, of a tuner alone, {:.0} % of the best fixed size's throughput and no 99th \
         percentile above {:.1} times its own; of eight members, {:.0} % of the best of those without a \
         tuner, a floor within {:.0} s, and shares within {:.0} % or one connection of fair ones. {missed}.",
        alone::THROUGHPUT * 100.0,
        alone::RESPONSE,
        together::THROUGHPUT * 100.0,
        together::WAIT,
        together::FAIR * 100.0,
    );
    format!("\n### Against what was asked for\n\n{}\n", wrapped(&text))
}

/// A PostgreSQL that takes so many connections, with a database.
struct Ground {
    database: Database,
    _server: Server,
}

impl Ground {
    fn new(max_connections: u16) -> Result<Self> {
        let setup = Setup { max_connections, ..Setup::new(Product::Postgres15) };
        let server = Server::start_as(setup)?;
        let database = server.database("adaptive")?;
        // Beforehand: members of a fleet that start together would all create it.
        database.run(TABLE)?;
        Ok(Self { database, _server: server })
    }

    /// The load tester on this database. Its URL, which has a password, is on no command line.
    fn program(&self, command: &str) -> Command {
        let mut program = crate::sizing::program();
        program.args([command, "--workload", "custom", "--sql"]).arg(child::root().join(SQL));
        program.env("POOL_URL", self.database.url());
        program
    }
}

/// Runs it and reads its JSON. Its progress is shown.
fn report(command: &mut Command) -> Result<Value> {
    let printed = child::read(command.args(["--output", "json"]))?;
    serde_json::from_str(&printed).context("the load tester printed no JSON")
}

/// The same of a run that may be more than its pool can do: it is reported, and fails.
fn report_even_if_too_much(command: &mut Command) -> Result<Value> {
    const TOO_MUCH: i32 = 1;
    let output = command.args(["--output", "json"]).stderr(Stdio::inherit()).output()?;
    match output.status.code() {
        Some(0 | TOO_MUCH) => serde_json::from_slice(&output.stdout)
            .context("the load tester printed no JSON; why is above"),
        _ => bail!("the load tester failed: {}", output.status),
    }
}

/// The file of a plot, until all of them are there: plots of two runs are not to stand side by side.
fn plot(name: &str) -> PathBuf {
    child::root().join(PLOTS).join(format!("adaptive-{name}.svg"))
}

fn publish_plots() -> Result<()> {
    for plot in fs::read_dir(child::root().join(PLOTS))? {
        let plot = plot?;
        fs::copy(plot.path(), child::root().join("docs/plots").join(plot.file_name()))?;
    }
    Ok(())
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn millis(micros: Option<f64>) -> String {
    micros.map_or_else(|| "-".to_owned(), |micros| format!("{:.1} ms", micros / 1e3))
}
