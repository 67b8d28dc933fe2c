//! The Universal Scalability Law: how throughput grows with the number of those at work, and where it
//! stops growing (N. Gunther, "Guerrilla Capacity Planning", 2007, chapters 4 to 6).

use serde::{Deserialize, Serialize};

/// Steps of the last refinement at most; it needs about ten.
const STEPS: usize = 200;

/// The Universal Scalability Law fitted to throughputs: with `n` at work,
/// `lambda n / (1 + sigma (n - 1) + kappa n (n - 1))` operations per second.
///
/// ```
/// use pool_loadtest::Scalability;
///
/// let measured = [(1.0, 1000.0), (2.0, 1860.0), (4.0, 3150.0), (8.0, 4300.0), (16.0, 4100.0)];
/// let law = Scalability::fit(&measured).expect("enough points");
/// assert!(law.peak.is_some_and(|peak| (9.0..13.0).contains(&peak)), "{law:?}");
/// assert!((law.throughput(8.0) - 4300.0).abs() < 100.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Scalability {
    /// Operations per second of one at work alone.
    pub lambda: f64,
    /// Contention: the share of the work that only one can do at a time, 0 to 1.
    pub sigma: f64,
    /// Coherency: what each pair costs by having to agree; what makes throughput fall in the end.
    pub kappa: f64,
    /// How much of the throughputs' variation the law explains, at most 1; far below 1 it does not
    /// describe what was measured.
    pub r_squared: f64,
    /// How many at work have the best throughput by the law, `sqrt((1 - sigma) / kappa)` but at least
    /// one; `None` if it never falls.
    pub peak: Option<f64>,
}

/// Lambda, sigma and kappa.
type Parameters = [f64; 3];

impl Scalability {
    /// Fits the law by least squares to pairs of how many were at work, at least one, and their
    /// throughput. `None` for fewer than two different numbers, or if nothing was done. Two
    /// determine no kappa, which is 0 then.
    #[must_use]
    pub fn fit(measured: &[(f64, f64)]) -> Option<Self> {
        let usable = |&&(n, x): &&(f64, f64)| n >= 1.0 && n.is_finite() && x.is_finite() && x > 0.0;
        let measured: Vec<_> = measured.iter().filter(usable).copied().collect();
        let mut numbers: Vec<_> = measured.iter().map(|(n, _)| *n).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        if numbers.len() < 2 {
            return None;
        }
        let with_kappa = numbers.len() > 2;
        let start = linearised(&measured, with_kappa);
        Some(Self::of(refined(&measured, start, with_kappa), &measured))
    }

    fn of(parameters: Parameters, measured: &[(f64, f64)]) -> Self {
        let [lambda, sigma, kappa] = parameters;
        let mean = measured.iter().map(|(_, x)| x).sum::<f64>() / measured.len() as f64;
        let spread: f64 = measured.iter().map(|(_, x)| (x - mean).powi(2)).sum();
        let unexplained = squares(measured, parameters);
        let r_squared = if spread > 0.0 { 1.0 - unexplained / spread } else { 1.0 };
        let peak = (kappa > 0.0).then(|| ((1.0 - sigma) / kappa).sqrt().max(1.0));
        Self { lambda, sigma, kappa, r_squared, peak }
    }

    /// What it says of `n` at work.
    #[must_use]
    pub fn throughput(&self, n: f64) -> f64 {
        law([self.lambda, self.sigma, self.kappa], n)
    }
}

