//! The machine and the programs that were measured.

use std::fs;
use std::process::Command;
use std::time::Instant;

use pool_testkit::measure;

/// Described before anything is measured.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) hardware: String,
    pub(crate) kernel: String,
    pub(crate) compiler: String,
    pub(crate) commit: String,
    /// Of others, as the kernel counts it.
    pub(crate) load_before: String,
    /// The largest single cost in most pools.
    pub(crate) clock_read_nanos: f64,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let load = read("/proc/loadavg");
        Self {
            hardware: measure::machine(),
            kernel: read("/proc/sys/kernel/osrelease"),
            compiler: printed("rustc", &["--version"]),
            commit: printed("git", &["describe", "--always", "--dirty"]),
            load_before: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            clock_read_nanos: clock_read_nanos(),
        }
    }
}

/// The version of a package that was built in.
pub(crate) fn version_of(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = include_str!("../Cargo.lock").split_once(&name)?;
    Some(rest.split_once('"')?.0)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let here = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(program).args(arguments).current_dir(here).output();
    let output = output.ok().filter(|output| output.status.success());
    let printed = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    printed.unwrap_or_else(|| "unknown".to_owned())
}

fn clock_read_nanos() -> f64 {
    const READS: u32 = 100_000;
    let started = Instant::now();
    for _ in 0..READS {
        std::hint::black_box(Instant::now());
    }
    started.elapsed().as_nanos() as f64 / f64::from(READS)
}
