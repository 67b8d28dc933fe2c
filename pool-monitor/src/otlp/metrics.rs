//! Metrics: collected and sent by one task, at an interval and when asked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::metrics::ManualReader;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use prost::Message as _;
use tokio::time::{MissedTickBehavior, interval};

use super::error::ExportError;
use super::sender::Sender;
use super::settings::Settings;
use super::turns::Turns;

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
        let mut metrics = ResourceMetrics::default();
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

    async fn send(&self, metrics: &mut ResourceMetrics) -> Result<(), ExportError> {
        if !self.collect(metrics) {
            return self.sender.failed(ExportError::NotCollected);
        }
        if metrics.scope_metrics().next().is_none() {
            return Ok(());
        }
        let request = ExportMetricsServiceRequest::from(&*metrics);
        self.sender.deliver(request.encode_to_vec().into()).await
    }

    /// Callbacks are foreign code: one that panics costs this collection, not the task.
    fn collect(&self, metrics: &mut ResourceMetrics) -> bool {
        let collected = catch_unwind(AssertUnwindSafe(|| self.reader.collect(metrics)));
        matches!(collected, Ok(Ok(())))
    }
}
