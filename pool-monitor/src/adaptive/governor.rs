//! The one who steers a pool: what its fleet grants bounds what its tuner wants.

use std::num::NonZeroUsize;

use parking_lot::Mutex;
use pool_core::{
    ControlHandle, FleetShare, OpeningLease, PoolStats, RecommendedSize, Sizing, Steering,
};

use crate::fleet::Allowance;
use crate::tuner::Sizes;

/// Lays a tuner's sizes and a fleet's grant over a pool's configuration.
pub(super) struct Governor {
    pool: ControlHandle,
    /// Held while the pool is steered, so that what is laid over it is always of both.
    wishes: Mutex<Wishes>,
}

#[derive(Clone, Debug, Default)]
struct Wishes {
    granted: Option<Allowance>,
    sizes: Option<Sizes>,
    said: Sizing,
}

impl Governor {
    pub(super) fn new(pool: &ControlHandle) -> Self {
        Self { pool: pool.clone(), wishes: Mutex::default() }
    }

    pub(super) fn pool(&self) -> &ControlHandle {
        &self.pool
    }

    /// Has the pool keep to its grant from now on. Returns how it is then: whoever asks afterwards what
    /// it holds cannot have missed a connect.
    pub(super) fn grant(&self, granted: Allowance) -> PoolStats {
        let mut wishes = self.wishes.lock();
        wishes.granted = Some(granted);
        self.steer(&wishes);
        self.pool.stats()
    }

    /// The pool is in no fleet.
    pub(super) fn ungrant(&self) {
        let mut wishes = self.wishes.lock();
        wishes.granted = None;
        self.steer(&wishes);
    }

    /// Gives the pool these sizes, as far as its grant allows; `None` for those configured.
    pub(super) fn size(&self, sizes: Option<Sizes>) {
        let mut wishes = self.wishes.lock();
        wishes.sizes = sizes;
        self.steer(&wishes);
    }

    /// How many connections the fleet lets it have; `None` if it is in none.
    pub(super) fn granted(&self) -> Option<usize> {
        self.wishes.lock().granted.map(|granted| granted.keep)
    }

    /// How many connections the tuner wants it to have; `None` if it wants nothing.
    pub(super) fn wanted(&self) -> Option<usize> {
        self.wishes.lock().sizes.map(|sizes| sizes.max_open)
    }

    pub(super) fn say_share(&self, share: Option<FleetShare>) {
        self.say(|said| said.share = share);
    }

    pub(super) fn say_recommended(&self, recommended: Option<RecommendedSize>) {
        self.say(|said| said.recommended = recommended);
    }

    pub(super) fn sizing(&self) -> Sizing {
        self.wishes.lock().said.clone()
    }

    /// Observers are foreign code: they are told outside the lock. So of two who say something at once,
    /// whoever tells last looks whether that is still all there is to tell.
    fn say(&self, change: impl FnOnce(&mut Sizing)) {
        let mut said = {
            let mut wishes = self.wishes.lock();
            change(&mut wishes.said);
            wishes.said.clone()
        };
        loop {
            self.pool.tell_sizing(said.clone());
            let now = self.sizing();
            if now == said {
                return;
            }
            said = now;
        }
    }

    fn steer(&self, wishes: &Wishes) {
        let sizes = wishes.sizes.map(|sizes| sizes.max_open);
        let keep = wishes.granted.map(|granted| granted.keep);
        let most = [sizes, keep].into_iter().flatten().min();
        let idle = wishes.sizes.map(|sizes| sizes.max_idle);
        self.pool.steer(Steering {
            // A pool may always have one; without a grant it opens none, and lets go of what it does not use.
            max_open: most.map(|most| NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN)),
            max_idle: if keep == Some(0) { keep } else { idle },
            min_idle: wishes.sizes.map(|sizes| sizes.min_idle),
            opening: wishes.granted.map(|granted| OpeningLease {
                ceiling: granted.ceiling,
                until: Some(granted.until),
            }),
        });
    }
}
