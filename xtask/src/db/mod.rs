//! `cargo xtask db ...`: the servers of the tests, by hand.
//!
//! Here is what each subcommand says; the process that keeps servers running is in `keeper`.

mod keeper;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use pool_testkit::receivers::Tool;
use pool_testkit::servers::{Fetching, Finding, Product, cache, look_for};

/// Start servers for tests and stop them, or see which could be started.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start servers that run until `db down`, PostgreSQL 15 and MariaDB if none is named.
    Up(Wanted),
    /// Stop them and remove their data.
    Down,
    /// Print the settings with which tests use them, for the shell: eval "$(cargo xtask db env)".
    Env,
    /// Say of each server, of each receiver of telemetry and of the browser, whether it is there, and what
    /// would bring it.
    Doctor,
    /// Be the process that keeps them running; `up` starts it.
    #[command(hide = true)]
    Keep(Wanted),
}

/// Which servers.
#[derive(Debug, Args)]
struct Wanted {
    #[arg(value_name = "SERVER")]
    servers: Vec<Product>,
    /// Fetch nothing: what is neither installed nor in the cache is missing.
    #[arg(long)]
    offline: bool,
}

impl Wanted {
    fn fetching(&self) -> Fetching {
        if self.offline { Fetching::Forbidden } else { Fetching::default() }
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let ran = match &arguments.action {
        Action::Up(wanted) => up(wanted),
        Action::Down => down(),
        Action::Env => environment(),
        Action::Doctor => doctor(),
        Action::Keep(wanted) => keeper::keep(&wanted.servers, wanted.fetching()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn up(wanted: &Wanted) -> Result<()> {
    let servers = match &wanted.servers[..] {
        [] => &[Product::Postgres15, Product::MariaDb][..],
        named => named,
    };
    keeper::start(servers, wanted.offline)?;
    println!("for tests to use them: eval \"$(cargo xtask db env)\"");
    println!("to stop them: cargo xtask db down");
    Ok(())
}

fn down() -> Result<()> {
    let word = if keeper::stop()? { "stopped" } else { "no server is up" };
    println!("{word}");
    Ok(())
}

fn environment() -> Result<()> {
    let Some(kept) = keeper::kept()? else {
        bail!("no server is up; start some with `cargo xtask db up`");
    };
    for (name, value) in kept.settings {
        println!("export {name}='{value}'");
    }
    Ok(())
}

/// Fails if a server is missing that can be had everywhere, a receiver or the browser.
fn doctor() -> Result<()> {
    let mut lacking = Vec::new();
    println!("cache: {}", cache().display());
    for product in Product::ALL {
        let command = format!("cargo xtask db up {product}");
        if !is_to_be_had(product.name(), look_for(product), &command) && !product.is_best_effort() {
            lacking.push(product.name());
        }
    }
    for tool in Tool::ALL {
        let suite = if tool == Tool::Chromium { "page" } else { "monitor" };
        let command = format!("cargo xtask itest --suite {suite}");
        if !is_to_be_had(tool.name(), tool.look_for(), &command) {
            lacking.push(tool.name());
        }
    }
    if lacking.is_empty() { Ok(()) } else { bail!("lacking {}", lacking.join(" and ")) }
}

/// Says what was found; `command` fetches it.
fn is_to_be_had(name: &str, finding: Finding, command: &str) -> bool {
    match finding {
        Finding::Present(path) => println!("{name:<23} {}", path.display()),
        Finding::Fetchable(what) => println!("{name:<23} not here; `{command}` fetches {what}"),
        Finding::Missing { why, remedy } => {
            println!("{name:<23} CANNOT BE HAD: {why}; {remedy}");
            return false;
        }
        other => println!("{name:<23} {other:?}"),
    }
    true
}
