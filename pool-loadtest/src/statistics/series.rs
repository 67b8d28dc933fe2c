//! A series of seconds as a sample: what one second was tells much of what the next one will be, so
//! that the mean of sixty of them is less certain than that of sixty independent values.
//!
//! How uncertain it is shows in how the series sways slowly: in its correlation with the longest
//! cosines that fit into it. They are nearly independent of each other whatever the seconds are, so
//! Student's distribution with as many degrees of freedom applies (E. Lazarus, D. Lewis, J. Stock,
//! M. Watson, "HAR inference: recommendations for practice", 2018). Of short series even these cosines
//! are too short to show all of it; what they miss is made up for as far as seconds resemble their
//! neighbours (D. Andrews, J. C. Monahan, "An improved heteroskedasticity and autocorrelation
//! consistent covariance matrix estimator", 1992).

use std::f64::consts::PI;

use super::Sample;

/// Cosines for n points: this times n^(2/3), 6 of 30 and 15 of 120. The paper has 0.4 for series whose
/// resemblance is not made up for.
const COSINES: f64 = 0.6;
/// Seconds that seem to resemble each other more than this seem so by chance, or because the run was not
/// settled.
const MOST_ALIKE: f64 = 0.8;

/// Points without which a series says nothing.
pub(crate) const ENOUGH: usize = 8;

impl Sample {
    /// Of a series, whose values may follow from each other. `None` if it has fewer than eight points.
    pub(crate) fn of_series(series: &[f64]) -> Option<Self> {
        if series.len() < ENOUGH {
            return None;
        }
        let independent = Self::of(series)?;
        let off: Vec<_> = series.iter().map(|value| value - independent.mean).collect();
        let alike = alike(&off);
        let cosines = (COSINES * independent.count.powf(2.0 / 3.0)).round();
        let numbers = || (1..=cosines as u32).map(f64::from);
        let swaying = numbers().map(|number| power(&off, number)).sum::<f64>();
        let shares = numbers().map(|number| seen(alike, PI * number / independent.count));
        let variance = swaying / shares.sum::<f64>();
        Some(Self { freedom: cosines, variance, ..independent })
    }
}

/// How much of a series is the cosine that has so many halves of a wave in it.
fn power(off: &[f64], number: f64) -> f64 {
    let step = PI * number / off.len() as f64;
    let each = off.iter().enumerate().map(|(at, off)| off * (step * (at as f64 + 0.5)).cos());
    2.0 / off.len() as f64 * each.sum::<f64>().powi(2)
}

/// What share of the slowest swaying there is at a frequency, if each value resembles the one before:
/// the spectrum of a first-order autoregression.
fn seen(alike: f64, frequency: f64) -> f64 {
    (1.0 - alike).powi(2) / (1.0 - 2.0 * alike * frequency.cos() + alike.powi(2))
}

/// How much neighbours resemble each other, 0 to 0.8: the correlation with the next, made larger by
/// about as much as few values understate it (M. Kendall, "Note on bias in the estimation of
/// autocorrelation", 1954).
fn alike(off: &[f64]) -> f64 {
    let squares: f64 = off.iter().map(|off| off * off).sum();
    if squares == 0.0 {
        return 0.0;
    }
    let products: f64 = off.iter().zip(&off[1..]).map(|(one, next)| one * next).sum();
    let found = products / squares;
    let understated = (1.0 + 3.0 * found) / off.len() as f64;
    (found + understated).clamp(0.0, MOST_ALIKE)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::statistics::Difference;

    /// A first-order autoregression around 100, of deviation 1.
    fn series(rng: &mut Rng, points: usize, alike: f64) -> Vec<f64> {
        let noise = |rng: &mut Rng| (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let (mut off, fresh) = (noise(rng), (1.0 - alike * alike).sqrt());
        let next = |_| {
            off = alike * off + fresh * noise(rng);
            100.0 + off
        };
        (0..points).map(next).collect()
    }

    #[test]
    fn a_mean_is_as_uncertain_as_its_seconds_resemble_each_other() {
        let mut rng = Rng::with_seed(70_001);
        for (points, alike) in [(30, 0.0), (30, 0.5), (60, 0.0), (60, 0.8), (240, 0.8)] {
            let of = |rng: &mut Rng| Sample::of_series(&series(rng, points, alike));
            let samples: Vec<_> = (0..400).map(|_| of(&mut rng).expect("enough")).collect();
            let claimed = samples.iter().map(Sample::mean_variance).sum::<f64>() / 400.0;
            let true_one = samples.iter().map(|it| (it.mean - 100.0).powi(2)).sum::<f64>() / 400.0;
            let ratio = claimed / true_one;
            assert!((0.8..1.6).contains(&ratio), "{ratio} of {points} at {alike}");
        }
    }

    #[test]
    fn a_longer_series_tells_better_how_uncertain_it_is() {
        let freedom = |points| Sample::of_series(&vec![1.0; points]).expect("enough").freedom;
        let cosines = [8, 30, 60, 120].map(|points| freedom(points) as u32);
        assert_eq!(cosines, [2, 6, 9, 15]);
    }

    #[test]
    fn too_few_points_are_no_sample() {
        assert_eq!(Sample::of_series(&[1.0; 7]), None);
        let steady = Sample::of_series(&[1.0; 8]).expect("enough");
        assert_eq!((steady.mean, steady.variance), (1.0, 0.0));
    }

    #[test]
    fn a_series_that_drifts_is_less_certain_than_its_second_half() {
        let drifts: Vec<_> =
            (0..60).map(f64::from).map(|at| 100.0 - (30.0 - at).max(0.0)).collect();
        let [whole, half] = [&drifts[..], &drifts[30..]]
            .map(|series| Sample::of_series(series).expect("enough").mean_variance());
        assert!(whole > 1.0 && half < 1e-9, "{whole} and {half}");
    }

    #[test]
    fn two_halves_of_the_same_differ_as_seldom_as_the_test_promises() {
        let mut rng = Rng::with_seed(70_002);
        for (points, alike) in [(30, 0.0), (30, 0.5), (60, 0.3), (60, 0.6), (120, 0.8)] {
            let differ = (0..400)
                .filter(|_| {
                    let [a, b] = [(); 2].map(|()| {
                        Sample::of_series(&series(&mut rng, points, alike)).expect("enough")
                    });
                    Difference::between(&a, &b).probability < 0.05
                })
                .count();
            // One in twenty of 400 is 20, give or take 9.
            assert!(differ <= 29, "{differ} of 400 with {points} at a correlation of {alike}");
        }
    }
}
