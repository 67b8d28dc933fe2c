//! What a world is like: its server, its load, and what changes on the way.

use super::server::Law;

/// How clients come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrivals {
    /// At random, whatever became of those before.
    Open,
    /// Each waits for its answer, and then for `think` on average.
    Closed { think: f64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// How much work a statement is, 1 at first.
    Work(f64),
    /// Time that a transaction spends outside the database, with its connection held.
    InnerThink(f64),
    /// The load, as a part of what it was at first.
    Intensity(f64),
    /// The largest size allowed: a grant that changes.
    Most(usize),
    /// A migration locks everything, or ends.
    Stopped(bool),
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// How many pools share the server, and the load.
    pub(super) pools: usize,
    pub(super) law: Law,
    pub(super) arrivals: Arrivals,
    /// The load as a part of the server's peak.
    pub(super) load: f64,
    pub(super) start: usize,
    pub(super) least: usize,
    pub(super) most: usize,
    /// How long a connect takes.
    pub(super) connect: f64,
    /// Connections that the server allows, whoever opens them.
    pub(super) server_limit: usize,
    /// How much the server's pace wanders, as a standard deviation.
    pub(super) noise: f64,
    pub(super) inner_think: f64,
    /// The part of the statements that want the same row.
    pub(super) lock_share: f64,
    pub(super) changes: Vec<(f64, Change)>,
    pub(super) measured_from: f64,
    pub(super) until: f64,
}

impl Scenario {
    /// The server of the naive controllers' failure, at `load` of its peak.
    pub(super) fn new(arrivals: Arrivals, load: f64) -> Self {
        Self {
            pools: 1,
            law: Law::best_at(49.0, 0.02, 50.0),
            arrivals,
            load,
            start: 10,
            least: 1,
            most: 200,
            connect: 0.02,
            server_limit: usize::MAX,
            noise: 0.03,
            inner_think: 0.0,
            lock_share: 0.0,
            changes: Vec::new(),
            measured_from: 60.0,
            until: 120.0,
        }
    }
}
