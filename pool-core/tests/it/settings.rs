//! What each setting means where no other file tests it: defaults, limits, switching off.

use std::thread::available_parallelism;
use std::time::Duration;

use pool_core::{CloseReason, FIELDS, Pool, PoolConfig};
use pool_testkit::{Answer, Call, FakeDriver, Hand, Sim};

use crate::rig::{MS, Rig, SEC};

#[test]
fn the_defaults_are_those_that_are_documented() {
    let cores = available_parallelism().map_or(1, usize::from);
    let documented = [
        ("max_open", &*(4 * cores).to_string()),
        ("max_idle", "unlimited"),
        ("min_idle", "0"),
        ("idle_grace", "5s"),
        ("max_lifetime", "30m"),
        ("lifetime_jitter", "10%"),
        ("max_idle_time", "10m"),
        ("acquire_timeout", "30s"),
        ("connect_timeout", "10s"),
        ("check_timeout", "2s"),
        ("check_after_idle", "500ms"),
        ("keepalive", "off"),
        ("max_waiters", "10000"),
        ("max_opening", "8"),
        ("outage_grace", "1s"),
        ("leak_after", "off"),
    ];
    let config = PoolConfig::default();
    let defaults: Vec<_> = FIELDS.iter().map(|field| (field.name, field.text(&config))).collect();
    assert_eq!(defaults, documented.map(|(name, text)| (name, text.to_owned())));
    assert_eq!(config.effective_max_idle(), config.max_open);
}

#[test]
fn no_value_is_clamped() {
    let odd = PoolConfig {
        max_open: 1,
        max_idle: 1000,
        max_opening: 1000,
        connect_timeout: Duration::from_hours(24),
        acquire_timeout: Duration::from_nanos(1),
        ..PoolConfig::default()
    };
    let rig = Rig::new(odd.clone());
    assert_eq!(rig.pool.config(), odd);
    assert_eq!(rig.pool.stats().max_idle, 1, "the one value that is derived");
    let wrong = PoolConfig { lifetime_jitter: 101, min_idle: 2, ..odd.clone() };
    let error = rig.pool.reconfigure(wrong).expect_err("too much");
    let fields: Vec<_> = error.problems().iter().map(|problem| &*problem.field).collect();
    assert_eq!(fields, ["lifetime_jitter", "min_idle"]);
    assert_eq!(rig.pool.config(), odd);
}

#[test]
fn off_in_text_is_none_and_only_where_there_is_something_to_switch_off() {
    let mut config =
        PoolConfig { keepalive: Some(SEC), leak_after: Some(SEC), ..PoolConfig::default() };
    let off = |config: &mut PoolConfig| {
        let fields = FIELDS.iter().map(|field| field.name);
        fields.filter(|field| config.set(field, "off").is_ok()).collect::<Vec<_>>()
    };
    let switched = off(&mut config);
    let expected = [
        "max_lifetime",
        "max_idle_time",
        "check_after_idle",
        "keepalive",
        "outage_grace",
        "leak_after",
    ];
    assert_eq!(switched, expected);
    let PoolConfig { max_lifetime, max_idle_time, check_after_idle, keepalive, .. } = config;
    assert_eq!(
        (max_lifetime, max_idle_time, check_after_idle, keepalive),
        (None, None, None, None)
    );
    assert_eq!((config.outage_grace, config.leak_after), (None, None));
}

#[test]
fn the_longest_duration_in_any_field_neither_panics_nor_fires_early() {
    for field in FIELDS {
        let mut config = PoolConfig {
            max_open: 2,
            max_lifetime: None,
            max_idle_time: None,
            outage_grace: None,
            ..PoolConfig::default()
        };
        if config.set(field.name, "max").is_err() {
            continue;
        }
        let rig = Rig::new(config);
        rig.fill(2);
        let held = rig.acquire();
        rig.sim.advance(Duration::from_hours(24 * 365 * 100));
        rig.audit(1);
        assert_eq!(rig.pool.stats().open, 2, "{}", field.name);
        drop(held);
        drop(rig.acquire_many(2));
        rig.sim.run();
        assert_eq!(rig.pool.stats().closed.total(), 0, "{}", field.name);
    }
}

#[test]
fn the_longest_deadline_of_a_close_or_a_warm_up_waits_for_what_it_is_about() {
    let rig = Rig::with_max_open(3);
    rig.server.always(Call::Connect, Answer::Late(SEC));
    rig.sim.block_on(rig.pool.warm_up(3, Duration::MAX)).expect("warm");
    let held = rig.acquire();
    let mut closing = Hand::new(rig.pool.close(Duration::MAX));
    closing.pending();
    rig.sim.advance(Duration::from_hours(24 * 365 * 100));
    closing.pending();
    drop(held);
    rig.sim.run();
    assert!(closing.ready().drained);
}

#[test]
fn a_reset_that_hangs_is_bounded_by_check_timeout() {
    let rig =
        Rig::new(PoolConfig { max_open: 1, check_timeout: 300 * MS, ..PoolConfig::default() });
    rig.server.always(Call::Reset, Answer::Never);
    let mut dirty = rig.acquire();
    dirty.begin();
    drop(dirty);
    let waiter = rig.spawn_acquire();
    rig.sim.advance(299 * MS);
    assert!(!waiter.is_done());
    rig.sim.advance(MS);
    assert!(waiter.take().expect("done").is_ok_and(|guard| !guard.session().in_transaction));
    assert_eq!(rig.pool.stats().closed.of(CloseReason::Broken), 1);
}

/// When each of ten connections opened at once was closed, with `meanwhile` called every second.
fn ends(meanwhile: impl Fn(&Pool<FakeDriver>)) -> Vec<u64> {
    let sim = Sim::new(7);
    let config = PoolConfig {
        max_open: 10,
        max_lifetime: Some(100 * SEC),
        max_idle_time: None,
        ..PoolConfig::default()
    };
    let rig = Rig::in_sim(&sim, config);
    rig.fill(10);
    let mut ends = Vec::new();
    for second in 0..=100 {
        meanwhile(&rig.pool);
        rig.sim.advance(SEC);
        ends.resize(rig.pool.stats().closed.total() as usize, second);
    }
    ends
}

#[test]
fn jitter_is_drawn_once_at_birth() {
    let untouched = ends(|_| {});
    let reconfigured = ends(|pool| {
        pool.reconfigure(PoolConfig { max_waiters: 7, ..pool.config() }).expect("valid");
    });
    assert_eq!(untouched, reconfigured);
    assert_eq!(untouched.len(), 10);
    // A tenth ahead of its end, which is up to a tenth early.
    assert!(untouched.iter().all(|second| (79..=100).contains(second)), "{untouched:?}");
    assert!(untouched.first() < untouched.last(), "not all at once: {untouched:?}");
}

#[test]
fn no_idle_connection_is_checked_in_the_background_unless_keepalive_is_set() {
    let rig = Rig::new(PoolConfig { max_idle_time: None, ..PoolConfig::default() });
    rig.fill(1);
    rig.sim.advance(600 * SEC);
    assert_eq!(rig.server.started(Call::Check), 0);
}
