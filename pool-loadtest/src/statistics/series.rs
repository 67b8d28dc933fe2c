//! A series of seconds as a sample: what one second was tells much of what the next one will be, so
//! that sixty of them are worth fewer than sixty independent values.

use super::Sample;

/// Batches that a series is cut into at most; more of them are no better, but less independent
/// (B. Schmeiser, "Batch size effects in the analysis of simulation output", 1982).
const BATCHES: usize = 20;
/// Points of a batch at least.
const SMALLEST: usize = 2;
/// Batches that seem to resemble each other more than this seem so by chance: a few batches tell
/// little of it, and those of seconds of a load hardly do.
const MOST_ALIKE: f64 = 0.6;

/// Points without which a series says nothing.
pub(crate) const ENOUGH: usize = 8;

impl Sample {
    /// Of a series: cuts the series into batches and takes their means for a sample; as far as even these
    /// resemble their neighbours, they count for fewer (the effective sample size of a first-order
    /// autoregression, n (1 - r) / (1 + r)). `None` if it has fewer than eight points.
    pub(crate) fn of_series(series: &[f64]) -> Option<Self> {
        if series.len() < ENOUGH {
            return None;
        }
        let means = batch_means(series);
        let sample = Self::of(&means)?;
        let count = means.len() as f64;
        let alike = alike(&means, sample.mean);
        let worth = (count * (1.0 - alike) / (1.0 + alike)).min(count);
        Some(Self { count: worth, ..sample })
    }
}

/// The means of equally many neighbours each. What is left over at the beginning, where a run is
/// least settled, is left out.
fn batch_means(series: &[f64]) -> Vec<f64> {
    let size = SMALLEST.max(series.len().div_ceil(BATCHES));
    let used = &series[series.len() % size..];
    used.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64).collect()
}

/// How much neighbours resemble each other, 0 to 0.6: the correlation with the next, made larger by
/// about as much as few values understate it (M. Kendall, "Note on bias in the estimation of
/// autocorrelation", 1954).
fn alike(values: &[f64], mean: f64) -> f64 {
    let off: Vec<_> = values.iter().map(|value| value - mean).collect();
    let squares: f64 = off.iter().map(|off| off * off).sum();
    if squares == 0.0 {
        return 0.0;
    }
    let products: f64 = off.iter().zip(&off[1..]).map(|(one, next)| one * next).sum();
    let (found, count) = (products / squares, values.len() as f64);
    let understated = (1.0 + 4.0 * found) / count;
    (found + understated).clamp(0.0, MOST_ALIKE)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::statistics::Difference;

    /// A first-order autoregression around 100.
    fn series(rng: &mut Rng, points: usize, alike: f64) -> Vec<f64> {
        let mut off = 0.0;
        let noise = |rng: &mut Rng| (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        (0..50 + points)
            .map(|_| {
                off = alike * off + noise(rng);
                100.0 + off
            })
            .skip(50)
            .collect()
    }

    #[test]
    fn batches_have_equally_many_points_each() {
        let means = batch_means(&[9.0, 1.0, 3.0, 5.0, 7.0]);
        assert_eq!(means, [2.0, 6.0]);
        assert_eq!(batch_means(&[1.0; 60]).len(), BATCHES);
    }

    #[test]
    fn a_series_of_seconds_that_resemble_each_other_is_worth_fewer() {
        let mut rng = Rng::with_seed(7);
        let mut worth = |alike| {
            let of = |rng: &mut Rng| Sample::of_series(&series(rng, 120, alike)).expect("enough");
            (0..50).map(|_| of(&mut rng).count).sum::<f64>() / 50.0
        };
        let (independent, alike) = (worth(0.0), worth(0.9));
        assert!(independent > 15.0 && alike < 10.0, "{independent} and {alike}");
    }

    #[test]
    fn too_few_points_are_no_sample() {
        assert_eq!(Sample::of_series(&[1.0; 7]), None);
        let steady = Sample::of_series(&[1.0; 8]).expect("enough");
        assert_eq!((steady.mean, steady.variance), (1.0, 0.0));
    }

    #[test]
    fn two_halves_of_the_same_differ_as_seldom_as_the_test_promises() {
        let mut rng = Rng::with_seed(11);
        for alike in [0.0, 0.3, 0.6] {
            let differ = (0..400)
                .filter(|_| {
                    let [a, b] = [(); 2]
                        .map(|()| Sample::of_series(&series(&mut rng, 60, alike)).expect("enough"));
                    Difference::between(&a, &b).probability < 0.05
                })
                .count();
            // One in twenty of 400 is 20; twice as many would be a test that promises too much.
            assert!(differ <= 40, "{differ} of 400 at a correlation of {alike}");
        }
    }
}
