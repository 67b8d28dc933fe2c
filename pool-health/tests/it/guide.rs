//! The guide says of settings, states and the manifest what there is. Its Rust code is in the doc tests.

use std::time::Duration;

use pool_health::{HealthOptions, HealthState, ShutdownOptions};

const GUIDE: &str = include_str!("../../../docs/health.md");

#[track_caller]
fn expect_row(row: &str) {
    assert!(GUIDE.contains(row), "docs/health.md is to say {row}");
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        60 => "1 min".to_owned(),
        seconds => format!("{seconds} s"),
    }
}

#[test]
fn every_setting_is_there_with_its_default() {
    let HealthOptions {
        interval,
        doubt_interval,
        timeout,
        rise,
        fall,
        checks,
        learn_role,
        fresh_after,
        saturated_after,
        runtime: _,
    } = HealthOptions::default();
    assert!(checks.is_empty() && !learn_role);
    let rows = [
        ("interval", shown(interval)),
        ("doubt_interval", shown(doubt_interval)),
        ("timeout", shown(timeout)),
        ("rise", rise.to_string()),
        ("fall", fall.to_string()),
        ("checks", "none".to_owned()),
        ("learn_role", "no".to_owned()),
        ("fresh_after", shown(fresh_after)),
        ("saturated_after", shown(saturated_after)),
    ];
    for (setting, default) in rows {
        expect_row(&format!("| `{setting}` | {default} |"));
    }
    let (down, up) = (fall * interval + timeout, rise * interval + timeout);
    expect_row(&format!("{} and {}", shown(down), shown(up)));
    let ShutdownOptions { notice, drain, runtime: _ } = ShutdownOptions::default();
    expect_row(&format!("`notice` of {}", shown(notice)));
    expect_row(&format!("`drain` of {}", shown(drain)));
}

#[test]
fn every_state_is_there_with_what_it_means_for_readiness() {
    use HealthState::{Degraded, Healthy, Unhealthy, Unknown};
    for state in [Unknown, Healthy, Degraded, Unhealthy] {
        let start = format!("| `{state}` |");
        let row = GUIDE.lines().find(|line| line.starts_with(&start)).expect("a row of the state");
        assert!(row.ends_with(if state.serves() { "| yes |" } else { "| no |" }), "{row}");
    }
}

/// The checks are those that the crate exports from one module.
#[test]
fn every_check_is_there() {
    let exported = include_str!("../../src/lib.rs");
    let (_, rest) = exported.split_once("pub use self::check::{").expect("the checks");
    let (checks, _) = rest.split_once('}').expect("their end");
    for check in checks.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !["Check", "Finding"].contains(&check) {
            expect_row(&format!("| `{check}` |"));
        }
    }
}

/// The check that it shows for a full disk is the one that meets such a disk.
#[test]
fn the_check_that_writes_is_the_one_that_is_tested() {
    let tested = include_str!("under_faults/disk.rs");
    let (_, check) = tested.split_once("shows it.\n\n").expect("the check");
    let (check, _) = check.split_once("\n}\n").expect("its end");
    assert!(check.contains("fn writes()"), "{check}");
    expect_row(check);
}

#[test]
fn the_manifest_is_shown() {
    let manifest = include_str!("../../shipped/kubernetes.yml");
    expect_row(&format!("```yaml\n{manifest}```\n"));
}
