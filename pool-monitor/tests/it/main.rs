//! What users see of pool-monitor, on pools that are really used.

mod traces;
