//! A checked-out connection.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::thread::panicking;

use crate::contain::contain;
use crate::driver::{Driver, Released};
use crate::error::CallSite;
use crate::listeners::Wanted;
use crate::observer::ConnectionReleased;
use crate::pool::Pool;
use crate::shared::Shared;
use crate::state::{Checkout, Left};

/// A connection on loan from a borrowed pool.
pub type PoolGuard<'a, D> = Guard<D, &'a Pool<D>>;

/// A connection on loan, with a handle to its pool: it may go wherever it likes, and keeps the pool
/// open. Costs one more counted reference than a [`PoolGuard`].
pub type OwnedPoolGuard<D> = Guard<D, Pool<D>>;

/// A connection on loan from a pool: a [`PoolGuard`] or an [`OwnedPoolGuard`]. Dropping it gives
/// the connection back.
///
/// The drop neither blocks, spawns nor panics, and needs no runtime. While a panic unwinds, the
/// connection is not trusted: it is reset before its next use.
#[must_use = "dropping the guard gives the connection back"]
pub struct Guard<D: Driver, P: Borrow<Pool<D>>> {
    pool: P,
    /// Present until the guard is dropped or taken apart.
    connection: Option<D::Connection>,
    slot: u32,
    broken: bool,
    site: CallSite,
}

impl<D: Driver, P: Borrow<Pool<D>>> Guard<D, P> {
    #[inline]
    pub(crate) fn new(pool: P, checkout: Checkout<D::Connection>, site: CallSite) -> Self {
        let Checkout { slot, connection } = checkout;
        Self { pool, connection: Some(connection), slot, broken: false, site }
    }

    #[inline]
    fn shared(&self) -> &Shared<D> {
        self.pool.borrow().shared()
    }

    /// Where the connection was acquired.
    #[must_use]
    pub fn site(this: &Self) -> CallSite {
        this.site
    }

    /// Gives the connection back as broken: it is closed, not used again.
    pub fn discard(mut this: Self) {
        this.broken = true;
    }

    /// Keeps the connection: it leaves the pool, which may open another in its place.
    #[must_use = "the connection is no longer the pool's to close"]
    pub fn detach(mut this: Self) -> D::Connection {
        let now = this.shared().runtime.now();
        let connection = this.connection.take().expect("bug: a guard without its connection");
        let (slot, site) = (this.slot, this.site);
        let since = this.shared().transition(|state, effects| state.detach(slot, now, effects));
        this.shared().observers.notify(Wanted::RELEASED, |observer, pool| {
            let held = now.since(since);
            observer.released(&ConnectionReleased { pool, site, held });
        });
        connection
    }

    #[inline]
    fn left(&self, connection: &mut D::Connection) -> Left {
        if self.broken {
            return Left::Broken;
        }
        match contain(|| self.shared().driver.released(connection)) {
            None | Some(Released::Discard) => Left::Broken,
            Some(Released::Dirty) => Left::Dirty,
            Some(Released::Clean | Released::ResetQueued) if panicking() => Left::Dirty,
            Some(Released::Clean | Released::ResetQueued) => Left::Clean,
        }
    }
}

impl<D: Driver, P: Borrow<Pool<D>>> Drop for Guard<D, P> {
    #[inline]
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let left = self.left(&mut connection);
        let (slot, site) = (self.slot, self.site);
        let recent = self.shared().recent();
        let since = self
            .shared()
            .transition(|state, effects| state.release(slot, connection, left, recent, effects));
        self.shared().observers.notify(Wanted::RELEASED, |observer, pool| {
            let held = recent.since(since);
            observer.released(&ConnectionReleased { pool, site, held });
        });
    }
}

impl<D: Driver, P: Borrow<Pool<D>>> Deref for Guard<D, P> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        self.connection.as_ref().expect("bug: a guard without its connection")
    }
}

impl<D: Driver, P: Borrow<Pool<D>>> DerefMut for Guard<D, P> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        self.connection.as_mut().expect("bug: a guard without its connection")
    }
}

impl<D: Driver, P: Borrow<Pool<D>>> fmt::Debug for Guard<D, P> {
    /// Says nothing of the connection, which may know a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("site", &self.site).finish_non_exhaustive()
    }
}
