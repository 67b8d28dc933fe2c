//! Each receiver receives what is sent to it, tells it, and ends with its process.

mod collector;
mod http;
mod mail;
mod prometheus;
mod runner;
mod webhook;

use std::fs;

/// Whether the process `pid` is there and has not ended.
fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After a name in brackets. Where nobody reaps orphans, they stay as zombies.
    let state = status.rsplit_once(") ").map(|(_, state)| state);
    state.is_some_and(|state| !state.starts_with('Z'))
}
