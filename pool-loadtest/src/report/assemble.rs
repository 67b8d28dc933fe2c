//! How a report is put together from what a run brought to light.

use std::thread::available_parallelism;
use std::time::Duration;

use pool_core::{CloseReason, ConfigError, Driver, Metadata, Pool, PoolConfig, PoolStats};

#[cfg(feature = "cli")]
use super::Histograms;
use super::{
    ErrorGroup, GeneratorReport, Invariant, KindReport, Latency, LittlesLaw, LoadModel, LoadReport,
    Outcome, PoolReport, Provenance, Report, ReportKind, SCHEMA_VERSION, database,
};
use crate::arrivals::Arrivals;
use crate::changes::{ChangeOutcome, ChangeReport};
use crate::generator::{Fared, Judged};
use crate::law::Figures;
use crate::leftover::Leftover;
use crate::options::LoadOptions;
use crate::recorder::{Found, KINDS, Measured, Times};
use crate::verdict::{Churned, Evidence, MostErrors, Network, Verdict};
use crate::workload::Checked;

/// What is known of a run when its load begins.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// What the workload calls itself, and its kinds of operations.
    pub(crate) workload: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) options: LoadOptions,
    pub(crate) baseline: Option<Duration>,
    pub(crate) network: Network,
    pub(crate) provenance: Provenance,
}

/// What the load itself brought to light.
pub(crate) struct Loaded {
    /// The pool's settings before it.
    pub(crate) config: PoolConfig,
    pub(crate) changes: Vec<ChangeReport>,
    /// The largest `max_open` there was.
    pub(crate) most_open: usize,
    /// How long it was measured.
    pub(crate) elapsed: Duration,
    /// The same with the operations that went on after the time was up.
    pub(crate) whole: Duration,
    pub(crate) found: Found,
    /// The pool when it began to be measured and after its last operation.
    pub(crate) before: PoolStats,
    pub(crate) after: PoolStats,
    /// How long connections took to open in between, in sum.
    pub(crate) opening: Duration,
    /// Connections that were not given back by then.
    pub(crate) leftover: Leftover,
    /// Most connections that were seen in use, now and then.
    pub(crate) most_in_use: usize,
    pub(crate) cores_used: Option<f64>,
}

/// Everything a run brought to light.
pub(crate) struct Run<'a> {
    pub(crate) about: &'a About,
    pub(crate) outcome: Outcome,
    pub(crate) loaded: Loaded,
    /// The pool after everything.
    pub(crate) end: PoolStats,
    /// What was found, or why nothing was.
    pub(crate) invariant: Result<Checked, String>,
    pub(crate) warnings: Vec<String>,
}

impl Report {
    /// Of a run that is under way, or that was stopped and has not come to its end.
    pub(crate) fn partial<D: Driver>(
        about: &About,
        outcome: Outcome,
        loaded: Loaded,
        pool: &Pool<D>,
    ) -> Self {
        let run = Run {
            about,
            outcome,
            end: loaded.after.clone(),
            loaded,
            invariant: Err("the run had not ended".to_owned()),
            warnings: Vec::new(),
        };
        Self::new(run, pool)
    }

    pub(crate) fn new<D: Driver>(run: Run<'_>, pool: &Pool<D>) -> Self {
        let Run { about, outcome, loaded, end, invariant, warnings } = run;
        let metadata = pool.driver().metadata();
        let measured = &loaded.found.measured;
        let total = measured.total();
        let pool_report = PoolReport::new(&loaded, &end);
        let fared = fared(&loaded, &total, &metadata).judge();
        let (invariant, invariant_detail) = match invariant {
            Ok(Checked::Held(detail)) => (Invariant::Held, detail),
            Ok(Checked::Broken(detail)) => (Invariant::Broken, detail),
            Err(why) => (Invariant::Unchecked, format!("{}: {why}", database(pool.driver()))),
        };
        let seconds = loaded.elapsed.as_secs_f64().max(1e-9);
        let throughput = loaded.found.in_time as f64 / seconds;
        let evidence = Evidence {
            broken: (invariant == Invariant::Broken).then(|| invariant_detail.clone()),
            saturated: fared.saturated.clone(),
            ..evidence(about, &loaded, &total, &pool_report)
        };
        let validate = |config: &PoolConfig| {
            config.validate()?;
            ConfigError::from_problems(pool.driver().objections(config))
        };
        let generator = generator(&loaded, fared, &pool_report);
        let littles_law = LittlesLaw::of(&Figures {
            seconds: loaded.whole.as_secs_f64(),
            held_seconds: held(&loaded).as_secs_f64(),
            served: total.service.len(),
            service: total.service.mean() / 1e3,
            longest: total.service.max() as f64 / 1e3,
            nested: evidence.nested,
            is_cut: loaded.before.in_use > 0,
            left_out: evidence.left_out,
            is_mixed: evidence.is_mixed,
            is_whole: outcome == Outcome::Completed,
        });
        let config = &loaded.config;
        Self {
            schema_version: SCHEMA_VERSION,
            kind: ReportKind::Run,
            provenance: about.provenance.clone(),
            system: metadata.system_name.into_owned(),
            database: metadata.namespace,
            outcome,
            duration_seconds: seconds,
            seed: about.options.seed,
            workload: about.workload.clone(),
            scenario: None,
            load: LoadReport::new(&about.options),
            config: PoolConfig { max_idle: config.effective_max_idle(), ..config.clone() },
            changes: loaded.changes,
            incidents: Vec::new(),
            aftermath: None,
            operations: loaded.found.in_time,
            throughput,
            late: total.succeeded - loaded.found.in_time,
            unfinished: measured.unfinished,
            errors: measured.failures.count(),
            error_groups: error_groups(measured),
            generator,
            wait: Latency::new(&total.wait),
            service: Latency::new(&total.service),
            response: Latency::new(&total.response),
            kinds: kinds(&about.kinds, measured),
            baseline_us: evidence.alone,
            invariant,
            invariant_detail,
            in_use: pool_report.in_use,
            pool: pool_report,
            server: None,
            littles_law,
            budget: None,
            verdict: Verdict::of(&evidence, validate),
            warnings,
            series: loaded.found.series,
            #[cfg(feature = "cli")]
            histograms: Some(Histograms {
                wait: total.wait,
                service: total.service,
                response: total.response,
            }),
        }
    }
}

