//! Which spans are kept: a load makes far more of them than anybody wants to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use parking_lot::Mutex;

/// How many spans of connects, and of slow and failed acquires, are kept a second. A pool that is too
/// small has a slow acquire for each operation.
const EVENTS_A_SECOND: u32 = 100;

/// Keeps a part of the statements, and of what is rarer as much as can be looked at.
#[derive(Clone, Debug)]
pub(super) struct Sampling {
    statements: Sampler,
    events: Arc<Events>,
}

impl Sampling {
    pub(super) fn new(statements: f64) -> Self {
        let statements = Sampler::TraceIdRatioBased(statements);
        Self { statements, events: Arc::default() }
    }

    /// Connects and acquires without a span, because there were too many.
    pub(super) fn left_out(&self) -> u64 {
        self.events.left_out.load(Ordering::Relaxed)
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        // As pool-monitor calls them while it asks.
        if name == "statement" {
            return self.statements.should_sample(parent, trace, name, kind, attributes, links);
        }
        let decision = if self.events.is_kept(Instant::now()) {
            SamplingDecision::RecordAndSample
        } else {
            SamplingDecision::Drop
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}

#[derive(Debug, Default)]
struct Events {
    /// Since when how many were kept; `None` before the first.
    second: Mutex<Option<(Instant, u32)>>,
    left_out: AtomicU64,
}

impl Events {
    fn is_kept(&self, now: Instant) -> bool {
        let mut second = self.second.lock();
        match &mut *second {
            Some((began, kept)) if now.duration_since(*began) < Duration::from_secs(1) => {
                if *kept == EVENTS_A_SECOND {
                    self.left_out.fetch_add(1, Ordering::Relaxed);
                    return false;
                }
                *kept += 1;
            }
            _ => *second = Some((now, 1)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_kept(sampling: &Sampling, name: &str, trace: u128) -> bool {
        let kind = SpanKind::Client;
        let result = sampling.should_sample(None, TraceId::from(trace), name, &kind, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn of_statements_a_part_is_kept_and_of_what_is_rare_all() {
        let sampling = Sampling::new(0.01);
        // The sampler goes by the lower half of the number.
        let traces = (0..1000).map(|number: u128| number << 54);
        let kept = traces.filter(|trace| is_kept(&sampling, "statement", *trace)).count();
        assert!((5..=20).contains(&kept), "{kept}");
        assert!(is_kept(&sampling, "acquire", u128::MAX) && is_kept(&sampling, "connect", 1));
        assert_eq!(sampling.left_out(), 0);
    }

    #[test]
    fn no_more_than_a_hundred_events_a_second_are_kept() {
        let (events, now) = (Events::default(), Instant::now());
        let kept = |at: Instant| (0..150).filter(|_| events.is_kept(at)).count();
        assert_eq!((kept(now), kept(now + Duration::from_secs(1))), (100, 100));
        assert_eq!(events.left_out.load(Ordering::Relaxed), 100);
    }
}
