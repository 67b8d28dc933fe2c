//! A free port on loopback for a server that will be stopped and started again.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::{ServerError, Trying};

/// A port that no other process takes for a server of its own before this is dropped, whether or
/// not something listens on it.
///
/// All servers let the same user in. Had two of them the same port, the one that came too late would
/// seem to answer, while it ends.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    /// A name that only one process can have, among all that have the same ports. The system takes it
    /// back when that process ends, however that comes.
    _claim: UnixListener,
}

impl Port {
    /// Claims the port `number`, unless somebody else has or listens on it.
    fn claim(number: u16) -> io::Result<Option<Self>> {
        let name = SocketAddr::from_abstract_name(format!("pool-testkit-port-{number}"))?;
        let claim = match UnixListener::bind_addr(&name) {
            Ok(claim) => claim,
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        Ok(is_free.then_some(Self { number, _claim: claim }))
    }
}

/// A port that nothing listens on.
///
/// It lies below those that the system gives to outgoing connections: while the server is down,
/// one of those could take its port, even a client that tries in vain to reach it.
pub(crate) fn free() -> Result<Port, ServerError> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let range = below(&fs::read_to_string(EPHEMERAL).unwrap_or_default());
    let width = u32::from(range.end - range.start);
    // Processes that start at one moment begin at different places.
    let start = process::id().wrapping_mul(7_919);
    for _ in 0..width {
        let step = ASKED.fetch_add(1, Ordering::Relaxed);
        let offset = start.wrapping_add(step) % width;
        let port = range.start + u16::try_from(offset).expect("bug: the range has 16 bits");
        if let Some(port) = Port::claim(port).trying_to("claim a port")? {
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
        assert_ne!(free().expect("a port").number, free().expect("a port").number);
    }

    #[test]
    fn a_port_is_nobody_else_s_until_it_is_dropped_though_nothing_listens_on_it() {
        let claimed = |number| Port::claim(number).expect("asked");
        let port = free().expect("a port");
        let number = port.number;
        assert!(claimed(number).is_none(), "taken");
        drop(port);
        let port = claimed(number).expect("free again");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).expect("nobody there");
        drop(port);
        assert!(claimed(number).is_none(), "somebody listens");
        drop(listener);
    }
}
