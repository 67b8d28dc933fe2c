//! Under which span of the caller's a span of ours belongs.

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;

/// What is current where an event happens, which is in the caller.
///
/// tracing-opentelemetry makes the span of `tracing` that is entered current for OpenTelemetry, too,
/// unless it is told not to; then `tracing` itself is asked.
pub(super) fn current() -> Context {
    let context = Context::current();
    #[cfg(feature = "tracing-spans")]
    if !context.has_active_span() {
        use tracing_opentelemetry::OpenTelemetrySpanExt as _;
        return tracing::Span::current().context();
    }
    context
}

/// The same, if a span under it may be seen by anybody: `None` in a trace that is not sampled.
pub(super) fn sampled() -> Option<Context> {
    let context = current();
    let is_unseen = context.has_active_span() && !context.span().span_context().is_sampled();
    (!is_unseen).then_some(context)
}
