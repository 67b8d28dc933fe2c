//! Runs the measurements, each in a process of its own, in alternating order.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::contender::Who;
use crate::results::Results;
use crate::shape::Shape;

/// Measures every contender of these shapes in each round.
///
/// # Errors
///
/// Ours cannot be measured. A peer that fails has no figure.
pub(crate) fn run(shapes: &[Shape], rounds: u32, quick: bool) -> Result<Results> {
    let mut results = Results::default();
    for round in 0..rounds {
        for shape in shapes {
            eprintln!("round {} of {rounds}: {}", round + 1, shape.title());
            for who in order(shape.contenders(), round) {
                let sample = measured(*shape, who, round, quick);
                let context = || format!("{who}, {}", shape.key());
                let sample = match sample.with_context(context) {
                    Err(error) if who == Who::Ours => return Err(error),
                    Err(error) => {
                        eprintln!("{error:#}");
                        None
                    }
                    Ok(sample) => Some(sample),
                };
                results.add(*shape, who, sample);
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
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["measure", &shape.key(), &who.key(), "--round", &round.to_string()]);
    if quick {
        command.arg("--quick");
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "it failed ({})", output.status);
    serde_json::from_slice(&output.stdout).context("it printed no figures")
}
