//! Each server that can be started does what it is asked for.

mod each;
mod shared;
mod tls;
