//! Tests of comparisons, on simulated runs whose seconds follow from each other.

use fastrand::Rng;

use super::simulation::{STEADY, Server};
use super::*;
use crate::report::{LoadModel, Outcome};
use crate::samples;

#[test]
fn what_is_significant_but_smaller_than_the_threshold_does_not_matter() {
    let calm = Server { noise: 0.005, ..STEADY };
    let (before, after) =
        (calm.run(1.0, &mut Rng::with_seed(1)), calm.run(1.03, &mut Rng::with_seed(2)));
    let comparison = Comparison::of(&before, &after);
    assert_eq!(comparison.verdict, ComparisonVerdict::Unchanged, "{comparison}");
    assert_eq!(comparison.summary, "no figure has changed by more than 5 % for certain");
    assert!(comparison.figures[0].probability.is_some_and(|probability| probability < 0.01));
    let strict = Comparison::beyond(0.01, &before, &after);
    assert_eq!(strict.verdict, ComparisonVerdict::Regressed, "{strict}");
}

#[test]
fn a_run_is_no_different_from_itself_whatever_the_threshold() {
    let run = STEADY.run(1.0, &mut Rng::with_seed(5));
    for threshold in [0.0, 0.001, 0.05, 1.0] {
        let comparison = Comparison::beyond(threshold, &run, &run);
        assert_eq!(comparison.verdict, ComparisonVerdict::Unchanged, "{threshold}: {comparison}");
    }
}

#[test]
fn a_run_in_which_nothing_succeeded_has_figures_that_are_numbers() {
    let (mut nothing, some) = (samples::report(), samples::report());
    nothing.throughput = 0.0;
    for point in &mut nothing.series {
        (point.operations, point.response_p50, point.response_p99) = (0, None, None);
    }
    let compared = |before: &Report, after: &Report| Comparison::of(before, after);
    for (comparison, verdict) in [
        (compared(&nothing, &some), ComparisonVerdict::Improved),
        (compared(&some, &nothing), ComparisonVerdict::Regressed),
        (compared(&nothing, &nothing), ComparisonVerdict::Inconclusive),
    ] {
        assert_eq!(comparison.figures[0].verdict, verdict, "{comparison}");
        assert_eq!(comparison.verdict, verdict, "{comparison}");
        let text = comparison.to_string();
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
        let figures = comparison.figures.iter();
        let mut numbers = figures.flat_map(|it| [it.change, it.low, it.high, it.probability]);
        assert!(numbers.all(|number| number.is_none_or(f64::is_finite)), "{comparison}");
    }
}

#[test]
fn a_few_seconds_say_nothing() {
    let short = Server { seconds: 7, ..STEADY };
    let mut rng = Rng::with_seed(1);
    let comparison = Comparison::of(&short.run(1.0, &mut rng), &short.run(1.5, &mut rng));
    assert_eq!(comparison.verdict, ComparisonVerdict::Inconclusive);
    assert!(comparison.summary.contains("has 7 seconds to compare, and at least 8"));
}

#[test]
fn seconds_that_differ_too_much_say_nothing() {
    let wild = Server { noise: 0.5, alike: 0.0, seconds: 10 };
    let mut rng = Rng::with_seed(2);
    let comparison = Comparison::of(&wild.run(1.0, &mut rng), &wild.run(1.0, &mut rng));
    assert_eq!(comparison.verdict, ComparisonVerdict::Inconclusive, "{comparison}");
}

#[test]
fn a_generator_that_could_not_keep_up_says_nothing() {
    let (before, mut after) = (samples::report(), samples::report());
    after.generator.saturated = true;
    let comparison = Comparison::of(&before, &after);
    assert_eq!(comparison.verdict, ComparisonVerdict::Inconclusive);
    assert!(comparison.summary.contains("could not keep up"), "{}", comparison.summary);
}

#[test]
fn errors_are_compared_by_their_share() {
    let mut rng = Rng::with_seed(3);
    let (before, mut after) = (STEADY.run(1.0, &mut rng), STEADY.run(1.0, &mut rng));
    for point in &mut after.series {
        point.errors = point.operations / 50;
    }
    let comparison = Comparison::of(&before, &after);
    assert_eq!(comparison.verdict, ComparisonVerdict::Regressed);
    let errors = &comparison.figures[3];
    assert_eq!((&*errors.metric, errors.verdict), ("errors", ComparisonVerdict::Regressed));
    assert!(errors.change.is_some_and(|change| (0.018..0.021).contains(&change)), "{errors:?}");
    assert!(comparison.summary.starts_with("errors went from"), "{}", comparison.summary);
}

#[test]
fn what_makes_runs_hard_to_compare_is_said() {
    let (before, mut after) = (samples::report(), samples::report());
    assert_eq!(Comparison::of(&before, &after).differences, [""; 0]);
    after.system = "postgresql".to_owned();
    after.workload = "tpcb".to_owned();
    after.load.model = LoadModel::Open;
    after.provenance.optimised = false;
    after.outcome = Outcome::Interrupted;
    after.config.max_open = 8;
    let comparison = Comparison::of(&before, &after);
    assert_eq!(
        comparison.differences,
        [
            "the system: sqlite before, postgresql after",
            "the workload: bank before, tpcb after",
            "the load: a closed loop before, an open loop after",
            "the load tester: an optimised build before, a debug build after",
            "the run after did not come to its end",
        ]
    );
    assert_eq!(comparison.notes, ["max_open: 4 before, 8 after"]);
}
