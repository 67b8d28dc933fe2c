//! Every round of every figure, for programs.

use serde_json::{Map, Value, json};

use super::Report;
use crate::contender::Who;
use crate::machine::version_of;
use crate::results::{Failure, Results};
use crate::shape::{Better, Quantity, Shape, Target};
use crate::verdict::Judged;

pub(super) fn page(report: &Report<'_>) -> Value {
    let machine = report.machine;
    let shapes =
        report.results.shapes().map(|shape| (shape.key(), of_shape(shape, report.results)));
    json!({
        "machine": {
            "hardware": machine.hardware,
            "kernel": machine.kernel,
            "compiler": machine.compiler,
            "commit": machine.commit,
            "load_before": machine.load_before,
            "clock_read_nanos": machine.clock_read_nanos,
        },
        "rounds": report.rounds,
        "targets": report.judged.iter().map(target).collect::<Vec<_>>(),
        "failed": report.results.failures().iter().map(failure).collect::<Vec<_>>(),
        "shapes": shapes.collect::<Map<_, _>>(),
    })
}

fn target(judged: &Judged) -> Value {
    json!({
        "shape": judged.shape.key(),
        "figure": judged.quantity.key,
        "ours": judged.ours.median(),
        "best": judged.best.as_ref().map(|best| best.who.key()),
        "ratio": judged.best.as_ref().map(|best| best.ratio.median()),
        "target": demanded(judged.target),
        "verdict": judged.verdict.to_string(),
    })
}

fn demanded(target: Target) -> Value {
    match target {
        Target::AtMost(most) => json!({ "at_most": most }),
        Target::AtLeast(least) => json!({ "at_least": least }),
        Target::AtMostAndNever(most, never) => json!({ "at_most": most, "never_above": never }),
        Target::TimesTheBest(times) => json!({ "times_the_best": times }),
        Target::TimesTheBestFair(times) => json!({ "times_the_best_fair": times }),
    }
}

fn failure(failure: &Failure<'_>) -> Value {
    let Failure { shape, who, round, why } = failure;
    json!({ "shape": shape.key(), "contender": who.key(), "round": round, "why": why })
}

fn of_shape(shape: Shape, results: &Results) -> Value {
    let contenders = shape.contenders().iter().map(|who| (who.key(), of(shape, *who, results)));
    json!({ "title": shape.title(), "contenders": contenders.collect::<Map<_, _>>() })
}

fn of(shape: Shape, who: Who, results: &Results) -> Value {
    let figure = |quantity: Quantity| {
        let figure = results.figure(shape, who, quantity.key)?;
        let value = json!({
            "title": quantity.title,
            "better": match quantity.better {
                Better::Less => "less",
                Better::More => "more",
            },
            "median": figure.median(),
            "least": figure.least(),
            "most": figure.most(),
            "rounds": results.each(shape, who, quantity.key),
        });
        Some((quantity.key.to_owned(), value))
    };
    let figures: Map<_, _> = shape.quantities().into_iter().filter_map(figure).collect();
    let version = who.package().and_then(version_of);
    json!({ "name": who.to_string(), "version": version, "figures": figures })
}
