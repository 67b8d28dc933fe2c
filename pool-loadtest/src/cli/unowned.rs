//! What stands in for `own` where servers cannot be started: there is none.

use anyhow::bail;

use super::start::Product;
use crate::scenario::Fault;

/// None.
#[derive(Debug)]
pub(crate) enum OwnServer {}

impl OwnServer {
    pub(crate) fn start(_: Product, _: Option<Fault>) -> anyhow::Result<Self> {
        bail!(
            "--start needs Linux and a build with the feature `start`; give a database with --url"
        )
    }

    pub(crate) fn url(&self) -> String {
        match *self {}
    }

    pub(crate) fn name(&self) -> String {
        match *self {}
    }

    pub(crate) fn befall(&self, _: Fault) -> anyhow::Result<String> {
        match *self {}
    }

    pub(crate) fn undo(&self, _: Fault) -> anyhow::Result<&'static str> {
        match *self {}
    }

    pub(crate) fn end(&self) -> anyhow::Result<()> {
        match *self {}
    }
}
