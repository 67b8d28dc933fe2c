//! Pools that are closed and still kept by who watches them: until their last connection is back, which is
//! never where a guard was forgotten.

/// As many are kept. Where nobody looks or collects, or connections are out for good, they would pile up.
const MOST_CLOSED: usize = 100;

/// Takes the closed pool called `name` out of those that are `kept`, and the oldest of too many closed
/// ones. `closed_as` says what a pool is called, if it is closed. To drop them ends subscriptions, which
/// is not to be done under a lock.
#[must_use = "to be dropped outside the lock"]
pub(crate) fn make_room<T>(
    kept: &mut Vec<T>,
    name: &str,
    closed_as: impl Fn(&T) -> Option<&str>,
) -> Vec<T> {
    let closed = kept.iter().filter(|pool| closed_as(pool).is_some()).count();
    let mut surplus = closed.saturating_sub(MOST_CLOSED);
    let leaves = |pool: &mut T| {
        let leaves = closed_as(pool).is_some_and(|called| surplus > 0 || called == name);
        surplus = surplus.saturating_sub(usize::from(leaves));
        leaves
    };
    kept.extract_if(.., leaves).collect()
}
