//! Exporters to a collector, and what did not arrive there.

use std::time::Duration;

use anyhow::anyhow;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::trace::Sampler;
use pool_core::{ControlHandle, Problem, Subscription};
use pool_monitor::otlp::{Delivery, OtlpError, OtlpOptions, Telemetry, TelemetryState};
use pool_monitor::{PoolMetrics, PoolTraces, TraceOptions};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::arguments::MonitorArguments;
use super::sampling::Sampling;
use crate::words::counted;

/// Which part of the statements has spans, unless something else is asked for.
const SAMPLED: f64 = 0.001;
/// How often metrics are sent.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long the last of it may take to arrive.
const LAST: Duration = Duration::from_secs(5);

pub(super) struct Exporting {
    telemetry: Telemetry,
    /// `None` if the environment's sampler decides.
    sampling: Option<Sampling>,
}

impl Exporting {
    /// Starts exporters, if there is a URL.
    pub(super) fn start(
        arguments: &MonitorArguments,
        problems: &mut Vec<Problem>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(url) = &arguments.otlp else { return Ok(None) };
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let by_environment = arguments.sample.is_none() && is_set("OTEL_TRACES_SAMPLER");
        let sampling =
            (!by_environment).then(|| Sampling::new(arguments.sample.unwrap_or(SAMPLED)));
        let is_named = is_set("OTEL_SERVICE_NAME") || is_set("OTEL_RESOURCE_ATTRIBUTES");
        let options = OtlpOptions {
            endpoint: Some(url.clone()),
            service_name: (!is_named).then(|| "pool-loadtest".to_owned()),
            metric_interval: (!is_set("OTEL_METRIC_EXPORT_INTERVAL")).then_some(INTERVAL),
            sampler: sampling.clone().map(|it| Sampler::ParentBased(Box::new(it))),
            ..OtlpOptions::default()
        };
        match Telemetry::start(&options) {
            Ok(telemetry) => Ok(Some(Self { telemetry, sampling })),
            Err(OtlpError::Config(error)) => {
                problems.extend(error.problems().iter().map(named));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what happens in this pool for as long as the result is there.
    pub(super) fn watch(&self, pool: &ControlHandle) -> Sent {
        // The SDK of `otlp` is compiled for bound instruments.
        let metrics = PoolMetrics::bound(&self.telemetry.meter_provider().meter("pool-loadtest"));
        metrics.watch(pool);
        let traces = PoolTraces::new(self.telemetry.tracer_provider(), TraceOptions::default());
        Sent { _metrics: metrics, _traces: traces.watch(pool) }
    }

    /// Sends the last, and says how it all went.
    pub(super) async fn end(self) -> anyhow::Result<Arrival> {
        let Self { telemetry, sampling } = self;
        let left_out = sampling.map_or(0, |sampling| sampling.left_out());
        let ending = spawn_blocking(move || (telemetry.shutdown(LAST), telemetry.state()));
        let (delivery, state) = ending.await.map_err(|_| anyhow!("bug: it panicked"))?;
        Ok(Arrival::new(&delivery, &state, left_out))
    }
}

/// What is sent of a pool.
pub(super) struct Sent {
    _metrics: PoolMetrics,
    _traces: Subscription,
}

/// A problem with the URL under the name that it has here.
fn named(problem: &Problem) -> Problem {
    let mut named = problem.clone();
    if named.field == "endpoint" {
        "--otlp".clone_into(&mut named.field);
    }
    named
}

/// What became of a run's telemetry.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Arrival {
    /// Spans the collector took.
    spans_delivered: u64,
    /// Spans it did not get.
    spans_undelivered: u64,
    /// Connects, and slow or failed acquires, that have no span because there were too many.
    spans_left_out: u64,
    /// Whether it has the last state of the metrics.
    metrics_delivered: bool,
    /// Why something was not delivered, as far as it is known.
    error: Option<String>,
    /// Whether anything was to be sent at all.
    #[serde(skip)]
    is_off: bool,
}

impl Arrival {
    fn new(delivery: &Delivery, state: &TelemetryState, spans_left_out: u64) -> Self {
        let is_off =
            (state.exports_delivered, state.exports_failed) == (0, 0) && delivery.is_complete();
        let error = delivery.error.as_ref().or(state.last_error.as_ref());
        Self {
            spans_delivered: state.spans_delivered,
            spans_undelivered: state.spans_dropped,
            spans_left_out,
            metrics_delivered: !delivery.metrics_undelivered && !is_off,
            error: error.map(ToString::to_string),
            is_off,
        }
    }

    /// What is missing at the collector, for people.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.is_off {
            let words = "nothing was sent to the collector: OTEL_* variables turn it off";
            missing.push(words.to_owned());
        }
        let spans = counted(self.spans_undelivered, "span");
        let lost = match (self.metrics_delivered || self.is_off, self.spans_undelivered) {
            (true, 0) => None,
            (true, _) => Some(spans),
            (false, 0) => Some("the last metrics".to_owned()),
            (false, _) => Some(format!("the last metrics and {spans}")),
        };
        if let Some(lost) = lost {
            let why = self.error.as_deref().unwrap_or("more came than could wait");
            missing.push(format!("not delivered to the collector: {lost}: {why}"));
        }
        if self.spans_left_out > 0 {
            let count = counted(self.spans_left_out, "connect or slow or failed acquire");
            missing.push(format!("without a span, as there were more than 100 a second: {count}"));
        }
        missing
    }
}
