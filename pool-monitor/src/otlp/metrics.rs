//! Metrics: collected and sent by one task, at an interval and when asked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{ManualReader, data};
use prost::Message as _;
use tokio::time::{MissedTickBehavior, interval};

use super::error::ExportError;
use super::sender::{Failure, Next, Sender};
use super::settings::Settings;
use super::turns::Turns;

/// Above this, a request is sent in parts: collectors refuse 4 MiB by gRPC unless told otherwise, and
/// a thousand pools come near that.
const LARGEST: usize = 1024 * 1024;

pub(super) struct Metrics {
    /// What the SDK collects with.
    pub(super) reader: ManualReader,
    pub(super) sender: Sender,
    interval: Duration,
    pub(super) turns: Turns,
}

impl Metrics {
    pub(super) fn new(sender: Sender, settings: &Settings) -> Self {
        let reader = ManualReader::builder().with_temporality(settings.temporality).build();
        Self { reader, sender, interval: settings.metric_interval, turns: Turns::new() }
    }

    /// The task: sends what is measured, until it is dropped.
    pub(super) async fn run(&self) {
        let mut metrics = data::ResourceMetrics::default();
        let mut interval = interval(self.interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first tick is at once.
        interval.tick().await;
        loop {
            let due = pin!(async {
                interval.tick().await;
                self.sender.rested().await;
            });
            select(due, pin!(self.turns.asked())).await;
            let turn = self.turns.begin();
            let outcome = self.send(&mut metrics).await;
            self.turns.end(turn, outcome);
        }
    }

    async fn send(&self, metrics: &mut data::ResourceMetrics) -> Result<(), ExportError> {
        if !self.collect(metrics) {
            return self.sender.failed(ExportError::NotCollected);
        }
        if metrics.scope_metrics().next().is_none() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for request in parts(ExportMetricsServiceRequest::from(&*metrics)) {
            let Err(Failure { error, next }) =
                self.sender.deliver(request.encode_to_vec().into()).await
            else {
                continue;
            };
            outcome = outcome.and(Err(error));
            // Each of the others would take as long to fail.
            if next != Next::MayPass {
                break;
            }
        }
        outcome
    }

    /// Callbacks are foreign code: one that panics costs this collection, not the task.
    fn collect(&self, metrics: &mut data::ResourceMetrics) -> bool {
        let collected = catch_unwind(AssertUnwindSafe(|| self.reader.collect(metrics)));
        matches!(collected, Ok(Ok(())))
    }
}

/// A request, in parts if it is large; each has whole metrics, at least one.
fn parts(request: ExportMetricsServiceRequest) -> Vec<ExportMetricsServiceRequest> {
    if request.encoded_len() <= LARGEST {
        return vec![request];
    }
    let mut parts = Vec::new();
    for mut resource in request.resource_metrics {
        for mut scope in std::mem::take(&mut resource.scope_metrics) {
            for metrics in runs(std::mem::take(&mut scope.metrics)) {
                let scope_metrics = vec![ScopeMetrics { metrics, ..scope.clone() }];
                let resource_metrics = vec![ResourceMetrics { scope_metrics, ..resource.clone() }];
                parts.push(ExportMetricsServiceRequest { resource_metrics });
            }
        }
    }
    parts
}

/// Metrics in their order, in runs that are no larger than they may be, or a single one.
fn runs(metrics: Vec<Metric>) -> Vec<Vec<Metric>> {
    let mut runs = Vec::<Vec<Metric>>::new();
    let mut size = 0;
    for metric in metrics {
        let length = metric.encoded_len();
        match runs.last_mut().filter(|_| size + length <= LARGEST) {
            Some(run) => run.push(metric),
            None => {
                runs.push(vec![metric]);
                size = 0;
            }
        }
        size += length;
    }
    runs
}
