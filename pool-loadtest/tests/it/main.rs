//! The load tester as a library on the scripted driver, and as a program on SQLite and on
//! real servers.

mod arrivals;
mod changes;
#[cfg(feature = "cli")]
mod command_line;
#[cfg(feature = "cli")]
mod compare;
#[cfg(feature = "cli")]
mod files;
#[cfg(all(feature = "monitor", feature = "start", target_os = "linux"))]
mod fleet;
#[cfg(feature = "cli")]
mod forms;
#[cfg(all(
    feature = "monitor",
    feature = "mysql",
    feature = "postgres",
    feature = "start",
    target_os = "linux"
))]
mod guide;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod in_a_browser;
#[cfg(feature = "cli")]
mod objectives;
#[cfg(all(feature = "monitor", target_os = "linux"))]
mod on_receivers;
#[cfg(all(feature = "mysql", feature = "postgres"))]
mod on_servers;
mod open_loop;
#[cfg(all(feature = "cli", unix))]
mod partial;
mod phases;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod rates;
#[cfg(feature = "cli")]
mod scenarios;
#[cfg(all(feature = "start", target_os = "linux"))]
mod scenarios_on_servers;
#[cfg(feature = "cli")]
mod schemas;
#[cfg(all(feature = "start", target_os = "linux"))]
mod searches_on_servers;
#[cfg(feature = "cli")]
mod shells;
#[cfg(all(feature = "cli", unix))]
mod signals;
#[cfg(all(feature = "cli", unix))]
mod sources;
mod stalls;
#[cfg(feature = "cli")]
mod sweep;
#[cfg(all(feature = "cli", unix))]
mod terminal;
mod tester;
#[cfg(feature = "cli")]
mod tune;
#[cfg(feature = "monitor")]
mod watched;
#[cfg(feature = "cli")]
mod while_it_runs;
#[cfg(feature = "cli")]
mod workloads;
#[cfg(all(feature = "mysql", feature = "postgres"))]
mod workloads_on_servers;
