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
    pub(crate) count: f64,
    /// How well the variance is known.
    pub(crate) freedom: f64,
    pub(crate) mean: f64,
    /// Of a single value; of a sample of fewer than two it is 0. Of values that follow from each other it
    /// is larger: as much as makes the mean no more certain than it is.
    pub(crate) variance: f64,
}

impl Sample {
    /// Of values that are independent of each other. `None` if there are none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = if values.len() < 2 { 0.0 } else { squares / (count - 1.0) };
        (!values.is_empty()).then_some(Self { count, freedom: count - 1.0, mean, variance })
    }

    /// The square of the mean's standard error.
    fn mean_variance(&self) -> f64 {
        self.variance / self.count
    }
}

/// What comparing two means found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The second mean less the first.
    pub(crate) by: f64,
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
        let (by, error) = (second.mean - first.mean, (a + b).sqrt());
        if error == 0.0 {
            let probability = if by == 0.0 { 1.0 } else { 0.0 };
            return Self { by, probability, error, freedom: f64::INFINITY };
        }
        let part = |variance: f64, freedom: f64| variance.powi(2) / freedom.max(1.0);
        let freedom = (a + b).powi(2) / (part(a, first.freedom) + part(b, second.freedom));
        let probability = probability_beyond(by / error, freedom);
        Self { by, probability, error, freedom }
    }

    /// By how much the true difference may lie off this one, with so much confidence.
    pub(crate) fn margin(&self, confidence: f64) -> f64 {
        if self.error == 0.0 { 0.0 } else { quantile(confidence, self.freedom) * self.error }
    }
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
        near(sample.variance, 32.0 / 7.0, 1e-12);
        assert_eq!(Sample::of(&[]), None);
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
            near(found.by / found.error, t, 0.01);
            near(found.freedom, freedom, 0.06);
            near(found.probability, probability, 0.000_6);
        }
    }

    #[test]
    fn samples_without_any_spread_differ_for_certain_or_not_at_all() {
        let [two, three] = [[2.0; 4], [3.0; 4]].map(|values| Sample::of(&values).expect("values"));
        let found = Difference::between(&two, &three);
        assert_eq!((found.by, found.probability, found.margin(0.95)), (1.0, 0.0, 0.0));
        assert_eq!(Difference::between(&two, &two).probability.to_bits(), 1.0_f64.to_bits());
    }
}
