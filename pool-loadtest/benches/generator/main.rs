//! What the load generator itself costs, and whether its comparisons can be trusted:
//! `cargo xtask bench loadtest`.
//!
//! Three questions: what the generator adds to an operation that does nothing; whether its memory stays
//! what it was; how often two runs of the same load compare as unchanged, and one that is a tenth slower
//! as regressed. A target that is missed makes the exit status 1. `-- pairs` measures that alone, as do
//! `overhead` and `memory`.

mod figure;
mod memory;
mod overhead;
mod pairs;

use std::process::ExitCode;

use self::figure::Figure;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// As `cargo test` runs benchmarks: does it work at all?
    Test,
    /// A minute, for a first look.
    Quick,
    /// A quarter of an hour, and what is published.
    Full,
}

/// What can be measured alone, by its name.
type Question = (&'static str, fn(Extent) -> Vec<Figure>);

fn main() -> ExitCode {
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let extent = match (has("--bench"), has("--quick")) {
        (false, _) => Extent::Test,
        (true, true) => Extent::Quick,
        (true, false) => Extent::Full,
    };
    let questions: [Question; 3] =
        [("overhead", overhead::measure), ("memory", memory::measure), ("pairs", pairs::measure)];
    let all = !questions.iter().any(|(name, _)| has(name));
    let asked = questions.iter().filter(|(name, _)| all || has(name));
    let figures: Vec<_> = asked.flat_map(|(_, measure)| measure(extent)).collect();
    println!("| figure | reached | spread | asked |\n|---|---|---|---|");
    for figure in &figures {
        println!("{figure}");
    }
    let is_missed = extent == Extent::Full && figures.iter().any(Figure::is_missed);
    if is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
