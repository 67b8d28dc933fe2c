//! The exporters of one program, their thread, and what the SDK sees of them.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, Pipeline, Temporality};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use parking_lot::Mutex;
use pool_core::ConfigError;
use tokio::time::timeout;

use super::error::{ExportError, OtlpError};
use super::health::Health;
use super::metrics::Metrics;
use super::sender::Sender;
use super::settings::{Settings, Signal, Target};
use super::spans::Spans;
use super::turns::Turns;
use crate::background::{self, Background};

/// How long the SDK's own `force_flush` may take; it has no say in it.
const SDK_PATIENCE: Duration = Duration::from_secs(30);
/// What the thread may need beyond a deadline to say that it has passed.
const SLACK: Duration = Duration::from_millis(100);

/// What was asked for before a deadline, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Delivery {
    /// Spans that had ended and are not delivered: not yet, or never.
    pub spans_undelivered: u64,
    /// The last state of the metrics is not delivered.
    pub metrics_undelivered: bool,
    /// Why not, as far as it is known.
    pub error: Option<ExportError>,
}

impl Delivery {
    /// Whether nothing is missing at the collector.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.spans_undelivered == 0 && !self.metrics_undelivered
    }
}

/// What came of a turn that was asked for.
enum Turn {
    Delivered,
    Failed(ExportError),
    Late,
}

impl Turn {
    async fn of(turns: &Turns, deadline: Duration) -> Self {
        match timeout(deadline, turns.ask()).await {
            Ok(Ok(())) => Self::Delivered,
            Ok(Err(error)) => Self::Failed(error),
            Err(_late) => Self::Late,
        }
    }
}

/// Their thread, and what it does.
pub(super) struct Exporters {
    /// Gone after a shutdown.
    background: Mutex<Option<Arc<Background>>>,
    pub(super) spans: Option<Arc<Spans>>,
    pub(super) metrics: Option<Arc<Metrics>>,
    pub(super) health: Arc<Health>,
}

impl Exporters {
    /// Starts the thread and the tasks.
    pub(super) fn start(settings: &mut Settings) -> Result<Arc<Self>, OtlpError> {
        let health = Arc::<Health>::default();
        let (traces, metrics) = (settings.traces.take(), settings.metrics.take());
        if traces.is_none() && metrics.is_none() {
            return Ok(Arc::new(Self {
                background: Mutex::new(None),
                spans: None,
                metrics: None,
                health,
            }));
        }
        let background = Background::start("pool-otlp").map_err(OtlpError::Thread)?;
        let (traces, metrics) = Self::senders(&background, traces, metrics, &health)?;
        let spans = traces.map(|sender| Arc::new(Spans::new(sender, settings)));
        let metrics = metrics.map(|sender| Arc::new(Metrics::new(sender, settings)));
        if let Some(spans) = spans.clone() {
            background.spawn(async move { spans.turns.run(spans.run()).await });
        }
        if let Some(metrics) = metrics.clone() {
            background.spawn(async move { metrics.turns.run(metrics.run()).await });
        }
        let background = Mutex::new(Some(Arc::new(background)));
        Ok(Arc::new(Self { background, spans, metrics, health }))
    }

    /// With the problems of both.
    fn senders(
        background: &Background,
        traces: Option<Target>,
        metrics: Option<Target>,
        health: &Arc<Health>,
    ) -> Result<(Option<Sender>, Option<Sender>), ConfigError> {
        let _within = background.enter();
        let mut problems = Vec::new();
        let mut sender = |signal, target: Option<Target>| {
            let sender = Sender::new(signal, target?, Arc::clone(health));
            // Both signals may name the same file.
            sender
                .map_err(|problem| {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                })
                .ok()
        };
        let senders = (sender(Signal::Traces, traces), sender(Signal::Metrics, metrics));
        ConfigError::from_problems(problems)?;
        Ok(senders)
    }

    /// Has all that was recorded sent, and waits for it until `deadline` has passed.
    pub(super) fn flush(&self, deadline: Duration) -> Delivery {
        self.delivery(deadline, self.spans.as_ref(), self.metrics.as_ref())
    }

