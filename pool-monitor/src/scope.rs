//! Who tells, as OpenTelemetry's backends show it.

use opentelemetry::InstrumentationScope;

/// The release of the semantic conventions whose names are used.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

/// The scope of all metrics and spans.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA)
        .build()
}
