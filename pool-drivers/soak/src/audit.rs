//! Whether a pool's figures add up.

use pool_core::PoolStats;

use crate::steward::MOST_CONNECTIONS;

/// The figures of one pool as they go by.
#[derive(Debug)]
pub(crate) struct Audit {
    name: String,
    before: Option<PoolStats>,
}

impl Audit {
    pub(crate) fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), before: None }
    }

    /// What is wrong with `now`, by itself and after what was before.
    pub(crate) fn look(&mut self, now: PoolStats) -> Vec<String> {
        let acquires = now.acquires;
        let ended = acquires.succeeded() + acquires.failed() + acquires.cancelled;
        let mut rules = vec![
            ("open is idle, in use and opening", now.open == now.idle + now.in_use + now.opening),
            (
                "what was opened and not closed is idle or in use",
                now.opened - now.closed.total() == (now.idle + now.in_use) as u64,
            ),
            // The rest have been answered, and were not polled since.
            ("every acquire ended or waits", acquires.started >= ended + now.waiting as u64),
            // Whatever it was and is set to.
            ("open is no more than any settings allow", now.open <= MOST_CONNECTIONS),
            ("checking and resetting are in use", now.checking + now.resetting <= now.in_use),
        ];
        if let Some(before) = &self.before {
            let grow = |of: fn(&PoolStats) -> u64| of(before) <= of(&now);
            rules.extend([
                (
                    "open grows to max_open and no further",
                    now.open <= before.open.max(now.max_open)
                        || now.generation != before.generation,
                ),
                (
                    "counts only grow",
                    [
                        grow(|it| it.opened),
                        grow(|it| it.open_failed),
                        grow(|it| it.closed.total()),
                        grow(|it| it.wait_count),
                        grow(|it| it.generation),
                        grow(|it| it.acquires.started),
                        grow(|it| it.acquires.succeeded()),
                        grow(|it| it.acquires.failed()),
                        grow(|it| it.acquires.cancelled),
                        grow(|it| it.wait_time.as_nanos() as u64),
                        grow(|it| it.hold_time.as_nanos() as u64),
                    ]
                    .iter()
                    .all(|it| *it),
                ),
            ]);
        }
        let broken = rules.into_iter().filter(|(_, holds)| !holds);
        let wrong =
            broken.map(|(rule, _)| format!("{}: not so: {rule}: {now:?}", self.name)).collect();
        self.before = Some(now);
        wrong
    }
}

/// Whether nothing is under way.
pub(crate) fn is_at_rest(stats: &PoolStats) -> bool {
    let PoolStats { in_use, opening, closing, probes, waiting, acquires, .. } = stats;
    let ended = acquires.succeeded() + acquires.failed() + acquires.cancelled;
    acquires.started == ended
        && [in_use, opening, closing, probes, waiting].into_iter().all(|count| *count == 0)
}

#[cfg(test)]
mod tests {
    use pool_core::Pool;
    use pool_sqlite::{SqliteDriver, SqliteOptions};

    use super::*;
    use crate::steward::at_rest;

    /// The figures of a pool with nothing but idle connections.
    fn idle(count: usize) -> PoolStats {
        let pool = Pool::new(SqliteDriver::new(SqliteOptions::file("never.db")), at_rest());
        let mut stats = pool.expect("valid settings").stats();
        (stats.max_open, stats.open, stats.idle) = (count, count, count);
        stats.opened = count as u64;
        stats
    }

    #[test]
    fn no_change_of_settings_excuses_more_connections_than_any_allow() {
        let mut audit = Audit::of("it");
        assert!(audit.look(idle(MOST_CONNECTIONS)).is_empty());
        let mut more = idle(MOST_CONNECTIONS + 1);
        more.generation += 1;
        let wrongs = audit.look(more);
        let [wrong] = &wrongs[..] else { panic!("not one: {wrongs:?}") };
        assert!(wrong.starts_with("it: not so: open is no more than any settings allow: "));
    }

    #[test]
    fn without_a_change_of_settings_open_grows_to_max_open_at_most() {
        let mut audit = Audit::of("it");
        assert!(audit.look(idle(1)).is_empty());
        let mut more = idle(2);
        more.max_open = 1;
        let wrongs = audit.look(more);
        assert!(wrongs[0].starts_with("it: not so: open grows to max_open and no further: "));
    }
}
