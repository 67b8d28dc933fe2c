//! What wants to be looked at before it becomes a failure: transactions left open, files that grow or break.

use std::borrow::Cow;
use std::time::Duration;

use pool_core::{Brief, Probe, async_trait};

use super::{Check, Finding, answered};

/// Whether no transaction has been open for longer than this, by any client of the server that the
/// connection's user may see. Old ones hold locks and keep the server from cleaning up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldestTransaction {
    /// Whatever it does.
    pub open: Duration,
    /// Without a statement: its program has forgotten it, or waits for something else.
    pub idle: Duration,
}

#[async_trait]
impl Check for OldestTransaction {
    fn name(&self) -> Cow<'static, str> {
        "transactions".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.activity().await, "open transactions", |activity| {
            let idle = activity.oldest_idle_in_transaction.filter(|idle| *idle > self.idle);
            let open = activity.oldest_transaction.filter(|open| *open > self.open);
            match (idle, open) {
                (Some(idle), _) => Finding::Degraded(format!(
                    "a transaction is open and has been idle for {}, allowed is {}",
                    Brief(idle),
                    Brief(self.idle)
                )),
                (None, Some(open)) => Finding::Degraded(format!(
                    "a transaction has been open for {}, allowed is {}",
                    Brief(open),
                    Brief(self.open)
                )),
                (None, None) => Finding::Fine,
            }
        })
    }
}

/// Whether the write-ahead log of a database that is a file is smaller than this, in bytes. It grows as long
/// as readers keep it from being written back; its file keeps that size until a checkpoint truncates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalBelow(pub u64);

#[async_trait]
impl Check for WalBelow {
    fn name(&self) -> Cow<'static, str> {
        "wal".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.storage().await, "the size of the write-ahead log", |storage| {
            if storage.wal_bytes < self.0 {
                return Finding::Fine;
            }
            let (found, allowed) = (storage.wal_bytes, self.0);
            Finding::Degraded(format!(
                "the write-ahead log has {found} bytes, allowed are {allowed}"
            ))
        })
    }
}

/// Whether the file of a database is sound. It is read as a whole, so it is asked for rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuickCheck {
    /// How often. Default: a day.
    pub every: Duration,
    /// How long it may take. Default: 10 min.
    pub limit: Duration,
}

impl Default for QuickCheck {
    fn default() -> Self {
        Self { every: Duration::from_hours(24), limit: Duration::from_mins(10) }
    }
}

#[async_trait]
impl Check for QuickCheck {
    fn name(&self) -> Cow<'static, str> {
        "quick_check".into()
    }

    fn every(&self) -> Option<Duration> {
        Some(self.every)
    }

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.verify(self.limit).await, "what is broken in the file", |findings| {
            match findings.as_slice() {
                [] => Finding::Fine,
                [only] => Finding::Failed(only.clone()),
                [first, rest @ ..] => {
                    Finding::Failed(format!("{first} (and {} more findings)", rest.len()))
                }
            }
        })
    }
}
