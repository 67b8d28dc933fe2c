//! A tuner on a pool that is really used, in virtual time: what it does in each mode, what it says, and
//! what is left of it when it ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::{Frequent, Observer, PoolConfig, RecommendedSize, SizingChanged, Steering};
use pool_monitor::adaptive::{
    AdaptiveError, AdaptiveOptions, AdaptiveSize, TunerMode, TunerOptions,
};

use crate::rig::{Log, MS, Rig, SEC, listening};

fn tuner(mode: TunerMode) -> TunerOptions {
    TunerOptions { mode, ..TunerOptions::default() }
}

fn adapt(rig: &Rig, tuner: TunerOptions) -> Result<AdaptiveSize, AdaptiveError> {
    let runtime = Some(rig.sim.runtime());
    let options = AdaptiveOptions { tuner, runtime, ..AdaptiveOptions::default() };
    AdaptiveSize::start(&rig.pool.control(), options)
}

fn start(rig: &Rig, mode: TunerMode) -> AdaptiveSize {
    adapt(rig, tuner(mode)).expect("started")
}

fn recommended(rig: &Rig) -> Option<RecommendedSize> {
    rig.pool.control().sizing().and_then(|sizing| sizing.recommended)
}

fn limit(rig: &Rig) -> usize {
    rig.pool.control().stats().max_open
}

/// A connection of these does as much as any other, and all of them are waited for.
fn saturate(rig: &Rig) {
    rig.use_by(80, 20 * MS, Duration::ZERO);
}

/// Writes down each recommendation.
#[derive(Default)]
struct Diary(Mutex<Vec<Option<RecommendedSize>>>);

impl Diary {
    fn of(rig: &Rig) -> Arc<Self> {
        let diary = Arc::new(Self::default());
        rig.pool.control().observe(diary.clone()).keep();
        diary
    }

