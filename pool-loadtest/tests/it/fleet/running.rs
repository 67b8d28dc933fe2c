//! A fleet under way, by what its progress says.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{json, program};
use crate::signals::send;

/// How long anything may take to happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// The program that has started a fleet.
pub(super) struct Fleet {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// The members' processes, in their order.
    processes: Vec<u32>,
    /// All that was said.
    said: String,
}

/// A line of progress.
#[derive(Clone, Debug)]
pub(super) struct Now {
    /// What each member has been granted that is not gone.
    pub(super) granted: Vec<usize>,
    pub(super) silent: usize,
}

impl Now {
    pub(super) fn sum(&self) -> usize {
        self.granted.iter().sum()
    }

    /// Of `7 s  3 members (1 silent), granted 8 8 7; 27 sessions ...`.
    fn read(line: &str) -> Option<Self> {
        let (members, rest) = line.split_once(", granted ")?;
        let (granted, _) = rest.split_once(';')?;
        let silent = members.split_once('(').and_then(|(_, rest)| rest.split(' ').next());
        Some(Self {
            granted: granted.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?,
            silent: silent.map_or(Ok(0), str::parse).ok()?,
        })
    }
}

impl Fleet {
    pub(super) fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = program(&["fleet", "--url", url, "--output", "json"]);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, stderr, processes: Vec::new(), said: String::new() }
    }

    /// Waits until progress is so.
    #[track_caller]
    pub(super) fn wait_until(&mut self, what: &str, is_so: impl Fn(&Now) -> bool) -> Now {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("a line");
            self.said += &line;
            assert!(read > 0, "it ended before {what}: {}", self.said);
            assert!(Instant::now() < deadline, "it never came to this that {what}: {}", self.said);
            if let Some((_, process)) = line.split_once(" joins: process ") {
                self.processes.push(process.trim().parse().expect("a number"));
            }
            if let Some(now) = Now::read(&line).filter(&is_so) {
                return now;
            }
        }
    }

    /// Sends a signal to a member, by its number.
    #[track_caller]
    pub(super) fn signal(&self, signal: &str, member: usize) {
        send(signal, self.processes[member - 1]);
    }

    /// Kills the program, and none of the members.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Ends it as ctrl-c does: its report, and all that it printed.
    #[track_caller]
    pub(super) fn end(self) -> (Value, String) {
        let Self { child, mut stderr, mut said, .. } = self;
        send("-INT", child.id());
        let rest = thread::spawn(move || {
            let mut rest = String::new();
            std::io::Read::read_to_string(&mut stderr, &mut rest).map(|_| rest)
        });
        let output = child.wait_with_output().expect("ends");
        said += &rest.join().expect("no panic").expect("read to the end");
        let stdout = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(130), "{said}");
        (json(&stdout), said + &stdout)
    }
}
