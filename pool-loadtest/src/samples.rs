//! A report for tests, with figures that are easy to recognise.

use std::collections::BTreeMap;

use pool_core::PoolConfig;

use crate::recorder::Unfinished;
use crate::report::{
    AcquireReport, GeneratorReport, Invariant, KindReport, Latency, LoadModel, LoadReport, Outcome,
    Point, PoolReport, Provenance, Report, ReportKind, SCHEMA_VERSION, Unit,
};
use crate::verdict::{Limit, Verdict};

/// Ten seconds of 2000 operations each, of which one in five was a transfer, and 202 errors.
pub(crate) fn report() -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        kind: ReportKind::Run,
        provenance: Provenance {
            version: "0.1.0".to_owned(),
            optimised: true,
            began_unix_seconds: 1_700_000_000,
            os: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            cores: 2,
        },
        system: "sqlite".to_owned(),
        database: Some("a file in a temporary directory".to_owned()),
        outcome: Outcome::Completed,
        duration_seconds: 10.0,
        seed: 1,
        workload: "bank".to_owned(),
        scenario: None,
        load: LoadReport {
            model: LoadModel::Closed,
            arrivals: "closed".to_owned(),
            tasks: Some(16),
            in_flight_limit: None,
            warm_up_seconds: 0.0,
        },
        config: PoolConfig { max_open: 4, max_idle: 4, ..PoolConfig::default() },
        changes: Vec::new(),
        incidents: Vec::new(),
        aftermath: None,
        operations: 19_998,
        throughput: 2_000.0,
        late: 0,
        unfinished: Unfinished::default(),
        errors: 202,
        error_groups: Vec::new(),
        generator: GeneratorReport {
            saturated: false,
            detail: "a closed loop keeps up with itself".to_owned(),
            arrivals: 20_200,
            dropped: 0,
            lateness: None,
            cores_used: None,
        },
        wait: latency([200.0, 100.0, 500.0, 1_000.0, 2_000.0, 4_000.0]),
        service: latency([1_800.0, 1_000.0, 4_000.0, 8_000.0, 12_000.0, 20_000.0]),
        response: latency([2_000.0, 1_100.0, 4_500.0, 9_000.0, 14_000.0, 24_000.0]),
        kinds: vec![KindReport {
            name: "transfer".to_owned(),
            operations: 4_000,
            errors: 0,
            wait: latency([200.0, 100.0, 500.0, 1_000.0, 2_000.0, 4_000.0]),
            service: latency([2_800.0, 2_000.0, 6_000.0, 11_000.0, 14_000.0, 20_000.0]),
            response: latency([3_000.0, 2_100.0, 6_500.0, 12_000.0, 16_000.0, 24_000.0]),
        }],
        series: (1..=10).map(point).collect(),
        baseline_us: Some(200.0),
        invariant: Invariant::Held,
        invariant_detail: "nothing was lost".to_owned(),
        in_use: 0,
        pool: pool(),
        server: None,
        littles_law: None,
        budget: None,
        #[cfg(feature = "cli")]
        histograms: None,
        verdict: Verdict {
            limit: Limit::Idle,
            summary: "in balance".to_owned(),
            would_change: "a higher load".to_owned(),
            recommendation: None,
        },
        warnings: Vec::new(),
    }
}

/// Mean, p50, p90, p99, p99.9 and maximum, in microseconds.
fn latency([mean, p50, p90, p99, p99_9, max]: [f64; 6]) -> Latency {
    Latency {
        unit: Unit::Microseconds,
        count: 20_200,
        mean: Some(mean),
        p50: Some(p50),
        p90: Some(p90),
        p99: Some(p99),
        p99_9: Some(p99_9),
        max: Some(max),
    }
}

/// One second that ends so many seconds after the load began.
fn point(at: u32) -> Point {
    Point {
        at_seconds: f64::from(at),
        seconds: 1.0,
        operations: 2_000,
        errors: 20,
        dropped: 0,
        response_p50: Some(1_100.0),
        response_p99: Some(9_000.0),
        response_max: Some(24_000.0),
        in_use: 4,
        idle: 0,
        opening: 0,
        waiting: 12,
        max_open: Some(4),
    }
}

fn pool() -> PoolReport {
    let acquires = AcquireReport {
        started: 20_200,
        immediate: 8_200,
        waited: 12_000,
        opened: 0,
        timed_out: 0,
        queue_full: 0,
        closed: 0,
        connect_failed: 0,
        no_runtime: 0,
        cancelled: 0,
    };
    PoolReport {
        open: 4,
        idle: 4,
        in_use: 0,
        waiting: 0,
        peak_is_exact: true,
        peak_in_use: 4,
        utilisation: 0.9,
        acquires,
        wait_count: 12_000,
        wait_seconds: 4.0,
        opened: 4,
        opening_seconds: 0.02,
        open_failed: 0,
        closed: BTreeMap::new(),
    }
}
