//! Child processes: how they are started, shown and judged.
//!
//! They inherit our streams and our process group, so colour is their own affair and ctrl-c reaches
//! them. Which ones to run is not decided here.

use std::convert::Infallible;
use std::env;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pool_testkit::servers::{CACHE_VARIABLE, cache};

/// The directory of the workspace.
pub(crate) fn root() -> PathBuf {
    // Two checkouts that share a target directory may share this very binary; only the cargo that
    // started it knows which of them is meant.
    let started_in = env::var_os("CARGO_MANIFEST_DIR");
    let mut xtask = started_in.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    assert!(xtask.pop(), "bug: xtask is a folder of the workspace");
    xtask
}

/// `cargo ARGUMENTS`, by the cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What the cargo that runs us said of this package: build scripts that look at the same names
    // would run again, here and at the next call from a shell, and compile C each time.
    let ours = env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    for name in ours {
        command.env_remove(name);
    }
    command
}

/// The program of a package outside the workspace, given its arguments.
pub(crate) fn outside(package: &str) -> Command {
    let manifest = format!("{package}/Cargo.toml");
    let mut command = cargo(&["run", "--release", "--locked", "--manifest-path", &manifest]);
    command.arg("--target-dir").arg(root().join("target").join("peers"));
    // Its own target folder would be another cache.
    command.env(CACHE_VARIABLE, cache()).arg("--");
    command
}

/// `PROGRAM ARGUMENTS`, with the program looked up in `PATH`.
pub(crate) fn program(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Shows and runs `command`.
///
/// # Errors
///
/// It cannot be started, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    judge(command, status)
}

/// Shows and runs `command`, and returns what it printed, which the user sees as well.
///
/// # Errors
///
/// It cannot be started, or it fails.
pub(crate) fn run_and_read(command: &mut Command) -> Result<String> {
    println!("$ {}", shown(command));
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let stdout = child.stdout.take().expect("bug: stdout is piped");
    let printed = echo(stdout).with_context(|| format!("cannot read `{}`", shown(command)))?;
    judge(command, child.wait()?)?;
    Ok(printed)
}

/// Shows and runs `command`, and returns whether it succeeded and all that it printed, which the user
/// sees as well.
///
/// # Errors
///
/// It cannot be started.
pub(crate) fn run_and_watch(command: &mut Command) -> Result<(bool, String)> {
    println!("$ {}", shown(command));
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().with_context(|| cannot_start(command))?;
    let stdout = child.stdout.take().expect("bug: stdout is piped");
    let stderr = child.stderr.take().expect("bug: stderr is piped");
    let printed = thread::scope(|scope| {
        let complained = scope.spawn(|| echo(stderr));
        let printed = echo(stdout)?;
        let complained = complained.join().expect("bug: an echo does not panic")?;
        io::Result::Ok(printed + &complained)
    });
    let printed = printed.with_context(|| format!("cannot read `{}`", shown(command)))?;
    Ok((child.wait()?.success(), printed))
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed,
    /// It did not end in time, and was killed.
    Hung,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeed",
            Self::Failed => "fail",
            Self::Hung => "hang",
        })
    }
}

/// Runs `command` unseen and returns how it ended and all that it printed; after `bound` it is killed.
/// What it has started itself is not, and is waited for as long as it may print.
///
/// # Errors
///
/// It cannot be started.
pub(crate) fn listen(command: &mut Command, bound: Duration) -> Result<(End, String)> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().with_context(|| cannot_start(command))?;
    let stdout = child.stdout.take().expect("bug: stdout is piped");
    let stderr = child.stderr.take().expect("bug: stderr is piped");
    // Nothing is sent: the channel is closed when both readers are done.
    let (reading, is_read) = mpsc::channel::<Infallible>();
    let read = |mut stream: Box<dyn Read + Send>| {
        let reading = reading.clone();
        thread::spawn(move || {
            let _reading = reading;
            let mut printed = Vec::new();
            stream.read_to_end(&mut printed).map(|_| printed)
        })
    };
    let readers = [read(Box::new(stdout)), read(Box::new(stderr))];
    drop(reading);
    let is_hung = is_read.recv_timeout(bound) == Err(RecvTimeoutError::Timeout);
    if is_hung {
        child.kill()?;
    }
    let mut printed = Vec::new();
    for reader in readers {
        printed.extend(reader.join().expect("bug: a reader does not panic")?);
    }
    let end = match child.wait()?.success() {
        _ if is_hung => End::Hung,
        true => End::Succeeded,
        false => End::Failed,
    };
    Ok((end, String::from_utf8_lossy(&printed).into_owned()))
}

/// What `command` prints, without showing anything but its errors.
///
/// # Errors
///
/// It cannot be started, or it fails.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| cannot_start(command))?;
    judge(command, output.status)?;
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` prints no UTF-8", shown(command)))
}

/// Whether `command` can be started and succeeds; it is neither shown nor heard.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Line by line, so that the user need not wait for the end.
fn echo(stdout: impl Read) -> io::Result<String> {
    let mut printed = String::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        printed.push_str(&line);
        printed.push('\n');
    }
    Ok(printed)
}

fn judge(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", shown(command))
}

/// The command as it can be typed into a shell.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let settings = command.get_envs().filter_map(|(name, value)| {
        let (name, value) = (name.to_string_lossy(), value?.to_string_lossy());
        // A URL may hold a password.
        let value = if name.ends_with("_URL") { "...".to_owned() } else { quoted(&value) };
        Some(format!("{name}={value}"))
    });
    let words = [program].into_iter().chain(command.get_args());
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    settings.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_can_be_typed() {
        let mut command = program("/somewhere/cargo", &["doc", "--no-deps"]);
        command.env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(shown(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn no_url_is_shown() {
        let mut command = program("test", &[]);
        command.env("TESTKIT_URL", "postgres://me:secret@there:1/it");
        assert_eq!(shown(&command), "TESTKIT_URL=... test");
    }

    #[test]
    fn a_command_is_listened_to_until_it_ends() {
        let bound = Duration::from_mins(1);
        let mut command = program("sh", &["-c", "echo out; echo err >&2; exit 3"]);
        let heard = listen(&mut command, bound).expect("started");
        assert_eq!(heard, (End::Failed, "out\nerr\n".to_owned()));
        let heard = listen(&mut program("true", &[]), bound).expect("started");
        assert_eq!(heard, (End::Succeeded, String::new()));
    }

    #[test]
    fn a_command_that_does_not_end_in_time_is_killed() {
        let mut command = program("sh", &["-c", "echo begun; exec sleep 600"]);
        let (end, _) = listen(&mut command, Duration::from_millis(200)).expect("started");
        assert_eq!(end, End::Hung);
    }

    #[test]
    fn a_program_that_is_not_there_does_not_succeed() {
        assert!(!succeeds(&mut program("no-such-program-anywhere", &[])));
    }
}
