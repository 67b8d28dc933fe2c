//! How the tests start servers and talk to them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use pool_testkit::not_tried;
use pool_testkit::servers::{Access, Server, ServerError, Setup};

/// Longer than anything takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Long enough for an answer that was not held back, most of the time.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// The server, unless it is one that cannot be had everywhere.
pub(crate) fn started(setup: Setup) -> Option<Server> {
    let product = setup.product;
    match Server::start_as(setup) {
        Ok(server) => Some(server),
        Err(error @ ServerError::Missing { .. }) if product.is_best_effort() => {
            not_tried(&format!("a server of {product}"), &error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Waits until `holds`, but not for ever.
#[track_caller]
pub(crate) fn eventually(claim: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {claim}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// One session of the server's client, open over many statements.
pub(crate) struct Session {
    client: Child,
    lines: Receiver<String>,
}

impl Session {
    pub(crate) fn open(access: &Access) -> Self {
        let mut command = access.client(&access.first_database).expect("a client");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = command.spawn().expect("started");
        let stdout = BufReader::new(client.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { client, lines }
    }

    pub(crate) fn send(&mut self, statement: &str) {
        let stdin = self.client.stdin.as_mut().expect("piped");
        // A client whose session was ended may be gone.
        let _written = writeln!(stdin, "{statement}");
    }

    /// The next line of an answer; none if the client has ended.
    pub(crate) fn line(&self) -> Option<String> {
        self.lines.recv_timeout(LONG).map_or_else(
            |error| match error {
                RecvTimeoutError::Disconnected => None,
                RecvTimeoutError::Timeout => panic!("no answer within {LONG:?}"),
            },
            Some,
        )
    }

    /// Whether no answer comes for a short while.
    pub(crate) fn is_silent(&self) -> bool {
        self.lines.recv_timeout(SHORT) == Err(RecvTimeoutError::Timeout)
    }

    pub(crate) fn ask(&mut self, statement: &str) -> Option<String> {
        self.send(statement);
        self.line()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _killed = self.client.kill();
        let _reaped = self.client.wait();
    }
}
