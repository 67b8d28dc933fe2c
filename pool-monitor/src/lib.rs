//! Sees every pool from outside: metrics, traces, alerts and advice.
//!
//! Everything here hangs on a pool's [`ControlHandle`](pool_core::ControlHandle) and on the
//! [`Observer`](pool_core::Observer) seam, whatever its driver. The OpenTelemetry API is all that is
//! linked by default; exporters, endpoints and sinks are features.
#![forbid(unsafe_code)]

#[cfg(any(feature = "mail", feature = "otlp", feature = "prometheus", feature = "webhooks"))]
mod background;
#[cfg(feature = "otlp")]
pub mod otlp;
