//! What became of users' turns and of connections, and whether all of it came about: in a soak in which
//! nothing happens nothing can go wrong.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use pool_core::{CloseReason, PoolStats};

/// What became of turns.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) served: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cut_short: AtomicU64,
    pub(crate) panicked: AtomicU64,
}

/// How often something came about.
pub(crate) type Count = (&'static str, u64);

impl Tally {
    pub(crate) fn counts(&self) -> [Count; 6] {
        let Self { served, turned_away, given_up, failed, cut_short, panicked } = self;
        [
            ("served", served),
            ("turned away", turned_away),
            ("given up", given_up),
            ("failed", failed),
            ("cut short", cut_short),
            ("panicked", panicked),
        ]
        .map(|(what, count)| (what, count.load(Ordering::Relaxed)))
    }
}

/// In the order in which they are printed: "3 served, 1 turned away, ...".
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts().map(|(what, count)| format!("{count} {what}"));
        f.write_str(&counts.join(", "))
    }
}

/// What must have befallen the pool if its server was harmed at all.
pub(crate) fn of_a_harmed_server(stats: &PoolStats) -> [Count; 2] {
    let broken = stats.closed.of(CloseReason::Broken);
    [("a connection closed as broken", broken), ("a failed connect", stats.open_failed)]
}

/// What of this never came about.
pub(crate) fn missing(counts: &[Count]) -> Vec<&'static str> {
    counts.iter().filter(|(_, count)| *count == 0).map(|(what, _)| *what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_never_is_missing() {
        assert_eq!(
            missing(&[("served", 2), ("failed", 0), ("panicked", 0)]),
            ["failed", "panicked"]
        );
        assert!(missing(&[("served", 1)]).is_empty());
    }

    #[test]
    fn of_a_run_in_which_nothing_happens_everything_is_missing() {
        let tally = Tally::default();
        assert_eq!(missing(&tally.counts()).len(), 6);
        tally.served.store(3, Ordering::Relaxed);
        assert!(!missing(&tally.counts()).contains(&"served"));
        assert!(tally.to_string().starts_with("3 served, 0 turned away, "), "{tally}");
    }
}
