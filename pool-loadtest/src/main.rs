//! The program `pool-loadtest`; everything is in the library's `cli`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pool_loadtest::cli::main()
}
