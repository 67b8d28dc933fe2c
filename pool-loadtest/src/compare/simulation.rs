//! How often a comparison is right, on simulated runs whose seconds follow from each other.
//!
//! The method was chosen on other simulations, of another generator with other seeds.

use fastrand::Rng;

use super::{Comparison, ComparisonVerdict};
use crate::report::{LoadModel, Point, Report};
use crate::samples;

/// How a simulated run varies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// By how much seconds differ, as a share.
    pub(super) noise: f64,
    /// How much each follows from the one before.
    pub(super) alike: f64,
    pub(super) seconds: usize,
}

pub(super) const STEADY: Server = Server { noise: 0.03, alike: 0.5, seconds: 30 };

/// Pairs of runs of each server.
const PAIRS: u64 = 400;
/// One in twenty of them.
const SELDOM: usize = 20;
/// What one in twenty comes to in 39 of 40 such simulations at most.
const BY_CHANCE: usize = 28;

fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// What follows from the value before, as much as said.
fn next(before: f64, alike: f64, rng: &mut Rng) -> f64 {
    alike * before + (1.0 - alike.powi(2)).sqrt() * normal(rng)
}

impl Server {
    /// A run that is so many times as slow.
    pub(super) fn run(self, slower: f64, rng: &mut Rng) -> Report {
        let (mut state, mut tail) = (normal(rng), normal(rng));
        let mut report = samples::report();
        report.series = (0..self.seconds)
            .map(|second| {
                state = next(state, self.alike, rng);
                tail = next(tail, 0.6 * self.alike, rng);
                let slow = slower * (1.0 + self.noise * state);
                Point {
                    at_seconds: second as f64 + 1.0,
                    operations: (20_000.0 / slow) as u64,
                    errors: 0,
                    response_p50: Some(800.0 * slow),
                    response_p99: Some(9_000.0 * slow * (4.0 * self.noise * tail).exp()),
                    ..report.series[0].clone()
                }
            })
            .collect();
        report
    }

    /// The standard error of the difference of two means.
    fn error(self) -> f64 {
        let worth = self.seconds as f64 * (1.0 - self.alike) / (1.0 + self.alike);
        self.noise * (2.0 / worth).sqrt()
    }

    /// Whether it can be told that a second run is a tenth slower: the difference is so many errors.
    fn is_calm(self) -> bool {
        self.error() <= 0.02
    }

    /// The verdicts on runs of which the second is so many times as slow: how many are this one, and how
    /// many are none.
    fn judged(self, slower: f64, right: ComparisonVerdict) -> (usize, usize) {
        let verdict = |seed: u64| {
            let mut rng = Rng::with_seed(1_000_000 + seed);
            let (before, after) = (self.run(1.0, &mut rng), self.run(slower, &mut rng));
            Comparison::of(&before, &after).verdict
        };
        let verdicts: Vec<_> = (0..PAIRS).map(verdict).collect();
        let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        (count(right), count(ComparisonVerdict::Inconclusive))
    }
}

/// Seldom wrong in any case, and right nearly always where it can be told.
fn expect_honest(seconds: usize, servers: &[(f64, f64)]) {
    for &(noise, alike) in servers {
        let server = Server { noise, alike, seconds };
        for (slower, right) in
            [(1.0, ComparisonVerdict::Unchanged), (1.1, ComparisonVerdict::Regressed)]
        {
            let (found, unknown) = server.judged(slower, right);
            let wrong = PAIRS as usize - found - unknown;
            assert!(wrong <= BY_CHANCE, "{wrong} wrong for {right:?} of {server:?}");
            let missed = wrong + unknown;
            assert!(!server.is_calm() || missed <= SELDOM, "{missed} not {right:?} of {server:?}");
        }
    }
}

#[test]
fn runs_of_half_a_minute_are_judged_rightly_nineteen_times_in_twenty_or_not_at_all() {
    let calm = [(0.01, 0.8), (0.03, 0.0), (0.03, 0.5), (0.05, 0.0)];
    expect_honest(30, &calm);
    expect_honest(30, &[(0.03, 0.8), (0.05, 0.5), (0.05, 0.8)]);
}

#[test]
fn runs_of_a_minute_are_judged_rightly_nineteen_times_in_twenty_or_not_at_all() {
    expect_honest(60, &[(0.03, 0.8), (0.05, 0.5), (0.05, 0.8)]);
}

#[test]
fn runs_of_two_minutes_are_judged_rightly_nineteen_times_in_twenty_or_not_at_all() {
    expect_honest(120, &[(0.03, 0.8), (0.05, 0.5), (0.05, 0.8)]);
}

#[test]
fn a_faster_run_has_improved() {
    let (found, _) = STEADY.judged(1.0 / 1.1, ComparisonVerdict::Improved);
    assert!(found >= PAIRS as usize - SELDOM, "{found}");
}

#[test]
fn runs_that_are_too_short_for_their_noise_are_inconclusive_rather_than_wrong() {
    let short = Server { noise: 0.05, alike: 0.5, seconds: 10 };
    for (slower, right) in
        [(1.0, ComparisonVerdict::Unchanged), (1.1, ComparisonVerdict::Regressed)]
    {
        let (found, unknown) = short.judged(slower, right);
        assert!(unknown > found, "{found} {right:?}, {unknown} unknown");
        assert!(found + unknown >= PAIRS as usize - SELDOM, "{found} {right:?}, {unknown} unknown");
    }
}

#[test]
fn a_run_whose_server_hung_or_failed_for_a_third_of_it_is_never_unchanged() {
    for seed in 0..50 {
        for model in [LoadModel::Closed, LoadModel::Open] {
            let mut rng = Rng::with_seed(2_000_000 + seed);
            let [mut before, mut hung, mut failed] = [(); 3].map(|()| STEADY.run(1.0, &mut rng));
            for point in &mut hung.series[20..] {
                (point.operations, point.response_p50, point.response_p99) = (0, None, None);
            }
            for point in &mut failed.series[20..] {
                (point.operations, point.errors) = (0, point.operations);
                (point.response_p50, point.response_p99) = (None, None);
            }
            for report in [&mut before, &mut hung, &mut failed] {
                report.load.model = model;
            }
            for after in [&hung, &failed] {
                let comparison = Comparison::of(&before, after);
                assert_ne!(comparison.verdict, ComparisonVerdict::Unchanged, "{comparison}");
                assert_ne!(comparison.verdict, ComparisonVerdict::Improved, "{comparison}");
            }
        }
    }
}
