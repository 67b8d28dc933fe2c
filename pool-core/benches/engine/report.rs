//! Medians, spreads and targets, printed.

use std::process::ExitCode;

/// The rounds of one pool.
pub(crate) struct Figure {
    median: f64,
    least: f64,
    most: f64,
}

impl Figure {
    pub(crate) fn new(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let [least, median, most] = [0, rounds.len() / 2, rounds.len() - 1].map(|i| rounds[i]);
        Self { median, least, most }
    }
}

/// A bound on the ratio to a peer of the same run.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64, &'static str),
    AtLeast(f64, &'static str),
}

pub(crate) struct Report {
    missed: usize,
}

impl Report {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        println!("{system}, {cores} cores, {}", processor());
        println!("median of {} alternating rounds [least .. most]", crate::shapes::ROUNDS);
        Self { missed: 0 }
    }

    pub(crate) fn section(title: &str) {
        println!("\n{title}");
    }

    pub(crate) fn compare(
        &mut self,
        name: &str,
        figure: &Figure,
        target: Option<(&Figure, Target)>,
    ) {
        let Figure { median, least, most } = figure;
        print!("  {name:<46} {median:>8.2} [{least:.2} .. {most:.2}]");
        let Some((peer, target)) = target else { return println!() };
        let ratio = median / peer.median;
        let (reached, words) = match target {
            Target::AtMost(most, peer) => (ratio <= most, format!("at most {most:.2} x {peer}")),
            Target::AtLeast(least, peer) => {
                (ratio >= least, format!("at least {least:.2} x {peer}"))
            }
        };
        println!("  {ratio:.2} x, target {words}: {}", self.verdict(reached));
    }

    pub(crate) fn at_least(&mut self, name: &str, figure: &Figure, target: Option<f64>) {
        let Figure { median, least, most } = figure;
        print!("  {name:<46} {median:>8.2} [{least:.2} .. {most:.2}]");
        match target {
            Some(target) => {
                let verdict = self.verdict(*median >= target);
                println!("  target at least {target:.2}: {verdict}");
            }
            None => println!(),
        }
    }

    pub(crate) fn at_most(&mut self, name: &str, value: u64, target: u64) {
        let verdict = self.verdict(value <= target);
        println!("  {name:<46} {value:>8}  target at most {target}: {verdict}");
    }

    pub(crate) fn exactly(&mut self, name: &str, value: u64, target: u64) {
        let verdict = self.verdict(value == target);
        println!("  {name:<46} {value:>8}  target {target}: {verdict}");
    }

    fn verdict(&mut self, reached: bool) -> &'static str {
        self.missed += usize::from(!reached);
        if reached { "reached" } else { "MISSED" }
    }

    pub(crate) fn finish(self) -> ExitCode {
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

/// The processor's name, where the system tells it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| "processor unknown".to_owned())
}
