//! The file of alerts: its tables, and what they become.

use std::collections::BTreeMap;
use std::ffi::OsString;

use pool_core::{ConfigError, Problem, parse_duration};

use super::document::{Document, Table, number};
use super::options::{AlertOptions, SinkOptions};
use super::rule::{Bound, NAME, PART, Rule, Rules, SECONDS, Severity, is_name, shown_name};
use super::sinks;
use crate::signal::Signal;

const ALERTS: &str = "alerts";
const TABLES: &[&str] = &["shipped_rules", "labels", "rules", "sinks"];
const RULE: &[&str] = &[
    "enabled",
    "signal",
    "above",
    "below",
    "clear",
    "over",
    "for",
    "keep_firing",
    "severity",
    "minimum_traffic",
    "pools",
    "summary",
];

/// What every sink has; the rest depends on its type.
const SINK: &[&str] = &["type", "minimum_severity", "send_resolved", "group_wait", "repeat"];

/// Whether a key is one of ours, and so no part of a secret.
pub(crate) fn is_key(key: &str) -> bool {
    let keys = [&[ALERTS], TABLES, RULE, SINK];
    keys.into_iter().chain(sinks::KEYS).any(|keys| keys.contains(&key))
}

/// The rules that are shipped.
pub(crate) fn shipped_rules() -> Rules {
    let none = |_: &str| None;
    let (document, root) = Document::parse("shipped", include_str!("shipped.toml"), &none);
    let table = Table::root(&document, root.get_ref()).table(ALERTS);
    let rules = table.map_or(Vec::new(), |table| read_all_rules(&table, Vec::new()));
    assert_eq!(document.finish(), Ok(()), "bug: the shipped rules are wrong");
    Rules(rules)
}

/// Reads the rules alone.
pub(crate) fn read_rules(file: &str, text: &str) -> Result<Rules, ConfigError> {
    let none = |_: &str| None;
    let (document, root) = Document::parse(file, text, &none);
    let rules = alerts(&document, &Table::root(&document, root.get_ref()))
        .map_or(Vec::new(), |table| read_all_rules(&table, base(&table)));
    document.finish().map(|()| Rules(rules))
}

