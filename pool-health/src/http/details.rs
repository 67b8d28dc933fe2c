//! Details for people, in the format of draft-inadarei-api-health-check-06.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use pool_core::PoolState;
use serde_json::{Value, json};

use crate::check::Finding;
use crate::health::{CheckReport, Health, HealthState};
use crate::probes::Probes;

/// All that is known of the program's pools, for a probe that passes or fails.
pub(super) fn of(passes: bool, probes: &Probes) -> Value {
    let pools = probes.health();
    let notes = probes.notes();
    let is_well = notes.is_empty() && pools.iter().all(|it| it.state == HealthState::Healthy);
    let mut checks = BTreeMap::<String, Vec<Value>>::new();
    // A name may be that of two pools.
    let mut add = |key: String, entry| checks.entry(key).or_default().push(entry);
    for health in &pools {
        add(health.pool.to_string(), pool(health));
        for report in &health.checks {
            add(format!("{}:{}", health.pool, report.check), check(&health.pool, report));
        }
    }
    json!({
        "status": if !passes { "fail" } else if is_well { "pass" } else { "warn" },
        "notes": probes.ready().reasons.into_iter().chain(notes).collect::<Vec<_>>(),
        "checks": checks,
    })
}

fn pool(health: &Health) -> Value {
    let mut entry = json!({
        "componentId": &*health.pool,
        "componentType": "datastore",
        "status": match health.state {
            HealthState::Healthy => "pass",
            HealthState::Degraded => "warn",
            _ => "fail",
        },
        "time": rfc3339(health.at),
        // These names are ours.
        "state": health.state.name(),
        "since": rfc3339(health.since),
        "poolState": match health.pool_state {
            PoolState::Open => "open",
            PoolState::Paused => "paused",
            PoolState::Closed => "closed",
        },
        "circuit": health.circuit.name(),
        "probeCircuit": health.probe_circuit.name(),
    });
    if !health.reasons.is_empty() {
        entry["output"] = health.reasons.join("; ").into();
    }
    if let Some((at, took)) = health.probed {
        entry["observedValue"] = milliseconds(took);
        entry["observedUnit"] = "ms".into();
        entry["probed"] = rfc3339(at).into();
    }
    entry
}

fn check(pool: &str, report: &CheckReport) -> Value {
    let mut entry = json!({
        "componentId": pool,
        "componentType": "datastore",
        "status": match report.finding {
            Finding::Fine => "pass",
            Finding::Degraded(_) | Finding::Unknown(_) => "warn",
            Finding::Failed(_) => "fail",
        },
        "time": rfc3339(report.at),
        // Ours. As `observedValue` of a check called `lag` it would be a lag.
        "tookMilliseconds": milliseconds(report.took),
    });
    if let Some(reason) = report.finding.reason() {
        entry["output"] = reason.into();
    }
    entry
}

fn milliseconds(took: Duration) -> Value {
    (took.as_micros() as f64 / 1_000.0).into()
}

/// A clock that was set before 1970 is said to be at its beginning.
fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH)).to_string()
}
