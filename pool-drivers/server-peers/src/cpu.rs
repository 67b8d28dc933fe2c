//! Processor time, ours and the server's: of all figures the one that other programs on the machine
//! disturb least.

use std::fs;

/// Processor time so far, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) ours: f64,
    pub(crate) server: f64,
}

/// A kernel's tick, whatever its own clock: what `/proc` counts in on every architecture that Rust
/// runs on.
const MICROS_A_TICK: f64 = 10_000.0;

impl Cpu {
    /// Of this process, and of a server and the processes that it started.
    pub(crate) fn now(server: u32) -> Self {
        let mut cpu = Self { ours: 0.0, server: 0.0 };
        for entry in fs::read_dir("/proc").expect("Linux") {
            let path = entry.expect("readable").path().join("stat");
            let Ok(stat) = fs::read_to_string(&path) else { continue };
            let Some((pid, parent, ticks)) = parse(&stat) else { continue };
            if pid == std::process::id() {
                cpu.ours = ticks * MICROS_A_TICK;
            } else if pid == server || parent == server {
                cpu.server += ticks * MICROS_A_TICK;
            }
        }
        cpu
    }

    /// What was spent since `before`, for each of `turns`.
    pub(crate) fn since(self, before: Self, turns: usize) -> Self {
        let each = |now: f64, before: f64| (now - before) / turns as f64;
        Self { ours: each(self.ours, before.ours), server: each(self.server, before.server) }
    }
}

/// Process, parent and ticks in a line of `/proc/PID/stat`.
fn parse(stat: &str) -> Option<(u32, u32, f64)> {
    // The program's name, in parentheses, may hold anything.
    let (pid, rest) = stat.split_once(" (")?;
    let fields: Vec<_> = rest.rsplit_once(") ")?.1.split(' ').collect();
    let [user, system] = [11, 12].map(|at| fields.get(at)?.parse::<f64>().ok());
    Some((pid.parse().ok()?, fields.get(1)?.parse().ok()?, user? + system?))
}
