//! `cargo xtask bench sizing`: how many connections are right for three databases, measured by the load
//! tester itself, and written into `docs/sizing.md` with its plots.
//!
//! Each database is searched by `tune`, and then swept with the size that was found among the others:
//! `tune` has to come within 5 % of the best, in at most half of the time that the sweep takes without
//! that size. `-- --quick` tries whether it works, and writes nothing.

mod page;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use self::page::Measured;
use crate::child;
use crate::page::filled;

const PAGE: &str = "docs/sizing.md";

/// A database, and the work that is done on it.
pub(crate) struct Subject {
    /// What the page calls it.
    pub(crate) title: &'static str,
    /// What files are called after it.
    pub(crate) name: &'static str,
    start: Option<&'static str>,
    workload: &'static str,
    /// The largest pool that is tried.
    most: u32,
}

const SUBJECTS: [Subject; 3] = [
    Subject { title: "SQLite", name: "sqlite", start: None, workload: "bank", most: 32 },
    Subject {
        title: "PostgreSQL",
        name: "postgres",
        start: Some("postgres"),
        workload: "tpcb-like",
        most: 64,
    },
    Subject {
        title: "MariaDB",
        name: "mariadb",
        start: Some("mariadb"),
        workload: "tpcb-like",
        most: 64,
    },
];

/// How long each run is.
struct Extent {
    duration: &'static str,
    repeats: &'static str,
    is_quick: bool,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let is_quick = match arguments {
        [] => false,
        [only] if only == "--quick" => true,
        _ => bail!("unknown: {}; allowed: nothing, or --quick", arguments.join(" ")),
    };
    let (duration, repeats) = if is_quick { ("300ms", "1") } else { ("3s", "3") };
    let extent = Extent { duration, repeats, is_quick };
    child::run(&mut child::cargo(&["build", "--release", "--package", "pool-loadtest"]))?;
    let mut measured = Vec::new();
    for subject in &SUBJECTS {
        println!("\n== {}", subject.title);
        measured.push(measure(subject, &extent)?);
    }
    let tables = measured.iter().map(Measured::in_markdown).collect::<Result<Vec<_>>>()?.concat();
    println!("\n{tables}");
    if is_quick {
        println!("quick: nothing was judged or written");
        return Ok(());
    }
    let path = child::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    fs::write(&path, filled(&page, "sizing", &tables)?)?;
    println!("written: {PAGE}, docs/plots/sizing-*.svg");
    let missed: Vec<_> = measured.iter().flat_map(Measured::missed).collect();
    if missed.is_empty() { Ok(()) } else { bail!("missed: {}", missed.join("; ")) }
}

fn measure(subject: &'static Subject, extent: &Extent) -> Result<Measured> {
    let mut tune = program();
    tune.args(["tune", "--most", &subject.most.to_string()]);
    let tune = report(tune, subject, extent)?;
    let sizes = sizes(subject.most, page::recommended(&tune));
    let mut sweep = program();
    sweep.args(["sweep", &format!("max_open={sizes}"), "--repeats", extent.repeats]);
    if !extent.is_quick {
        sweep.arg("--output-file").arg(plot(subject));
    }
    let sweep = report(sweep, subject, extent)?;
    Ok(Measured { subject, sweep, tune })
}

/// The sizes a sweep would try by itself, and the one that was found.
fn sizes(most: u32, found: Option<u64>) -> String {
    let mut sizes: Vec<_> = doubling(most).chain(found).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// One, two, four and so on up to a power of two.
fn doubling(most: u32) -> impl Iterator<Item = u64> {
    (0..=most.ilog2()).map(|power| 1 << power)
}

/// The plot of a sweep.
fn plot(subject: &Subject) -> PathBuf {
    child::root().join(format!("docs/plots/sizing-{}.svg", subject.name))
}

/// The load tester, as a user has it.
pub(crate) fn program() -> Command {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Command::new(child::root().join(target).join("release/pool-loadtest"))
}

/// Runs it under the load of a subject, and reads its JSON. Its progress is shown.
fn report(mut command: Command, subject: &Subject, extent: &Extent) -> Result<Value> {
    let tasks = subject.most.to_string();
    command.args(["--workload", subject.workload, "--tasks", &tasks]);
    command.args(["--duration", extent.duration, "--output", "json"]);
    if let Some(server) = subject.start {
        command.args(["--start", server]);
    }
    let printed = child::read(&mut command)?;
    serde_json::from_str(&printed).context("the load tester printed no JSON")
}
