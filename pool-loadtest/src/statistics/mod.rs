//! Statistics of few figures: intervals, whether two samples differ, and what is left of a series
//! once its points are no longer taken for independent.

mod series;
mod student;

pub(crate) use self::series::ENOUGH;
use self::student::probability_beyond;
pub(crate) use self::student::quantile;

/// What a sample comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// How many independent values it is worth; less than it has if they follow from each other.
    pub(crate) count: f64,
    pub(crate) mean: f64,
    /// Of a single value; of a sample of fewer than two it is 0.
    pub(crate) variance: f64,
}

impl Sample {
    /// Of values that are independent of each other. `None` if there are none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = if values.len() < 2 { 0.0 } else { squares / (count - 1.0) };
        (!values.is_empty()).then_some(Self { count, mean, variance })
    }

    pub(crate) fn standard_deviation(&self) -> f64 {
        self.variance.sqrt()
    }

    /// The square of the mean's standard error.
    fn mean_variance(&self) -> f64 {
        self.variance / self.count
    }

    /// By how much the true mean may lie off this one, with so much confidence, such as 0.95.
    /// `None` for fewer than two values: these say nothing about it.
    pub(crate) fn margin(&self, confidence: f64) -> Option<f64> {
        let enough = self.count >= 2.0;
        enough.then(|| quantile(confidence, self.count - 1.0) * self.mean_variance().sqrt())
    }
}

/// What comparing two means found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The second mean less the first.
    pub(crate) difference: f64,
    /// How probable a difference at least as large is if there is none in truth.
    pub(crate) probability: f64,
    /// The difference's standard error.
    error: f64,
    freedom: f64,
}

impl Difference {
    /// Welch's t-test, which does not take the variances for equal (B. L. Welch, "The generalization
    /// of Student's problem when several different population variances are involved", 1947).
    pub(crate) fn between(first: &Sample, second: &Sample) -> Self {
        let (a, b) = (first.mean_variance(), second.mean_variance());
        let (difference, error) = (second.mean - first.mean, (a + b).sqrt());
        if error == 0.0 {
            let probability = if difference == 0.0 { 1.0 } else { 0.0 };
            return Self { difference, probability, error, freedom: f64::INFINITY };
        }
        let part = |variance: f64, count: f64| variance.powi(2) / (count - 1.0).max(1.0);
        let freedom = (a + b).powi(2) / (part(a, first.count) + part(b, second.count));
        let probability = probability_beyond(difference / error, freedom);
        Self { difference, probability, error, freedom }
    }

    /// By how much the true difference may lie off this one, with so much confidence.
    pub(crate) fn margin(&self, confidence: f64) -> f64 {
        if self.error == 0.0 { 0.0 } else { quantile(confidence, self.freedom) * self.error }
    }
}

/// The middle value; of an even number the mean of the two in the middle. `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn a_sample_has_the_mean_and_deviation_of_the_textbook() {
        // The example of Wikipedia's "Standard deviation", as a sample.
        let sample = Sample::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("values");
        near(sample.mean, 5.0, 1e-12);
        near(sample.standard_deviation(), (32.0_f64 / 7.0).sqrt(), 1e-12);
        assert_eq!(Sample::of(&[]), None);
    }

    #[test]
    fn an_interval_is_that_of_students_t() {
        // t(0.975, 4) = 2.776 (NIST/SEMATECH e-Handbook, 1.3.6.7.2); the standard error is
        // sqrt(2.5 / 5).
        let sample = Sample::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("values");
        near(sample.margin(0.95).expect("enough"), 2.776 * 0.5_f64.sqrt(), 1e-3);
        assert_eq!(Sample::of(&[1.0]).and_then(|one| one.margin(0.95)), None);
    }

    #[test]
    fn welchs_test_finds_the_published_values() {
        // Wikipedia, "Welch's t-test", examples 1 and 3: t, degrees of freedom, probability.
        let first = [
            27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7,
            21.4,
        ];
        let second = [
            27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5,
            24.4,
        ];
        let third = [19.8, 20.4, 19.6, 17.8, 18.5, 18.9, 18.3, 18.9, 19.5, 22.0];
        let fourth = [
            28.2, 26.6, 20.1, 23.3, 25.2, 22.1, 17.7, 27.6, 20.6, 13.7, 23.2, 17.5, 20.6, 18.0,
            23.9, 21.6, 24.3, 20.4, 24.0, 13.2,
        ];
        for (a, b, t, freedom, probability) in [
            (&first[..], &second[..], 2.46, 25.0, 0.021),
            (&third[..], &fourth[..], 2.22, 24.5, 0.036),
        ] {
            let [a, b] = [a, b].map(|values| Sample::of(values).expect("values"));
            let found = Difference::between(&a, &b);
            near(found.difference / found.error, t, 0.01);
            near(found.freedom, freedom, 0.06);
            near(found.probability, probability, 0.000_6);
        }
    }

    #[test]
    fn samples_without_any_spread_differ_for_certain_or_not_at_all() {
        let [two, three] = [[2.0; 4], [3.0; 4]].map(|values| Sample::of(&values).expect("values"));
        let found = Difference::between(&two, &three);
        assert_eq!((found.difference, found.probability, found.margin(0.95)), (1.0, 0.0, 0.0));
        assert_eq!(Difference::between(&two, &two).probability.to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
