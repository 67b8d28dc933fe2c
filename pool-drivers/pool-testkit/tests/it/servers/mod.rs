//! Each server that can be started does what it is asked for.

mod each;
mod rig;
mod shared;
mod standby;
mod tls;
