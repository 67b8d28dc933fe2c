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
