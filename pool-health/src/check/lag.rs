//! How far a replica is behind.

use std::borrow::Cow;
use std::time::Duration;

use pool_core::{Brief, Probe, ReplicationLag, async_trait};

use super::{Check, Finding, answered};

/// Whether a replica is behind by less than this. A primary is not behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagBelow(pub Duration);

#[async_trait]
impl Check for LagBelow {
    fn name(&self) -> Cow<'static, str> {
        "lag".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.replication_lag().await, "the replica's lag", |lag| match lag {
            ReplicationLag::Primary => Finding::Fine,
            ReplicationLag::Behind(behind) if behind < self.0 => Finding::Fine,
            ReplicationLag::Behind(behind) => Finding::Degraded(format!(
                "the replica is behind by {}, allowed is {}",
                Brief(behind),
                Brief(self.0)
            )),
            _ => Finding::Unknown("the replica does not replicate, or cannot tell".to_owned()),
        })
    }
}