fn law([lambda, sigma, kappa]: Parameters, n: f64) -> f64 {
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// The sum of the squares of what is left.
fn squares(measured: &[(f64, f64)], parameters: Parameters) -> f64 {
    measured.iter().map(|(n, x)| (x - law(parameters, *n)).powi(2)).sum()
}

/// A first fit: `n / x` is `(1 + sigma (n - 1) + kappa n (n - 1)) / lambda`, linear in `1 / lambda`,
/// `sigma / lambda` and `kappa / lambda`. Weighted so that what is left counts as in throughput.
fn linearised(measured: &[(f64, f64)], with_kappa: bool) -> Parameters {
    let columns: &[&[usize]] =
        if with_kappa { &[&[0, 1, 2], &[0, 2], &[0, 1], &[0]] } else { &[&[0, 1], &[0]] };
    let fits = columns.iter().filter_map(|columns| {
        let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
        for (n, x) in measured {
            let weight = (x * x / n).powi(2);
            let row = [1.0, n - 1.0, n * (n - 1.0)];
            for (i, a) in columns.iter().enumerate() {
                right[i] += weight * row[*a] * n / x;
                for (j, b) in columns.iter().enumerate() {
                    matrix[i][j] += weight * row[*a] * row[*b];
                }
            }
        }
        let solved = solve(matrix, right, columns.len())?;
        let mut found = [0.0; 3];
        columns.iter().zip(solved).for_each(|(column, value)| found[*column] = value);
        let [one, sigma, kappa] = found;
        let allowed = one > 0.0 && sigma >= 0.0 && kappa >= 0.0;
        allowed.then(|| [1.0 / one, (sigma / one).min(1.0), kappa / one])
    });
    let best = fits.min_by(|a, b| squares(measured, *a).total_cmp(&squares(measured, *b)));
    // A single column always fits: throughputs are positive.
    best.unwrap_or([measured[0].1 / measured[0].0, 0.0, 0.0])
}

/// The least squares near `start`, with sigma from 0 to 1 and kappa not negative: damped Gauss-Newton
/// steps (D. Marquardt, 1963), each kept within these bounds.
fn refined(measured: &[(f64, f64)], start: Parameters, with_kappa: bool) -> Parameters {
    let (mut best, mut left, mut damping) = (start, squares(measured, start), 1e-3);
    for _ in 0..STEPS {
        let Some(next) = step(measured, best, damping, with_kappa) else { break };
        let next_left = squares(measured, next);
        if next_left < left {
            let gained = left - next_left;
            (best, left, damping) = (next, next_left, damping / 3.0);
            if gained <= left * 1e-12 {
                break;
            }
        } else {
            damping *= 4.0;
        }
    }
    best
}

fn step(
    measured: &[(f64, f64)],
    at: Parameters,
    damping: f64,
    with_kappa: bool,
) -> Option<Parameters> {
    let [lambda, sigma, kappa] = at;
    let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    // A parameter at its bound that wants to go beyond it stays out of the step.
    let slopes = |n: f64| {
        let below = 1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0);
        let by_below = -lambda * n / (below * below);
        [n / below, by_below * (n - 1.0), by_below * n * (n - 1.0)]
    };
    let mut gradient = [0.0; 3];
    for (n, x) in measured {
        let off = x - law(at, *n);
        (0..3).for_each(|i| gradient[i] += slopes(*n)[i] * off);
    }
    let free: Vec<usize> = (0..3)
        .filter(|i| match i {
            1 => !(sigma <= 0.0 && gradient[1] < 0.0 || sigma >= 1.0 && gradient[1] > 0.0),
            2 => with_kappa && !(kappa <= 0.0 && gradient[2] < 0.0),
            _ => true,
        })
        .collect();
    for (n, _) in measured {
        let slopes = slopes(*n);
        for (i, a) in free.iter().enumerate() {
            for (j, b) in free.iter().enumerate() {
                matrix[i][j] += slopes[*a] * slopes[*b];
            }
        }
    }
    for (i, a) in free.iter().enumerate() {
        matrix[i][i] *= 1.0 + damping;
        right[i] = gradient[*a];
    }
    let solved = solve(matrix, right, free.len())?;
    let mut next = at;
    free.iter().zip(solved).for_each(|(i, by)| next[*i] += by);
    let [lambda, sigma, kappa] = next;
    Some([lambda.max(f64::MIN_POSITIVE), sigma.clamp(0.0, 1.0), kappa.max(0.0)])
}

