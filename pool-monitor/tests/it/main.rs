//! What the crate does from outside, against real receivers.

#[cfg(feature = "otlp")]
mod otlp;
