//! Holds our figures against their targets.

use std::fmt;

use clap::ValueEnum;
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
    pub(crate) target: Target,
    pub(crate) ours: Figure,
    /// The peer with the best median.
    pub(crate) best: Option<Best>,
    pub(crate) verdict: Verdict,
}

#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) who: Who,
    pub(crate) figure: Figure,
    /// Ours divided by it, in the same round.
    pub(crate) ratio: Figure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Reached,
    Missed,
    /// A peer has no figure in some round. It may be the best one, so nobody is compared with.
    NotComparable,
}

impl Verdict {
    fn of(is_reached: bool) -> Self {
        if is_reached { Self::Reached } else { Self::Missed }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reached => "reached",
            Self::Missed => "missed",
            Self::NotComparable => "not comparable",
        })
    }
}

/// Every figure that has a target.
pub(crate) fn judge(results: &Results) -> Vec<Judged> {
    let of_shape = |shape: Shape| {
        let judged =
            move |quantity: Quantity| Some(judged(results, shape, quantity, quantity.target?));
        shape.quantities().into_iter().filter_map(judged)
    };
    results.shapes().flat_map(of_shape).collect()
}

/// How many of all the figures with a target were judged, and how.
pub(crate) fn conclusion(judged: &[Judged]) -> String {
    let all = Shape::value_variants().iter().flat_map(|shape| shape.quantities());
    let all = all.filter(|quantity| quantity.target.is_some()).count();
    let count = |verdict| judged.iter().filter(|judged| judged.verdict == verdict).count();
    let not_comparable = count(Verdict::NotComparable);
    let of_all = judged.len() - not_comparable;
    let how = match count(Verdict::Missed) {
        0 => "all reached".to_owned(),
        missed => format!("{missed} missed"),
    };
    let conclusion = format!("{of_all} of {all} figures with a target were judged, {how}");
    match not_comparable {
        0 => conclusion,
        not => format!("{conclusion}; {not} not comparable, because a peer lacks a figure"),
    }
}

fn judged(results: &Results, shape: Shape, quantity: Quantity, target: Target) -> Judged {
    let ours = results.figure(shape, Who::Ours, quantity.key);
    let ours = ours.expect("bug: without ours the run ended");
    let best = best(results, shape, quantity);
    let verdict = match target {
        Target::AtMost(most) => Verdict::of(ours.median() <= most),
        Target::AtLeast(least) => Verdict::of(ours.median() >= least),
        Target::AtMostAndNever(most, never) => {
            Verdict::of(ours.median() <= most && ours.most() <= never)
        }
        Target::TimesTheBest(times) | Target::TimesTheBestFair(times) => match &best {
            Some(best) if results.are_complete(shape, &peers(shape), quantity.key) => {
                Verdict::of(match quantity.better {
                    Better::Less => best.ratio.median() <= times,
                    Better::More => best.ratio.median() >= times,
                })
            }
            _ => Verdict::NotComparable,
        },
    };
    Judged { shape, quantity, target, ours, best, verdict }
}

fn peers(shape: Shape) -> Vec<Who> {
    shape.contenders().iter().copied().filter(|who| who.is_peer()).collect()
}

