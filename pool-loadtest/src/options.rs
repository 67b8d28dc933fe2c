//! What a run is told.

use std::time::Duration;

use crate::change::Change;

/// How long, how many, and with which random numbers.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Tasks that each want a connection, again and again. Default: 16.
    pub tasks: usize,
    /// How long they do. Default: 10 s.
    pub duration: Duration,
    /// Which random numbers the workload draws. Default: 1.
    pub seed: u64,
    /// How long one task runs alone before, to learn what an operation takes without company. Its
    /// last operation may go on for as long again. Default: 300 ms; zero skips it.
    pub baseline: Duration,
    /// What is done to the pool meanwhile, in whatever order; what is beyond the duration is left
    /// out. Default: nothing.
    pub changes: Vec<Change>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            tasks: 16,
            duration: Duration::from_secs(10),
            seed: 1,
            baseline: Duration::from_millis(300),
            changes: Vec::new(),
        }
    }
}
