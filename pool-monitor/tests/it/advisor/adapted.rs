//! What is advised of a pool that a tuner or a fleet adapts.

use std::num::NonZeroUsize;

use pool_core::{FleetShare, PoolConfig, RecommendedSize, ShareState, Sizing, Steering};
use pool_monitor::advisor::Rule;
use pool_monitor::{Advice, Deployment};

use super::{Capacity, MIN, advice, advice_in, max_open, only};
use crate::rig::{MS, Rig, sizing};

/// A pool of forty that is kept to `limit` by whoever says this of it, and used by thirty; the minutes
/// before, it was calm.
fn kept(limit: usize, said: Sizing) -> Rig {
    let rig = Rig::new(max_open(40));
    rig.use_by(2, 20 * MS, 10 * MS);
    let max_open = NonZeroUsize::new(limit);
    rig.pool.control().steer(Steering { max_open, ..Steering::default() });
    rig.sim.advance(3 * MIN);
    rig.use_by(30, 20 * MS, 10 * MS);
    rig.pool.control().tell_sizing(said);
    rig.sim.advance(3 * MIN);
    rig
}

fn share(state: ShareState) -> Sizing {
    Sizing { recommended: None, ..sizing(0, state) }
}

fn tuned(max_open: usize, is_applied: bool) -> Sizing {
    let said = sizing(max_open, ShareState::Granted).recommended;
    let recommended = said.map(|said| RecommendedSize { is_applied, ..said });
    Sizing { recommended, share: None }
}

#[test]
fn where_a_grant_limits_a_pool_it_is_the_fleet_that_is_explained() {
    let rig = kept(3, share(ShareState::Granted));
    let all = advice(&rig);
    let [Advice { rule: Rule::FleetShare, evidence, remedy, setting: None, .. }] = &all[..] else {
        panic!("{all:#?}")
    };
    assert!(
        evidence
            .ends_with(" waited on average for the 3 connections that the fleet shop grants: why"),
        "{evidence}"
    );
    assert!(
        remedy.contains("a larger max_open changes nothing: raise the fleet's total"),
        "{remedy}"
    );
}

#[test]
fn a_grant_that_is_enough_is_no_matter() {
    let rig = Rig::new(max_open(4));
    rig.use_by(2, 20 * MS, 10 * MS);
    rig.pool.control().tell_sizing(share(ShareState::Granted));
    rig.sim.advance(3 * MIN);
    assert_eq!(advice(&rig), []);
}

#[test]
fn a_share_that_is_withheld_is_explained_and_one_that_is_given_back_is_not() {
    let rig = Rig::new(max_open(4));
    rig.use_by(2, 20 * MS, 10 * MS);
    let told = |state| {
        rig.pool.control().tell_sizing(share(state));
        rig.sim.advance(2 * MIN);
        advice(&rig)
    };
    let pending = told(ShareState::Pending);
    assert_eq!(
        pending.iter().map(Advice::to_string).collect::<Vec<_>>(),
        ["pool fake: in the fleet shop: why: raise the fleet's total or the server's \
          limit, lower the members' floors, or run fewer members"]
    );
    let lapsed = told(ShareState::Lapsed);
    assert_eq!(
        lapsed.iter().map(Advice::to_string).collect::<Vec<_>>(),
        ["pool fake: in the fleet shop: why: look why it \
          cannot write to its database: it is down, read-only, or refuses the member"]
    );
    assert_eq!(told(ShareState::Draining), []);
}

#[test]
fn where_the_tuner_limits_a_pool_a_larger_max_open_is_no_advice() {
    let rig = kept(3, tuned(3, true));
    let all = advice(&rig);
    let [Advice { rule: Rule::PoolTooSmall, remedy, setting: None, .. }] = &all[..] else {
        panic!("{all:#?}")
    };
    assert_eq!(
        remedy,
        "the tuner keeps max_open at 3 (why), and a larger one than the 40 configured changes nothing: \
         make the statements cheaper, or hold connections for less time"
    );
}

#[test]
fn where_nobody_says_who_limits_a_pool_it_is_said_that_somebody_does() {
    let (rule, text) = only(&kept(3, Sizing::default()));
    assert_eq!(rule, Rule::PoolTooSmall);
    assert!(text.contains("max_open is steered to 3, and a larger one"), "{text}");
}

#[test]
fn what_a_tuner_recommends_that_looks_on_is_told_and_is_the_only_word_on_the_size() {
    let rig = Rig::new(max_open(10));
    rig.use_by(36, 20 * MS, 10 * MS);
    rig.pool.control().tell_sizing(tuned(13, false));
    rig.sim.advance(3 * MIN);
    let all = advice(&rig);
    let [Advice { rule: Rule::SizeRecommended, setting, .. }] = &all[..] else {
        panic!("{all:#?}")
    };
    assert_eq!(*setting, Some(("max_open", "13".to_owned())));
    assert_eq!(
        all[0].to_string(),
        "pool fake: the tuner recommends 13 connections instead of a max_open of 10: why: raise max_open \
         to 13, or let the tuner do it (mode on)"
    );
    // What it has already is no news; then the others speak.
    rig.pool.control().tell_sizing(tuned(10, false));
    rig.sim.advance(MIN);
    assert_eq!(only(&rig).0, Rule::PoolTooSmall);
}

#[test]
fn a_recommended_size_below_min_idle_is_told_and_not_set() {
    let rig = Rig::new(PoolConfig { min_idle: 6, ..max_open(10) });
    rig.use_by(2, 20 * MS, 10 * MS);
    rig.pool.control().tell_sizing(tuned(4, false));
    rig.sim.advance(2 * MIN);
    let all = advice(&rig);
    let [Advice { rule: Rule::SizeRecommended, remedy, setting: None, .. }] = &all[..] else {
        panic!("{all:#?}")
    };
    assert!(remedy.starts_with("lower max_open to 4, and min_idle with it"), "{remedy}");
}

#[test]
fn the_servers_limit_is_the_business_of_the_fleet_if_there_is_one() {
    let rig = Rig::new(max_open(50));
    rig.use_by(30, 20 * MS, 20 * MS);
    rig.sim.advance(3 * MIN);
    let deployment = Deployment { replicas: 4, capacity: Some(Capacity::new(100)) };
    assert_eq!(advice_in(&rig, &deployment)[0].rule, Rule::ServerLimitNear);
    let granted = |share| FleetShare { granted: 50, ..share };
    let Sizing { share, .. } = share(ShareState::Granted);
    rig.pool.control().tell_sizing(Sizing { recommended: None, share: share.map(granted) });
    rig.sim.advance(2 * MIN);
    assert_eq!(advice_in(&rig, &deployment), []);
}
