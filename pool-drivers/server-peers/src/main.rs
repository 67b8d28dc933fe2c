//! Our drivers on real servers beside raw connections and the peers' pools: `cargo xtask bench
//! servers`.
//!
//! Contenders alternate round by round, and each is compared with what the raw connections did in
//! the same round. It exits with 1 if a target is missed.
#![forbid(unsafe_code)]

mod contender;
mod cpu;
mod mysql;
mod outage;
mod postgres;
mod table;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use pool_core::{Driver, Pool, PoolConfig};
use pool_testkit::measure::Report;
use pool_testkit::servers::{Family, Server, chosen};
use tokio::runtime::{Builder, Runtime};

/// Measures the drivers on real servers, which are started for it, beside their peers.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench servers --")]
struct Arguments {
    /// Only this; may be given several times.
    #[arg(long)]
    only: Vec<Section>,
    /// How often each contender is measured.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u8).range(5..=99))]
    rounds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// A prepared `SELECT 1` on PostgreSQL.
    Postgres,
    /// The same on MariaDB or MySQL.
    Mysql,
    /// A server killed and started again, and one that hangs.
    Outages,
}

/// As many of each as the peers were measured with.
const CONNECTIONS: usize = 8;
const TASKS: usize = 64;

fn main() -> ExitCode {
    let Arguments { only, rounds } = Arguments::parse();
    let is_chosen = |section| only.is_empty() || only.contains(&section);
    let mut report = Report::new(rounds.into());
    if is_chosen(Section::Postgres) {
        let server = start(Family::Postgres);
        let contenders = runtime().block_on(postgres::measured(&server, rounds));
        postgres::judge(&contenders, &mut report);
    }
    if is_chosen(Section::Mysql) {
        let server = start(Family::MySql);
        let contenders = runtime().block_on(mysql::measured(&server, rounds));
        mysql::judge(&contenders, &mut report);
    }
    if is_chosen(Section::Outages) {
        outage::measure(&mut report);
    }
    report.finish()
}

/// A server of our own, of the product that the environment names or else the usual one.
fn start(family: Family) -> Server {
    let server = chosen(family).and_then(Server::start).unwrap_or_else(|error| panic!("{error}"));
    println!("\n{}", server.access().product);
    server
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A pool whose connections are all open.
async fn full_pool<D: Driver>(driver: D) -> Pool<D> {
    let config = PoolConfig {
        max_open: CONNECTIONS,
        max_idle: CONNECTIONS,
        min_idle: CONNECTIONS,
        ..PoolConfig::default()
    };
    let pool = Pool::open(driver, config).await.expect("the server answers");
    pool.warm_up(CONNECTIONS, pool.config().connect_timeout).await.expect("there is room");
    pool
}
