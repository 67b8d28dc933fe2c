//! Who may have how many connections: max-min fair shares with floors, by water filling.
//!
//! Nobody gets more than asked for while another could use it, and of those who get less, nobody gets
//! less than any other gets, unless that is the other's floor.

/// What a member asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The fewest it can work with.
    pub floor: usize,
    /// How many it could use.
    pub demand: usize,
    /// The most it may ever have.
    pub most: usize,
}

impl Claim {
    pub(super) fn floor(self) -> usize {
        self.floor.min(self.most)
    }

    fn wanted(self) -> usize {
        self.demand.clamp(self.floor(), self.most)
    }
}

/// How `capacity` is shared among those who claim it, in their order of joining; `None` is for who has
/// to wait, because its floor does not fit.
///
/// Floors are served in the order of joining, and nobody overtakes one who waits. Of what nobody asks
/// for, half is given out: a burst is met at once by what a member has already, and who joins finds
/// something.
///
/// ```
/// use pool_monitor::fleet::{Claim, fair_shares};
///
/// let claims = [3, 50, 20].map(|demand| Claim { floor: 2, demand, most: 100 });
/// assert_eq!(fair_shares(30, &claims), [Some(3), Some(14), Some(13)]);
/// ```
#[must_use]
pub fn fair_shares(capacity: usize, claims: &[Claim]) -> Vec<Option<usize>> {
    let mut free = capacity;
    let fits = |claim: &&Claim| {
        let left = free.checked_sub(claim.floor());
        free = left.unwrap_or(free);
        left.is_some()
    };
    let served: Vec<Claim> = claims.iter().take_while(fits).copied().collect();
    let mut shares: Vec<usize> = served.iter().map(|claim| claim.floor()).collect();
    let wanted: Vec<usize> = served.iter().map(|claim| claim.wanted()).collect();
    let most: Vec<usize> = served.iter().map(|claim| claim.most).collect();
    free -= fill(&mut shares, &wanted, free);
    fill(&mut shares, &most, free / 2);
    let waiting = claims.len() - shares.len();
    shares.into_iter().map(Some).chain(std::iter::repeat_n(None, waiting)).collect()
}

