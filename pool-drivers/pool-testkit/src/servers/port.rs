//! A free port on loopback for a server that will be stopped and started again.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::ServerError;

/// A port that nothing listens on at the moment.
///
/// It lies below those that the system gives to outgoing connections: while the server is down,
/// one of those could take its port, even a client that tries in vain to reach it.
pub(super) fn free() -> Result<u16, ServerError> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let range = below(&fs::read_to_string(EPHEMERAL).unwrap_or_default());
    let width = u32::from(range.end - range.start);
    // Processes that start at one moment begin at different places.
    let start = process::id().wrapping_mul(7_919);
    for _ in 0..width {
        let step = ASKED.fetch_add(1, Ordering::Relaxed);
        let offset = start.wrapping_add(step) % width;
        let port = range.start + u16::try_from(offset).expect("bug: the range has 16 bits");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(ServerError::Input {
        input: format!("the ports {range:?} on loopback"),
        problem: "are all taken; stop something that listens there".to_owned(),
    })
}

const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The ports that are ours, given the two numbers of those that are not.
fn below(ephemeral: &str) -> Range<u16> {
    const USUAL: u16 = 32_768;
    let first = ephemeral.split_whitespace().next().and_then(|word| word.parse().ok());
    let end = first.filter(|first| *first > 12_000).unwrap_or(USUAL);
    (end - 10_000)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_outgoing_connections_are_left_alone() {
        assert_eq!(below("32768\t60999\n"), 22_768..32_768);
        assert_eq!(below("15000\t60999\n"), 5_000..15_000);
        assert_eq!(below(""), 22_768..32_768);
    }

    #[test]
    fn no_port_is_given_twice_in_a_row() {
        assert_ne!(free().expect("a port"), free().expect("a port"));
    }
}
