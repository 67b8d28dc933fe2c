//! What was measured, by shape, contender and round.

use std::collections::BTreeMap;

use pool_testkit::measure::Figure;

use crate::contender::Who;
use crate::shape::Shape;

/// What one process printed, or why there is nothing.
pub(crate) type Measured = Result<BTreeMap<String, f64>, String>;

/// A measurement that came to nothing.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) shape: Shape,
    pub(crate) who: Who,
    /// The first is 1.
    pub(crate) round: usize,
    pub(crate) why: &'a str,
}

#[derive(Debug, Default)]
pub(crate) struct Results {
    rounds: BTreeMap<Shape, BTreeMap<Who, Vec<Measured>>>,
}

impl Results {
    pub(crate) fn add(&mut self, shape: Shape, who: Who, measured: Measured) {
        self.rounds.entry(shape).or_default().entry(who).or_default().push(measured);
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
        let value = |measured: &Measured| measured.as_ref().ok()?.get(key).copied();
        rounds.into_iter().flatten().map(value).collect()
    }

    /// Whether there is this quantity of each contender in each round that ours was measured in.
    pub(crate) fn are_complete(&self, shape: Shape, contenders: &[Who], key: &str) -> bool {
        let rounds = self.each(shape, Who::Ours, key).len();
        contenders.iter().all(|who| {
            let each = self.each(shape, *who, key);
            each.len() == rounds && each.iter().all(Option::is_some)
        })
    }

    pub(crate) fn failures(&self) -> Vec<Failure<'_>> {
        let contenders = self.rounds.iter().flat_map(|(shape, contenders)| {
            contenders.iter().map(move |(who, rounds)| (*shape, *who, rounds))
        });
        let failures = contenders.flat_map(|(shape, who, rounds)| {
            (1..).zip(rounds).filter_map(move |(round, measured)| {
                let why = measured.as_ref().err()?;
                Some(Failure { shape, who, round, why })
            })
        });
        failures.collect()
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
