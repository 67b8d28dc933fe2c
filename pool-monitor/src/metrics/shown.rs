//! The pools that are shown, and how they were at the present collection.

use std::sync::Arc;

use opentelemetry::KeyValue;
use parking_lot::Mutex;

use super::events::Events;
use crate::reading::Reading;
use crate::registry::{Entry, Registry};

#[derive(Default)]
pub(super) struct Shown {
    pub(super) pools: Registry<Events>,
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
        let read =
            |entry: Arc<Entry<Events>>| (entry.recorder.pool.clone(), Reading::of(&*entry.pool));
        self.pools.shown().into_iter().map(read).collect()
    }
}
