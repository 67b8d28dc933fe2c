//! All connections that a server takes, taken.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use super::access::Access;
use super::error::{ServerError, Trying};

/// More sessions than any test's server takes.
const MOST: usize = 500;

/// Idle sessions that leave no room for another. They leave when this is dropped.
#[derive(Debug)]
pub struct Crowd {
    sessions: Vec<Child>,
}

impl Crowd {
    /// Opens sessions until the server takes no more.
    pub(super) fn new(access: &Access) -> Result<Self, ServerError> {
        let mut crowd = Self { sessions: Vec::new() };
        while crowd.add(access)? {
            if crowd.sessions.len() == MOST {
                return Err(ServerError::Input {
                    input: format!("a server that takes {MOST} connections"),
                    problem: "is too large to fill; set its max_connections".to_owned(),
                });
            }
        }
        Ok(crowd)
    }

    /// How many sessions it took.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether the server took none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether there was room for one more.
    fn add(&mut self, access: &Access) -> Result<bool, ServerError> {
        let mut command = access.client(&access.first_database)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut session = command.spawn().trying_to("run the server's client")?;
        let stdin = session.stdin.as_mut().expect("bug: stdin is piped");
        // One that was turned away reads nothing.
        let _written = writeln!(stdin, "{}", access.product.family().trivial_statement());
        let stdout = session.stdout.as_mut().expect("bug: stdout is piped");
        let mut answer = String::new();
        BufReader::new(stdout).read_line(&mut answer).trying_to("hear the server's client")?;
        if answer.is_empty() {
            session.wait().trying_to("wait for the server's client")?;
            return Ok(false);
        }
        self.sessions.push(session);
        Ok(true)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for session in &mut self.sessions {
            // One that has ended already needs neither.
            let _killed = session.kill();
            let _reaped = session.wait();
        }
    }
}
