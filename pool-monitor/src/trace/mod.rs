//! Spans of what happens in pools, through the OpenTelemetry API.

mod database;
mod failing;
mod observer;
mod parent;
mod running;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::global::{self, BoxedSpan, BoxedTracer};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use pool_core::{ControlHandle, Subscription};

use self::observer::Tracing;
use crate::scope::scope;

/// What spans show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceOptions {
    /// An acquire that waits for as long, or longer, gets a span. One that fails has one in any case.
    pub slow_acquire: Option<Duration>,
    /// Whether a statement's span has its text: without comments, and with each literal masked unless
    /// the statement has parameters, whose values are never shown.
    pub query_text: bool,
    /// Whether a statement that is sent as text, and has no comment yet, gets one with the
    /// `traceparent` of its span, in the format of sqlcommenter. The server's log and lists of
    /// statements then lead to the trace. A statement that is prepared gets none.
    pub comments: bool,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self { slow_acquire: Some(Duration::from_millis(100)), query_text: true, comments: false }
    }
}

/// Traces of any number of pools, by OpenTelemetry's conventions for databases.
///
/// | span | kind | name |
/// |---|---|---|
/// | a statement through a connection of our drivers | `CLIENT` | a summary such as `SELECT orders` |
/// | a connect | `CLIENT` | `connect` and the database |
/// | an acquire that was slow or failed | `INTERNAL` | `acquire` and the pool's name |
///
/// The conventions have none for the last two. An acquire has what its error says: `error.type`,
/// `pool.acquire.outcome` (`opened`, `waited`, `failed`, `cancelled`), `pool.acquire.phase`,
/// `pool.in_use`, `pool.max_open`, `pool.opening`, `pool.waiting`, `pool.holders`, and where it was called.
/// A connect that failed has `pool.connect.attempts` and, as such an acquire, `pool.connect.error_class`. A span's parent is whatever is current in the caller:
/// through the OpenTelemetry API, or through `tracing` where tracing-opentelemetry makes its spans
/// current, as it does by default (with the feature `tracing-spans`, also where it does not). A
/// statement whose parent is not sampled gets no span, whatever the sampler would say, and costs next
/// to nothing; a sampler that is asked sees the parent, the kind, `db.system.name`, and as name
/// `statement`, `connect` or `acquire`. A connect is made by the pool for nobody in particular: its
/// span is a trace of its own.
///
/// What a server says about a statement that failed may quote what somebody wrote, so a span shows
/// its code and not its words.
///
/// Make it once, after the provider has been installed: what is made before stays without effect.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sim = pool_testkit::Sim::new(1);
/// # let driver = pool_testkit::FakeDriver::new(&pool_testkit::FakeServer::new(sim.runtime()));
/// # let pool = pool_core::Pool::new(driver, pool_core::PoolConfig::default())?;
/// use pool_monitor::{PoolTraces, TraceOptions};
///
/// let traces = PoolTraces::global(TraceOptions { comments: true, ..TraceOptions::default() });
/// traces.watch(&pool.control()).keep();
/// assert!(!traces.is_recording(), "no provider was installed");
/// # Ok(())
/// # }
/// ```
pub struct PoolTraces {
    tracer: Arc<BoxedTracer>,
    is_recording: bool,
    options: TraceOptions,
}

impl PoolTraces {
    /// Traces of the global provider.
    #[must_use]
    pub fn global(options: TraceOptions) -> Self {
        Self::by(global::tracer_with_scope(scope()), options)
    }

    /// Traces of another provider.
    #[must_use]
    pub fn new<P>(provider: &P, options: TraceOptions) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer<Span: Send + Sync + 'static> + Send + Sync + 'static,
    {
        Self::by(BoxedTracer::new(Box::new(provider.tracer_with_scope(scope()))), options)
    }

    pub(crate) fn by(tracer: BoxedTracer, options: TraceOptions) -> Self {
        let is_recording = !is_noop(&tracer);
        Self { tracer: Arc::new(tracer), is_recording, options }
    }

    /// Traces this pool, too, until the subscription is dropped.
    pub fn watch(&self, pool: &ControlHandle) -> Subscription {
        let tracer = self.is_recording.then(|| Arc::clone(&self.tracer));
        pool.observe(Arc::new(Tracing::of(pool, tracer, &self.options)))
    }

    /// Whether a provider is there. If not, it was installed too late, or never.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.is_recording
    }
}

impl fmt::Debug for PoolTraces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolTraces")
            .field("is_recording", &self.is_recording)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Whether the tracer is the API's own, which makes no spans. Asked where no other makes one either:
/// the API's then answers with the parent, an SDK with nothing.
fn is_noop(tracer: &BoxedTracer) -> bool {
    let parent = SpanContext::new(
        TraceId::from(1_u128),
        SpanId::from(1_u64),
        TraceFlags::NOT_SAMPLED,
        true,
        TraceState::NONE,
    );
    let context =
        Context::new().with_remote_span_context(parent.clone()).with_telemetry_suppressed();
    let span: BoxedSpan = tracer.build_with_context(SpanBuilder::from_name("none"), &context);
    *span.span_context() == parent
}
