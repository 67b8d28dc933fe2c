//! The one who steers a pool: what its fleet grants bounds what its tuner wants.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use parking_lot::Mutex;
use pool_core::{
    ControlHandle, FleetShare, OpeningLease, PoolStats, RecommendedSize, Sizing, Steering,
};

use super::options::AdaptiveError;
use crate::fleet::Allowance;
use crate::tuner::Sizes;

/// The [ids](pool_core::Control::id) of the pools that have a governor: two would overwrite each
/// other's steering.
static GOVERNED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// Lays a tuner's sizes and a fleet's grant over a pool's configuration.
pub(super) struct Governor {
    pool: ControlHandle,
    /// Held while the pool is steered, so that what is laid over it is always of both, and never older
    /// than what was laid over it before. Observers that are told of what is closed thereby run under it:
    /// nothing that they may ask for takes it.
    wishes: Mutex<Wishes>,
    /// What is said of the pool; never held while somebody is told.
    said: Mutex<Sizing>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    granted: Option<Allowance>,
    sizes: Option<Sizes>,
}

impl Governor {
    /// The only governor of a pool, until it is dropped.
    pub(super) fn new(pool: &ControlHandle) -> Result<Self, AdaptiveError> {
        if !GOVERNED.lock().insert(pool.id()) {
            return Err(AdaptiveError::AlreadyAdapted { pool: pool.name().to_owned() });
        }
        Ok(Self { pool: pool.clone(), wishes: Mutex::default(), said: Mutex::default() })
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

    /// Has the pool open nothing from now on, and keep what it has.
    pub(super) fn hold(&self) -> PoolStats {
        let mut wishes = self.wishes.lock();
        let most = wishes.granted.map_or(usize::MAX, |granted| granted.keep);
        // Once nothing is opened any more, it is known what there is to keep.
        wishes.granted = Some(Allowance { keep: most, ..Allowance::NOTHING });
        self.steer(&wishes);
        let stats = self.pool.stats();
        wishes.granted = Some(Allowance { keep: most.min(stats.open), ..Allowance::NOTHING });
        self.steer(&wishes);
        stats
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
        self.said.lock().clone()
    }

    /// Observers are foreign code: they are told outside the lock. So of two who say something at once,
    /// whoever tells last looks whether that is still all there is to tell.
    fn say(&self, change: impl FnOnce(&mut Sizing)) {
        let mut said = {
            let mut said = self.said.lock();
            change(&mut said);
            said.clone()
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

impl Drop for Governor {
    fn drop(&mut self) {
        GOVERNED.lock().remove(&self.pool.id());
    }
}
