//! What users see of pool-monitor, on pools that are really used.

mod advisor;
#[cfg(feature = "prometheus")]
mod agreement;
mod metrics;
mod monitor;
#[cfg(feature = "prometheus")]
mod prometheus;
mod rig;
mod shipped;
