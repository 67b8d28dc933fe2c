//! Student's t distribution, by way of the incomplete beta function.

/// How probable it is that |t| is at least as large as this, with so many degrees of freedom:
/// I(v / (v + t²); v/2, 1/2) (NIST Digital Library of Mathematical Functions, 8.17).
pub(crate) fn probability_beyond(t: f64, freedom: f64) -> f64 {
    if t == 0.0 {
        return 1.0;
    }
    if !t.is_finite() {
        return 0.0;
    }
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The t within which so much of the distribution lies: 2.776 for 0.95 and 4 degrees of freedom.
pub(crate) fn quantile(confidence: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while 1.0 - probability_beyond(high, freedom) < confidence && high < 1e9 {
        high *= 2.0;
    }
    // Halving 60 times leaves nothing to be found between the two.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if 1.0 - probability_beyond(middle, freedom) < confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22, evaluated with
/// Lentz's method as in Press et al., "Numerical Recipes", 6.4).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let logarithm = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    let front = logarithm.exp();
    // The fraction converges fast on this side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const STEPS: u32 = 1_000;
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    // Lentz's C and D, ratios of one numerator and denominator to the one before.
    let mut above = 1.0;
    let mut below = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = below;
    for step in 1..=STEPS {
        let (step, twice) = (f64::from(step), 2.0 * f64::from(step));
        let even = step * (b - step) * x / ((a + twice - 1.0) * (a + twice));
        let odd = -(a + step) * (a + b + step) * x / ((a + twice) * (a + twice + 1.0));
        let mut factor = 1.0;
        for term in [even, odd] {
            below = 1.0 / off_zero(1.0 + term * below);
            above = off_zero(1.0 + term / above);
            factor = above * below;
            result *= factor;
        }
        if (factor - 1.0).abs() < 1e-14 {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function for positive numbers (Lanczos; g = 7, n = 9, the coefficients
/// of P. Godfrey, "A note on the computation of the convergent Lanczos complex Gamma approximation").
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (number, coefficient) in (1_u32..).zip(COEFFICIENTS) {
        sum += coefficient / (x + f64::from(number));
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
        for (confidence, freedom, t) in [
            (0.95, 1.0, 12.706),
            (0.95, 2.0, 4.303),
            (0.95, 10.0, 2.228),
            (0.99, 10.0, 3.169),
            (0.95, 30.0, 2.042),
            (0.99, 100.0, 2.626),
        ] {
            near(quantile(confidence, freedom), t, 5e-4);
        }
        near(quantile(0.95, 1e6), 1.959_97, 1e-4);
    }

    #[test]
    fn what_lies_beyond_a_quantile_is_the_rest() {
        for freedom in [1.0, 3.5, 24.9, 400.0] {
            near(probability_beyond(quantile(0.9, freedom), freedom), 0.1, 1e-9);
        }
        near(probability_beyond(1.0, 1.0), 0.5, 1e-12);
        near(probability_beyond(0.0, 5.0), 1.0, 1e-12);
        near(probability_beyond(f64::INFINITY, 5.0), 0.0, 1e-12);
    }

    #[test]
    fn the_gamma_function_continues_the_factorials() {
        near(ln_gamma(5.0), 24.0_f64.ln(), 1e-12);
        near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-12);
    }
}
