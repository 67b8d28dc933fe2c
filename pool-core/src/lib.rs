//! A database connection pool that is fast, cannot leak, and says what is wrong.
//!
//! `pool-core` is the engine: it knows no database, no telemetry and, but for its features `tokio`
//! and `smol`, no async runtime. A [`Driver`] adapts a database client; a [`Pool`] hands out its
//! connections; an [`Observer`] is told what happens; a [`ControlHandle`] lets others watch and steer.
//!
//! With the feature `sources`, `Sources` reads settings from TOML, URL, environment and code; with
//! `manager`, a `ConnectionManager` keeps named pools of different drivers.
//!
//! All state is one synchronous state machine under one mutex; one background task makes the
//! driver's calls. `ARCHITECTURE.md` has the map and the invariants.
#![forbid(unsafe_code)]

mod acquire;
mod brief;
mod capability;
mod comment;
mod config;
mod contain;
mod control;
mod driver;
mod error;
mod guard;
mod health;
mod lease;
mod lent;
mod listeners;
#[cfg(not(any(pool_loom, pool_shuttle)))]
mod lock;
#[cfg(feature = "manager")]
mod manager;
mod observer;
mod pool;
mod probe;
mod program;
pub mod runtime;
mod shared;
mod sizing;
mod state;
mod statements;
mod stats;
mod steering;
mod sync;
pub mod url;
mod watchdog;
mod worker;

pub use async_trait::async_trait;

pub use self::acquire::Acquire;
pub use self::brief::Brief;
pub use self::capability::{
    Activity, ActivityQuery, Capabilities, CapabilitySet, Capacity, CapacityQuery, Quota,
    ReplicationLag, ReplicationLagQuery, Role, RoleQuery, Storage, StorageQuery,
};
pub use self::comment::SqlComment;
pub use self::config::{
    Change, ConfigError, FIELDS, Field, Origin, PoolConfig, Preset, Problem, Reconfigured,
    may_hold_password, nearest, parse_duration,
};
#[cfg(feature = "sources")]
pub use self::config::{
    Explanation, Loaded, Resolved, Secret, Sources, TomlEntry, TomlFile, TomlValue, json_schema,
    url_scheme,
};
pub use self::control::{Control, ControlHandle};
pub use self::driver::{ConnectContext, Driver, Metadata, Released};
pub use self::error::{
    AcquireError, AcquireErrorKind, AcquireFailure, AcquirePhase, CallSite, Circumstances,
    CloseReport, ConnectFailures, DriverFault, ErrorClass, Holder, OpenError, SharedError,
    TryAcquireError,
};
pub use self::guard::{Guard, OwnedPoolGuard, PoolGuard};
pub use self::health::{HealthState, ToldHealth};
pub use self::lease::{
    Budget, Changes, Decide, FleetName, FleetNameError, LEASE_PROTOCOL, LeaseError, LeaseStore,
    LeaseTrouble, Ledger, MemberId, MemberRow, ServerTime, Sessions, Settlement, Share,
};
pub use self::lent::LentConnection;
pub use self::listeners::Subscription;
#[cfg(feature = "manager")]
pub use self::manager::{
    ConnectionManager, Drivers, JointStats, ManagerCloseReport, ManagerError, ManagerOptions,
    ManagerPlan, ManagerReconfigured, NamedSources, PoolLookupError, PoolOutcome, PoolPlan,
    RestartReason, Route, Totals,
};
pub use self::observer::{
    AcquireCancelled, AcquireFailed, AcquireStarted, AcquireSucceeded, CircuitChanged,
    ConnectionChecked, ConnectionClosed, ConnectionOpened, ConnectionReleased, Frequent,
    HealthChanged, LeakSuspected, Observer, OpenFailed, PoolReconfigured, ReconfigureRefused,
    Served, SizingChanged, StatementFinished, StatementOutcome, StatementStarted, WaiterQueued,
};
pub use self::pool::{Pool, PoolOptions};
pub use self::probe::Probe;
pub use self::program::program_name;
pub use self::sizing::{FleetShare, RecommendedSize, ShareState, Sizing};
pub use self::statements::{RunningStatement, Statements};
pub use self::stats::{
    AcquireCounts, Circuit, CloseReason, ClosedCounts, DbStats, PoolState, PoolStats,
};
pub use self::steering::{OpeningLease, Steering};
