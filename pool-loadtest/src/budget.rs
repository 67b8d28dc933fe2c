//! How many connections of a server each replica of an application may have.

use pool_core::{Capacity, PoolConfig, Problem};

use crate::report::BudgetReport;
use crate::words::{counted, grouped};

/// What is to share a server's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharing {
    /// Replicas of the application, each with a pool of its own; at least one.
    pub(crate) replicas: usize,
    /// Further ones that a deployment starts before it stops others.
    pub(crate) surge: usize,
    /// Connections kept for what is no replica, beside those the server keeps.
    pub(crate) reserve: usize,
    /// What each pool may open.
    pub(crate) max_open: usize,
    /// Connections open now that are the asking program's, where the server cannot tell.
    pub(crate) own: usize,
}

/// One of the limits that hold for a connection.
struct Limit {
    name: &'static str,
    allowed: usize,
    reserved: usize,
    others: usize,
}

impl Limit {
    /// What is left for the replicas.
    fn room(&self) -> usize {
        self.allowed.saturating_sub(self.reserved).saturating_sub(self.others)
    }
}

/// Shares a server's connections by the limit that leaves least.
///
/// # Errors
///
/// More is to be kept than there is.
pub(crate) fn share(capacity: &Capacity, sharing: Sharing) -> Result<BudgetReport, Problem> {
    let Sharing { replicas, surge, reserve, max_open, .. } = sharing;
    let tightest = limits(capacity, &sharing).into_iter().min_by_key(Limit::room);
    let tightest = tightest.expect("bug: the server's own limit is always there");
    let Limit { name, allowed: limit, reserved, others } = tightest;
    let own_reserve = reserved - reserve;
    if reserve > 0 && reserved >= limit {
        let why = format!("nothing is left of the {} that {name} allows", grouped(limit as u64));
        let allowed = format!("less than {}", limit.saturating_sub(own_reserve));
        return Err(Problem::invalid("--reserve", reserve.to_string(), why, allowed));
    }
    let all = replicas.saturating_add(surge).max(1);
    let room = tightest.room();
    let max_open_each = room / all;
    let max_open = (max_open != PoolConfig::UNLIMITED).then_some(max_open);
    let fits = max_open.is_some_and(|max_open| max_open <= max_open_each);
    let wanted = wanted(&sharing, max_open, all);
    let detail = format!(
        "{wanted}, and {name} leaves {}: it allows {}, {} reserved and {} open by others. {}",
        counted(room as u64, "connection"),
        grouped(limit as u64),
        is(reserved),
        is(others),
        remedy(max_open, max_open_each, room),
    );
    Ok(BudgetReport {
        limit,
        limited_by: name.to_owned(),
        reserved,
        others,
        replicas,
        surge,
        max_open_each,
        max_open,
        fits,
        detail,
    })
}

/// Each limit that holds, with what is taken of it.
fn limits(capacity: &Capacity, sharing: &Sharing) -> Vec<Limit> {
    let ours = capacity.in_use_here.unwrap_or(sharing.own);
    let limit = |name, allowed, reserved: usize, in_use: usize| Limit {
        name,
        allowed,
        reserved: reserved.saturating_add(sharing.reserve),
        others: in_use.saturating_sub(ours),
    };
    let Capacity { max_connections, reserved, in_use, account, database, .. } = *capacity;
    let mut limits = vec![limit("max_connections", max_connections, reserved, in_use)];
    limits.extend(account.map(|it| limit("the account's limit", it.limit, 0, it.in_use)));
    limits.extend(database.map(|it| limit("the database's limit", it.limit, 0, it.in_use)));
    limits
}

/// What all replicas together may want.
fn wanted(sharing: &Sharing, max_open: Option<usize>, all: usize) -> String {
    let replicas = counted(sharing.replicas as u64, "replica");
    let surge = match sharing.surge {
        0 => String::new(),
        surge => format!(" and {} more during a deployment", grouped(surge as u64)),
    };
    match max_open {
        None => format!("{replicas}{surge} may open any number of connections"),
        Some(max_open) => {
            let sum = all.saturating_mul(max_open);
            let each = counted(max_open as u64, "connection");
            let verb = if all == 1 { "wants" } else { "want" };
            format!("{replicas}{surge} of at most {each} {verb} {}", grouped(sum as u64))
        }
    }
}

fn remedy(max_open: Option<usize>, each: usize, room: usize) -> String {
    match (max_open, each) {
        (Some(max_open), each) if max_open <= each => {
            format!("That fits; max_open = {each} is the most that does")
        }
        (_, 0) if room == 0 => {
            "Nothing is left: raise the limit, or see to it that others have fewer".to_owned()
        }
        (_, 0) => format!(
            "That is not even one for each: raise the limit, or have {} at most at any time",
            counted(room as u64, "replica")
        ),
        (_, each) => format!("That does not fit; max_open = {each} does"),
    }
}

