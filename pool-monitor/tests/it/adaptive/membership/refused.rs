//! What is refused before anything has changed.

use pool_core::Steering;
use pool_core::runtime::{Runtime, TokioRuntime};
use pool_monitor::adaptive::AdaptiveError;
use pool_monitor::fleet::Timing;
use pool_testkit::Nothing;

use super::*;

#[track_caller]
fn refusal(options: FleetOptions) -> String {
    let fleet = Fleet::new();
    let pool = fleet.pool(1);
    let control = pool.control();
    let refused = AdaptiveSize::start(&control, fleet.options(options)).expect_err("refused");
    assert_eq!((control.steering(), control.sizing()), (Steering::default(), None));
    fleet.sim.advance(SEC);
    assert_eq!(fleet.server.sockets(), 0);
    refused.to_string()
}

#[test]
fn options_that_do_not_fit_are_refused_with_what_does() {
    let heartbeat = |heartbeat, lease| FleetOptions {
        timing: Timing { heartbeat, lease },
        ..FleetOptions::default()
    };
    let percent = |percent| FleetOptions {
        budget: BudgetSource::Server { percent },
        ..FleetOptions::default()
    };
    for (options, given, allowed) in [
        (fixed(0), "a floor of 0", "from 1 to the pool's max_open of 100"),
        (fixed(101), "a floor of 101", "from 1 to the pool's max_open of 100"),
        (percent(0), "0 %", "from 1 to 100"),
        (percent(101), "101 %", "from 1 to 100"),
        (FleetOptions { reserve: 40, ..fixed(1) }, "a reserve of 40", "a smaller reserve"),
        (heartbeat(500 * MS, 15 * SEC), "500ms", "from 1s to 60s"),
        (heartbeat(61 * SEC, 900 * SEC), "61s", "from 1s to 60s"),
        (heartbeat(5 * SEC, 14 * SEC), "14s", "three heartbeats"),
        (heartbeat(5 * SEC, 3601 * SEC), "3601s", "an hour"),
    ] {
        let refused = refusal(options);
        assert!(refused.contains(given) && refused.contains(allowed), "{refused}");
    }
    drop(Fleet::new().join_with(1, heartbeat(SEC, 3 * SEC)));
}

#[test]
fn a_pool_whose_connections_have_no_tag_is_told_what_they_are_called_and_how_to_mend_it() {
    let fleet = Fleet::new();
    for called in [None, Some("orders"), Some("orders.7")] {
        let driver = FakeDriver::new(&fleet.server);
        let driver = called.into_iter().fold(driver, FakeDriver::called);
        let pool = Pool::new(driver, PoolConfig::default()).expect("valid");
        let refused = AdaptiveSize::start(&pool.control(), fleet.options(fixed(1)));
        let refused = refused.expect_err("not tagged");
        let application = called.map(str::to_owned);
        assert_eq!(refused, AdaptiveError::NotTagged { application });
        let text = refused.to_string();
        let name = called.map_or("nothing".to_owned(), |called| format!("{called:?}"));
        assert!(text.contains(&format!("call themselves {name}, ")), "{text}");
        assert!(text.contains("fleet=NAME") && !text.contains("FleetName"), "{text}");
    }
}

#[test]
fn a_driver_without_a_ledger_is_refused() {
    let fleet = Fleet::new();
    let pool = Pool::new(Nothing, PoolConfig::default()).expect("valid");
    let refused = AdaptiveSize::start(&pool.control(), fleet.options(fixed(1)));
    let refused = refused.expect_err("it keeps none");
    assert!(matches!(refused, AdaptiveError::NoLedger { .. }), "{refused:?}");
    assert!(refused.to_string().contains("PostgreSQL, MySQL or MariaDB"), "{refused}");
}

#[test]
fn outside_a_runtime_nothing_changes() {
    let fleet = Fleet::new();
    let pool = fleet.pool(1);
    let runtime: Option<Arc<dyn Runtime>> = Some(Arc::new(TokioRuntime::new()));
    let options = AdaptiveOptions { runtime, ..fleet.options(fixed(1)) };
    let refused = AdaptiveSize::start(&pool.control(), options).expect_err("no runtime");
    assert!(matches!(refused, AdaptiveError::NoRuntime(_)), "{refused:?}");
    let control = pool.control();
    assert_eq!((control.steering(), control.sizing()), (Steering::default(), None));
}

#[test]
fn a_pool_that_is_adapted_already_is_refused_until_that_has_ended() {
    let fleet = Fleet::new();
    let Process { pool, size } = fleet.join(1);
    fleet.sim.advance(SEC);
    let steering = pool.control().steering();
    let refused = AdaptiveSize::start(&pool.control(), AdaptiveOptions::default());
    let refused = refused.expect_err("there is one").to_string();
    assert!(refused.contains("the pool \"fake\" is adapted already"), "{refused}");
    assert_eq!(pool.control().steering(), steering);
    let other = fleet.join(2);
    drop(size);
    fleet.sim.advance(SEC);
    let again =
        AdaptiveSize::start(&pool.control(), fleet.options(fixed(2))).expect("it has ended");
    drop((again, other));
}
