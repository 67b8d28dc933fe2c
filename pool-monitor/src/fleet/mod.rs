//! How the members of a fleet share one database's connections: the protocol, without I/O.
//!
//! Each member has a row in a ledger that the database itself keeps. At every heartbeat it settles: one
//! transaction locks the ledger, reads all rows, and writes the member's own. In every state that was
//! committed, what the rows take together is no more than there is; so nobody has to ask anybody.
//!
//! - Who grows commits first and opens afterwards; who shrinks stops opening first, then says what it
//!   still holds. So at any time a row covers what its member may have.
//! - A lease ends on the member's own clock before it ends on the server's. Who cannot renew it opens
//!   nothing, and keeps what it has.
//! - A row whose lease has run out counts until the server shows no session of its member.
//!
//! [`Member`] is a member's state, [`fair_shares`] who may have how much, and [`Fallback`] what is left
//! where no ledger can be kept. Who calls them reads the clock, the pool and the database.

mod division;
mod fallback;
mod member;
mod pace;
mod shares;
mod standing;

pub use self::fallback::Fallback;
pub use self::member::{Allowance, Member, Needs};
pub use self::pace::Timing;
pub use self::shares::{Claim, fair_shares};
pub use self::standing::{Shortage, Standing};
