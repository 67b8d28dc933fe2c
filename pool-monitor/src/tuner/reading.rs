//! What a controller is told of a control period. Who counts it is elsewhere.

use std::time::Duration;

/// From this utilisation on, a pool is at its limit; what is left is connections on their way from one
/// user to the next.
const AT_LIMIT: f64 = 0.9;
/// If waits are long, they show that it is at its limit from here on: a few clients that wait for each other
/// leave gaps.
const NEAR_LIMIT: f64 = 0.65;
/// Under this utilisation, a pool would do the same with fewer connections.
pub(super) const BUSY: f64 = 0.5;
/// Above this one, connections are still going back that the limit has no room for.
const DRAINING: f64 = 1.02;
/// If the luckiest acquire waits longer than this part of the time a connection is held, a queue stood
/// all the time.
const LUCKIEST: f64 = 0.1;
/// If acquires wait longer than this on average, it is felt, however lucky one of them is.
const FELT: f64 = 0.1;

/// What a pool did in a control period.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// How long the period was.
    pub span: Duration,
    /// The limit in force, through all of it.
    pub limit: usize,
    /// Connections in use on average.
    pub mean_in_use: f64,
    /// The most in use at once.
    pub peak_in_use: usize,
    /// Acquires waiting at its end.
    pub waiting: usize,
    /// Of the acquires served in it, the shortest wait: 0 if one of them found an idle connection.
    /// `None` if none was served.
    pub smallest_wait: Option<Duration>,
    /// How long acquires waited on average, those that were served at once among them.
    pub mean_wait: Option<Duration>,
    /// Connections given back.
    pub completed: u64,
    /// How long those had been held on average.
    pub mean_held: Option<Duration>,
    /// How long statements ran on them in sum, on average; `None` where nobody counts it.
    pub mean_busy: Option<Duration>,
    /// Connects that the server refused since it had too many connections (Postgres 53300, MySQL 1040 and
    /// 1203).
    pub overloads: u64,
    /// How long connects took on average that succeeded.
    pub mean_connect: Option<Duration>,
    /// The smallest limit allowed.
    pub least: usize,
    /// The largest limit allowed: what is configured, or less, if a grant of the fleet says so.
    pub most: usize,
}

/// How near its limit a pool was; the more, the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Load {
    /// It would have done the same with fewer connections.
    Light,
    /// Most connections are in use, and nobody waits for long.
    Busy,
    /// Waits are felt.
    Felt,
    /// Nobody was served without waiting: what was completed is what this size can do.
    Standing,
}

impl Reading {
    /// The part of the limit in use on average.
    pub(super) fn utilisation(&self) -> f64 {
        self.mean_in_use / self.limit.max(1) as f64
    }

    /// `None` if it says nothing of the limit: connections are being opened, or have to go, or nothing
    /// comes back.
    pub(super) fn load(&self) -> Option<Load> {
        let utilisation = self.utilisation();
        let Some(smallest_wait) = self.smallest_wait else {
            return (self.waiting == 0 && utilisation < BUSY).then_some(Load::Light);
        };
        let held = self.mean_held.unwrap_or_default();
        let stands = smallest_wait > held.mul_f64(LUCKIEST);
        let is_felt = stands || self.mean_wait.is_some_and(|wait| wait > held.mul_f64(FELT));
        match () {
            () if self.completed == 0 || utilisation > DRAINING => None,
            () if stands && utilisation >= AT_LIMIT => Some(Load::Standing),
            () if stands && self.waiting > 0 => None,
            () if is_felt && utilisation >= NEAR_LIMIT => Some(Load::Felt),
            () if is_felt && self.waiting > 0 => None,
            () if utilisation >= BUSY => Some(Load::Busy),
            () => Some(Load::Light),
        }
    }

    /// How long the database worked for a checkout: statement-busy time where it is known. A transaction
    /// that thinks with its connection in hand is held long on a database that has nothing to do.
    pub(super) fn service(&self) -> Option<Duration> {
        self.mean_busy.or(self.mean_held)
    }

    /// How long clients waited on average, for a connection and with it.
    pub(super) fn response(&self) -> Duration {
        self.mean_wait.unwrap_or_default() + self.mean_held.unwrap_or_default()
    }

    /// Connections given back a second.
    pub(super) fn rate(&self) -> f64 {
        if self.span.is_zero() { 0.0 } else { self.completed as f64 / self.span.as_secs_f64() }
    }

    /// `limit`, or what is allowed instead. A grant below the least is a grant.
    pub(super) fn allowed(&self, limit: usize) -> usize {
        limit.max(self.least).min(self.most).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A second with `in_use` of ten in use, held for 20 ms each.
    fn reading(in_use: f64, smallest_wait: u32, mean_wait: u32) -> Reading {
        Reading {
            span: Duration::from_secs(1),
            limit: 10,
            mean_in_use: in_use,
            peak_in_use: 10,
            waiting: 0,
            smallest_wait: Some(smallest_wait * MS),
            mean_wait: Some(mean_wait * MS),
            completed: 400,
            mean_held: Some(20 * MS),
            mean_busy: None,
            overloads: 0,
            mean_connect: None,
            least: 1,
            most: 10,
        }
    }

    #[test]
    fn a_pool_is_at_its_limit_only_if_it_is_used_up_and_waited_for() {
        let load =
            |in_use, smallest_wait, mean_wait| reading(in_use, smallest_wait, mean_wait).load();
        assert_eq!(load(4.9, 0, 0), Some(Load::Light));
        assert_eq!(load(10.0, 0, 1), Some(Load::Busy));
        assert_eq!(load(6.5, 0, 5), Some(Load::Felt));
        assert_eq!(load(8.9, 5, 9), Some(Load::Felt));
        assert_eq!(load(9.0, 5, 9), Some(Load::Standing));
    }

    #[test]
    fn connections_that_come_or_go_say_nothing_of_the_limit() {
        let opening = Reading { waiting: 9, ..reading(4.0, 50, 50) };
        let opening_the_last = Reading { waiting: 9, ..reading(8.5, 50, 50) };
        let closing = reading(10.5, 50, 50);
        let stuck = Reading { smallest_wait: None, completed: 0, waiting: 9, ..closing.clone() };
        let loads = [opening, opening_the_last, closing, stuck].map(|reading| reading.load());
        assert_eq!(loads, [None; 4]);
    }

    #[test]
    fn time_spent_thinking_is_no_service_where_statements_are_timed() {
        let timed = Reading { mean_busy: Some(3 * MS), ..reading(9.0, 0, 0) };
        assert_eq!(timed.service(), Some(3 * MS));
        assert_eq!(reading(9.0, 0, 0).service(), Some(20 * MS));
    }
}
