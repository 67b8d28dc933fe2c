//! The files that the program takes its settings from: each is read once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::program::{finished, program};

/// A named pipe.
pub(crate) fn pipe(directory: &Path) -> PathBuf {
    let path = directory.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().expect("starts").success());
    path
}

/// The path of a file that says `first` to whoever opens it first, and `then` to everybody else.
fn replaced_while_read(directory: &Path, first: &'static str, then: &str) -> PathBuf {
    let (path, next) = (pipe(directory), directory.join("next"));
    fs::write(&next, then).expect("written");
    let opened = path.clone();
    // Not joined: a program that ends before it has opened the pipe leaves it waiting.
    thread::spawn(move || {
        let mut pipe = File::options().write(true).open(&opened).expect("opened by both");
        // Its reader still waits for the first byte.
        fs::rename(&next, &opened).expect("replaced");
        pipe.write_all(first.as_bytes()).expect("written");
    });
    path
}

/// Runs and explains with such a file, which `name_it` names: `max_open` is three as at `first`.
#[track_caller]
fn expect_first(first: &'static str, then: &str, name_it: impl Fn(&mut Command, &Path)) {
    let run = ["run", "--duration", "200ms", "--output", "json"];
    let explain = ["config", "explain"];
    for (arguments, expected) in
        [(&run[..], "\"max_open\": 3,"), (&explain, "max_open           3 ")]
    {
        let directory = TempDir::new().expect("a directory");
        let mut command = program(arguments);
        name_it(&mut command, &replaced_while_read(directory.path(), first, then));
        let (code, stdout, stderr) = finished(command.output().expect("starts"));
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
        assert!(stdout.contains(expected), "{arguments:?}: {stdout}");
    }
}

#[test]
fn a_file_of_settings_that_is_replaced_while_it_is_read_is_not_read_again() {
    expect_first("[pool]\nmax_open = 3\n", "[pool]\nmax_open = 0\n", |command, path| {
        command.arg("--file").arg(path);
    });
}

#[test]
fn the_file_of_a_url_that_is_replaced_while_it_is_read_is_not_read_again() {
    let then = "postgres://app@127.0.0.1:1/x";
    expect_first("sqlite:x?mode=memory&pool_max_open=3", then, |command, path| {
        command.env("POOL_URL_FILE", path);
    });
}
