//! A collector of OTLP, by gRPC and by HTTP: `rotel` in a process of its own, which says all that it
//! receives. Here is the process; what it says is understood in `spoken`.

mod spoken;
mod telemetry;

use std::time::Duration;

use super::daemon::{Daemon, listens};
use super::error::ReceiverError;
use super::tool::Tool;
use crate::servers::port::{self, Port};
use crate::servers::process::Process;
use crate::servers::program::PATIENCE;

pub use self::telemetry::{
    Attribute, Attributes, Buckets, Event, Kind, Point, Span, Telemetry, Temporality, Value,
};

/// A collector that keeps what it receives for the test. Killed when dropped.
#[derive(Debug)]
pub struct Collector {
    daemon: Daemon,
    grpc: Port,
    http: Port,
}

impl Collector {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    ///
    /// It cannot be had, or does not start.
    pub fn start() -> Result<Self, ReceiverError> {
        let daemon = Daemon::new(Tool::Rotel)?;
        let collector = Self { daemon, grpc: port::free()?, http: port::free()? };
        collector.restart()?;
        Ok(collector)
    }

    /// Where it takes OTLP by gRPC: `http://127.0.0.1:...`.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        url(&self.grpc)
    }

    /// Where it takes OTLP by HTTP, in binary or as JSON: what stands before `/v1/metrics`.
    #[must_use]
    pub fn http_url(&self) -> String {
        url(&self.http)
    }

    /// All that it received, as soon as it has said nothing for a moment. What was sent and not
    /// acknowledged may be missing: [wait for](Self::wait_for) it.
    #[must_use]
    pub fn received(&self) -> Telemetry {
        let understood = |text: &str, is_quiet: bool| is_quiet.then(|| spoken::understood(text));
        self.daemon.heard.wait_for(PATIENCE, understood).unwrap_or_default()
    }

    /// What `find` makes of all that was received, as soon as it finds something. `awaited` is what
    /// that is, in words.
    ///
    /// # Errors
    ///
    /// It finds nothing within `bound`; the error says what came instead.
    pub fn wait_for<T>(
        &self,
        awaited: &str,
        bound: Duration,
        mut find: impl FnMut(&Telemetry) -> Option<T>,
    ) -> Result<T, ReceiverError> {
        let found = self.daemon.heard.wait_for(bound, |text, is_quiet| {
            let text = if is_quiet { text } else { spoken::whole(text) };
            find(&spoken::understood(text))
        });
        found.ok_or_else(|| ReceiverError::Silent {
            awaited: awaited.to_owned(),
            waited: bound,
            instead: format!("received were {}", self.received().contents()),
        })
    }

    /// All that it said, in its own words: tests look in it for what must not be there.
    #[must_use]
    pub fn printed(&self) -> String {
        self.daemon.heard.text().clone()
    }

    /// Kills it without warning; its ports refuse. What it received stays.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Starts it again on its ports; it is killed first if it runs.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn restart(&self) -> Result<(), ReceiverError> {
        let address = |port: &Port| format!("127.0.0.1:{}", port.number);
        let directory = &self.daemon.directory;
        let mut command = self.daemon.equipment.program("rotel/rotel-agent", directory);
        command.args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"]);
        command.args(["--debug-log", "traces", "--debug-log", "metrics"]);
        command.args(["--otlp-grpc-endpoint", &address(&self.grpc)]);
        command.args(["--otlp-http-endpoint", &address(&self.http)]);
        command.args(["--pid-file", "pid", "--log-file", "own-log"]);
        let listen = || listens(self.grpc.number) && listens(self.http.number);
        self.daemon.start(command, |said| said.contains("Starting Rotel") && listen())
    }

    /// Holds it still: its ports accept, as the system does that for it, and nobody is answered.
    ///
    /// # Errors
    ///
    /// It cannot be sent a signal.
    pub fn freeze(&self) -> Result<(), ReceiverError> {
        self.daemon.hold(Process::freeze)
    }

    /// Lets it go on where it was frozen.
    ///
    /// # Errors
    ///
    /// It cannot be sent a signal.
    pub fn thaw(&self) -> Result<(), ReceiverError> {
        self.daemon.hold(Process::thaw)
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }
}

fn url(port: &Port) -> String {
    format!("http://127.0.0.1:{}", port.number)
}
