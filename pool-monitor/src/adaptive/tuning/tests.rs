//! How a tuner and a grant get along. What a tuner does alone is in the integration tests.

use std::time::Duration;

use pool_core::{Pool, PoolConfig, PoolOptions};
use pool_testkit::{FakeDriver, FakeServer, Sim};

use super::*;
use crate::adaptive::options::TunerMode;
use crate::fleet::Allowance;

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

/// A tuner on a pool of up to forty.
struct Tuned {
    sim: Sim,
    governor: Arc<Governor>,
    pool: Pool<FakeDriver>,
    _tuning: Tuning,
}

impl Tuned {
    /// One that all of forty connections are waited for, each of which does as much as any other.
    fn saturated(mode: TunerMode) -> Self {
        let tuned = Self::idle(mode);
        for _ in 0..80 {
            let (pool, sim) = (tuned.pool.clone(), tuned.sim.clone());
            tuned.sim.spawn(async move {
                while let Ok(guard) = pool.acquire().await {
                    sim.sleep(20 * MS).await;
                    drop(guard);
                }
            });
        }
        tuned
    }

    fn idle(mode: TunerMode) -> Self {
        let sim = Sim::new(1);
        let server = FakeServer::new(sim.runtime());
        let config = PoolConfig { max_open: 40, ..PoolConfig::default() };
        let options = PoolOptions { runtime: Some(sim.runtime()), ..config.into() };
        let pool = Pool::new(FakeDriver::new(&server), options).expect("valid");
        let governor = Arc::new(Governor::new(&pool.control()).expect("the first"));
        let options = TunerOptions { mode, least: 2, ..TunerOptions::default() };
        let tuning = Tuning::start(&governor, options, &sim.runtime()).expect("started");
        Self { sim, governor, pool, _tuning: tuning }
    }

    fn grant(&self, keep: usize) {
        let until = self.sim.now().after(Duration::from_hours(1));
        self.governor.grant(Allowance { keep, ceiling: keep, until });
    }

    fn limit(&self) -> usize {
        self.governor.pool().stats().max_open
    }

    fn recommended(&self) -> usize {
        self.governor.sizing().recommended.expect("said").max_open
    }
}

#[test]
fn a_grant_bounds_the_tuner_in_both_modes() {
    for mode in [TunerMode::On, TunerMode::Shadow] {
        let tuned = Tuned::saturated(mode);
        tuned.grant(10);
        tuned.sim.advance(90 * SEC);
        assert_eq!((tuned.limit(), tuned.recommended()), (10, 10), "{mode:?}");
        tuned.grant(3);
        assert_eq!(tuned.limit(), 3, "at once");
        tuned.sim.advance(5 * SEC);
        assert_eq!((tuned.limit(), tuned.recommended()), (3, 3), "{mode:?}");
    }
}

#[test]
fn a_tuner_that_is_kept_small_by_its_grant_wants_more() {
    let tuned = Tuned::saturated(TunerMode::On);
    tuned.grant(10);
    tuned.sim.advance(5 * SEC);
    assert_eq!(tuned.governor.wanted(), Some(40));
    // What is granted then is there to be used, without another trial.
    tuned.grant(25);
    assert_eq!(tuned.limit(), 25);
    tuned.sim.advance(3 * SEC);
    assert_eq!(tuned.recommended(), 25);
}

#[test]
fn a_tuner_that_needs_less_than_its_grant_says_so() {
    let tuned = Tuned::idle(TunerMode::On);
    tuned.grant(10);
    tuned.sim.advance(90 * SEC);
    assert_eq!((tuned.governor.wanted(), tuned.limit()), (Some(2), 2));
}
