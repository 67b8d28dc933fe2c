//! The processes of a fleet: started, heard, told to leave, and waited for.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::member::{MEMBER, Order};
use crate::fleet::Gone;

/// Lines that may lie about unread; members wait when there are more.
const LINES: usize = 1024;
/// Longest line that is read: far more than a member says at once.
const LONGEST: u64 = 64 * 1024;
/// How long a process that has closed its output may take to end.
const LAST_MOMENTS: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// What is heard of a member.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line of its standard output.
    Said(String),
    /// A line of its standard error.
    Complained(String),
    /// It has closed its standard output.
    Silent,
}

/// The processes.
pub(super) struct Crew {
    members: Vec<Process>,
    hear: mpsc::Sender<(usize, Instant, Heard)>,
    heard: mpsc::Receiver<(usize, Instant, Heard)>,
}

struct Process {
    child: Child,
    /// Dropped to have it leave.
    input: Option<ChildStdin>,
    last_words: String,
}

impl Crew {
    pub(super) fn new() -> Self {
        let (hear, heard) = mpsc::channel(LINES);
        Self { members: Vec::new(), hear, heard }
    }

    /// Starts a process and tells it what to do. Returns its number for the system.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub(super) fn start(&mut self, order: &Order) -> anyhow::Result<u32> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.arg(MEMBER).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What a terminal sends on ctrl-c is for whoever started them, who has them leave then.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().context("cannot start a member")?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let mut input = child.stdin.take().expect("bug: it is piped");
        let number = self.members.len();
        let (hear, hear_errors) = (self.hear.clone(), self.hear.clone());
        let (out, err) = out.zip(err).expect("bug: they are piped");
        let complaining = thread::spawn(move || {
            listen(err, |line| {
                hear_errors.blocking_send((number, Instant::now(), Heard::Complained(line)))
            });
        });
        thread::spawn(move || {
            listen(out, |line| hear.blocking_send((number, Instant::now(), Heard::Said(line))));
            // What it said last may be why it ended.
            let _ = complaining.join();
            // Whoever heard it may be gone.
            let _ = hear.blocking_send((number, Instant::now(), Heard::Silent));
        });
        let process = child.id();
        let told = serde_json::to_string(order).map_err(io::Error::from);
        let told = told.and_then(|order| writeln!(input, "{order}"));
        self.members.push(Process { child, input: Some(input), last_words: String::new() });
        told.context("cannot tell a member what to do")?;
        Ok(process)
    }

    /// What a member says next, and when it was heard.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> (usize, Instant, Heard) {
        let heard = self.heard.recv().await.expect("bug: the crew has a sender, too");
        if let (number, _, Heard::Complained(line)) = &heard {
            self.members[*number].last_words.clone_from(line);
        }
        heard
    }

    /// Has a member leave.
    pub(super) fn leave(&mut self, member: usize) {
        self.members[member].input = None;
    }

    /// Whether it was told to leave.
    pub(super) fn is_leaving(&self, member: usize) -> bool {
        self.members[member].input.is_none()
    }

    /// How many were started.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Ends those that do not leave.
    pub(super) fn kill_all(&mut self) {
        for process in &mut self.members {
            // One that has ended already needs no signal.
            let _ = process.child.kill();
        }
    }

    /// How a member ended that says nothing any more. Blocks for as long as it takes to end.
    pub(super) fn end(&mut self, member: usize) -> Gone {
        let process = &mut self.members[member];
        let deadline = Instant::now() + LAST_MOMENTS;
        loop {
            match process.child.try_wait() {
                Ok(Some(status)) => return gone(status, &process.last_words),
                Ok(None) if Instant::now() < deadline => thread::sleep(BETWEEN_LOOKS),
                Ok(None) => {
                    let _ = process.child.kill();
                    let _ = process.child.wait();
                    return Gone::Failed("it said nothing any more, and did not end".to_owned());
                }
                Err(error) => return Gone::Failed(format!("it cannot be waited for: {error}")),
            }
        }
    }
}

fn gone(status: ExitStatus, last_words: &str) -> Gone {
    match status.code() {
        Some(0) => Gone::Left,
        Some(code) if last_words.is_empty() => Gone::Failed(format!("exit code {code}")),
        Some(_) => Gone::Failed(last_words.trim_start_matches("error: ").to_owned()),
        None => Gone::Killed,
    }
}

/// Hands on each line, until there are no more or nobody wants them.
fn listen<E>(stream: impl Read, mut hear: impl FnMut(String) -> Result<(), E>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match stream.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if hear(line).is_err() {
            return;
        }
    }
}
