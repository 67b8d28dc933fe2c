//! `cargo xtask bench`. What it counts, a second program of this package counts for it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    pool_peers::run()
}
