//! What a benchmark prints: medians with their spread, beside a peer's of the same run.
//!
//! A figure alone says little on another machine; its ratio to a peer measured in alternating
//! rounds says much. How a round is measured is the benchmark's own business.

use std::process::ExitCode;

/// The rounds of one contender.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    median: f64,
    least: f64,
    most: f64,
}

impl Figure {
    /// The figure of these rounds, in whatever unit they were measured.
    ///
    /// # Panics
    ///
    /// Without a round.
    #[must_use]
    pub fn new(mut rounds: Vec<f64>) -> Self {
        assert!(!rounds.is_empty(), "a figure needs a round");
        rounds.sort_by(f64::total_cmp);
        let last = rounds.len() - 1;
        let median = f64::midpoint(rounds[last / 2], rounds[last.div_ceil(2)]);
        Self { median, least: rounds[0], most: rounds[last] }
    }

    /// The round in the middle; of an even number, the mean of the two.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.median
    }

    /// The round with the smallest figure.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.least
    }

    /// The round with the largest figure.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.most
    }
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Target<'a> {
    /// At most so many times the peer's figure.
    AtMostTimes(f64, &'a str, &'a Figure),
    /// At least so many times the peer's figure.
    AtLeastTimes(f64, &'a str, &'a Figure),
    /// At least this value.
    AtLeast(f64),
    /// At most this value.
    AtMost(f64),
    /// None: it is there to be compared with.
    None,
}

/// A benchmark's report on standard output.
#[derive(Debug)]
pub struct Report {
    missed: usize,
}

impl Report {
    /// Prints the machine and the number of alternating rounds.
    #[must_use]
    pub fn new(rounds: usize) -> Self {
        println!("{}", machine());
        println!("median of {rounds} alternating rounds [least .. most]");
        Self { missed: 0 }
    }

    /// Prints a heading: what is measured, in which unit, and which way is better.
    pub fn section(&self, title: &str) {
        println!("\n{title}");
    }

    /// Prints one figure, and whether it reached its target.
    pub fn figure(&mut self, name: &str, figure: &Figure, target: Target<'_>) {
        let Figure { median, least, most } = figure;
        print!("  {name:<46} {median:>8.2} [{least:.2} .. {most:.2}]");
        self.held_against(*median, target);
    }

    /// Prints a value that needs no rounds, such as a count of bytes.
    pub fn count(&mut self, name: &str, value: u64, at_most: u64) {
        print!("  {name:<46} {value:>8}");
        self.held_against(value as f64, Target::AtMost(at_most as f64));
    }

    fn held_against(&mut self, value: f64, target: Target<'_>) {
        let (reached, words) = match target {
            Target::AtMostTimes(most, name, peer) => {
                let ratio = value / peer.median;
                (ratio <= most, format!("{ratio:.2} x, target at most {most:.2} x {name}"))
            }
            Target::AtLeastTimes(least, name, peer) => {
                let ratio = value / peer.median;
                (ratio >= least, format!("{ratio:.2} x, target at least {least:.2} x {name}"))
            }
            Target::AtMost(most) => (value <= most, format!("target at most {most}")),
            Target::AtLeast(least) => (value >= least, format!("target at least {least}")),
            Target::None => return println!(),
        };
        self.missed += usize::from(!reached);
        println!("  {words}: {}", if reached { "reached" } else { "MISSED" });
    }

    /// Prints the sum of it; a failure if a target was missed.
    #[must_use]
    pub fn finish(self) -> ExitCode {
        match self.missed {
            0 => {
                println!("\nevery target reached");
                ExitCode::SUCCESS
            }
            missed => {
                println!("\n{missed} targets missed");
                ExitCode::FAILURE
            }
        }
    }
}

/// System, cores and processor, in a line.
#[must_use]
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    format!("{system}, {cores} cores, {}", processor())
}

/// The processor's name, where the system tells it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| "processor unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Least, median and most, in halves: whole numbers.
    fn halves(rounds: &[f64]) -> [u64; 3] {
        let figure = Figure::new(rounds.to_vec());
        [figure.least(), figure.median(), figure.most()].map(|value| (value * 2.0) as u64)
    }

    #[test]
    fn the_median_is_the_round_in_the_middle() {
        assert_eq!(halves(&[9.0, 1.0, 4.0]), [2, 8, 18]);
        assert_eq!(halves(&[3.0]), [6, 6, 6]);
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_is_the_mean_of_the_two_in_the_middle() {
        assert_eq!(halves(&[8.0, 1.0, 2.0, 5.0]), [2, 7, 16]);
        assert_eq!(halves(&[2.0, 1.0]), [2, 3, 4]);
    }
}
