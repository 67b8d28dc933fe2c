//! A running server and everything it started: killed, held still, let go on.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
#[cfg(feature = "receivers")]
use std::process::{ChildStdin, ChildStdout};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::account::Farewell;
use super::nursery;
use super::warden::Warden;

/// How often something is looked at that tells nobody when it is ready.
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// How long a server may take to end on its last signal.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// A server's process. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    farewell: Farewell,
    /// While it is frozen.
    warden: Option<Warden>,
}

impl Process {
    /// Starts a server that ends at once, and as it should, on this farewell. What a terminal sends to
    /// the runner is not for it: PostgreSQL would shut down on a ctrl-c.
    pub(crate) fn spawn(mut command: Command, farewell: Farewell) -> io::Result<Self> {
        command.process_group(0);
        let child = nursery::spawn(command)?;
        let pid = Pid::from_child(&child);
        Ok(Self { child, pid, farewell, warden: None })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it prints and what it is told, where its command has pipes for them. Once.
    #[cfg(feature = "receivers")]
    pub(crate) fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStdin>) {
        (self.child.stdout.take(), self.child.stdin.take())
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Kills it and all that it started, at once, and waits until they are gone.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        // PostgreSQL's backends would outlive their postmaster for a moment, in which it could not
        // be started again.
        let everybody = self.hold(|_| Ok(()))?;
        for pid in everybody.iter().rev() {
            signal(*pid, Signal::KILL)?;
        }
        self.child.wait()?;
        // On a busy machine a killed backend keeps the server's shared memory for a while yet.
        let deadline = Instant::now() + LAST_MOMENTS;
        while everybody.iter().any(|pid| runs(*pid)) && Instant::now() < deadline {
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// Asks it to end in its own way, and kills it if it has not within `bound`.
    pub(crate) fn stop(&mut self, politely: Signal, bound: Duration) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        self.release()?;
        signal(self.pid, politely)?;
        let deadline = Instant::now() + bound;
        while self.ended()?.is_none() {
            if Instant::now() > deadline {
                return self.kill();
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// Holds it and all that it started still until it is thawed, or this process ends.
    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        let mut warden = match self.warden.take() {
            Some(warden) => warden,
            None => Warden::post()?,
        };
        self.hold(|pid| warden.watch(pid))?;
        self.warden = Some(warden);
        Ok(())
    }

    /// Lets all of them go on.
    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        self.release()?;
        self.warden = None;
        Ok(())
    }

    /// Holds it and all that it started still, waits until they are, and says whom. `about` is told of
    /// each before.
    fn hold(&self, mut about: impl FnMut(Pid) -> io::Result<()>) -> io::Result<Vec<Pid>> {
        let mut held = Vec::new();
        // Those who were started before their parent was held are seen by the next look.
        loop {
            let found = family(self.pid)?;
            let fresh: Vec<_> = found.into_iter().filter(|pid| !held.contains(pid)).collect();
            if fresh.is_empty() {
                return Ok(held);
            }
            for pid in &fresh {
                about(*pid)?;
                signal(*pid, Signal::STOP)?;
            }
            // Each thread stops when it next runs; until then, it may give an answer.
            await_stillness(&fresh)?;
            held.extend(fresh);
        }
    }

    /// Lets all of them go on.
    fn release(&self) -> io::Result<()> {
        family(self.pid)?.into_iter().try_for_each(|pid| signal(pid, Signal::CONT))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that cannot be sent a signal is dead.
        let _ended = match self.farewell {
            Farewell::Quit => self.stop(Signal::QUIT, LAST_MOMENTS),
            Farewell::Kill => self.kill(),
        };
    }
}

/// Whoever has gone needs no signal.
fn signal(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        Err(error) if error == rustix::io::Errno::SRCH => Ok(()),
        sent => Ok(sent?),
    }
}

/// Kills those whose working directory is `folder` or in it, as a server's is, and waits until they are
/// gone, with what they held.
pub(crate) fn kill_all_in(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + LAST_MOMENTS;
    loop {
        let mut found = false;
        for pid in everybody()? {
            // One that has ended is nowhere, even before it is reaped.
            let directory = fs::read_link(format!("/proc/{pid}/cwd"));
            if directory.is_ok_and(|directory| directory.starts_with(folder)) {
                signal(pid, Signal::KILL)?;
                found = true;
            }
        }
        if !found || Instant::now() > deadline {
            return Ok(());
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Waits until no thread of these runs.
fn await_stillness(processes: &[Pid]) -> io::Result<()> {
    let deadline = Instant::now() + LAST_MOMENTS;
    while let Some(pid) = processes.iter().find(|pid| !is_still(**pid)) {
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("process {pid} goes on though told to stop")));
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// Whether each of its threads is stopped or has ended.
fn is_still(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| fs::read_to_string(thread.path().join("stat")).unwrap_or_default()).all(
        |status| {
            let state = after_name(&status).and_then(|mut words| words.next());
            state.is_none_or(|state| matches!(state, "T" | "t" | "Z" | "X"))
        },
    )
}

/// A process and its descendants, parents first.
fn family(ancestor: Pid) -> io::Result<Vec<Pid>> {
    let mut parents = Vec::new();
    for pid in everybody()? {
        parents.extend(parent(&status(pid)).map(|parent| (pid, parent)));
    }
    let mut family = vec![ancestor];
    let mut asked = 0;
    while let Some(&member) = family.get(asked) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == member).map(|(pid, _)| pid));
        asked += 1;
    }
    Ok(family)
}

