//! What can happen, and how it is drawn.

use std::time::Duration;

use pool_core::{PoolConfig, Steering};
use pool_testkit::{Answer, Call};

use super::settings::{self, pick};
use super::world::World;
use crate::rig::{MS, SEC};

/// One thing that happens. Indices are into the lists of the world at that moment.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An acquire by hand; polled once at once, or not yet.
    Ask {
        timeout: Option<Duration>,
        poll: bool,
    },
    /// An acquire in a task of its own.
    Spawn {
        timeout: Option<Duration>,
    },
    TryAcquire,
    /// Polls an acquire, whether or not it was woken.
    Poll(usize),
    Cancel(usize),
    Use(usize, Usage),
    Release(usize),
    Discard(usize),
    /// Its user panics while it holds the connection.
    Panic(usize),
    Detach(usize),
    DropDetached,
    SeverAll,
    /// From now on.
    Script(Call, Answer),
    /// For the next call.
    ScriptNext(Call, Answer),
    OpenGate(Call, Answer),
    Heal,
    /// The server takes this many connections.
    Room(usize),
    Reconfigure(Box<PoolConfig>),
    Invalidate,
    Renew,
    Pause,
    Resume,
    /// With an opening that ends after so long.
    Steer(Steering, Option<Duration>),
    WarmUp(usize, Duration),
    DropWarmUp(usize),
    Probe,
    DropProbe(usize),
    /// One task runs, once.
    RunOne,
    Settle,
    Advance(Duration),
    ShutDown,
    Restart,
    Close(Duration),
}

/// What a user does with a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Usage {
    Query,
    Begin,
    Alter,
    LeaveReplyUnread,
    Sever,
}

/// A kind of trouble.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Misuse,
    Faults,
    Settings,
    Lifecycle,
    Runtime,
    Probes,
}

/// Which kinds of trouble a seed knows. A seed that knew all would go deep into none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mood {
    /// By kind.
    known: [bool; 6],
    /// Of a hundred steps, how many are followed by all that follows from them.
    pub(super) settling: u8,
}

impl Mood {
    pub(super) fn draw(rng: &mut fastrand::Rng) -> Self {
        // Of four seeds, how many know each.
        let known = [2, 3, 2, 2, 1, 1].map(|of_four| rng.u8(0..4) < of_four);
        Self { known, settling: pick(rng, &[20, 60, 95]) }
    }

    pub(super) fn knows(self, trouble: Trouble) -> bool {
        self.known[trouble as usize]
    }
}

const CALLS: [Call; 6] =
    [Call::Connect, Call::Check, Call::Reset, Call::Close, Call::Abort, Call::Released];

impl World {
    /// Draws what happens next.
    pub(super) fn draw_step(&mut self) -> Step {
        let mood = self.mood;
        loop {
            let (guards, waiters) = (self.guards.len(), self.waiters.len());
            let rng = &mut self.rng;
            let step = match rng.u8(0..100) {
                0..16 => Step::Ask { timeout: draw_timeout(rng), poll: rng.u8(0..5) > 0 },
                16..24 => Step::Spawn { timeout: draw_timeout(rng) },
                24..27 => Step::TryAcquire,
                27..31 if waiters > 0 => Step::Poll(rng.usize(..waiters)),
                31..38 if waiters > 0 => Step::Cancel(rng.usize(..waiters)),
                38..44 if guards > 0 => Step::Use(rng.usize(..guards), draw_usage(rng, mood)),
                44..60 if guards > 0 => Step::Release(rng.usize(..guards)),
                60..62 if guards > 0 && mood.knows(Trouble::Misuse) => draw_misuse(rng, guards),
                62..65 => Step::RunOne,
                65..68 => Step::Settle,
                68..84 => Step::Advance(self.draw_advance()),
                84..90 if mood.knows(Trouble::Faults) => draw_fault(rng),
                90..93 if mood.knows(Trouble::Settings) => draw_setting(rng),
                93..96 if mood.knows(Trouble::Lifecycle) => self.draw_lifecycle(),
                96..98 if mood.knows(Trouble::Runtime) && self.tally.lock().is_down => {
                    Step::Restart
                }
                96..97 if mood.knows(Trouble::Runtime) => Step::ShutDown,
                98 if mood.knows(Trouble::Probes) && self.probes.is_empty() => Step::Probe,
                98 if mood.knows(Trouble::Probes) => {
                    Step::DropProbe(rng.usize(..self.probes.len()))
                }
                99 if mood.knows(Trouble::Lifecycle) && rng.u8(0..3) == 0 => {
                    Step::Close(draw_patience(rng))
                }
                _ => continue,
            };
            return step;
        }
    }

