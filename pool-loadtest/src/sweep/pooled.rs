//! How much runs of the same settings differ: a few runs of one cell say little about it, those of all
//! cells together more.

use crate::statistics::{Sample, quantile};

use super::report::Estimate;

const CONFIDENCE: f64 = 0.95;
/// Within which a one-sided bound with the same confidence lies.
const ONE_SIDED: f64 = 0.9;

/// The standard deviation of the logarithm, which is nearly that of the share by which runs of the
/// same settings differ. Taken for the same in all cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    deviation: f64,
    freedom: f64,
}

impl Spread {
    /// Of groups of runs with the same settings; `None` if none has two.
    pub(super) fn of(groups: &[Vec<f64>]) -> Option<Self> {
        let logarithms = groups.iter().filter_map(|group| logarithm(group));
        let (squares, freedom) = logarithms.fold((0.0, 0.0), |(squares, freedom), sample| {
            (squares + sample.variance * (sample.count - 1.0), freedom + sample.count - 1.0)
        });
        let deviation = (squares / freedom).sqrt();
        (freedom > 0.0).then_some(Self { deviation, freedom })
    }

    /// By how much, as a factor, the true ratio of two means is at most smaller than the one found.
    pub(super) fn ratio_at_least(&self, runs: usize, other_runs: usize) -> f64 {
        let error = self.deviation * (1.0 / runs as f64 + 1.0 / other_runs as f64).sqrt();
        (-quantile(ONE_SIDED, self.freedom) * error).exp()
    }
}

/// The mean of a group, with its interval if the spread is known.
pub(super) fn estimate(values: &[f64], spread: Option<&Spread>) -> Option<Estimate> {
    let mean = Sample::of(values)?.mean;
    let margin = spread.map(|spread| {
        let error = spread.deviation / (values.len() as f64).sqrt();
        (quantile(CONFIDENCE, spread.freedom) * error).exp()
    });
    Some(Estimate {
        mean,
        low: margin.map(|margin| mean / margin),
        high: margin.map(|margin| mean * margin),
    })
}

fn logarithm(values: &[f64]) -> Option<Sample> {
    let positive = values.iter().all(|value| *value > 0.0);
    let logarithms: Vec<_> = values.iter().map(|value| value.ln()).collect();
    Sample::of(&logarithms).filter(|_| positive)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    #[test]
    fn without_a_cell_that_ran_twice_there_is_no_spread_and_no_interval() {
        assert_eq!(Spread::of(&[vec![10.0], vec![20.0]]), None);
        let alone = estimate(&[10.0], None).expect("one");
        assert_eq!((alone.mean, alone.low, alone.high), (10.0, None, None));
        assert_eq!(estimate(&[], None), None);
    }

    #[test]
    fn cells_of_three_runs_each_have_intervals_that_hold_nineteen_times_in_twenty() {
        let mut rng = Rng::with_seed(5);
        let mut held = 0;
        for _ in 0..300 {
            let mut run = |truth: f64| {
                let noise = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
                truth * (0.05 * noise).exp()
            };
            let groups: Vec<Vec<f64>> =
                [100.0, 900.0, 2_000.0].map(|truth| (0..3).map(|_| run(truth)).collect()).to_vec();
            let spread = Spread::of(&groups).expect("repeated");
            let Estimate { low, high, .. } = estimate(&groups[1], Some(&spread)).expect("runs");
            held += usize::from(low <= Some(900.0) && Some(900.0) <= high);
        }
        assert!((275..=297).contains(&held), "{held} of 300, where 285 are to be expected");
    }
}
