//! Each server that can be started does what it is asked for.

mod each;
mod others;
mod proxy;
pub(crate) mod rig;
mod shared;
mod standby;
mod tls;
