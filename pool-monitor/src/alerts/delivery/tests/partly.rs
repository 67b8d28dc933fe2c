//! What reaches some of those it is for.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_did_not_reach_everybody_is_tried_again_only_where_that_helps_and_is_never_lost() {
    let for_ever = std::iter::repeat_with(|| partly("busy", true)).take(200);
    let script = [partly("no", false), partly("busy", true)].into_iter();
    let mut rig = rig(script.chain([Reply::Answer(Ok(()))]).chain(for_ever), Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    assert_eq!(rig.given().await.1.id, "one");
    rig.queue.put(notification("two", "rule", &[("a", true)]));
    assert_eq!([rig.given().await.1.id, rig.given().await.1.id], ["two", "two"]);
    tokio::task::yield_now().await;
    let stats = rig.queue.stats();
    assert_eq!((stats.delivered, stats.partly, stats.retried), (2, 1, 1));
    rig.queue.put(notification("three", "rule", &[("a", true)]));
    while timeout(2 * LONGEST_PAUSE, rig.given()).await.is_ok() {}
    assert_eq!(ids(rig.queue.take_lost()), [""; 0]);
    let stats = rig.end().await;
    assert_eq!((stats.delivered, stats.partly, stats.failed, stats.waiting), (3, 2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_with_some_holds_up_nothing_while_the_others_are_tried_again() {
    let script = std::iter::repeat_with(|| partly("busy", true)).take(8);
    let mut rig = rig(script.chain([Reply::Answer(Ok(()))]), Duration::ZERO);
    rig.queue.put(notification("one", "rule", &[("a", true)]));
    let mut last = 0.0;
    for _ in 0..8 {
        last = rig.given().await.0;
    }
    tokio::task::yield_now().await;
    rig.queue.put(notification("two", "other", &[("a", true)]));
    let (at, given) = rig.given().await;
    assert_eq!(given.id, "two");
    assert!(at - last < 0.1, "{at} after {last}");
    let (at, given) = rig.given().await;
    assert_eq!(given.id, "one");
    assert!((30.0..=60.01).contains(&(at - last)), "{at} after {last}");
    let stats = rig.end().await;
    assert_eq!((stats.delivered, stats.partly, stats.retried), (2, 0, 8));
}

#[tokio::test(start_paused = true)]
async fn closing_tries_at_once_what_is_with_some_of_each_rule() {
    let busy_for_long = std::iter::repeat_with(|| partly("busy", true)).take(13);
    let mut rig = rig(busy_for_long, Duration::ZERO);
    for rule in ["a", "b"] {
        rig.queue.put(notification(rule, rule, &[("a", true)]));
    }
    let mut last = 0.0;
    for _ in 0..12 {
        last = rig.given().await.0;
    }
    tokio::task::yield_now().await;
    rig.queue.close();
    for _ in 0..2 {
        let (at, _) = rig.given().await;
        assert!(at - last < 0.1, "{at} after {last}");
    }
    // The first of them was busy once more.
    rig.given().await;
    assert_eq!(rig.end().await.delivered, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_with_some_and_finds_nobody_later_is_not_lost() {
    let refused_later = [partly("busy", true), Reply::Hang, refused()];
    let away = std::iter::repeat_with(|| busy(None)).take(200);
    let mut rig =
        rig(refused_later.into_iter().chain([partly("busy", true)]).chain(away), Duration::ZERO);
    for id in ["one", "two"] {
        rig.queue.put(notification(id, "rule", &[("a", true)]));
        while timeout(2 * LONGEST_PAUSE, rig.given()).await.is_ok() {}
    }
    assert_eq!(ids(rig.queue.take_lost()), [""; 0]);
    let stats = rig.end().await;
    assert_eq!((stats.delivered, stats.partly, stats.failed), (2, 2, 0));
}
