//! Runs the measurements, each in a process of its own, in alternating order.

use std::collections::BTreeMap;
use std::env;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::contender::Who;
use crate::results::Results;
use crate::shape::Shape;

/// A pool that hangs for so long does not come back.
const HANGS_AFTER: Duration = Duration::from_mins(1);

/// Measures every contender of these shapes in each round. What fails is in the results, too.
///
/// # Errors
///
/// Ours cannot be measured, or the program that counts not be built.
pub(crate) fn run(shapes: &[Shape], rounds: u32, quick: bool) -> Result<Results> {
    if shapes.contains(&Shape::Memory) {
        let status = building_counting().status().context("cannot start cargo")?;
        ensure!(status.success(), "cannot build what counts ({status})");
    }
    let mut results = Results::default();
    for round in 0..rounds {
        for shape in shapes {
            eprintln!("round {} of {rounds}: {}", round + 1, shape.title());
            for who in order(shape.contenders(), round) {
                let measured = measured(*shape, who, round, quick);
                if who == Who::Ours
                    && let Err(error) = measured
                {
                    return Err(error.context(format!("{who}, {}", shape.key())));
                }
                let measured = measured.map_err(|error| format!("{error:#}"));
                if let Err(why) = &measured {
                    eprintln!("{who}, {}: {why}", shape.key());
                }
                results.add(*shape, who, measured);
            }
        }
    }
    Ok(results)
}

/// No contender always follows the same other.
fn order(contenders: &[Who], round: u32) -> Vec<Who> {
    let mut order = contenders.to_vec();
    order.rotate_left(round as usize % contenders.len());
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

fn measured(shape: Shape, who: Who, round: u32, quick: bool) -> Result<BTreeMap<String, f64>> {
    let mut command = match shape {
        Shape::Memory => {
            let name = format!("counting{}", env::consts::EXE_SUFFIX);
            Command::new(env::current_exe()?.with_file_name(name))
        }
        _ => {
            let mut timing = Command::new(env::current_exe()?);
            timing.arg("measure");
            timing
        }
    };
    command.args([&shape.key(), &who.key(), "--round", &round.to_string()]);
    if quick {
        command.arg("--quick");
    }
    serde_json::from_slice(&printed(&mut command, HANGS_AFTER)?).context("it printed no figures")
}

/// Cargo builds only the program it was asked to run. The one that counts is built before anything is
/// measured, beside this one.
fn building_counting() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--bin", "counting"]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    // Where this program is, two folders up.
    if let Some(target) = env::current_exe().iter().find_map(|path| path.parent()?.parent()) {
        cargo.arg("--target-dir").arg(target);
    }
    // What cargo said of this package to this process: build scripts that look at the same names
    // would run again, and compile C.
    let said = env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    for name in said {
        cargo.env_remove(name);
    }
    cargo
}

/// What the command prints; one that is not done in time is killed.
fn printed(command: &mut Command, within: Duration) -> Result<Vec<u8>> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut stdout = child.stdout.take().expect("bug: it is piped");
    // It ends when the process does, which nobody has to ask again and again for: that would be
    // measured, too.
    let (ended, has_ended) = mpsc::channel();
    thread::spawn(move || {
        let mut printed = Vec::new();
        let read = stdout.read_to_end(&mut printed);
        // Nobody listens any more if it took too long.
        let _ = ended.send(read.map(|_| printed));
    });
    let printed = has_ended.recv_timeout(within);
    if printed.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let printed = printed.map_err(|_| anyhow!("it was not done after {within:?}"))?;
    ensure!(status.success(), "it failed ({status})");
    Ok(printed?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_prints_is_read() {
        let printed = printed(Command::new("echo").arg("figures"), HANGS_AFTER);
        assert_eq!(printed.expect("done"), b"figures\n");
    }

    #[test]
    fn a_process_that_hangs_is_killed() {
        // It waits for its input, which this test holds.
        let mut hangs = Command::new("cat");
        let error = printed(hangs.stdin(Stdio::piped()), Duration::from_millis(50));
        assert_eq!(error.expect_err("never done").to_string(), "it was not done after 50ms");
    }

    #[test]
    fn figures_of_a_process_that_fails_do_not_count() {
        let error = printed(Command::new("sh").args(["-c", "echo figures; exit 3"]), HANGS_AFTER);
        assert_eq!(error.expect_err("failed").to_string(), "it failed (exit status: 3)");
    }
}
