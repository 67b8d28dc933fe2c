//! What a run is told.

use std::time::Duration;

use crate::arrivals::Arrivals;
use crate::change::Change;

/// How long, how many, and with which random numbers. Any duration will do: what is longer than 30
/// years lasts as long.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// When operations are wanted. Default: by 16 tasks that do not think.
    pub arrivals: Arrivals,
    /// How long the load runs before it is measured. Default: zero.
    ///
    /// It grows meanwhile: tasks start one after the other in the first half; of the arrivals of a
    /// schedule, which begins anew when it is measured, more and more are taken. The measurement
    /// begins without a gap: operations that were wanted before are among no latencies, and count
    /// for the throughput if they end in it.
    pub warm_up: Duration,
    /// How long it is measured. Default: 10 s.
    pub duration: Duration,
    /// Which random numbers the workload and the arrivals draw. Default: 1.
    pub seed: u64,
    /// How long one task runs alone before, to learn what an operation takes without company. Its
    /// last operation may go on for as long again. Default: 300 ms; zero skips it.
    pub baseline: Duration,
    /// What is done to the pool meanwhile, in whatever order; what is beyond the duration is left
    /// out. Default: nothing.
    pub changes: Vec<Change>,
    /// How often [`Progress`](crate::Progress) brings a report of what there is so far. Default:
    /// never.
    pub partial_every: Option<Duration>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            arrivals: Arrivals::default(),
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(10),
            seed: 1,
            baseline: Duration::from_millis(300),
            changes: Vec::new(),
            partial_every: None,
        }
    }
}
