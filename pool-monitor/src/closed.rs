//! Pools that are closed and still kept by who watches them: until their last connection is back, which is
//! never where a guard was forgotten.

/// As many are kept that were told of as closed. Where connections are out for good, they would pile up.
const MOST_TOLD: usize = 100;
/// As many are kept that were not told of yet: more than close between two looks. Where nobody looks or
/// collects, they would pile up.
const MOST_UNTOLD: usize = 1000;

/// A closed pool that is kept.
#[derive(Clone, Copy)]
pub(crate) struct Closed<'a> {
    pub(crate) name: &'a str,
    /// Somebody was told that it is closed. Before, who waits for it would wait for ever if it left.
    pub(crate) is_told: bool,
}

/// Makes room for a pool called `name`: takes the closed one of that name out of those that are `kept`, and the
/// oldest of too many closed ones. `closed` says of a pool what is known of it, if it is closed. To drop
/// them ends subscriptions, which is not to be done under a lock.
#[must_use = "to be dropped outside the lock"]
pub(crate) fn make_room<T>(
    kept: &mut Vec<T>,
    name: &str,
    closed: impl Fn(&T) -> Option<Closed<'_>>,
) -> Vec<T> {
    let are_told: Vec<_> = kept.iter().filter_map(&closed).map(|closed| closed.is_told).collect();
    let count = are_told.iter().filter(|is_told| **is_told).count();
    // The one that comes is one of them some day.
    let mut told = (count + 1).saturating_sub(MOST_TOLD);
    let mut untold = (are_told.len() - count + 1).saturating_sub(MOST_UNTOLD);
    let leaves = |pool: &mut T| {
        let Some(closed) = closed(pool) else { return false };
        let surplus = if closed.is_told { &mut told } else { &mut untold };
        let leaves = *surplus > 0 || closed.name == name;
        *surplus = surplus.saturating_sub(usize::from(leaves));
        leaves
    };
    kept.extract_if(.., leaves).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of those that are left of as many closed pools when one comes that has the name of the
    /// last.
    fn left(count: usize, is_told: bool) -> Vec<usize> {
        let mut kept: Vec<_> = (0..count).map(|number| (number, number.to_string())).collect();
        let last = (count - 1).to_string();
        drop(make_room(&mut kept, &last, |(_, name)| Some(Closed { name, is_told })));
        kept.into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn of_the_closed_pools_the_oldest_leave_and_the_one_whose_name_is_wanted() {
        assert_eq!(left(50, true), (0..49).collect::<Vec<_>>());
        assert_eq!(left(110, true), (11..109).collect::<Vec<_>>());
        assert_eq!(left(110, false), (0..109).collect::<Vec<_>>());
        assert_eq!(left(1010, false), (11..1009).collect::<Vec<_>>());
    }

    #[test]
    fn an_open_pool_stays_whatever_it_is_called() {
        let mut kept = vec!["orders"; 200];
        drop(make_room(&mut kept, "orders", |_| None));
        assert_eq!(kept.len(), 200);
    }
}
