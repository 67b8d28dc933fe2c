//! Programs that are run to their end: clients, initialisers, fetchers. Not here: servers.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::error::{ServerError, last_lines};

/// Longer than anything but a download takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What a program said, and whether it was content.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) successful: bool,
    /// It was killed at its bound.
    pub(crate) timed_out: bool,
    pub(crate) end: String,
    pub(crate) printed: String,
    pub(crate) complained: String,
}

/// Runs `command` on `input` for at most `bound`, then kills it.
pub(crate) fn run(mut command: Command, input: &str, bound: Duration) -> io::Result<Ended> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn()?;
    let pid = Pid::from_child(&child);
    let input = input.to_owned();
    let (sender, output) = channel();
    thread::spawn(move || {
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading everything says why by itself.
            let _written = stdin.write_all(input.as_bytes());
        }
        let _awaited = sender.send(child.wait_with_output());
    });
    match output.recv_timeout(bound) {
        Ok(output) => Ok(ended(&output?)),
        Err(RecvTimeoutError::Timeout) => {
            kill_process(pid, Signal::KILL)?;
            Ok(Ended {
                successful: false,
                timed_out: true,
                end: format!("did not end within {bound:?}"),
                printed: String::new(),
                complained: String::new(),
            })
        }
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("nobody waits for it")),
    }
}

/// Runs `command`, whose `task` is told if it fails, and returns what it printed.
pub(crate) fn run_for(
    task: &str,
    command: Command,
    input: &str,
    bound: Duration,
) -> Result<String, ServerError> {
    let program = name(&command);
    let failed = |end: String, output: String| ServerError::Program {
        task: task.to_owned(),
        program,
        end,
        output,
    };
    match run(command, input, bound) {
        Ok(ended) if ended.successful => Ok(ended.printed),
        Ok(ended) => {
            let output = last_lines(&format!("{}{}", ended.printed, ended.complained));
            Err(failed(ended.end, output))
        }
        Err(error) => Err(failed(format!("cannot be run: {error}"), String::new())),
    }
}

/// The program that `command` is about: in `setpriv ... -- loader --library-path ... program`, the last.
fn name(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let after = |word: &str| words.iter().position(|other| other == word);
    let library_path = after("--library-path").map(|at| at + 2);
    let named = library_path.or(after("--").map(|at| at + 1)).unwrap_or(0);
    words.get(named).cloned().unwrap_or_default()
}

fn ended(output: &Output) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        successful: output.status.success(),
        timed_out: false,
        end: format!("failed ({})", output.status),
        printed: text(&output.stdout),
        complained: text(&output.stderr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_never_ends_is_killed_at_its_bound() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let ended = run(command, "", Duration::from_millis(50)).expect("started");
        assert_eq!((ended.successful, &*ended.end), (false, "did not end within 50ms"));
    }

    #[test]
    fn what_stands_before_a_program_is_not_its_name() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=1", "--", "ld.so", "--library-path", "/lib", "mysqld", "--x"]);
        assert_eq!(name(&command), "mysqld");
    }

    #[test]
    fn a_failure_names_the_task_the_program_and_its_words() {
        let mut command = Command::new("env");
        command.args(["--", "sh", "-c", "cat; echo no >&2; exit 3"]);
        let error = run_for("be content", command, "in\n", PATIENCE).expect_err("fails");
        let expected = "cannot be content: `sh` failed (exit status: 3):\nin\nno";
        assert_eq!(error.to_string(), expected);
    }
}
