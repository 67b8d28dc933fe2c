//! A tool that runs beside the tests, and what it says. Not here: what that means.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::error::ReceiverError;
use super::tool::{Equipment, Tool};
use crate::servers::account::{Account, Farewell};
use crate::servers::directory::Directory;
use crate::servers::error::{Trying, last_lines};
use crate::servers::process::{BETWEEN_LOOKS, Process};
use crate::servers::program::PATIENCE;

/// A tool's process in a folder of its own. Killed when dropped; it dies, too, when this process does.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) equipment: Equipment,
    pub(super) heard: Arc<Heard>,
    running: Mutex<Option<Running>>,
    // After the process: it is killed before its files go.
    pub(super) directory: Directory,
}

#[derive(Debug)]
struct Running {
    process: Process,
    orders: Option<ChildStdin>,
}

/// All that it printed since it was first started.
#[derive(Debug, Default)]
pub(super) struct Heard {
    text: Mutex<String>,
    more: Condvar,
}

impl Daemon {
    /// One that does not run yet.
    pub(super) fn new(tool: Tool) -> Result<Self, ReceiverError> {
        let equipment = Equipment::find(tool)?;
        let directory = Directory::new(Account::present())?;
        Ok(Self { equipment, heard: Arc::default(), running: Mutex::default(), directory })
    }

    /// Starts `command` and waits until it is ready, given what it printed since; ends it first if it
    /// runs.
    pub(super) fn start(
        &self,
        command: Command,
        is_ready: impl Fn(&str) -> bool,
    ) -> Result<(), ReceiverError> {
        self.start_with(command, "", is_ready)
    }

    /// As [`start`](Self::start), with a first line of input.
    pub(super) fn start_with(
        &self,
        mut command: Command,
        input: &str,
        is_ready: impl Fn(&str) -> bool,
    ) -> Result<(), ReceiverError> {
        let mut running = self.running.lock();
        // Dropped first: two cannot share a port.
        *running = None;
        let before = self.heard.text.lock().len();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(self.directory.log()?);
        let process = Process::spawn(command, Farewell::Kill).trying_to("start a receiver")?;
        let running = running.insert(Running { process, orders: None });
        let (output, orders) = running.process.pipes();
        running.orders = orders;
        if let Some(orders) = &mut running.orders {
            // One that has ended already is found so below, with the reason.
            let _written = writeln!(orders, "{input}");
        }
        let heard = Arc::clone(&self.heard);
        thread::spawn(move || output.map(|output| heard.listen(output)));
        self.await_start(&mut running.process, |text| is_ready(&text[before..]))
    }

    fn await_start(
        &self,
        process: &mut Process,
        is_ready: impl Fn(&str) -> bool,
    ) -> Result<(), ReceiverError> {
        let tool = self.equipment.tool;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if is_ready(&self.heard.text.lock()) {
                return Ok(());
            }
            if let Some(status) = process.ended().trying_to("watch a receiver")? {
                let (end, log) = (status.to_string(), self.last_words());
                return Err(ReceiverError::Died { tool, end, log });
            }
            if Instant::now() > deadline {
                let log = self.last_words();
                return Err(ReceiverError::Unready { tool, waited: PATIENCE, log });
            }
            self.heard.more.wait_for(&mut self.heard.text.lock(), BETWEEN_LOOKS);
        }
    }

    /// Kills it without warning. What it printed stays.
    pub(super) fn kill(&self) {
        *self.running.lock() = None;
    }

    /// Holds it still, or lets it go on: what `how` does.
    pub(super) fn hold(
        &self,
        how: impl FnOnce(&mut Process) -> io::Result<()>,
    ) -> Result<(), ReceiverError> {
        let mut running = self.running.lock();
        let held = running.as_mut().map_or_else(
            || Err(io::Error::other("it does not run")),
            |running| how(&mut running.process),
        );
        Ok(held.trying_to("signal a receiver")?)
    }

    /// The number of its process, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.running.lock().as_ref().map(|running| running.process.pid())
    }

    /// Writes a line to its standard input.
    pub(super) fn tell(&self, line: &str) -> Result<(), ReceiverError> {
        let mut running = self.running.lock();
        let orders = running.as_mut().and_then(|running| running.orders.as_mut());
        let written = orders.map_or_else(
            || Err(io::Error::other("it does not run")),
            |orders| writeln!(orders, "{line}"),
        );
        Ok(written.trying_to("tell a receiver what to do")?)
    }

    /// The last of what it said, on standard error and then on standard output.
    pub(super) fn last_words(&self) -> String {
        let printed = last_lines(&self.heard.text.lock());
        format!("{}\n{printed}", self.directory.last_words())
    }
}

impl Heard {
    /// Adds what `output` says until it ends.
    fn listen(&self, mut output: impl Read) {
        let mut buffer = vec![0; 1 << 16];
        // A character may be cut in two by the end of a piece.
        let mut bytes = Vec::new();
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..length]);
            let whole = match str::from_utf8(&bytes) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => bytes.len(),
            };
            let text = bytes.drain(..whole).collect::<Vec<_>>();
            self.text.lock().push_str(&String::from_utf8_lossy(&text));
            self.more.notify_all();
        }
    }

    pub(super) fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock()
    }

    /// What `find` makes of all that was printed, as soon as it finds something; nothing if that is
    /// not within `bound`. It is told, too, whether nothing was printed for a while.
    pub(super) fn wait_for<T>(
        &self,
        bound: Duration,
        mut find: impl FnMut(&str, bool) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + bound;
        let mut text = self.text.lock();
        let mut is_quiet = false;
        loop {
            if let Some(found) = find(&text, is_quiet) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // What is printed without a pause is waited for no longer than that, either.
            if left.is_zero() && (is_quiet || deadline.elapsed() > 10 * QUIET) {
                return None;
            }
            let pause = if is_quiet { left } else { QUIET };
            is_quiet = self.more.wait_for(&mut text, pause).timed_out();
        }
    }
}

/// What prints a text at once is not interrupted for longer.
const QUIET: Duration = Duration::from_millis(100);

/// Whether something accepts connections there.
pub(super) fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
