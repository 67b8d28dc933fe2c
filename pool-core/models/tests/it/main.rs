//! The engine's races, with interleavings that a tool chooses: loom tries, of a few threads, every one
//! with few preemptions (`races`), shuttle very many of a crowd (`crowds`). Built and run by `cargo xtask loom` and
//! `cargo xtask shuttle`; empty in any other build.
#![cfg(any(pool_loom, pool_shuttle))]

#[cfg(pool_shuttle)]
mod crowds;
mod driver;
#[cfg(pool_loom)]
mod races;
mod rig;
mod runtime;

#[cfg(pool_loom)]
use loom as tool;
#[cfg(pool_shuttle)]
use shuttle as tool;
