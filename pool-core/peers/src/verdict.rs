//! Holds our figures against their targets.

use pool_testkit::measure::Figure;

use crate::contender::Who;
use crate::results::Results;
use crate::shape::{Better, Quantity, Shape, Target};

/// Every caller has at least half as many turns as any other.
const STARVES_NOBODY: f64 = 0.5;

/// A figure of ours that has a target.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) shape: Shape,
    pub(crate) quantity: Quantity,
    pub(crate) ours: Figure,
    /// The peer with the best median.
    pub(crate) best: Option<Best>,
    pub(crate) is_reached: bool,
}

#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) who: Who,
    pub(crate) figure: Figure,
    /// Ours divided by it, in the same round.
    pub(crate) ratio: Figure,
}

/// Every figure that has a target.
pub(crate) fn judge(results: &Results) -> Vec<Judged> {
    let quantities = results
        .shapes()
        .flat_map(|shape| shape.quantities().into_iter().map(move |quantity| (shape, quantity)));
    let with_target = quantities.filter(|(_, quantity)| !matches!(quantity.target, Target::None));
    with_target.map(|(shape, quantity)| judged(results, shape, quantity)).collect()
}

fn judged(results: &Results, shape: Shape, quantity: Quantity) -> Judged {
    let ours = results.figure(shape, Who::Ours, quantity.key);
    let ours = ours.expect("bug: without ours the run ended");
    let best = best(results, shape, quantity);
    let is_reached = match quantity.target {
        Target::None => true,
        Target::AtMost(most) => ours.median() <= most,
        Target::AtLeast(least) => ours.median() >= least,
        Target::AtMostAndNever(most, never) => ours.median() <= most && ours.most() <= never,
        // Nobody to be compared with is nobody to be behind.
        Target::TimesTheBest(times) | Target::TimesTheBestFair(times) => {
            best.as_ref().is_none_or(|best| match quantity.better {
                Better::Less => best.ratio.median() <= times,
                Better::More => best.ratio.median() >= times,
            })
        }
    };
    Judged { shape, quantity, ours, best, is_reached }
}

fn best(results: &Results, shape: Shape, quantity: Quantity) -> Option<Best> {
    let peers = shape.contenders().iter().copied().filter(|who| who.is_peer());
    let is_fair = |who: &Who| {
        let fairness = results.figure(shape, *who, "fairness");
        fairness.is_some_and(|fairness| fairness.median() >= STARVES_NOBODY)
    };
    let among_fair = matches!(quantity.target, Target::TimesTheBestFair(_));
    let peers = peers.filter(|who| !among_fair || is_fair(who));
    let figures = peers.filter_map(|who| Some((who, results.figure(shape, who, quantity.key)?)));
    let by_median = |(_, one): &(Who, Figure), (_, other): &(Who, Figure)| {
        let order = one.median().total_cmp(&other.median());
        match quantity.better {
            Better::Less => order,
            Better::More => order.reverse(),
        }
    };
    let (who, figure) = figures.min_by(by_median)?;
    let ratio = results.ratio(shape, Who::Ours, who, quantity.key)?;
    Some(Best { who, figure, ratio })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Each contender's rounds of two quantities, those of a shape whose callers wait.
    fn results(contenders: &[(Who, [f64; 3], &'static str)], fairness: f64) -> Results {
        let mut results = Results::default();
        for (who, rounds, key) in contenders {
            let fairness = if *who == Who::Bb8 { 0.1 } else { fairness };
            for value in rounds {
                let sample = [(*key, *value), ("fairness", fairness)];
                let sample = sample.map(|(key, value)| (key.to_owned(), value));
                results.add(Shape::SixtyFourOverEight, *who, Some(BTreeMap::from(sample)));
            }
        }
        results
    }

    fn judged_at(results: &Results, key: &str) -> Judged {
        let quantities = Shape::SixtyFourOverEight.quantities();
        let quantity = quantities.into_iter().find(|quantity| quantity.key == key);
        judged(results, Shape::SixtyFourOverEight, quantity.expect("one of the shape"))
    }

    #[test]
    fn a_ratio_is_that_of_a_round_and_its_median_is_judged() {
        let ours = (Who::Ours, [1.3, 2.6, 5.0], "mops");
        let results = results(&[ours, (Who::Asyncband, [1.0, 2.0, 5.0], "mops")], 1.0);
        let judged = judged_at(&results, "mops");
        let ratio = judged.best.expect("a peer").ratio;
        assert_eq!([ratio.least(), ratio.median(), ratio.most()], [1.0, 1.3, 1.3]);
        assert!(judged.is_reached, "1.3 is at least 1.2");
    }

    #[test]
    fn who_is_not_far_enough_ahead_of_the_best_peer_misses() {
        let [slow, fast] = [(Who::Deadpool, [1.0; 3], "mops"), (Who::Asyncband, [2.0; 3], "mops")];
        let results = results(&[(Who::Ours, [2.2; 3], "mops"), slow, fast], 1.0);
        let judged = judged_at(&results, "mops");
        assert_eq!(judged.best.expect("a peer").who, Who::Asyncband);
        assert!(!judged.is_reached, "1.1 is not 1.2");
    }

    #[test]
    fn the_waits_of_a_pool_that_starves_its_callers_are_nobodys_measure() {
        let ours = (Who::Ours, [30.0; 3], "p999");
        let [fair, starves] = [(Who::Asyncband, [40.0; 3], "p999"), (Who::Bb8, [1.0; 3], "p999")];
        let results = results(&[ours, fair, starves], 0.9);
        let judged = judged_at(&results, "p999");
        assert_eq!(judged.best.expect("a peer").who, Who::Asyncband);
        assert!(judged.is_reached);
    }

    #[test]
    fn a_floor_is_no_peer() {
        let floor = (Who::Semaphore, [9.0; 3], "mops");
        let peer = (Who::Deadpool, [1.0; 3], "mops");
        let results = results(&[(Who::Ours, [2.0; 3], "mops"), floor, peer], 1.0);
        assert_eq!(judged_at(&results, "mops").best.expect("a peer").who, Who::Deadpool);
    }

    #[test]
    fn a_value_of_our_own_misses_whatever_the_peers_did() {
        let results = results(&[(Who::Ours, [2.0; 3], "mops")], 0.96);
        assert!(!judged_at(&results, "fairness").is_reached);
    }
}
