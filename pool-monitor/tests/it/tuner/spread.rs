//! A figure over many seeds.

pub(super) struct Spread(Vec<f64>);

/// From so many seeds on, a median says something.
const MANY: usize = 10;

impl Spread {
    pub(super) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(super) fn at(&self, quantile: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * quantile).round() as usize]
    }

    pub(super) fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// Panics unless the median is at least `median`, where there are seeds enough to have one, and the
    /// worst at least `worst`.
    pub(super) fn expect(&self, what: &str, median: f64, worst: f64) {
        println!("{what:52} {:.3}, worst {:.3}", self.median(), self.at(0.0));
        assert!(self.0.len() < MANY || self.median() >= median, "{what}: {}", self.median());
        assert!(self.at(0.0) >= worst, "{what}: {} at worst", self.at(0.0));
    }
}
