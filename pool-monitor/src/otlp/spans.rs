//! Spans: a bounded queue that never makes a program wait, and the task that empties it.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use parking_lot::Mutex;
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::ExportError;
use super::sender::{Failure, Next, Sender};
use super::settings::Settings;
use super::turns::Turns;

pub(super) struct Spans {
    /// Never held for longer than it takes to move a span.
    queue: Mutex<Queue>,
    resource: Mutex<ResourceAttributesWithSchema>,
    pub(super) sender: Sender,
    delay: Duration,
    batch: usize,
    limit: usize,
    /// There are enough for a batch.
    enough: Notify,
    pub(super) turns: Turns,
}

#[derive(Default)]
struct Queue {
    spans: VecDeque<SpanData>,
    /// How many have been taken out and are on their way.
    sending: usize,
    is_closed: bool,
}

/// Spans on their way, encoded.
struct Batch {
    count: usize,
    request: Bytes,
}

impl Spans {
    pub(super) fn new(sender: Sender, settings: &Settings) -> Self {
        Self {
            queue: Mutex::default(),
            resource: Mutex::default(),
            sender,
            delay: settings.span_delay,
            batch: settings.span_batch,
            limit: settings.span_queue,
            enough: Notify::new(),
            turns: Turns::new(),
        }
    }

    pub(super) fn describe(&self, resource: &Resource) {
        *self.resource.lock() = resource.into();
    }

    /// Takes a span, or counts it where there is no room.
    pub(super) fn push(&self, span: SpanData) {
        let waiting = {
            let mut queue = self.queue.lock();
            if queue.is_closed || queue.spans.len() >= self.limit {
                drop(queue);
                return self.sender.health().spans_dropped(1);
            }
            queue.spans.push_back(span);
            queue.spans.len()
        };
        if waiting >= self.batch {
            self.enough.notify_one();
        }
    }

    /// Takes no more from now on.
    pub(super) fn close(&self) {
        self.queue.lock().is_closed = true;
    }

    /// How many were taken and have neither arrived nor been dropped.
    pub(super) fn undelivered(&self) -> usize {
        let queue = self.queue.lock();
        queue.spans.len() + queue.sending
    }

    /// Drops what is undelivered: nobody will send it.
    pub(super) fn abandon(&self) {
        let left = {
            let mut queue = self.queue.lock();
            let left = queue.spans.len() + std::mem::take(&mut queue.sending);
            queue.spans.clear();
            left
        };
        self.sender.health().spans_dropped(left as u64);
    }

    /// The task: sends what has come together, until it is dropped.
    pub(super) async fn run(&self) {
        let mut kept = None;
        loop {
            let has_kept = kept.is_some();
            let due = pin!(async {
                self.sender.rested().await;
                // What was kept has waited long enough.
                if !has_kept {
                    // Whichever comes first.
                    let _late = timeout(self.delay, self.enough.notified()).await;
                }
            });
            select(due, pin!(self.turns.asked())).await;
            let turn = self.turns.begin();
            let outcome = self.send_all(&mut kept).await;
            self.turns.end(turn, outcome);
        }
    }

    /// What was kept and all that are there now, though more may come meanwhile. A batch that finds
    /// the collector at rest is kept for the next turn, and the others stay where they are.
    async fn send_all(&self, kept: &mut Option<Batch>) -> Result<(), ExportError> {
        let mut left = self.queue.lock().spans.len();
        let mut outcome = Ok(());
        while let Some(batch) = kept.take().or_else(|| self.take(&mut left)) {
            match self.sender.deliver(batch.request.clone()).await {
                Err(Failure { error, next: Next::Rests }) => {
                    *kept = Some(batch);
                    return Err(error);
                }
                Err(Failure { error, .. }) => {
                    self.settle(batch.count, Some(&error));
                    outcome = Err(error);
                }
                Ok(()) => self.settle(batch.count, None),
            }
        }
        outcome
    }

    /// The next batch of the `left` that this turn is for; nothing once there are no more of them.
    fn take(&self, left: &mut usize) -> Option<Batch> {
        let spans: Vec<_> = {
            let mut queue = self.queue.lock();
            // Fewer than were left have been abandoned meanwhile.
            let count = self.batch.min(*left).min(queue.spans.len());
            queue.sending = count;
            queue.spans.drain(..count).collect()
        };
        let count = spans.len();
        *left -= count;
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource.lock());
        let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
        (count > 0).then_some(Batch { count, request })
    }

    /// Counts spans that are no longer on their way.
    fn settle(&self, count: usize, error: Option<&ExportError>) {
        let count = count as u64;
        let dropped = match error {
            None => 0,
            Some(ExportError::PartlyRejected { rejected }) => count.min(*rejected),
            Some(_) => count,
        };
        // Who abandoned them meanwhile has counted them.
        if std::mem::take(&mut self.queue.lock().sending) > 0 {
            self.sender.health().spans_dropped(dropped);
            self.sender.health().spans_delivered(count - dropped);
        }
    }
}
