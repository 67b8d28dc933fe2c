//! How the members of a fleet share one database's connections: the capability to keep their ledger in
//! that database, and what they are called there.
//!
//! What is settled is decided elsewhere (`pool-monitor`): a driver reads the ledger, hands it over, and
//! writes what comes back, all in one transaction.

mod error;
mod ledger;

use std::fmt;

use async_trait::async_trait;

pub use self::error::{LeaseError, LeaseTrouble};
pub use self::ledger::{
    Budget, Changes, Decide, Ledger, MemberRow, ServerTime, Sessions, Settlement, Share,
};

/// The version of the tables, and of the rules by which they are written. Members of two versions must
/// not share a ledger: they would count differently.
pub const LEASE_PROTOCOL: u32 = 1;

/// Keeps a fleet's ledger in the database whose connections are shared.
///
/// A driver's table has a row for each fleet, which is the lock, and one for each of its members, in
/// which it may also keep what it needs to recognise the member's control connection.
#[async_trait]
pub trait LeaseStore<C>: Send + Sync {
    /// Creates what is missing of the tables and of the fleet's own row.
    ///
    /// # Errors
    ///
    /// [`LeaseError`]; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn prepare(&self, connection: &mut C, fleet: &FleetName) -> Result<(), LeaseError>;

    /// Settles once, in one transaction: locks the fleet's row, reads the server's time, the members'
    /// rows and what sessions there are, has `decide` decide, and commits
    ///
    /// - what it returns, as the row of `member` and of nobody else,
    /// - without the rows that [are dead](Ledger::dead),
    /// - with a [serial](Ledger::serial) that is one more.
    ///
    /// Time and sessions are read after the lock was had. If a transaction has to be repeated,
    /// `decide` is asked again. The server itself must end a transaction whose client has gone
    /// silent, within about two seconds: a stopped process would keep the whole fleet locked.
    ///
    /// # Errors
    ///
    /// [`LeaseError`]; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too, and nobody knows what became of the transaction.
    async fn settle(
        &self,
        connection: &mut C,
        fleet: &FleetName,
        member: MemberId,
        decide: &mut Decide<'_>,
    ) -> Result<(), LeaseError>;

    /// What sessions the fleet's members have, for those who have no ledger.
    ///
    /// # Errors
    ///
    /// [`LeaseError`]; the connection is not used again then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is too.
    async fn sessions(&self, connection: &mut C, fleet: &FleetName)
    -> Result<Sessions, LeaseError>;
}

/// What a fleet is called: at most 32 letters, digits, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FleetName(String);

/// A text that is no [`FleetName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fleet cannot be called {given:?}: {} are allowed", FleetName::ALLOWED)]
pub struct FleetNameError {
    given: String,
}

impl FleetName {
    /// So that a [tag](Self::tag) is no longer than the 63 bytes that PostgreSQL keeps.
    const LONGEST: usize = 32;
    /// What it may be called, in words.
    pub const ALLOWED: &str = "1 to 32 letters (a to z, A to Z), digits, `_` and `-`";

