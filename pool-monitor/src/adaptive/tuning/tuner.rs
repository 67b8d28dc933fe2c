//! What the tuner does each period. Its task knows when that is.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use pool_core::RecommendedSize;
use pool_core::runtime::Instant;

use crate::adaptive::governor::Governor;
use crate::adaptive::meter::{Bounds, Meter};
use crate::adaptive::options::{TunerMode, TunerOptions};
use crate::tuner::{Controller, Decision, Reading, Reason, Sizes};

/// In the shadow, readings in a row that recommend the same before it is said: a load at a border is not to
/// be told each second from which side.
const SURE: u32 = 3;

pub(super) struct Tuner {
    governor: Arc<Governor>,
    options: TunerOptions,
    meter: Arc<Meter>,
    controller: Controller,
    /// When the last reading was taken.
    read: Instant,
    first_due: Instant,
    /// What the pool was told.
    sizes: Option<Sizes>,
    shadow: Shadow,
}

/// What was recommended lately, where nothing is changed.
#[derive(Default)]
struct Shadow {
    why: Option<Discriminant<Reason>>,
    readings: u32,
    said: Option<(usize, Discriminant<Reason>)>,
}

impl Tuner {
    pub(super) fn new(
        governor: Arc<Governor>,
        options: TunerOptions,
        meter: Arc<Meter>,
        now: Instant,
        seed: u64,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // Programs that start together do not look together.
        let phase = options.period.mul_f64(random.f64());
        Self {
            first_due: now.after(options.period + phase),
            controller: Controller::new(random.u64(..)),
            governor,
            options,
            meter,
            read: now,
            sizes: None,
            shadow: Shadow::default(),
        }
    }

    pub(super) fn first_due(&self) -> Instant {
        self.first_due
    }

    pub(super) fn period(&self) -> Duration {
        self.options.period
    }

    fn is_on(&self) -> bool {
        self.options.mode == TunerMode::On
    }

    pub(super) fn step(&mut self, now: Instant) {
        // A size that is only said may be more than is configured: whoever reads it can configure that, too.
        let configured =
            if self.is_on() { self.governor.pool().config().max_open } else { usize::MAX };
        let ungranted = self.options.most.min(configured);
        let granted = self.governor.granted();
        let most = ungranted.min(granted.unwrap_or(usize::MAX));
        let bounds = Bounds { least: self.options.least.min(most), most };
        let span = now.since(std::mem::replace(&mut self.read, now));
        let reading = self.meter.read(now, span, &self.governor.pool().stats(), bounds);
        if self.is_on() {
            self.act(now, &reading, granted, ungranted);
        } else {
            self.recommend(now, &reading);
        }
    }

    fn act(&mut self, now: Instant, reading: &Reading, granted: Option<usize>, ungranted: usize) {
        let decision = self.controller.decide(now, reading);
        let sizes = self.controller.sizes();
        // Where the grant is the limit, it is not what the tuner wants: its fleet is to see that more could
        // be used.
        let is_granted = granted.is_some_and(|granted| sizes.max_open >= granted);
        let max_open = if is_granted { ungranted } else { sizes.max_open };
        let wanted = Sizes { max_open, ..sizes };
        if self.sizes.replace(wanted) != Some(wanted) {
            self.governor.size(Some(wanted));
        }
        match decision {
            Some(Decision { from, to, reason }) => {
                self.say(to, reason.to_string());
                let pool = self.governor.pool().name();
                tracing::info!(target: "pool_monitor", pool, from, to, %reason, "the tuner has decided");
            }
            None if self.said() != Some(sizes.max_open) => {
                let reason = "it was given as the limit, and nothing was decided since";
                self.say(sizes.max_open, reason.to_owned());
            }
            None => {}
        }
    }

    fn recommend(&mut self, now: Instant, reading: &Reading) {
        let Decision { from, to, reason } = self.controller.recommend(now, reading);
        if !self.shadow.is_news(to, &reason) {
            return;
        }
        let not_tried =
            if reason.is_trial() { " (not tried: the tuner only looks on)" } else { "" };
        self.say(to, format!("{reason}{not_tried}"));
        let pool = self.governor.pool().name();
        tracing::info!(target: "pool_monitor", pool, from, to, %reason, "the tuner recommends");
    }

    fn said(&self) -> Option<usize> {
        self.governor.sizing().recommended.map(|said| said.max_open)
    }

    fn say(&self, max_open: usize, reason: String) {
        let is_applied = self.is_on();
        self.governor.say_recommended(Some(RecommendedSize { max_open, reason, is_applied }));
    }
}

impl Shadow {
    /// Whether this is to be said: it is recommended for long enough, and is another size or has another
    /// reason. Other figures alone are no news.
    fn is_news(&mut self, max_open: usize, reason: &Reason) -> bool {
        let why = discriminant(reason);
        let is_same = self.why.replace(why) == Some(why);
        self.readings = if is_same { self.readings + 1 } else { 1 };
        self.readings >= SURE && self.said.replace((max_open, why)) != Some((max_open, why))
    }
}
