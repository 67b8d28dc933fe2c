//! What was measured, by shape, contender and round.

use std::collections::BTreeMap;

use pool_testkit::measure::Figure;

use crate::contender::Who;
use crate::shape::Shape;

/// A round is empty where the contender failed.
type Rounds = Vec<Option<BTreeMap<String, f64>>>;

#[derive(Debug, Default)]
pub(crate) struct Results {
    rounds: BTreeMap<Shape, BTreeMap<Who, Rounds>>,
}

impl Results {
    pub(crate) fn add(&mut self, shape: Shape, who: Who, sample: Option<BTreeMap<String, f64>>) {
        self.rounds.entry(shape).or_default().entry(who).or_default().push(sample);
    }

    pub(crate) fn shapes(&self) -> impl Iterator<Item = Shape> {
        self.rounds.keys().copied()
    }

    pub(crate) fn has(&self, shape: Shape) -> bool {
        self.rounds.contains_key(&shape)
    }

    /// One quantity of one contender, round by round.
    pub(crate) fn each(&self, shape: Shape, who: Who, key: &str) -> Vec<Option<f64>> {
        let rounds = self.rounds.get(&shape).and_then(|contenders| contenders.get(&who));
        let value = |sample: &Option<BTreeMap<String, f64>>| sample.as_ref()?.get(key).copied();
        rounds.into_iter().flatten().map(value).collect()
    }

    pub(crate) fn figure(&self, shape: Shape, who: Who, key: &str) -> Option<Figure> {
        figure(self.each(shape, who, key).into_iter().flatten())
    }

    /// One contender's figure divided by another's in the same round.
    pub(crate) fn ratio(&self, shape: Shape, who: Who, to: Who, key: &str) -> Option<Figure> {
        let rounds = self.each(shape, who, key).into_iter().zip(self.each(shape, to, key));
        figure(rounds.filter_map(|(one, other)| Some(one? / other?)))
    }
}

fn figure(values: impl Iterator<Item = f64>) -> Option<Figure> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| Figure::new(values))
}
