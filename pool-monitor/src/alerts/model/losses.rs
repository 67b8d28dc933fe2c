//! What a sink did not get: when it is told again, and what is not.

use futures_util::FutureExt as _;

use super::super::delivery::Queue;
use super::super::sinks::DeliveryError;
use super::*;

/// Of each alert that is told: the pool, and whether it fires.
fn told(groups: &[Vec<Alert>]) -> Vec<(&str, bool)> {
    groups.iter().flatten().map(|alert| (&*alert.pool, alert.is_firing())).collect()
}

#[test]
fn what_was_lost_is_told_again_after_five_minutes_and_then_as_ever() {
    let mut rig = Rig::new(true, 10, 4 * HOURS);
    assert_eq!(told(&rig.see(0, "a", 20.0)), []);
    let lost = rig.see(10, "a", 20.0);
    rig.lose(12, lost);
    assert_eq!(told(&rig.see(311, "a", 20.0)), []);
    // That is lost as well.
    let lost = rig.see(312, "a", 20.0);
    assert_eq!(told(&lost), [("a", true)]);
    rig.lose(400, lost);
    assert_eq!(told(&rig.see(699, "a", 20.0)), []);
    assert_eq!(told(&rig.see(700, "a", 20.0)), [("a", true)]);
    assert_eq!(told(&rig.see(700 + 4 * HOURS - 1, "a", 20.0)), []);
    assert_eq!(told(&rig.see(700 + 4 * HOURS, "a", 20.0)), [("a", true)]);
}

#[test]
fn what_was_lost_is_told_again_not_sooner_than_it_is_gathered_nor_later_than_it_is_repeated() {
    for (group_wait, repeat, pause) in [(600, 4 * HOURS, 600), (0, 60, 60), (600, 120, 120)] {
        let mut rig = Rig::new(true, group_wait, repeat);
        let at_once = rig.see(0, "a", 20.0);
        let lost = if group_wait == 0 { at_once } else { rig.see(group_wait, "a", 20.0) };
        rig.lose(group_wait, lost);
        assert_eq!(told(&rig.see(group_wait + pause - 1, "a", 20.0)), []);
        assert_eq!(told(&rig.see(group_wait + pause, "a", 20.0)), [("a", true)]);
    }
}

#[test]
fn a_lost_word_that_it_is_over_is_told_again() {
    let mut rig = Rig::new(true, 0, 4 * HOURS);
    assert_eq!(told(&rig.see(0, "a", 20.0)), [("a", true)]);
    let lost = rig.see(1, "a", 0.0);
    assert_eq!(told(&lost), [("a", false)]);
    rig.lose(2, lost);
    assert_eq!(told(&rig.see(301, "a", 0.0)), []);
    assert_eq!(told(&rig.see(302, "a", 0.0)), [("a", false)]);
    assert_eq!(told(&rig.see(9 * HOURS, "a", 0.0)), []);
}

#[test]
fn news_does_not_wait_for_what_was_lost_and_takes_it_along() {
    let mut rig = Rig::new(true, 0, 4 * HOURS);
    let lost = rig.see(0, "a", 20.0);
    rig.lose(1, lost);
    assert_eq!(told(&rig.see(5, "b", 20.0)), [("a", true), ("b", true)]);
    assert_eq!(told(&rig.see(301, "a", 20.0)), []);
}

#[test]
fn what_was_lost_and_is_over_is_not_told_to_whoever_does_not_want_to_know_that() {
    let mut rig = Rig::new(false, 0, 4 * HOURS);
    let lost = rig.see(0, "a", 20.0);
    let both = rig.see(1, "b", 20.0);
    rig.lose(2, lost);
    rig.lose(2, both);
    // That one of them is over hides nothing of the other.
    assert_eq!(told(&rig.see(3, "a", 0.0)), []);
    assert_eq!(told(&rig.see(302, "a", 0.0)), [("b", true)]);
    let mut rig = Rig::new(false, 0, 4 * HOURS);
    let lost = rig.see(0, "a", 20.0);
    assert_eq!(told(&rig.see(1, "a", 0.0)), []);
    rig.lose(2, lost);
    assert_eq!(told(&rig.see(302, "a", 0.0)), []);
}

proptest! {
    #![proptest_config(settings())]

    /// Values around the threshold, so many seconds after the last; and whether what is told then is
    /// lost, of which the grouping hears at once.
    #[test]
    fn whoever_misses_some_of_it_knows_all_within_five_minutes(
        rounds in vec((0_u64..100, 0_usize..3, any::<bool>(), any::<bool>()), 1..60),
        group_wait in 0_u64..400,
    ) {
        let mut rig = Rig::new(true, group_wait, 4 * HOURS);
        let mut believer = Believer::default();
        let mut now = 0;
        for (after, pool, is_full, is_lost) in rounds {
            now += after;
            let told = rig.see(now, POOLS[pool], if is_full { 20.0 } else { 0.0 });
            match told.first() {
                Some(_) if is_lost => rig.lose(now, told),
                Some(alerts) => believer.is_told(now, alerts),
                None => {}
            }
        }
        for alerts in rig.grouping.due(moment(now + group_wait.max(300)).now, &rig.engine) {
            believer.is_told(now, &alerts);
        }
        prop_assert_eq!(believer.believes("rule"), firing(&rig.engine, "rule"));
    }
}

/// What becomes of the one that is delivered, if any, before the next round.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    None,
    /// It is being tried when the next round begins.
    Late,
    Refused,
    Taken,
}

proptest! {
    #![proptest_config(settings())]

    /// Pools that become full and stay so; each notification takes its way through the queue, and the
    /// grouping hears of a loss when it is there next.
    #[test]
    fn nothing_is_told_again_that_arrived_since_whenever_the_loss_is_heard_of(
        rounds in vec((0_u64..100, 0_usize..3, attempt()), 1..60),
        group_wait in prop::sample::select(&[0_u64, 10, 400][..]),
    ) {
        let mut rig = Rig::new(true, group_wait, 4 * HOURS);
        let mut believer = Believer::default();
        let queue = Queue::new("sink");
        let mut tried = None;
        let mut now = 0;
        let still = std::iter::repeat_n((400, 0, Attempt::Taken), 3);
        for (after, pool, attempt) in rounds.into_iter().chain(still) {
            now += after;
            for lost in queue.take_lost() {
                rig.grouping.lost(moment(now).now, lost);
            }
            for alerts in rig.see(now, POOLS[pool], 20.0) {
                queue.put(notification(alerts));
            }
            if matches!(attempt, Attempt::None) {
                continue;
            }
            if tried.is_none() {
                tried = queue.next().now_or_never().flatten();
            }
            if matches!(attempt, Attempt::Late) {
                continue;
            }
            let Some(Notification { alerts, .. }) = tried.take() else { continue };
            if matches!(attempt, Attempt::Refused) {
                queue.finish(&Err(DeliveryError::Refused { why: "no".to_owned() }));
                continue;
            }
            queue.finish(&Ok(()));
            let before = believer.believes("rule");
            believer.is_told(now, &alerts);
            prop_assert_ne!(believer.believes("rule"), before, "said twice");
        }
        prop_assert_eq!(believer.believes("rule"), firing(&rig.engine, "rule"));
    }
}

fn attempt() -> impl Strategy<Value = Attempt> {
    use Attempt::{Late, None, Refused, Taken};
    prop::sample::select(&[None, Late, Refused, Taken][..])
}
