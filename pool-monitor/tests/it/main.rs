//! What users see of pool-monitor, on pools that are really used.

mod adaptive;
mod advisor;
#[cfg(feature = "prometheus")]
mod agreement;
#[cfg(feature = "alerts")]
mod alerts;
#[cfg(all(feature = "mail", feature = "otlp-grpc", feature = "prometheus", feature = "webhooks"))]
mod chain;
mod fleet;
mod guide;
mod metrics;
mod monitor;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "otlp")]
mod readme;
mod rig;
mod shipped;
mod traces;
mod tuner;
mod tuning;
