//! Files of alerts, as people write them and as they get them wrong.

use std::ffi::OsString;
use std::time::Duration;

use super::file::read;
use super::rule::{Bound, Rule, Rules, Severity};
use crate::signal::Signal;

fn rules(text: &str) -> Vec<Rule> {
    Rules::from_toml("alerts.toml", text).expect(text).0
}

/// What is wrong with a file, a line each.
pub(super) fn problems(text: &str) -> Vec<String> {
    let error = read("alerts.toml", text, &environment).expect_err(text);
    error.problems().iter().map(ToString::to_string).collect()
}

pub(super) fn environment(variable: &str) -> Option<OsString> {
    match variable {
        "SLACK_URL" => Some("https://hooks.slack.com/services/canary7Qd3".into()),
        "EMPTY" => Some("".into()),
        _ => None,
    }
}

/// Fails unless there are just these problems, of which each begins so.
#[track_caller]
pub(super) fn expect(text: &str, expected: &[&str]) {
    let problems = problems(text);
    let is_so = problems.iter().zip(expected).all(|(problem, start)| problem.starts_with(start));
    assert!(is_so && problems.len() == expected.len(), "{problems:#?}\nfor {expected:#?}");
}

#[test]
fn the_shipped_rules_are_the_founding_documents_three_and_eight_more() {
    let shipped = Rules::default();
    let names: Vec<_> = shipped.0.iter().map(|rule| (&*rule.name, rule.severity)).collect();
    assert_eq!(
        names,
        [
            ("utilisation", Severity::Warning),
            ("wait", Severity::Critical),
            ("full", Severity::Critical),
            ("connect_failures", Severity::Critical),
            ("check_failures", Severity::Warning),
            ("leak", Severity::Warning),
            ("churn", Severity::Warning),
            ("queue", Severity::Critical),
            ("unhealthy", Severity::Critical),
            ("share_withheld", Severity::Warning),
            ("configuration_refused", Severity::Warning),
        ]
    );
    let bounds: Vec<_> = shipped.0[..3].iter().map(|rule| (rule.signal, rule.bound)).collect();
    assert_eq!(
        bounds,
        [
            (Signal::Utilisation, Bound::Above(0.9)),
            (Signal::WaitP99, Bound::Above(1.0)),
            (Signal::FullFor, Bound::Above(300.0)),
        ]
    );
}

#[test]
fn a_table_changes_single_fields_of_a_shipped_rule_or_adds_one() {
    let shipped = Rules::default().0;
    let read = rules(
        "[alerts.rules.utilisation]\nclear = \"85%\"\n[alerts.rules.wait]\nabove = \"2s\"\n\
         [alerts.rules.churn]\nenabled = false\n\
         [alerts.rules.mine]\nsignal = \"idle\"\nbelow = 2\nfor = \"1m 30s\"\npools = [\"a*\"]\n",
    );
    assert_eq!(read.len(), shipped.len());
    assert_eq!(read[0], Rule { clear: Some(0.85), ..shipped[0].clone() });
    // The threshold to clear at was that of the other threshold.
    assert_eq!(read[1], Rule { bound: Bound::Above(2.0), clear: None, ..shipped[1].clone() });
    assert!(read.iter().all(|rule| rule.name != "churn"));
    let mine = Rule {
        lasting: Duration::from_secs(90),
        pools: vec!["a*".to_owned()],
        ..Rule::new("mine", Signal::Idle, Bound::Below(2.0))
    };
    assert_eq!(read.last(), Some(&mine));
}

#[test]
fn a_file_may_do_without_the_shipped_rules_and_hold_what_is_not_ours() {
    let read = rules("[pool]\nmax_open = 3\n[alerts]\nshipped_rules = false\n");
    assert_eq!(read, []);
    assert_eq!(rules("[alerts]"), Rules::default().0);
}