/// Reads rules, sinks and labels.
pub(crate) fn read(
    file: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<AlertOptions, ConfigError> {
    let (document, root) = Document::parse(file, text, environment);
    let table = alerts(&document, &Table::root(&document, root.get_ref()));
    let options = table.map(|table| AlertOptions {
        rules: Rules(read_all_rules(&table, base(&table))),
        sinks: read_sinks(&table),
        labels: read_labels(&table),
    });
    document.finish()?;
    Ok(options.expect("bug: no table without a problem"))
}

/// The table `[alerts]`. What other tables mean is not our business, unless they were meant to be it
/// or to be in it.
fn alerts<'t, 'a>(document: &'t Document<'a>, root: &Table<'t, 'a>) -> Option<Table<'t, 'a>> {
    let mut is_misplaced = false;
    for (key, start) in root.keys() {
        let is_meant = [ALERTS, "alert"].iter().any(|it| it.eq_ignore_ascii_case(key));
        let ours = TABLES.iter().find(|table| **table == key);
        if key != ALERTS && is_meant {
            document.note_unknown(start, "table", key, &[ALERTS]);
        } else if let Some(ours) = ours {
            let allowed = format!("it in [alerts]: [alerts.{ours}]");
            document.note(start, Problem::invalid(*ours, "", "outside of [alerts]", allowed));
        }
        is_misplaced |= ours.is_some() || (key != ALERTS && is_meant);
    }
    let table = root.table(ALERTS);
    if root.get(ALERTS).is_none() && !is_misplaced {
        document.note(0, Problem::invalid("file", "", "it has no table [alerts]", "one"));
    }
    if let Some(table) = &table {
        table.only(TABLES);
    }
    table
}

/// The rules that a file changes or adds to.
fn base(table: &Table<'_, '_>) -> Vec<Rule> {
    if table.flag("shipped_rules") == Some(false) { Vec::new() } else { shipped_rules().0 }
}

fn read_all_rules(table: &Table<'_, '_>, mut rules: Vec<Rule>) -> Vec<Rule> {
    let Some(tables) = table.table("rules") else { return rules };
    for (name, table) in named_tables(&tables) {
        table.only(RULE);
        let at = rules.iter().position(|rule| rule.name == name);
        if at.is_none() && table.get("signal").is_none() {
            let names: Vec<_> = Signal::ALL.iter().map(|signal| signal.name()).collect();
            table.missing("signal", &names.join(", "));
        }
        let rule = read_rule(&name, &table, at.map(|at| &rules[at]));
        match (at, rule) {
            (Some(at), _) if table.flag("enabled") == Some(false) => {
                rules.remove(at);
            }
            (Some(at), Some(rule)) => rules[at] = rule,
            (None, Some(rule)) if table.flag("enabled") != Some(false) => rules.push(rule),
            (_, _) => {}
        }
    }
    rules
}

/// The tables in a table, by names that are names.
fn named_tables<'t, 'a>(tables: &Table<'t, 'a>) -> Vec<(String, Table<'t, 'a>)> {
    let mut named = Vec::new();
    for (name, start) in tables.keys() {
        if is_name(name) {
            named.extend(tables.table(name).map(|table| (name.to_owned(), table)));
        } else {
            let problem = Problem::invalid(&*tables.path, shown_name(name), "not a name", NAME);
            tables.document.note(start, problem);
        }
    }
    named
}

/// A rule, which changes that of the same name which is shipped. What is wrong with one part does not
/// keep the others from being looked at.
fn read_rule(name: &str, table: &Table<'_, '_>, shipped: Option<&Rule>) -> Option<Rule> {
    let signal = read_signal(table).or(shipped.map(|rule| rule.signal));
    let kept = shipped.filter(|rule| Some(rule.signal.unit()) == signal.map(Signal::unit));
    // Without a signal nobody knows how a threshold is written.
    let bound = signal.and_then(|it| read_bound(table, it, kept.map(|rule| rule.bound)));
    let clear = signal.and_then(|it| threshold(table, "clear", it));
    // The threshold to clear at belongs to the one that is replaced.
    let kept_clear = kept.filter(|rule| bound == Some(rule.bound)).and_then(|rule| rule.clear);
    let any = || Rule::new(name, signal.unwrap_or(Signal::InUse), Bound::Above(0.0));
    let rule = shipped.map_or_else(any, Clone::clone);
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let pools = "a list of names of pools, * for any text, such as [\"orders-*\"]";
    let rule = Rule {
        signal: signal.unwrap_or(rule.signal),
        bound: bound.unwrap_or(rule.bound),
        clear: bound.and(clear.or(kept_clear)),
        over: table.duration("over").unwrap_or(rule.over),
        lasting: table.duration("for").unwrap_or(rule.lasting),
        keep_firing: table.duration("keep_firing").unwrap_or(rule.keep_firing),
        severity: table.choice("severity", &severities).unwrap_or(rule.severity),
        minimum_traffic: table.number("minimum_traffic").unwrap_or(rule.minimum_traffic),
        pools: table.list("pools", pools).unwrap_or(rule.pools),
        summary: table.text("summary", "text").unwrap_or(rule.summary),
        ..rule
    };
    table.note_all(rule.problems());
    signal.and(bound).map(|_| rule)
}

fn read_signal(table: &Table<'_, '_>) -> Option<Signal> {
    let signals: Vec<_> = Signal::ALL.iter().map(|signal| (signal.name(), *signal)).collect();
    table.choice("signal", &signals)
}

fn read_bound(table: &Table<'_, '_>, signal: Signal, kept: Option<Bound>) -> Option<Bound> {
    let (above, below) = (table.get("above"), table.get("below"));
    match (above, below) {
        (Some(_), Some(below)) => {
            table.note("below", below.start, "", "beside above", "one of above, below");
            None
        }
        (Some(_), None) => threshold(table, "above", signal).map(Bound::Above),
        (None, Some(_)) => threshold(table, "below", signal).map(Bound::Below),
        (None, None) => {
            if kept.is_none() {
                table.missing("above", "above or below, with a threshold");
            }
            kept
        }
    }
}

/// A threshold, written as the signal demands it.
fn threshold(table: &Table<'_, '_>, key: &str, signal: Signal) -> Option<f64> {
    match signal.unit() {
        PART => table.value(key, "a percentage such as \"90%\", or a part from 0 to 1", |value| {
            let part = match value.as_str() {
                // Divided, it is the same number as in a program: 0.07, not 0.07000000000000001.
                Some(text) => text.strip_suffix('%')?.trim_end().parse::<f64>().ok()? / 100.0,
                None => number(value)?,
            };
            // A 90 for 90% would never be reached.
            (0.0..=1.0).contains(&part).then_some(part)
        }),
        SECONDS => table.value(key, "a duration such as \"1s\"", |value| {
            value.as_str().and_then(parse_duration).map(|time| time.as_secs_f64())
        }),
        counted => table.value(key, &format!("a number of {counted}"), number),
    }
}

fn read_labels(table: &Table<'_, '_>) -> BTreeMap<String, String> {
    let mut labels = AlertOptions::default().labels;
    let Some(table) = table.table("labels") else { return labels };
    for (name, start) in table.keys() {
        let Some(value) = table.text(name, "text") else { continue };
        match AlertOptions::check_label(name) {
            Ok(()) => {
                labels.insert(name.to_owned(), value);
            }
            Err(problem) => table.document.note(start, problem),
        }
    }
    labels
}

fn read_sinks(table: &Table<'_, '_>) -> Vec<SinkOptions> {
    let Some(tables) = table.table("sinks") else { return Vec::new() };
    let mut read = Vec::new();
    for (name, table) in named_tables(&tables) {
        let types = sinks::TYPES.map(|name| (name, name));
        let kind = table.choice("type", &types);
        if table.get("type").is_none() {
            table.missing("type", &sinks::TYPES.join(", "));
        }
        // Without it nobody knows which keys there are.
        let Some(kind) = kind else { continue };
        table.only(&[SINK, sinks::keys(kind)].concat());
        let severities = Severity::ALL.map(|severity| (severity.name(), severity));
        let minimum = table.choice("minimum_severity", &severities);
        let send_resolved = table.flag("send_resolved");
        let (group_wait, repeat) = (table.duration("group_wait"), table.duration("repeat"));
        let Some(sink) = sinks::read(kind, &table) else { continue };
        let defaults = SinkOptions::new(name, sink);
        let options = SinkOptions {
            minimum_severity: minimum.unwrap_or(defaults.minimum_severity),
            send_resolved: send_resolved.unwrap_or(defaults.send_resolved),
            group_wait: group_wait.unwrap_or(defaults.group_wait),
            repeat: repeat.unwrap_or(defaults.repeat),
            ..defaults
        };
        table.note_all(options.problems());
        read.push(options);
    }
    read
}
