//! How a member stands, in plain words.

use std::fmt;

use pool_core::Budget;

use super::shares::Claim;

/// How a member stands in its fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Nothing has been settled yet.
    Joining,
    /// It has its fair share.
    Granted {
        /// So many connections.
        granted: usize,
    },
    /// It has less than its fair share: others hold the rest and have not given it back yet, or it is kept
    /// for the floor of one who joined earlier.
    Waiting {
        /// What it has.
        granted: usize,
        /// Its fair share.
        target: usize,
    },
    /// Not even its floor fits.
    Pending(Shortage),
    /// Its lease has run out: it opens nothing, and keeps what it has.
    Lapsed,
    /// It is leaving, and has not given everything back yet.
    Draining,
    /// It has left.
    Left,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joining => f.write_str("joining: nothing has been settled yet"),
            Self::Granted { granted } => write!(f, "granted {granted}"),
            Self::Waiting { granted, target } => {
                let rest = target - granted;
                write!(f, "granted {granted} of {target}: the other {rest} are not free yet")
            }
            Self::Pending(shortage) => write!(f, "pending: {shortage}"),
            Self::Lapsed => {
                f.write_str("the lease could not be renewed: opens nothing and keeps what it has")
            }
            Self::Draining => f.write_str("draining: opens nothing and gives back what it has"),
            Self::Left => f.write_str("has left"),
        }
    }
}

/// Why not everybody's floor fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shortage {
    /// What there is.
    pub budget: Budget,
    /// Members, each with a control connection.
    pub members: usize,
    /// Connections held by those who leave, or whose lease has run out.
    pub held: usize,
    /// Members that are to share the rest.
    pub sharing: usize,
    /// Their floors, in sum.
    pub floors: usize,
    /// The floor of each of them, if they all have the same.
    pub floor: Option<usize>,
}

impl Shortage {
    pub(super) fn new(budget: Budget, members: usize, held: usize, claims: &[Claim]) -> Self {
        let first = claims.first().map(|claim| claim.floor);
        let floor = first.filter(|&floor| claims.iter().all(|claim| claim.floor == floor));
        let floors = claims.iter().map(|claim| claim.floor).sum();
        Self { budget, members, held, sharing: claims.len(), floors, floor }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget: Budget { total, reserve }, members, held, .. } = self;
        write!(f, "the total of {total} is smaller than ")?;
        match self.floor {
            Some(floor) => write!(f, "{} members x floor {floor}", self.sharing)?,
            None => write!(f, "the floors of {} members, {} in sum", self.sharing, self.floors)?,
        }
        write!(f, ", with {members} control connections, {reserve} in reserve")?;
        if *held > 0 {
            write!(f, ", {held} held by members that leave or do not answer")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { total: 20, reserve: 2 };

    fn claims(floors: &[usize]) -> Vec<Claim> {
        floors.iter().map(|&floor| Claim { floor, demand: 9, most: 9 }).collect()
    }

    #[test]
    fn who_waits_for_its_floor_says_what_does_not_fit() {
        let pending = |held, floors: &[usize]| {
            Standing::Pending(Shortage::new(BUDGET, 8, held, &claims(floors))).to_string()
        };
        assert_eq!(
            pending(0, &[4; 8]),
            "pending: the total of 20 is smaller than 8 members x floor 4, with 8 control \
             connections, 2 in reserve"
        );
        assert_eq!(
            pending(5, &[1, 9]),
            "pending: the total of 20 is smaller than the floors of 2 members, 10 in sum, with 8 \
             control connections, 2 in reserve, 5 held by members that leave or do not answer"
        );
    }

    #[test]
    fn who_waits_for_others_says_for_how_many() {
        assert_eq!(
            Standing::Waiting { granted: 3, target: 10 }.to_string(),
            "granted 3 of 10: the other 7 are not free yet"
        );
    }
}