    /// The same, as the last thing.
    pub(super) fn shutdown(&self, deadline: Duration) -> Delivery {
        if let Some(spans) = &self.spans {
            spans.close();
        }
        let delivery = self.flush(deadline);
        // The thread ends with the last who waits for it: by the end of the turns, that is now.
        drop(self.background.lock().take());
        if let Some(spans) = &self.spans {
            // First, for whoever still waits to count them.
            spans.abandon();
            spans.turns.close();
        }
        if let Some(metrics) = &self.metrics {
            metrics.turns.close();
        }
        delivery
    }

    fn delivery(
        &self,
        deadline: Duration,
        spans: Option<&Arc<Spans>>,
        metrics: Option<&Arc<Metrics>>,
    ) -> Delivery {
        let Some(background) = self.background.lock().clone() else {
            return Delivery::default();
        };
        let dropped_before = self.health.state().spans_dropped;
        let asked = {
            let (spans, metrics) = (spans.cloned(), metrics.cloned());
            async move {
                let spans = async { Some(Turn::of(&spans?.turns, deadline).await) };
                let metrics = async { Some(Turn::of(&metrics?.turns, deadline).await) };
                join(spans, metrics).await
            }
        };
        // Without an answer the thread itself is held up, by a callback of the metrics.
        let turns = background.run(deadline.saturating_add(SLACK), asked);
        let late = || (spans.map(|_| Turn::Late), metrics.map(|_| Turn::Late));
        let (of_spans, of_metrics) = turns.unwrap_or_else(late);
        let dropped = self.health.state().spans_dropped - dropped_before;
        let waiting = match (&of_spans, spans) {
            // Even of a turn that has ended, some may wait until the collector has rested.
            (Some(Turn::Failed(_) | Turn::Late), Some(spans)) => spans.undelivered() as u64,
            _ => 0,
        };
        Delivery {
            spans_undelivered: dropped + waiting,
            metrics_undelivered: matches!(of_metrics, Some(Turn::Failed(_) | Turn::Late)),
            error: spans
                .and_then(|spans| error(of_spans?, &spans.sender, deadline))
                .or_else(|| error(of_metrics?, &metrics?.sender, deadline)),
        }
    }
}

/// Why a turn did not deliver; of one that was late, what its attempts met.
fn error(turn: Turn, sender: &Sender, deadline: Duration) -> Option<ExportError> {
    match turn {
        Turn::Delivered => None,
        Turn::Failed(error) => Some(error),
        Turn::Late => Some(sender.refused().unwrap_or(ExportError::TimedOut(deadline))),
    }
}

/// What the SDK gives spans to.
pub(super) struct Processor {
    pub(super) exporters: Arc<Exporters>,
    pub(super) spans: Arc<Spans>,
}

impl SpanProcessor for Processor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        // The library under gRPC gives spans to `tracing` that belong to no other, so that those of
        // each export would be the next one's.
        if !background::is_here() {
            self.spans.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.deliver(SDK_PATIENCE)
    }

    fn shutdown_with_timeout(&self, patience: Duration) -> OTelSdkResult {
        self.spans.close();
        self.deliver(patience)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.spans.describe(resource);
    }
}

impl Processor {
    fn deliver(&self, patience: Duration) -> OTelSdkResult {
        result(&self.exporters.delivery(patience, Some(&self.spans), None))
    }
}

/// What the SDK collects metrics for.
pub(super) struct Reader {
    pub(super) exporters: Arc<Exporters>,
    pub(super) metrics: Arc<Metrics>,
}

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.metrics.reader.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.metrics.reader.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        result(&self.exporters.delivery(SDK_PATIENCE, None, Some(&self.metrics)))
    }

    fn shutdown_with_timeout(&self, patience: Duration) -> OTelSdkResult {
        result(&self.exporters.delivery(patience, None, Some(&self.metrics)))?;
        self.metrics.reader.shutdown()
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.metrics.reader.temporality(kind)
    }
}

// By hand: the SDK shows them, and they hold keys and what the program recorded.
impl fmt::Debug for Exporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exporters").field(&self.health.state()).finish()
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exporters.fmt(f)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exporters.fmt(f)
    }
}

fn result(delivery: &Delivery) -> OTelSdkResult {
    match &delivery.error {
        None => Ok(()),
        Some(ExportError::TimedOut(patience)) => Err(OTelSdkError::Timeout(*patience)),
        Some(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
    }
}
