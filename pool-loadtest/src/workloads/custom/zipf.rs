//! Numbers of which the small ones come far more often than the large ones.

use fastrand::Rng;

/// The numbers 1 to `most`, of which `k` comes in proportion to `k` to the power of `-exponent`.
///
/// Drawn by rejection from an envelope that can be inverted, as in W. Hormann and G. Derflinger,
/// "Rejection-inversion to generate variates from monotone discrete distributions" (1996), in the
/// simpler form of the crate `rand_distr`. It keeps no table, whatever the range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Zipf {
    exponent: f64,
    /// The area of the envelope.
    area: f64,
    most: f64,
}

impl Zipf {
    /// `most` is at least 1, `exponent` more than 0.
    pub(super) fn new(most: f64, exponent: f64) -> Self {
        let area = if is_one(exponent) {
            1.0 + most.ln()
        } else {
            (most.powf(1.0 - exponent) - exponent) / (1.0 - exponent)
        };
        Self { exponent, area, most }
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> f64 {
        loop {
            let envelope = self.inverted(rng.f64());
            let drawn = (envelope + 1.0).floor().min(self.most);
            let mut ratio = drawn.powf(-self.exponent);
            if drawn > 1.0 {
                ratio *= envelope.powf(self.exponent);
            }
            if rng.f64() < ratio {
                return drawn;
            }
        }
    }

    /// Up to where the envelope has such a share of its area.
    fn inverted(&self, share: f64) -> f64 {
        let area = share * self.area;
        if area <= 1.0 {
            area
        } else if is_one(self.exponent) {
            (area - 1.0).exp()
        } else {
            (area * (1.0 - self.exponent) + self.exponent).powf(1.0 / (1.0 - self.exponent))
        }
    }
}

/// Whether the formulas for other exponents would divide by next to nothing.
fn is_one(exponent: f64) -> bool {
    (exponent - 1.0).abs() < 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_proportion_to_a_power_of_them() {
        const MOST: u32 = 20;
        const DRAWN: u32 = 100_000;
        for exponent in [0.5, 1.0, 1.1, 2.0] {
            let (zipf, mut rng) = (Zipf::new(MOST.into(), exponent), Rng::with_seed(7));
            let mut counts = [0_u32; MOST as usize];
            for _ in 0..DRAWN {
                counts[zipf.draw(&mut rng) as usize - 1] += 1;
            }
            let weight = |number: u32| f64::from(number).powf(-exponent);
            let all: f64 = (1..=MOST).map(weight).sum();
            for (number, count) in (1..=MOST).zip(counts) {
                let expected = f64::from(DRAWN) * weight(number) / all;
                // Six standard deviations of a count.
                let off = (f64::from(count) - expected).abs();
                assert!(off < 6.0 * expected.sqrt(), "{exponent}, {number}: {count}, {expected}");
            }
        }
    }

    #[test]
    fn of_one_number_that_one_is_drawn() {
        let mut rng = Rng::with_seed(1);
        let zipf = Zipf::new(1.0, 1.1);
        assert!((0..100).all(|_| zipf.draw(&mut rng) < 1.5));
    }
}
