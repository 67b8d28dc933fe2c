//! Health of connection pools: told without taking a connection from their users.
//!
//! A [`HealthChecker`] asks a pool's database on a connection of its own, at a steady interval, and keeps
//! what it found where it is read at no cost. [`Probes`] make of it what Kubernetes asks a program: does
//! it live, is it ready, has it started. Nothing here touches a database when it is asked.
//!
//! Features, none of which is on by default: `http` and `grpc` answer probes; `reload` has a manager follow
//! its file; `manager` takes the pools of a [`Router`] from a manager's routes. `docs/health.md` is the guide.
#![forbid(unsafe_code)]

mod check;
mod checker;
#[cfg(feature = "grpc")]
mod grpc;
mod health;
#[cfg(feature = "http")]
mod http;
mod judge;
mod options;
mod probes;
#[cfg(all(feature = "reload", unix))]
mod reload;
mod route;
#[cfg(any(feature = "grpc", feature = "http"))]
mod serve;

/// The guide's code is tested.
#[cfg(all(doctest, unix, feature = "grpc", feature = "http", feature = "manager"))]
#[doc = include_str!("../../docs/health.md")]
struct Guide;

pub use self::check::{
    Check, CustomCheck, Finding, Headroom, LagBelow, OldestTransaction, Ping, QuickCheck, RoleIs,
    WalBelow,
};
pub use self::checker::HealthChecker;
#[cfg(feature = "grpc")]
pub use self::grpc::{GrpcEndpoint, GrpcOptions};
pub use self::health::{CheckReport, Health, HealthChange, HealthState};
#[cfg(feature = "http")]
pub use self::http::{HealthEndpoint, HttpOptions};
pub use self::options::{HealthError, HealthOptions};
pub use self::probes::{Probes, Readiness, ShutdownOptions, ShutdownReport};
#[cfg(all(feature = "reload", unix))]
pub use self::reload::{ReloadError, ReloadOptions, ReloadStatus, Reloader};
#[cfg(feature = "manager")]
pub use self::route::RouterError;
pub use self::route::{RouteError, Router, RouterOptions};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use self::serve::ServeError;