impl LoadReport {
    pub(crate) fn new(options: &LoadOptions) -> Self {
        let (model, tasks, in_flight_limit) = match options.arrivals {
            Arrivals::Closed { tasks, .. } => (LoadModel::Closed, Some(tasks), None),
            Arrivals::Open { in_flight, .. } => (LoadModel::Open, None, Some(in_flight)),
        };
        Self {
            model,
            arrivals: options.arrivals.to_string(),
            tasks,
            in_flight_limit,
            warm_up_seconds: options.warm_up.as_secs_f64(),
        }
    }
}

/// What there is to judge the generator by.
fn fared(loaded: &Loaded, total: &Times, metadata: &Metadata) -> Fared {
    let Found { measured, arrived, .. } = &loaded.found;
    Fared {
        open: arrived.map(|arrived| (arrived, Latency::new(&measured.lateness))),
        response: Latency::new(&total.response),
        cores_used: loaded.cores_used,
        cores: cores(),
        has_server: metadata.server_address.is_some(),
    }
}

fn generator(loaded: &Loaded, judged: Judged, pool: &PoolReport) -> GeneratorReport {
    let Found { measured, arrived, .. } = &loaded.found;
    GeneratorReport {
        saturated: judged.saturated.is_some(),
        detail: judged.detail,
        arrivals: arrived.map_or(pool.acquires.started, |arrived| arrived.arrivals),
        dropped: arrived.map_or(0, |arrived| arrived.dropped()),
        lateness: arrived.map(|_| Latency::new(&measured.lateness)),
        cores_used: loaded.cores_used,
    }
}

/// All that the load itself has to say to the verdict.
fn evidence(about: &About, loaded: &Loaded, total: &Times, pool: &PoolReport) -> Evidence {
    let Found { measured, in_time, arrived, .. } = &loaded.found;
    let most = measured.failures.0.iter().max_by_key(|(_, group)| group.count);
    let closed = |reason: CloseReason| pool.closed[reason.name()];
    Evidence {
        tasks: match about.options.arrivals {
            Arrivals::Closed { tasks, .. } => tasks,
            Arrivals::Open { .. } => arrived.map_or(0, |arrived| arrived.most_in_flight),
        },
        config: loaded.config.clone(),
        is_mixed: loaded.changes.iter().any(|change| change.outcome == ChangeOutcome::Applied),
        cores: cores(),
        operations: total.succeeded,
        errors: measured.failures.count(),
        most_errors: most.map(|(kind, group)| MostErrors {
            kind: kind.clone(),
            count: group.count,
            acquire: group.acquire,
        }),
        broken: None,
        saturated: None,
        throughput: *in_time as f64 / loaded.elapsed.as_secs_f64().max(1e-9),
        wait: measured.waited_for_pool() / 1e3,
        service: total.service.mean() / 1e3,
        median: total.service.value_at_quantile(0.5) as f64 / 1e3,
        alone: about.baseline.map(|baseline| baseline.as_secs_f64() * 1e6),
        began_cold: about.options.baseline.is_zero(),
        network: about.network,
        utilisation: pool.utilisation,
        // Also before it was measured: what was full then may have been full unseen.
        peak_in_use: loaded.after.peak_in_use,
        // One acquire for each operation; whoever made more is not the load tester.
        nested: pool.acquires.started.saturating_sub(total.wait.len() + measured.untimed),
        unserved: pool.acquires.timed_out + pool.acquires.cancelled,
        dropped: measured.unfinished.dropped,
        left_out: loaded.leftover.connections,
        holders: loaded.leftover.holders.clone(),
        held: held(loaded),
        churned: Churned {
            opened: pool.opened,
            opening: loaded.opening,
            surplus: closed(CloseReason::Surplus),
            lifetime: closed(CloseReason::Lifetime),
            idle: closed(CloseReason::Idle),
            broken: closed(CloseReason::Broken) + closed(CloseReason::CheckFailed),
        },
    }
}

/// How long connections were held, in sum.
fn held(loaded: &Loaded) -> Duration {
    loaded.after.hold_time.saturating_sub(loaded.before.hold_time)
}

fn error_groups(measured: &Measured) -> Vec<ErrorGroup> {
    let groups = measured.failures.0.iter().map(|(kind, group)| ErrorGroup {
        kind: kind.clone(),
        count: group.count,
        first: group.first.clone(),
    });
    groups.collect()
}

/// Nothing, if there is only one.
fn kinds(names: &[String], measured: &Measured) -> Vec<KindReport> {
    if names.len() < 2 {
        return Vec::new();
    }
    let others = "other kinds".to_owned();
    let names = names.iter().take(KINDS).chain(std::iter::once(&others));
    let kinds = measured.kinds.iter().zip(names).map(|(times, name)| KindReport {
        name: name.clone(),
        operations: times.succeeded,
        errors: times.failed,
        wait: Latency::new(&times.wait),
        service: Latency::new(&times.service),
        response: Latency::new(&times.response),
    });
    kinds.collect()
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
