//! Sentences that a person can act on: what is seen, by which figures, and which setting changes it.
//!
//! A rule looks at a pool's history and says something, or nothing. None of them guesses: where a figure
//! is missing (no limit known), the rule is silent, or says that it leaves two explanations (no calmer time
//! to compare with).

mod adapted;
mod lifetimes;
mod server;
mod setting;
mod sizes;
mod stuck;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pool_core::Capacity;

use self::setting::Setting;
use crate::view::PoolView;
use crate::window::Window;

/// What the advisor cannot see from inside one pool.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// How many programs like this one share the server. Default: 1.
    pub replicas: usize,
    /// The server's limit, as the driver's capacity query tells it.
    pub capacity: Option<Capacity>,
}

impl Default for Deployment {
    fn default() -> Self {
        Self { replicas: 1, capacity: None }
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $variant:ident, $name:literal, $find:path;)*) => {
        /// What advice is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Rule {
            /// Every rule, the most urgent first.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn find(self, seen: &Seen<'_>) -> Option<Finding> {
                match self {
                    $(Self::$variant => $find(seen),)*
                }
            }
        }
    };
}

rules! {
    /// Acquires give up before a connect can have ended.
    DeadlineBeforeConnect, "deadline_before_connect", stuck::deadline_before_connect;
    /// Connections are held far longer than they are wont to.
    LeakSuspected, "leak_suspected", stuck::leak;
    /// A fleet grants the pool nothing, or less than it could use.
    FleetShare, "fleet_share", adapted::fleet_share;
    /// All replicas together could open more connections than the server allows.
    ServerLimitNear, "server_limit_near", server::limit_near;
    /// A tuner that only looks on would choose another size.
    SizeRecommended, "size_recommended", adapted::size_recommended;
    /// The database does not get faster by more connections.
    DatabaseSaturated, "database_saturated", sizes::database_saturated;
    /// Acquires wait though the database has time.
    PoolTooSmall, "pool_too_small", sizes::too_small;
    /// Connections are opened only to replace those that were just closed.
    Churn, "churn", sizes::churn;
    /// Something between the pool and the database closes connections before the pool does.
    LifetimeBeyondServer, "lifetime_beyond_server", lifetimes::beyond_server;
    /// Connections are replaced all at once.
    LifetimeStampede, "lifetime_stampede", lifetimes::stampede;
    /// Most of the connections that may be open are never used.
    Oversized, "oversized", sizes::oversized;
}

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// What it is about.
    pub rule: Rule,
    /// The pool's name.
    pub pool: Arc<str>,
    /// What was seen, with its figures.
    pub evidence: String,
    /// What to change.
    pub remedy: String,
    /// The setting to change, and to what, where that can be said.
    pub setting: Option<(&'static str, String)>,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, evidence, remedy, .. } = self;
        write!(f, "pool {pool}: {evidence}: {remedy}")
    }
}

/// What a rule has to say.
struct Finding {
    evidence: String,
    remedy: String,
    setting: Option<Setting>,
}

/// What the rules look at.
struct Seen<'a> {
    view: &'a PoolView,
    deployment: &'a Deployment,
    /// The last minutes, which decide what is the matter now.
    recent: Window,
    /// All of the history.
    whole: Window,
}

impl Seen<'_> {
    /// How many connections may be open: as configured, or less if a tuner or a fleet says so.
    fn limit(&self) -> usize {
        self.view.snapshot.stats.max_open
    }

    fn is_mostly_full(&self) -> bool {
        self.recent.full.as_secs_f64() >= MOSTLY * self.recent.span.as_secs_f64()
    }
}

/// Above this part of the span full, a pool is said to be full.
const MOSTLY: f64 = 0.5;
/// How much of the history is recent.
const RECENT: Duration = Duration::from_mins(2);
/// What is younger says too little about anything.
const ENOUGH: Duration = Duration::from_mins(1);

/// What is to be said about a pool, the most urgent first; nothing, if it is well or not known long
/// enough (a minute).
#[must_use]
pub fn advise(view: &PoolView, deployment: &Deployment) -> Vec<Advice> {
    let (recent, whole) = (view.history.last(RECENT), view.history.last(Duration::MAX));
    if whole.span < ENOUGH {
        return Vec::new();
    }
    let seen = Seen { view, deployment, recent, whole };
    let advice = |rule: &Rule| {
        let Finding { evidence, remedy, setting } = rule.find(&seen)?;
        let setting = match setting {
            Some(setting) => Some(setting.written_for(&view.config)?),
            None => None,
        };
        Some(Advice { rule: *rule, pool: view.snapshot.pool.clone(), evidence, remedy, setting })
    };
    Rule::ALL.iter().filter_map(advice).collect()
}
