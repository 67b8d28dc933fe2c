//! What users see of pool-monitor, on pools that are really used.

mod advisor;
mod metrics;
mod monitor;
#[cfg(feature = "prometheus")]
mod prometheus;
mod rig;
mod shipped;
