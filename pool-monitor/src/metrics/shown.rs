//! The pools that are shown, and how they were at the present collection.

use std::sync::Arc;

use opentelemetry::KeyValue;
use parking_lot::Mutex;

use super::reading::Reading;
use crate::catalogue::POOL_NAME;
use crate::registry::Registry;

#[derive(Default)]
pub(super) struct Shown {
    pub(super) pools: Registry,
    present: Mutex<Collection>,
}

/// One collection. A provider asks for one metric after the other; each pool is read once for all of them,
/// so that they agree.
#[derive(Default)]
struct Collection {
    readings: Readings,
    /// The metrics that were made from it. One that is asked for again is of the next collection.
    made: Vec<&'static str>,
}

/// Each pool's name and state.
type Readings = Arc<[(KeyValue, Reading)]>;

impl Shown {
    /// The pools as they were at the present collection, to make `metric` from.
    pub(super) fn readings(&self, metric: &'static str) -> Readings {
        let mut present = self.present.lock();
        if present.made.is_empty() || present.made.contains(&metric) {
            present.made.clear();
            present.readings = self.read();
        }
        present.made.push(metric);
        Arc::clone(&present.readings)
    }

    fn read(&self) -> Readings {
        self.pools.forget_closed();
        let read = |entry: Arc<crate::registry::Entry>| {
            let name = KeyValue::new(POOL_NAME, Arc::clone(&entry.name));
            (name, Reading { stats: entry.pool.stats(), config: entry.pool.config() })
        };
        self.pools.entries().into_iter().map(read).collect()
    }
}