#[test]
fn every_problem_is_said_at_once_with_its_line_and_what_is_allowed() {
    expect(
        "[alerts]\n\
         shiped_rules = false\n\
         [alerts.rules.a]\n\
         signal = \"utilization\"\n\
         [alerts.rules.b]\n\
         signal = \"wait_p99\"\n\
         above = 1\n\
         fro = \"5m\"\n\
         severity = \"fatal\"\n\
         [alerts.rules.c]\n\
         signal = \"utilisation\"\n\
         above = 90\n\
         [alerts.rules.d]\n\
         signal = \"churn\"\n\
         above = 1\n\
         below = 1\n\
         [alerts.rules.e]\n\
         [alerts.rules.f]\n\
         signal = \"churn\"\n\
         above = 10\n\
         clear = 20\n\
         for = 5\n\
         pools = \"orders\"\n\
         summary = \"{name}\"\n\
         [alerts.rules.\"Über uns\"]\n",
        &[
            "alerts.toml:2: alerts = \"shiped_rules\": unknown; allowed: shipped_rules, labels, \
             rules, sinks; did you mean \"shipped_rules\"?",
            "alerts.toml:4: alerts.rules.a.signal = \"utilization\": unknown; allowed: \
             utilisation, full_for, ",
            "alerts.toml:7: alerts.rules.b.above = \"1\": not understood; allowed: a duration such \
             as \"1s\"",
            "alerts.toml:8: alerts.rules.b = \"fro\": unknown; ",
            "alerts.toml:9: alerts.rules.b.severity = \"fatal\": unknown; allowed: info, warning, \
             critical",
            "alerts.toml:12: alerts.rules.c.above = \"90\": not understood; allowed: a percentage",
            "alerts.toml:16: alerts.rules.d.below = \"\": beside above",
            "alerts.toml:17: alerts.rules.e.signal = \"\": missing; allowed: utilisation, ",
            "alerts.toml:21: alerts.rules.f.clear = \"20 connections a minute\": beyond the \
             threshold; allowed: at most 10 connections a minute",
            "alerts.toml:22: alerts.rules.f.for = \"5\": not understood; allowed: a duration such \
             as \"5m\"",
            "alerts.toml:23: alerts.rules.f.pools = \"orders\": not understood; allowed: a list",
            "alerts.toml:24: alerts.rules.f.summary = \"{name}\": unknown {name}; allowed: ",
            "alerts.toml:25: alerts.rules = \"(not shown)\": not a name; allowed: a name of a-z",
        ],
    );
    let nearest = problems("[alerts.rules.a]\nsignal = \"wait_p9\"\nabove = \"1s\"");
    assert!(nearest[0].ends_with("did you mean \"wait_p99\"?"), "{nearest:?}");
}

#[test]
fn what_is_not_where_it_belongs_is_said() {
    let misspelt = "alerts.toml:1: table = \"Alerts\": unknown; allowed: alerts; did you mean";
    expect("[Alerts]", &[misspelt]);
    expect(
        "[rules.a]\n[alerts]",
        &["alerts.toml:1: rules = \"\": outside of [alerts]; allowed: it in"],
    );
    expect("", &["alerts.toml:1: file = \"\": it has no table [alerts]"]);
    expect(
        "alerts = 3",
        &["alerts.toml:1: alerts = \"integer\": not a table; allowed: a table, [alerts]"],
    );
    expect(
        "[alerts]\nlabels = { pool = \"x\", \"a-b\" = \"y\", env = 3 }",
        &[
            "alerts.toml:2: alerts.labels = \"pool\": every alert has one of its own",
            "alerts.toml:2: alerts.labels = \"(not shown)\": not a name of a label",
            "alerts.toml:2: alerts.labels.env = \"3\": not understood",
        ],
    );
}

#[test]
fn what_is_left_of_a_broken_file_is_looked_at_without_being_shown() {
    let problems = problems(
        "[alerts.rules.wait]\nabove = \"canary7Qd3\"\ncanary7Qd3 = 3\n\
         [alerts.rules.canary7Qd3]\nfor = \"5\"\n[alerts.rules.churn\n",
    );
    let starts = [
        "alerts.toml:2: alerts.rules.(not shown).above = \"(not shown)\": not understood",
        "alerts.toml:3: alerts.rules.(not shown) = \"(not shown)\": unknown, or what is left of",
        "alerts.toml:4: alerts.rules = \"(not shown)\": not a name",
        "alerts.toml:6: TOML = \"\": unclosed table",
    ];
    for start in starts {
        assert!(problems.iter().any(|problem| problem.starts_with(start)), "{start} {problems:#?}");
    }
    assert!(!problems.concat().contains("canary7Qd3"), "{problems:#?}");
}

#[cfg(not(feature = "mail"))]
#[test]
fn a_sink_that_this_program_was_built_without_is_a_problem() {
    expect(
        "[alerts.sinks.duty]\ntype = \"mail\"\n",
        &["alerts.toml:2: alerts.sinks.duty.type = \"mail\": this program was built without the \
           feature mail"],
    );
}