fn best(results: &Results, shape: Shape, quantity: Quantity) -> Option<Best> {
    let is_fair = |who: &Who| {
        let fairness = results.figure(shape, *who, "fairness");
        fairness.is_some_and(|fairness| fairness.median() >= STARVES_NOBODY)
    };
    let among_fair = matches!(quantity.target, Some(Target::TimesTheBestFair(_)));
    let peers = peers(shape).into_iter().filter(|who| !among_fair || is_fair(who));
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

    const SHAPE: Shape = Shape::SixtyFourOverEight;

    /// Three rounds of one quantity of a shape whose callers wait. Who is not named is far behind.
    struct Measurements {
        key: &'static str,
        named: Vec<(Who, [f64; 3])>,
        far_behind: f64,
        /// In the second round.
        failed: Vec<Who>,
    }

    impl Measurements {
        fn of_mops(named: &[(Who, [f64; 3])]) -> Self {
            Self { key: "mops", named: named.to_vec(), far_behind: 0.001, failed: Vec::new() }
        }

        fn of_p999(named: &[(Who, [f64; 3])]) -> Self {
            Self { key: "p999", named: named.to_vec(), far_behind: 1e9, failed: Vec::new() }
        }

        fn failed(self, failed: &[Who]) -> Self {
            Self { failed: failed.to_vec(), ..self }
        }

        fn results(&self) -> Results {
            let mut results = Results::default();
            for who in SHAPE.contenders() {
                let named = self.named.iter().find(|(named, _)| named == who);
                let rounds = named.map_or([self.far_behind; 3], |(_, rounds)| *rounds);
                // Bb8 starves callers.
                let fairness = if *who == Who::Bb8 { 0.1 } else { 0.96 };
                for (round, value) in rounds.into_iter().enumerate() {
                    let sample = [(self.key, value), ("fairness", fairness)];
                    let sample = sample.map(|(key, value)| (key.to_owned(), value));
                    let fails = round == 1 && self.failed.contains(who);
                    let hangs = Err("it hangs".to_owned());
                    results.add(SHAPE, *who, if fails { hangs } else { Ok(sample.into()) });
                }
            }
            results
        }

        fn judged(&self) -> Judged {
            judged_at(&self.results(), self.key)
        }
    }

    fn judged_at(results: &Results, key: &str) -> Judged {
        let quantity = SHAPE.quantities().into_iter().find(|quantity| quantity.key == key);
        let quantity = quantity.expect("one of the shape");
        judged(results, SHAPE, quantity, quantity.target.expect("one with a target"))
    }

    #[test]
    fn a_ratio_is_that_of_a_round_and_its_median_is_judged() {
        let [ours, peer] = [(Who::Ours, [1.3, 2.6, 5.0]), (Who::Asyncband, [1.0, 2.0, 5.0])];
        let judged = Measurements::of_mops(&[ours, peer]).judged();
        let ratio = judged.best.expect("a peer").ratio;
        assert_eq!([ratio.least(), ratio.median(), ratio.most()], [1.0, 1.3, 1.3]);
        assert_eq!(judged.verdict, Verdict::Reached, "1.3 is at least 1.2");
    }

    #[test]
    fn who_is_not_far_enough_ahead_of_the_best_peer_misses() {
        let [slow, fast] = [(Who::Deadpool, [1.0; 3]), (Who::Asyncband, [2.0; 3])];
        let judged = Measurements::of_mops(&[(Who::Ours, [2.2; 3]), slow, fast]).judged();
        assert_eq!(judged.best.expect("a peer").who, Who::Asyncband);
        assert_eq!(judged.verdict, Verdict::Missed, "1.1 is not 1.2");
    }

    #[test]
    fn the_waits_of_a_pool_that_starves_its_callers_are_nobodys_measure() {
        let [fair, starves] = [(Who::Asyncband, [40.0; 3]), (Who::Bb8, [1.0; 3])];
        let judged = Measurements::of_p999(&[(Who::Ours, [30.0; 3]), fair, starves]).judged();
        assert_eq!(judged.best.expect("a peer").who, Who::Asyncband);
        assert_eq!(judged.verdict, Verdict::Reached);
    }

    #[test]
    fn a_floor_is_no_peer() {
        let [floor, peer] = [(Who::Semaphore, [9.0; 3]), (Who::Deadpool, [1.0; 3])];
        let judged = Measurements::of_mops(&[(Who::Ours, [2.0; 3]), floor, peer]).judged();
        assert_eq!(judged.best.expect("a peer").who, Who::Deadpool);
    }

    #[test]
    fn a_value_of_our_own_misses_whatever_the_peers_did() {
        let slow = Measurements::of_mops(&[(Who::Ours, [2.0; 3])]);
        assert_eq!(judged_at(&slow.results(), "fairness").verdict, Verdict::Missed);
        let slow = slow.failed(&[Who::Deadpool]);
        assert_eq!(judged_at(&slow.results(), "fairness").verdict, Verdict::Missed);
    }

    #[test]
    fn nobody_is_ahead_of_peers_one_of_which_failed_in_one_round() {
        let ahead = Measurements::of_mops(&[(Who::Ours, [9.0; 3]), (Who::Deadpool, [1.0; 3])]);
        assert_eq!(ahead.judged().verdict, Verdict::Reached);
        let unknown = ahead.failed(&[Who::Asyncband]);
        assert_eq!(unknown.judged().verdict, Verdict::NotComparable);
    }

    #[test]
    fn nobody_is_ahead_of_peers_that_all_failed() {
        let alone = Measurements::of_mops(&[(Who::Ours, [9.0; 3])]).failed(&peers(SHAPE));
        assert_eq!(alone.judged().verdict, Verdict::NotComparable);
        assert_eq!(alone.results().failures().len(), peers(SHAPE).len());
    }

    #[test]
    fn nobody_is_ahead_of_peers_that_were_not_measured() {
        let mut results = Results::default();
        results.add(SHAPE, Who::Ours, Ok(BTreeMap::from([("mops".to_owned(), 9.0)])));
        assert_eq!(judged_at(&results, "mops").verdict, Verdict::NotComparable);
    }

    #[test]
    fn a_floor_that_failed_is_told_and_compared_with_by_nobody() {
        let ahead = Measurements::of_mops(&[(Who::Ours, [9.0; 3])]).failed(&[Who::Mutex]);
        assert_eq!(ahead.judged().verdict, Verdict::Reached);
        let results = ahead.results();
        let [failure] = results.failures().try_into().expect("one");
        assert_eq!((failure.who, failure.round, failure.why), (Who::Mutex, 2, "it hangs"));
    }

    #[test]
    fn the_conclusion_says_how_many_of_all_figures_were_judged() {
        let conclude = |measurements: &Measurements| {
            let results = measurements.results();
            conclusion(&["p999", "fairness"].map(|key| judged_at(&results, key)))
        };
        let measurements = Measurements::of_p999(&[(Who::Ours, [30.0; 3])]);
        let missed = conclude(&measurements);
        assert!(missed.starts_with("2 of "), "{missed}");
        assert!(missed.ends_with(" figures with a target were judged, 1 missed"), "{missed}");
        let unknown = conclude(&measurements.failed(&[Who::Sqlx]));
        assert!(unknown.starts_with("1 of "), "{unknown}");
        assert!(unknown.ends_with("1 not comparable, because a peer lacks a figure"), "{unknown}");
    }
}
