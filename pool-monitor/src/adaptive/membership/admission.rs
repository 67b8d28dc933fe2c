//! Whether a pool can be a member of a fleet: all that can be said without asking the server.

use std::time::Duration;

use pool_core::{Control, FleetName, MemberId, Metadata};

use crate::adaptive::options::{AdaptiveError, BudgetSource, FleetOptions};
use crate::fleet::Timing;

/// A heartbeat may not be shorter: a settlement locks the whole fleet.
const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(1);
const LONGEST_HEARTBEAT: Duration = Duration::from_mins(1);
/// Two heartbeats in a row may fail.
const HEARTBEATS_PER_LEASE: u32 = 3;
/// So long, at most, what a dead member had is of use to nobody.
const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// Who joins which fleet, and on what terms.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) fleet: FleetName,
    pub(super) member: MemberId,
    pub(super) options: FleetOptions,
    /// Where the pool's driver led to.
    pub(super) place: Metadata,
}

impl Admission {
    pub(super) fn check(pool: &dyn Control, options: FleetOptions) -> Result<Self, AdaptiveError> {
        let metadata = pool.metadata();
        let capabilities = pool.capabilities();
        let system = || metadata.system_name.clone().into_owned();
        if !capabilities.leases {
            return Err(AdaptiveError::NoLedger { system: system() });
        }
        let tagged = metadata.application.as_deref().and_then(FleetName::of_tag);
        let Some((fleet, member)) = tagged else {
            return Err(AdaptiveError::NotTagged { application: metadata.application });
        };
        let (floor, max_open) = (options.floor, pool.config().max_open);
        if !(1..=max_open).contains(&floor) {
            return Err(AdaptiveError::Floor { floor, max_open });
        }
        match options.budget {
            BudgetSource::Server { percent } if !(1..=100).contains(&percent) => {
                return Err(AdaptiveError::Percent(percent));
            }
            BudgetSource::Server { .. } if !capabilities.capacity => {
                return Err(AdaptiveError::NoCapacity { system: system() });
            }
            BudgetSource::Fixed { total } if options.reserve >= total => {
                return Err(AdaptiveError::Reserve { reserve: options.reserve, total });
            }
            _ => {}
        }
        let Timing { heartbeat, lease } = options.timing;
        if !(SHORTEST_HEARTBEAT..=LONGEST_HEARTBEAT).contains(&heartbeat)
            || !(heartbeat * HEARTBEATS_PER_LEASE..=LONGEST_LEASE).contains(&lease)
        {
            return Err(AdaptiveError::Timing(options.timing));
        }
        Ok(Self { fleet, member, options, place: metadata })
    }
}