/// Raises the lowest levels first, none above its cap, by `water` in sum or until all are full. Returns
/// how much was needed.
fn fill(levels: &mut [usize], caps: &[usize], water: usize) -> usize {
    let raised = |&level: &usize, &cap: &usize, to: usize| cap.min(to).max(level);
    let needed = |to: usize| {
        let raise = |(level, cap)| raised(level, cap, to) - level;
        levels.iter().zip(caps).map(raise).fold(0, usize::saturating_add)
    };
    let highest = levels.iter().max().map_or(0, |&level| level.saturating_add(water));
    // All can be raised as far as `low`, and not as far as `high`.
    let (mut low, mut high) = (0, highest.saturating_add(1));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if needed(middle) <= water {
            low = middle;
        } else {
            high = middle;
        }
    }
    let before = needed(low);
    let mut left = water - before;
    for (level, &cap) in levels.iter_mut().zip(caps) {
        let is_lowest = *level <= low && cap > low;
        *level = raised(level, &cap, low);
        if is_lowest && left > 0 {
            *level += 1;
            left -= 1;
        }
    }
    water - left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(floor: usize, demand: usize, most: usize) -> Claim {
        Claim { floor, demand, most }
    }

    fn claims() -> impl Strategy<Value = Vec<Claim>> {
        let any = (0..8_usize, 0..60_usize, 0..60_usize);
        let any = any.prop_map(|(floor, demand, above)| claim(floor, demand, floor + above));
        prop::collection::vec(any, 0..12)
    }

    #[test]
    fn who_asks_for_little_gets_it_and_the_others_share_the_rest() {
        let claims = [claim(1, 2, 99), claim(1, 90, 99), claim(1, 90, 20), claim(1, 90, 99)];
        assert_eq!(fair_shares(62, &claims), [2, 20, 20, 20].map(Some));
        assert_eq!(fair_shares(50, &claims), [2, 16, 16, 16].map(Some));
    }

    #[test]
    fn half_of_what_nobody_asks_for_is_given_out() {
        let claims = [claim(1, 2, 99), claim(1, 10, 99)];
        assert_eq!(fair_shares(32, &claims), [11, 11].map(Some));
        assert_eq!(fair_shares(12, &claims), [2, 10].map(Some));
    }

    #[test]
    fn where_floors_do_not_fit_who_joined_first_has_its_own() {
        let claims = [claim(4, 9, 9), claim(4, 9, 9), claim(4, 9, 9), claim(1, 9, 9)];
        assert_eq!(fair_shares(11, &claims), [Some(6), Some(5), None, None]);
        assert_eq!(fair_shares(3, &claims), [None; 4]);
    }

    #[test]
    fn no_number_is_too_large() {
        let all = claim(1, usize::MAX, usize::MAX);
        assert_eq!(fair_shares(9, &[all, all]), [Some(5), Some(4)]);
        let half = usize::MAX / 2;
        assert_eq!(fair_shares(usize::MAX, &[all, all]), [Some(half + 1), Some(half)]);
        assert_eq!(fair_shares(usize::MAX, &[]), []);
    }

    proptest! {
        #[test]
        fn all_is_given_that_is_asked_for_and_never_more_than_there_is(
            capacity in 0..400_usize, claims in claims()
        ) {
            let shares = fair_shares(capacity, &claims);
            let served = || claims.iter().zip(&shares).filter_map(|(claim, share)| {
                share.map(|share| (claim, share))
            });
            let sum: usize = served().map(|(_, share)| share).sum();
            let wanted: usize = served().map(|(claim, _)| claim.wanted()).sum();
            prop_assert!(sum <= capacity);
            prop_assert!(sum >= wanted.min(capacity), "{sum} of {wanted}");
            let spare = capacity.saturating_sub(wanted);
            prop_assert!(sum <= wanted + spare / 2, "{sum}, of which {wanted} are wanted");
        }

        #[test]
        fn each_has_its_floor_and_no_more_than_its_most_unless_it_waits(
            capacity in 0..400_usize, claims in claims()
        ) {
            let shares = fair_shares(capacity, &claims);
            let mut free = capacity;
            for (claim, share) in claims.iter().zip(&shares) {
                if let Some(share) = share {
                    prop_assert!((claim.floor()..=claim.most).contains(share));
                    free -= claim.floor();
                }
            }
            if let Some(first) = shares.iter().position(Option::is_none) {
                prop_assert!(claims[first].floor() > free, "it would have fitted");
                prop_assert!(shares[first..].iter().all(Option::is_none), "one was overtaken");
            }
        }

        #[test]
        fn nobody_lacks_what_another_has_beyond_its_demand_or_beyond_ours(
            capacity in 0..400_usize, claims in claims()
        ) {
            let shares = fair_shares(capacity, &claims);
            let served: Vec<_> = claims.iter().zip(shares).filter_map(|(claim, share)| {
                share.map(|share| (claim, share))
            }).collect();
            for (one, lacking) in &served {
                for (other, has) in &served {
                    let lacks = *lacking < one.wanted();
                    prop_assert!(!lacks || *has <= other.wanted(), "{served:?}");
                    let envies = lacks && *has > lacking + 1 && *has > other.floor();
                    prop_assert!(!envies, "{served:?}");
                }
            }
        }

        #[test]
        fn the_order_matters_by_one_at_most_where_all_floors_fit(
            spare in 0..200_usize, claims in claims(), turn in 0..12_usize
        ) {
            let capacity = spare + claims.iter().map(|claim| claim.floor()).sum::<usize>();
            let mut turned = claims.clone();
            let turn = turn.min(claims.len());
            turned.rotate_left(turn);
            let mut shares = fair_shares(capacity, &claims);
            shares.rotate_left(turn);
            for (share, other) in shares.iter().zip(fair_shares(capacity, &turned)) {
                let (share, other) = (share.expect("fits"), other.expect("fits"));
                prop_assert!(share.abs_diff(other) <= 1, "{shares:?}");
            }
        }
    }
}