/// `1 is`, `2 are`.
fn is(number: usize) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use pool_core::Quota;

    use super::*;

    /// A server of 100 connections: 3 are reserved, 20 are open, 5 of these by this application.
    fn server() -> Capacity {
        let mut capacity = Capacity::new(100);
        capacity.reserved = 3;
        capacity.in_use = 20;
        capacity.in_use_here = Some(5);
        capacity
    }

    fn of(replicas: usize, max_open: usize) -> Sharing {
        Sharing { replicas, surge: 0, reserve: 0, max_open, own: 1 }
    }

    fn shared(capacity: &Capacity, sharing: Sharing) -> BudgetReport {
        share(capacity, sharing).expect("something is left")
    }

    #[test]
    fn what_is_left_is_shared_by_all_replicas() {
        // 100 - 3 reserved - 15 of others: 82.
        for (replicas, surge, reserve, each) in [
            (1, 0, 0, 82),
            (4, 0, 0, 20),
            (4, 1, 0, 16),
            (4, 0, 10, 18),
            (82, 0, 0, 1),
            (83, 0, 0, 0),
        ] {
            let budget = shared(&server(), Sharing { surge, reserve, ..of(replicas, 20) });
            assert_eq!(budget.max_open_each, each, "{budget:?}");
            assert_eq!(budget.fits, each >= 20, "{budget:?}");
        }
        let largest =
            shared(&server(), Sharing { surge: usize::MAX, ..of(usize::MAX, usize::MAX - 1) });
        assert_eq!((largest.max_open_each, largest.fits), (0, false));
    }

    #[test]
    fn the_limit_that_leaves_least_counts_and_is_named() {
        let mut capacity = server();
        capacity.account = Some(Quota::new(50, 6));
        let budget = shared(&capacity, of(2, 10));
        assert_eq!((&*budget.limited_by, budget.max_open_each), ("the account's limit", 24));
        capacity.database = Some(Quota::new(60, 40));
        let budget = shared(&capacity, of(2, 10));
        assert_eq!((&*budget.limited_by, budget.max_open_each), ("the database's limit", 12));
        assert_eq!((budget.limit, budget.reserved, budget.others), (60, 0, 35));
        capacity.account = Some(Quota::new(5_000, 6));
        capacity.database = Some(Quota::new(5_000, 6));
        assert_eq!(shared(&capacity, of(2, 10)).limited_by, "max_connections");
    }

    #[test]
    fn a_server_that_cannot_tell_ours_from_others_is_told() {
        let mut capacity = server();
        capacity.in_use_here = None;
        assert_eq!(shared(&capacity, Sharing { own: 8, ..of(1, 10) }).others, 12);
        assert_eq!(shared(&capacity, Sharing { own: 99, ..of(1, 10) }).others, 0);
    }

    #[test]
    fn a_budget_says_what_is_wanted_what_there_is_and_what_fits() {
        let detail = |sharing| shared(&server(), sharing).detail;
        assert_eq!(
            detail(of(4, 20)),
            "4 replicas of at most 20 connections want 80, and max_connections leaves 82 \
             connections: it allows 100, 3 are reserved and 15 are open by others. That fits; \
             max_open = 20 is the most that does"
        );
        assert_eq!(
            detail(Sharing { surge: 1, ..of(1, 50) }),
            "1 replica and 1 more during a deployment of at most 50 connections want 100, and \
             max_connections leaves 82 connections: it allows 100, 3 are reserved and 15 are open \
             by others. That does not fit; max_open = 41 does"
        );
        let none = detail(of(90, 1));
        let words =
            "not even one for each: raise the limit, or have 82 replicas at most at any time";
        assert!(none.contains(words), "{none}");
        let mut full = server();
        full.in_use = 102;
        let full = shared(&full, of(1, 1)).detail;
        let words = "97 are open by others. Nothing is left: raise the limit, or see to it that others \
                     have fewer";
        assert!(full.ends_with(words), "{full}");
        let unlimited = shared(&server(), of(2, PoolConfig::UNLIMITED));
        assert_eq!((unlimited.max_open, unlimited.fits), (None, false));
        let words = "2 replicas may open any number of connections, and";
        assert!(unlimited.detail.starts_with(words), "{unlimited:?}");
        let one = detail(Sharing { reserve: 81, ..of(1, 1) });
        assert!(one.starts_with("1 replica of at most 1 connection wants 1, and"), "{one}");
        assert!(one.contains("leaves 1 connection: it allows 100, 84 are"), "{one}");
    }

    #[test]
    fn more_cannot_be_kept_than_there_is() {
        let refused = |reserve| share(&server(), Sharing { reserve, ..of(1, 1) }).err();
        assert_eq!(refused(96), None);
        let problem = refused(97).expect("nothing is left");
        assert_eq!((&*problem.field, &*problem.value), ("--reserve", "97"));
        assert_eq!(problem.why, "nothing is left of the 100 that max_connections allows");
        assert_eq!(problem.allowed, "less than 97");
    }
}
