//! How far shares are from fair ones.

use pool_monitor::fleet::{Claim, fair_shares};

/// What a member asks for, and what it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    pub(super) claim: Claim,
    pub(super) granted: usize,
}

/// How far the share that is furthest from what is fair is from it, as a part of that; `None` if nobody
/// can have anything. `capacity` is what there is for all, in the order of their joining.
pub(super) fn deviation(capacity: usize, parties: &[Party]) -> Option<f64> {
    let claims: Vec<_> = parties.iter().map(|party| party.claim).collect();
    let fair = fair_shares(capacity, &claims);
    let deviations = parties.iter().zip(fair).filter_map(|(party, fair)| {
        let fair = fair.filter(|fair| *fair > 0)?;
        Some(party.granted.abs_diff(fair) as f64 / fair as f64)
    });
    deviations.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(demand: usize, granted: usize) -> Party {
        Party { claim: Claim { floor: 1, demand, most: 20 }, granted }
    }

    #[test]
    fn equal_demands_are_met_fairly_by_equal_shares_alone() {
        assert_eq!(deviation(20, &[party(20, 10), party(20, 10)]), Some(0.0));
        assert_eq!(deviation(20, &[party(20, 8), party(20, 12)]), Some(0.2));
    }

    #[test]
    fn it_is_fair_that_who_asks_for_less_has_less() {
        assert_eq!(deviation(20, &[party(4, 4), party(40, 16)]), Some(0.0));
    }

    #[test]
    fn of_those_who_have_to_wait_nothing_is_said() {
        assert_eq!(deviation(0, &[party(4, 0)]), None);
        assert_eq!(deviation(20, &[]), None);
    }
}
