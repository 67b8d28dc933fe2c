//! Operations that spend their time on the way to the database.

use super::{Compared, Evidence, FELT, Finding, Limit, Network, SLOWED};
use crate::words::{percent, time};

/// A way that takes less, in microseconds, is not worth being made shorter.
const SHORT: f64 = 500.0;
/// This share of an operation on the way is most of it.
const MOST: f64 = 0.5;

impl Evidence {
    /// Round trips that make up most of an operation. Each statement is taken for one.
    pub(super) fn network_limited(&self, compared: &Compared) -> Option<Finding> {
        let Network { round_trip, statements } = self.network;
        let round_trip = round_trip.filter(|time| *time >= SHORT)?;
        let trips = statements.unwrap_or(1.0).max(1.0);
        // Asked for alone: in company others may be in the way.
        let share = (trips * round_trip / compared.alone).min(1.0);
        if share < MOST || compared.slowdown >= SLOWED {
            return None;
        }
        let each = match statements {
            Some(statements) if statements >= 1.05 => format!("{statements:.1} statements"),
            _ => "one statement".to_owned(),
        };
        let summary = format!(
            "operations wait for the way to the database: there and back takes {}, an operation has \
             {each}, and {} of the {} it takes alone are spent on the way. Fewer statements for each \
             operation, or a database that is nearer, help most",
            time(round_trip),
            percent(share),
            time(compared.alone),
        );
        let would_change = "fewer statements for each operation, or a shorter way";
        // Connections that are on the way most of the time cost the database little.
        let more = if compared.waiting >= FELT { self.more_connections() } else { None };
        Some(Finding::new(Limit::Network, summary, would_change).advise(more))
    }
}
