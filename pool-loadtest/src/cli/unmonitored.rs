//! What stands in for `monitor/` where its feature is off: nothing watches.

#![expect(
    clippy::unnecessary_wraps,
    clippy::unused_async,
    clippy::unused_self,
    reason = "it has the shape of what it stands in for"
)]

use std::fmt;
use std::future::Future;

use clap::Args;
use pool_core::{ControlHandle, Problem};
use schemars::JsonSchema;
use serde::Serialize;

/// None.
#[derive(Debug, Args)]
pub(crate) struct MonitorArguments {}

/// Nothing.
pub(crate) struct Monitor;

impl Monitor {
    pub(crate) fn start(_: &MonitorArguments) -> anyhow::Result<(Self, Vec<Problem>)> {
        Ok((Self, Vec::new()))
    }

    pub(crate) fn watch(self, _: &ControlHandle) -> anyhow::Result<Watching> {
        Ok(Watching)
    }
}

/// Nothing.
pub(crate) struct Watching;

impl Watching {
    pub(crate) fn advice(&self) -> Seen {
        Seen {}
    }

    pub(crate) async fn deliver(&mut self, seen: Seen) -> Seen {
        seen
    }

    pub(crate) async fn be_scraped(self, _: impl Future<Output = ()>) {}
}

/// Nothing.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Seen {}

impl fmt::Display for Seen {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