fn everybody() -> io::Result<Vec<Pid>> {
    let numbers = fs::read_dir("/proc")?.filter_map(|entry| {
        // What has no number for its name is no process.
        Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)
    });
    Ok(numbers.collect())
}

/// What the system says of a process; nothing if it has ended.
fn status(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default()
}

/// Whether it has not ended. Where nobody reaps orphans, they stay as zombies, which hold nothing.
fn runs(pid: Pid) -> bool {
    let status = status(pid);
    after_name(&status).is_some_and(|mut words| words.next() != Some("Z"))
}

/// The parent, from `pid (name) state parent ...`.
fn parent(status: &str) -> Option<Pid> {
    Pid::from_raw(after_name(status)?.nth(1)?.parse().ok()?)
}

/// State, parent and the rest; a name may hold brackets and blanks.
fn after_name(status: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, after_name) = status.rsplit_once(')')?;
    Some(after_name.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_stands_after_a_name_of_any_form() {
        assert_eq!(parent("12 (a) b) S 7 12 12 0"), Pid::from_raw(7));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn a_held_process_is_still_even_where_it_seldom_runs() {
        let spinning = |niceness| {
            let mut command = Command::new("nice");
            command.args(["-n", niceness, "sh", "-c", "while :; do :; done"]);
            Process::spawn(command, Farewell::Kill).expect("started")
        };
        let cores = thread::available_parallelism().map_or(4, usize::from);
        let _busy: Vec<_> = (0..cores).map(|_| spinning("0")).collect();
        let mut process = spinning("19");
        for _ in 0..20 {
            process.freeze().expect("held");
            let status = status(process.pid);
            assert_eq!(after_name(&status).and_then(|mut words| words.next()), Some("T"));
            process.thaw().expect("released");
        }
    }

    #[test]
    fn a_process_does_not_get_what_a_terminal_sends_to_its_runner() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let process = Process::spawn(command, Farewell::Kill).expect("started");
        let group = |pid| after_name(&status(pid)).and_then(|mut words| words.nth(2)?.parse().ok());
        assert_eq!(group(process.pid), Some(process.pid.as_raw_nonzero().get()));
    }

    #[test]
    fn a_frozen_process_goes_on_once_nobody_is_left_who_would_thaw_it() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut process = Process::spawn(command, Farewell::Kill).expect("started");
        process.freeze().expect("held");
        let state =
            |pid| after_name(&status(pid)).and_then(|mut words| words.next().map(str::to_owned));
        assert_eq!(state(process.pid).as_deref(), Some("T"));
        // Its end of the pipe goes with a runner, however that ends.
        process.warden = None;
        assert_ne!(state(process.pid).as_deref(), Some("T"));
    }

    #[test]
    fn a_killed_process_takes_its_children_along() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & wait"]);
        let mut process = Process::spawn(command, Farewell::Kill).expect("started");
        let everybody = loop {
            let family = family(process.pid).expect("read");
            if family.len() == 2 {
                break family;
            }
            thread::yield_now();
        };
        assert!(everybody.iter().all(|pid| runs(*pid)));
        process.kill().expect("killed");
        assert!(!everybody.iter().any(|pid| runs(*pid)));
    }
}
