//! How far a replica is behind.

use std::borrow::Cow;
use std::time::Duration;

use pool_core::{Brief, Probe, ReplicationLag, async_trait};

use super::{Check, Finding, answered};

/// Whether a replica is behind by less than this. A primary is not behind.
///
/// Beyond the limit it is degraded. Where a server cannot tell what there is a limit for, nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagBelow {
    /// In time.
    pub time: Option<Duration>,
    /// In bytes of the primary's log.
    pub bytes: Option<u64>,
}

impl LagBelow {
    /// The same for time alone.
    #[must_use]
    pub const fn time(limit: Duration) -> Self {
        Self { time: Some(limit), bytes: None }
    }

    /// The same for bytes alone.
    #[must_use]
    pub const fn bytes(limit: u64) -> Self {
        Self { time: None, bytes: Some(limit) }
    }

    fn judge(self, time: Option<Duration>, bytes: Option<u64>) -> Finding {
        let is_beyond = over(time, self.time) || over(bytes, self.bytes);
        if is_beyond {
            return Finding::Degraded(format!(
                "the replica is behind by {}, allowed is {}",
                amounts(time, bytes),
                amounts(self.time, self.bytes)
            ));
        }
        let is_unknown = (self.time.is_some() && time.is_none() && bytes != Some(0))
            || (self.bytes.is_some() && bytes.is_none());
        if is_unknown {
            return Finding::Unknown("the replica cannot tell how far it is behind".to_owned());
        }
        Finding::Fine
    }
}

#[async_trait]
impl Check for LagBelow {
    fn name(&self) -> Cow<'static, str> {
        "lag".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.replication_lag().await, "the replica's lag", |lag| match lag {
            ReplicationLag::Primary => Finding::Fine,
            ReplicationLag::Behind { time, bytes } => self.judge(time, bytes),
            _ => Finding::Unknown("the replica does not replicate, or cannot tell".to_owned()),
        })
    }
}

fn over<T: PartialOrd>(found: Option<T>, limit: Option<T>) -> bool {
    found.zip(limit).is_some_and(|(found, limit)| found >= limit)
}

fn amounts(time: Option<Duration>, bytes: Option<u64>) -> String {
    let time = time.map(|time| Brief(time).to_string());
    let bytes = bytes.map(|bytes| format!("{bytes} bytes"));
    time.into_iter().chain(bytes).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn a_limit_holds_for_what_is_known() {
        let both = LagBelow { time: Some(SEC), bytes: Some(100) };
        let found = |time, bytes| both.judge(time, bytes).name();
        assert_eq!(found(Some(SEC / 2), Some(99)), "fine");
        assert_eq!(found(Some(SEC), Some(0)), "degraded");
        assert_eq!(found(None, Some(100)), "degraded");
        assert_eq!(found(Some(SEC / 2), None), "unknown");
        assert_eq!(found(None, Some(1)), "unknown");
        assert_eq!(found(None, Some(0)), "fine", "nothing is left to apply");
        let why = both.judge(Some(2 * SEC), Some(7));
        let text = "the replica is behind by 2.00 s and 7 bytes, allowed is 1.00 s and 100 bytes";
        assert_eq!(why.reason(), Some(text));
    }
}