    fn take(&self) -> Vec<Option<RecommendedSize>> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Observer for Diary {
    fn frequent(&self) -> Frequent {
        Frequent::NONE
    }

    fn sizing_changed(&self, event: &SizingChanged<'_>) {
        self.0.lock().expect("no panic").push(event.to.recommended.clone());
    }
}

#[test]
fn in_the_shadow_it_recommends_and_changes_nothing() {
    let rig = Rig::with_max_open(20);
    let diary = Diary::of(&rig);
    let _adaptive = start(&rig, TunerMode::Shadow);
    saturate(&rig);
    rig.sim.advance(60 * SEC);
    assert_eq!((limit(&rig), rig.pool.control().steering()), (20, Steering::default()));
    let said = diary.take();
    let [Some(size)] = &said[..] else { panic!("told once: {said:?}") };
    assert!(size.max_open > 20 && !size.is_applied, "{size:?}");
    assert!(size.reason.starts_with("100 % are in use and acquires wait for "), "{size:?}");
    assert!(size.reason.ends_with("(not tried: the tuner only looks on)"), "{size:?}");
    let sizing = rig.view().snapshot.sizing.clone().expect("told");
    assert_eq!(sizing.recommended.as_ref(), Some(size));
}

#[test]
fn it_shrinks_a_pool_that_is_hardly_used_and_gives_it_back_what_it_needs() {
    let rig = Rig::with_max_open(40);
    let adaptive = start(&rig, TunerMode::On);
    rig.use_by(3, 20 * MS, 20 * MS);
    rig.sim.advance(90 * SEC);
    let shrunk = limit(&rig);
    assert!((3..=8).contains(&shrunk), "{shrunk}");
    let size = recommended(&rig).expect("said");
    assert_eq!((size.max_open, size.is_applied), (shrunk, true));
    assert!(size.reason.starts_with("never more than 3 were needed at once"), "{size:?}");
    assert_eq!(adaptive.sizing().recommended, Some(size));
    saturate(&rig);
    rig.sim.advance(90 * SEC);
    assert_eq!(limit(&rig), 40, "{:?}", recommended(&rig));
}

#[test]
fn what_it_decides_is_told_with_its_reason_and_is_in_the_log() {
    let log = Log::default();
    let _listening = listening(log.clone());
    let rig = Rig::with_max_open(40);
    let diary = Diary::of(&rig);
    let _adaptive = start(&rig, TunerMode::On);
    rig.use_by(3, 20 * MS, 20 * MS);
    rig.sim.advance(90 * SEC);
    let said: Vec<_> = diary.take().into_iter().flatten().collect();
    let [first, shrunk] = &said[..] else { panic!("{said:?}") };
    let given = "it was given as the limit, and nothing was decided since";
    assert_eq!((first.max_open, &*first.reason), (40, given));
    let to = shrunk.max_open;
    let line = format!(
        "INFO message=the tuner has decided pool=\"fake\" from=40 to={to} reason={}",
        shrunk.reason
    );
    let lines = log.take();
    let decided: Vec<_> = lines.iter().filter(|line| line.contains("the tuner")).collect();
    assert_eq!(decided, [&line]);
}

#[test]
fn dropped_it_takes_its_sizes_back_and_looks_no_more() {
    let rig = Rig::with_max_open(40);
    let adaptive = start(&rig, TunerMode::On);
    rig.use_by(3, 20 * MS, 20 * MS);
    rig.sim.advance(90 * SEC);
    assert!(limit(&rig) < 40);
    let diary = Diary::of(&rig);
    drop(adaptive);
    assert_eq!((limit(&rig), rig.pool.control().steering()), (40, Steering::default()));
    assert_eq!(diary.take(), [None]);
    rig.sim.advance(90 * SEC);
    assert_eq!((limit(&rig), recommended(&rig)), (40, None));
}

#[test]
fn it_ends_with_its_pool() {
    let rig = Rig::with_max_open(4);
    let adaptive = start(&rig, TunerMode::On);
    rig.sim.advance(5 * SEC);
    let Rig { sim, pool, monitor, .. } = rig;
    drop(monitor);
    let before = sim.timers_fired();
    sim.advance(5 * SEC);
    assert_eq!(sim.timers_fired() - before, 5, "only the tuner is left");
    drop(pool);
    // It finds out at the next look.
    sim.advance(SEC);
    let before = sim.timers_fired();
    sim.advance(60 * SEC);
    assert_eq!(sim.timers_fired(), before);
    drop(adaptive);
}

#[test]
fn who_configures_a_smaller_pool_has_it_at_once_and_a_larger_one_when_it_is_needed() {
    let rig = Rig::with_max_open(10);
    let _adaptive = start(&rig, TunerMode::On);
    saturate(&rig);
    let configure = |max_open| {
        let config = PoolConfig { max_open, ..PoolConfig::default() };
        rig.pool.reconfigure(config).expect("valid");
    };
    rig.sim.advance(5 * SEC);
    configure(4);
    rig.sim.advance(3 * SEC);
    assert_eq!((limit(&rig), recommended(&rig).map(|size| size.max_open)), (4, Some(4)));
    let diary = Diary::of(&rig);
    configure(16);
    assert_eq!(limit(&rig), 4, "more are tried, not just taken");
    rig.sim.advance(120 * SEC);
    assert_eq!(limit(&rig), 16);
    let most = diary.take().into_iter().flatten().map(|size| size.max_open).max();
    assert_eq!(most, Some(16), "what is not configured is not tried");
}

#[test]
fn it_keeps_to_its_least_and_its_most() {
    let bounded = TunerOptions { least: 7, most: 12, ..tuner(TunerMode::On) };
    let rig = Rig::with_max_open(40);
    let _adaptive = adapt(&rig, bounded).expect("started");
    rig.sim.advance(3 * SEC);
    assert_eq!(limit(&rig), 12);
    rig.sim.advance(90 * SEC);
    assert_eq!(limit(&rig), 7);
    saturate(&rig);
    rig.sim.advance(120 * SEC);
    assert_eq!(limit(&rig), 12);
}

#[test]
fn programs_that_start_together_do_not_look_together() {
    let first_said = |seed| {
        let rig = Rig::seeded(seed, PoolConfig { max_open: 4, ..PoolConfig::default() });
        let _adaptive = start(&rig, TunerMode::On);
        let began = rig.sim.now();
        while recommended(&rig).is_none() {
            rig.sim.advance(50 * MS);
        }
        rig.sim.now().since(began)
    };
    let times: BTreeSet<_> = (0..20).map(first_said).collect();
    assert!(times.len() >= 8, "{times:?}");
    assert!(times.iter().all(|time| (SEC..=2 * SEC + 50 * MS).contains(time)), "{times:?}");
}

#[test]
fn switched_off_nothing_is_there() {
    let rig = Rig::with_max_open(4);
    let off = TunerOptions { period: Duration::ZERO, ..tuner(TunerMode::Off) };
    let adaptive = adapt(&rig, off).expect("what is off has no period");
    saturate(&rig);
    rig.sim.advance(10 * SEC);
    assert_eq!((limit(&rig), rig.pool.control().sizing()), (4, None));
    drop(adaptive);
}

#[test]
fn options_that_are_out_of_their_range_are_refused_with_what_is_possible() {
    let rig = Rig::with_max_open(8);
    let on = tuner(TunerMode::On);
    let refused = |tuner| adapt(&rig, tuner).expect_err("refused").to_string();
    assert_eq!(
        refused(TunerOptions { period: 10 * MS, ..on.clone() }),
        "the tuner cannot decide every 10ms: choose a period from 100ms to 1min"
    );
    assert_eq!(
        refused(TunerOptions { most: 0, ..on.clone() }),
        "the tuner cannot keep a pool at 0 connections: choose a most of 1 or more"
    );
    assert_eq!(
        refused(TunerOptions { least: 9, ..on.clone() }),
        "the tuner cannot keep 9 connections at least: choose from 1 to 8, the smaller of its most and the \
         pool's max_open, or raise that"
    );
    assert!(
        refused(TunerOptions { least: 0, ..on }).contains("cannot keep 0 connections at least")
    );
    let options = AdaptiveOptions { tuner: tuner(TunerMode::On), ..AdaptiveOptions::default() };
    let outside = AdaptiveSize::start(&rig.pool.control(), options).expect_err("no runtime");
    assert!(matches!(outside, AdaptiveError::NoRuntime(_)), "{outside}");
}