    /// How long to advance; no longer than a pool that renews its connections all the time can be
    /// followed.
    fn draw_advance(&mut self) -> Duration {
        let config = self.control.config();
        let rng = &mut self.rng;
        let long = [Duration::from_nanos(1), MS, 7 * MS, 50 * MS, 300 * MS, SEC, 4 * SEC, 20 * SEC];
        let drawn = pick(rng, &long);
        let cycles = [config.max_lifetime, config.keepalive, config.max_idle_time];
        let shortest = cycles.into_iter().flatten().min().unwrap_or(Duration::MAX);
        drawn.min(shortest.saturating_mul(20))
    }

    fn draw_lifecycle(&mut self) -> Step {
        let rng = &mut self.rng;
        match rng.u8(0..10) {
            0 => Step::Invalidate,
            1 => Step::Renew,
            2..4 => Step::Pause,
            4..7 => Step::Resume,
            7 if !self.warm_ups.is_empty() => Step::DropWarmUp(rng.usize(..self.warm_ups.len())),
            _ => Step::WarmUp(rng.usize(0..=5), draw_patience(rng)),
        }
    }
}

fn draw_timeout(rng: &mut fastrand::Rng) -> Option<Duration> {
    pick(rng, &[None, None, Some(Duration::ZERO), Some(5 * MS), Some(100 * MS), Some(3 * SEC)])
}

fn draw_patience(rng: &mut fastrand::Rng) -> Duration {
    pick(rng, &[Duration::ZERO, 10 * MS, SEC, 10 * SEC])
}

fn draw_usage(rng: &mut fastrand::Rng, mood: Mood) -> Usage {
    let usages = [Usage::Query, Usage::Begin, Usage::Alter, Usage::LeaveReplyUnread, Usage::Sever];
    usages[rng.usize(..if mood.knows(Trouble::Misuse) { usages.len() } else { 3 })]
}

fn draw_misuse(rng: &mut fastrand::Rng, guards: usize) -> Step {
    let guard = rng.usize(..guards);
    pick(rng, &[Step::Discard(guard), Step::Panic(guard), Step::Detach(guard), Step::DropDetached])
}

fn draw_setting(rng: &mut fastrand::Rng) -> Step {
    match rng.u8(0..4) {
        0 => {
            let lease = pick(rng, &[None, Some(MS), Some(90 * MS), Some(2 * SEC)]);
            Step::Steer(settings::draw_steering(rng), lease)
        }
        _ => Step::Reconfigure(Box::new(settings::draw(rng))),
    }
}

fn draw_fault(rng: &mut fastrand::Rng) -> Step {
    let call = pick(rng, &CALLS);
    match rng.u8(0..12) {
        0..4 => Step::Heal,
        4..7 => Step::Script(call, draw_answer(rng, call)),
        7..9 => Step::ScriptNext(call, draw_answer(rng, call)),
        9 => Step::Room(pick(rng, &[0, 1, 3, usize::MAX])),
        10 => Step::SeverAll,
        _ => Step::OpenGate(call, pick(rng, &[Answer::Ok, Answer::Error, Answer::Panic])),
    }
}

fn draw_answer(rng: &mut fastrand::Rng, call: Call) -> Answer {
    let delay = pick(rng, &[MS, 15 * MS, 120 * MS, 3 * SEC]);
    let answers = [
        Answer::Ok,
        Answer::Error,
        Answer::Panic,
        Answer::Never,
        Answer::Late(delay),
        Answer::LateError(delay),
        Answer::Gate,
        Answer::Permanent,
    ];
    let known = if matches!(call, Call::Abort | Call::Released) { 3 } else { answers.len() };
    answers[rng.usize(..known)]
}