/// Solves the first `size` equations by elimination; `None` if they determine nothing.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3], size: usize) -> Option<[f64; 3]> {
    for column in 0..size {
        let larger =
            |a: &usize, b: &usize| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs());
        let pivot = (column..size).max_by(larger)?;
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let divisor = matrix[column][column];
        if divisor == 0.0 || !divisor.is_finite() {
            return None;
        }
        for row in 0..size {
            if row != column {
                let factor = matrix[row][column] / divisor;
                (column..size).for_each(|i| matrix[row][i] -= factor * matrix[column][i]);
                right[row] -= factor * right[column];
            }
        }
    }
    let mut solved = [0.0; 3];
    (0..size).for_each(|row| solved[row] = right[row] / matrix[row][row]);
    solved.iter().all(|value| value.is_finite()).then_some(solved)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    const NUMBERS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

    fn measured(parameters: Parameters) -> Vec<(f64, f64)> {
        NUMBERS.iter().map(|n| (*n, law(parameters, *n))).collect()
    }

    #[track_caller]
    fn near(value: f64, expected: f64, share: f64) {
        assert!((value - expected).abs() <= share * expected, "{value} is not {expected}");
    }

    #[test]
    fn known_parameters_are_found_again() {
        for parameters in [[1_000.0, 0.05, 0.002], [20.0, 0.3, 0.0001], [5e4, 0.02, 0.03]] {
            let fit = Scalability::fit(&measured(parameters)).expect("enough");
            near(fit.lambda, parameters[0], 1e-4);
            near(fit.sigma, parameters[1], 1e-3);
            near(fit.kappa, parameters[2], 1e-3);
            near(fit.peak.expect("it falls"), ((1.0 - fit.sigma) / fit.kappa).sqrt(), 1e-9);
            near(fit.r_squared, 1.0, 1e-6);
        }
    }

    #[test]
    fn the_published_example_is_found_again() {
        // Gunther, "Guerrilla Capacity Planning", table 5.1 (a ray tracer on an SGI Origin 2000), as
        // in the vignette of the R package `usl`: lambda 20, sigma 0.05, kappa 5e-6.
        let measured = [
            (1.0, 20.0),
            (4.0, 78.0),
            (8.0, 130.0),
            (12.0, 170.0),
            (16.0, 190.0),
            (20.0, 200.0),
            (24.0, 210.0),
            (28.0, 230.0),
            (32.0, 260.0),
            (48.0, 280.0),
            (64.0, 310.0),
        ];
        let fit = Scalability::fit(&measured).expect("enough");
        near(fit.sigma, 0.05, 0.25);
        assert!(fit.kappa < 1e-4 && fit.r_squared > 0.97, "{fit:?}");
    }

    #[test]
    fn noise_moves_the_peak_a_little() {
        let mut rng = Rng::with_seed(3);
        for _ in 0..100 {
            let mut noisy = measured([1_000.0, 0.05, 0.004]);
            for (_, x) in &mut noisy {
                *x *= 0.97 + 0.06 * rng.f64();
            }
            let fit = Scalability::fit(&noisy).expect("enough");
            near(fit.peak.expect("it falls"), (0.95_f64 / 0.004).sqrt(), 0.15);
            assert!(fit.r_squared > 0.95, "{fit:?}");
        }
    }

    #[test]
    fn what_only_levels_off_has_no_peak() {
        let fit = Scalability::fit(&measured([1_000.0, 0.1, 0.0])).expect("enough");
        assert_eq!(fit.peak.filter(|peak| *peak < 1_000.0), None, "{fit:?}");
        near(fit.sigma, 0.1, 1e-3);
    }

    #[test]
    fn what_grows_faster_than_the_number_is_taken_for_linear() {
        let more: Vec<_> = NUMBERS.iter().map(|n| (*n, n.powf(1.2))).collect();
        let fit = Scalability::fit(&more).expect("enough");
        assert_eq!((fit.sigma, fit.kappa, fit.peak), (0.0, 0.0, None));
    }

    #[test]
    fn what_does_not_grow_at_all_is_all_contention() {
        let flat: Vec<_> = NUMBERS.iter().map(|n| (*n, 500.0)).collect();
        let fit = Scalability::fit(&flat).expect("enough");
        near(fit.sigma, 1.0, 0.01);
        near(fit.throughput(16.0), 500.0, 0.01);
    }

    #[test]
    fn what_falls_from_one_on_has_its_peak_there() {
        let fit = Scalability::fit(&measured([500.0, 1.0, 0.05])).expect("enough");
        assert!(fit.sigma > 0.99 && fit.kappa > 0.04, "{fit:?}");
        assert_eq!(fit.peak, Some(1.0), "{fit:?}");
    }

    #[test]
    fn two_points_determine_no_coherency() {
        let fit = Scalability::fit(&[(1.0, 100.0), (4.0, 250.0)]).expect("two");
        assert_eq!((fit.kappa, fit.peak), (0.0, None));
        near(fit.throughput(4.0), 250.0, 1e-6);
        near(fit.sigma, 0.2, 1e-6);
    }

    #[test]
    fn one_number_alone_determines_nothing() {
        assert_eq!(Scalability::fit(&[(4.0, 100.0), (4.0, 120.0)]), None);
        assert_eq!(Scalability::fit(&[(1.0, 0.0), (2.0, 0.0)]), None);
        assert_eq!(Scalability::fit(&[]), None);
    }
}
