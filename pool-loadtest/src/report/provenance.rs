//! Where a report comes from.

use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Where a report comes from: what it takes to judge whether another may be compared with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Provenance {
    /// The version of pool-loadtest.
    pub version: String,
    /// Whether it was built for speed; figures of a debug build are the build's.
    pub optimised: bool,
    /// When the load began, in seconds of Unix time.
    pub began_unix_seconds: u64,
    /// The operating system, such as `linux`.
    pub os: String,
    /// The processor's kind, such as `x86_64`.
    pub architecture: String,
    /// Processor cores this process may use.
    pub cores: usize,
}

impl Provenance {
    /// Of a load that begins now, in this process.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            optimised: !cfg!(debug_assertions),
            began_unix_seconds: since.as_secs(),
            os: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
        }
    }

    /// What must be known of the build before a figure is believed.
    pub(crate) fn of_build(&self) -> Option<&'static str> {
        (!self.optimised).then_some(
            "pool-loadtest was built without optimisation: it is slower than it would be, and takes \
             more of the processor",
        )
    }
}