    /// The fleet of this name.
    ///
    /// # Errors
    ///
    /// [`FleetNameError`], if it is empty, too long, or holds other characters.
    pub fn new(name: impl Into<String>) -> Result<Self, FleetNameError> {
        let given = name.into();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if (1..=Self::LONGEST).contains(&given.len()) && given.bytes().all(is_allowed) {
            Ok(Self(given))
        } else {
            Err(FleetNameError { given })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By which the server shows whose session it is: the name that a member gives to each of its
    /// connections, the control connection among them.
    ///
    /// ```
    /// use pool_core::{FleetName, MemberId};
    ///
    /// let fleet = FleetName::new("orders")?;
    /// assert_eq!(fleet.tag(MemberId::new(0xbeef)), "orders.000000000000beef");
    /// # Ok::<_, pool_core::FleetNameError>(())
    /// ```
    #[must_use]
    pub fn tag(&self, member: MemberId) -> String {
        format!("{self}.{member}")
    }

    /// The fleet and the member whose tag it is; `None` if it is nobody's.
    ///
    /// ```
    /// use pool_core::{FleetName, MemberId};
    ///
    /// let orders = FleetName::new("orders")?;
    /// let tag = orders.tag(MemberId::new(7));
    /// assert_eq!(FleetName::of_tag(&tag), Some((orders, MemberId::new(7))));
    /// assert_eq!(FleetName::of_tag("orders"), None);
    /// # Ok::<_, pool_core::FleetNameError>(())
    /// ```
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<(Self, MemberId)> {
        let (name, _) = tag.rsplit_once('.')?;
        let fleet = Self::new(name).ok()?;
        let member = fleet.member_of(tag)?;
        Some((fleet, member))
    }

    /// Whether two texts are tags of one fleet. A pool that goes on as another's successor keeps its own
    /// then: it is the same member, and some of its sessions have that tag already.
    #[must_use]
    pub fn is_one_fleet(tag: &str, other: &str) -> bool {
        let fleet = |tag| Self::of_tag(tag).map(|(fleet, _)| fleet);
        fleet(tag).is_some_and(|of| fleet(other) == Some(of))
    }

    /// Whose tag it is; `None` if it is not one of this fleet.
    #[must_use]
    pub fn member_of(&self, tag: &str) -> Option<MemberId> {
        let digits = tag.strip_prefix(&self.0)?.strip_prefix('.')?;
        let member = MemberId(u64::from_str_radix(digits, 16).ok()?);
        (self.tag(member) == tag).then_some(member)
    }
}

impl fmt::Display for FleetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A member of a fleet: a number that a process draws at random when it starts, so that no two that ever
/// lived are taken for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

impl MemberId {
    /// A member that nobody else is.
    #[must_use]
    pub fn draw() -> Self {
        Self(fastrand::u64(..))
    }

    /// The member of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(name: &str) -> FleetName {
        FleetName::new(name).expect("allowed")
    }

    #[test]
    fn a_tag_tells_whose_session_it_is_and_fits_the_servers() {
        let longest = fleet(&"f".repeat(32));
        let member = MemberId::new(u64::MAX);
        let tag = longest.tag(member);
        assert_eq!((tag.len(), longest.member_of(&tag)), (49, Some(member)));
        assert_eq!(FleetName::of_tag(&tag), Some((longest, member)));
        assert_eq!(fleet("orders").tag(MemberId::new(7)), "orders.0000000000000007");
    }

    #[test]
    fn what_is_not_exactly_a_tag_of_the_fleet_is_nobodys() {
        for other in [
            "",
            "orders",
            "orders.",
            "orders.7",
            "orders.000000000000000X",
            "orders.000000000000000A",
            "orders.+000000000000007",
            "orders.00000000000000007",
            "orders2.0000000000000007",
            "border.0000000000000007",
        ] {
            assert_eq!(fleet("orders").member_of(other), None, "{other}");
            let owner = FleetName::of_tag(other).map(|(fleet, _)| fleet);
            assert!(owner.is_none_or(|owner| owner != fleet("orders")), "{other}");
        }
    }

    #[test]
    fn only_members_of_one_fleet_can_take_over_from_each_other() {
        let [one, other] = [7, 8].map(|number| fleet("orders").tag(MemberId::new(number)));
        assert!(FleetName::is_one_fleet(&one, &other) && FleetName::is_one_fleet(&one, &one));
        for text in ["orders", "orders.8", "till", "Orders.0000000000000008", ""] {
            assert!(!FleetName::is_one_fleet(&one, text), "{text}");
            assert!(!FleetName::is_one_fleet(text, &one), "{text}");
        }
    }

    #[test]
    fn no_two_members_that_are_drawn_are_the_same() {
        let mut drawn: Vec<_> = (0..100).map(|_| MemberId::draw()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 100);
    }

    #[test]
    fn a_name_that_is_not_allowed_is_refused_with_what_is() {
        for given in ["", "a.b", "a b", "caf\u{e9}", &"f".repeat(33)] {
            let refused = FleetName::new(given).expect_err("not allowed").to_string();
            assert!(refused.contains(&format!("{given:?}")), "{refused}");
            assert!(refused.contains("1 to 32 letters"), "{refused}");
        }
    }
}
