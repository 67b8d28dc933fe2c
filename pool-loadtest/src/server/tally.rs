//! Counters from their first reading on, and levels with their height.

use std::collections::BTreeMap;

use crate::report::ServerCounter;

/// How a figure is called in reports, and what it is counted in.
pub(super) type Figure = (&'static str, &'static str);

/// What was asked so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) version: Option<String>,
    counters: BTreeMap<Figure, Counter>,
    levels: BTreeMap<Figure, Level>,
    /// In which order they are shown.
    order: Vec<Figure>,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    first: f64,
    last: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    highest: f64,
    sum: f64,
}

impl Tally {
    /// A counter stands at `value`.
    pub(super) fn count(&mut self, figure: Figure, value: f64) {
        self.show(figure);
        let counter = self.counters.entry(figure).or_insert(Counter { first: value, last: value });
        counter.last = value;
    }

    /// Something is this high now.
    pub(super) fn look(&mut self, figure: Figure, value: f64) {
        self.show(figure);
        let level = self.levels.entry(figure).or_default();
        level.highest = level.highest.max(value);
        level.sum += value;
    }

    fn show(&mut self, figure: Figure) {
        if !self.order.contains(&figure) {
            self.order.push(figure);
        }
    }

    /// How much a counter grew.
    pub(super) fn growth(&self, figure: Figure) -> f64 {
        self.counters.get(&figure).map_or(0.0, |counter| counter.last - counter.first)
    }

    /// All that was seen of a level, in sum.
    #[cfg(feature = "postgres")]
    pub(super) fn seen(&self, figure: Figure) -> f64 {
        self.levels.get(&figure).map_or(0.0, |level| level.sum)
    }

    /// Whether any counter stands lower than at first: the server has begun anew.
    pub(super) fn began_anew(&self) -> bool {
        self.counters.values().any(|counter| counter.last < counter.first)
    }

    /// Where each counter stands.
    pub(super) fn standing(&self) -> Vec<f64> {
        self.counters.values().map(|counter| counter.last).collect()
    }

    /// What it comes to.
    pub(super) fn figures(&self) -> Vec<ServerCounter> {
        let figures = self.order.iter().map(|figure| ServerCounter {
            name: figure.0.to_owned(),
            value: match self.levels.get(figure) {
                Some(level) => level.highest,
                None => self.growth(*figure),
            },
            unit: figure.1.to_owned(),
        });
        figures.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITS: Figure = ("transactions committed", "transactions");
    const RUNNING: Figure = ("sessions at work", "sessions");

    #[test]
    fn counters_grow_from_their_first_reading_and_levels_are_as_high_as_they_were_at_most() {
        let mut tally = Tally::default();
        for (commits, running) in [(1_000.0, 3.0), (1_400.0, 8.0), (1_900.0, 1.0)] {
            tally.count(COMMITS, commits);
            tally.look(RUNNING, running);
        }
        let figures: Vec<_> =
            tally.figures().into_iter().map(|it| (it.name, it.value, it.unit)).collect();
        let expected = [(COMMITS, 900.0), (RUNNING, 8.0)];
        let expected =
            expected.map(|((name, unit), value)| (name.to_owned(), value, unit.to_owned()));
        assert_eq!(figures, expected);
        assert_eq!((tally.growth(COMMITS), tally.seen(RUNNING)), (900.0, 12.0));
        assert!(!tally.began_anew());
    }

    #[test]
    fn a_counter_that_fell_says_that_the_server_began_anew() {
        let mut tally = Tally::default();
        tally.count(COMMITS, 1_000.0);
        tally.count(COMMITS, 10.0);
        assert!(tally.began_anew());
    }

    #[test]
    fn what_was_never_asked_has_not_grown() {
        assert_eq!((Tally::default().growth(COMMITS), Tally::default().seen(RUNNING)), (0.0, 0.0));
    }
}
