//! What users see of pool-monitor, on pools that are really used.

#[cfg(feature = "alerts")]
mod alerts;
mod metrics;
mod monitor;
mod rig;
