//! The live view on a real pseudo-terminal: what it shows, and that the terminal is given back.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use pool_sqlite::rusqlite::Connection;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Action, LocalModes, Winsize, tcflow, tcgetattr, tcsetwinsize};
use tempfile::TempDir;

use crate::program::{finished, json, program};

/// How long something may take to be seen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal, as far as the view uses one.
struct Screen {
    cells: Vec<Vec<char>>,
    /// Where the next sign goes: line and column.
    cursor: (usize, usize),
    is_alternate: bool,
    is_cursor_shown: bool,
    is_coloured: bool,
    /// What was written beside the alternate screen.
    outside: String,
    /// A sequence that is not complete.
    rest: String,
}

impl Screen {
    fn new(columns: u16, lines: u16) -> Self {
        let (columns, lines) = (usize::from(columns), usize::from(lines));
        Self {
            cells: vec![vec![' '; columns]; lines],
            cursor: (0, 0),
            is_alternate: false,
            is_cursor_shown: true,
            is_coloured: false,
            outside: String::new(),
            rest: String::new(),
        }
    }

    fn take(&mut self, text: &str) {
        let text = std::mem::take(&mut self.rest) + text;
        let mut signs = text.char_indices();
        while let Some((start, sign)) = signs.next() {
            if sign != '\x1b' {
                self.put(sign);
                continue;
            }
            let end = text[start..].char_indices().skip(2).find(|(_, it)| it.is_ascii_alphabetic());
            let Some((length, last)) = end else {
                text[start..].clone_into(&mut self.rest);
                return;
            };
            self.obey(&text[start + 2..start + length], last);
            signs.by_ref().take(length).for_each(drop);
        }
    }

    fn put(&mut self, sign: char) {
        if !self.is_alternate {
            self.outside.push(sign);
            return;
        }
        let (line, column) = self.cursor;
        if let Some(cell) = self.cells.get_mut(line).and_then(|line| line.get_mut(column)) {
            *cell = sign;
        }
        self.cursor.1 += 1;
    }

    fn obey(&mut self, parameters: &str, last: char) {
        match (parameters, last) {
            ("?1049", 'h' | 'l') => self.is_alternate = last == 'h',
            ("?25", 'h' | 'l') => self.is_cursor_shown = last == 'h',
            ("2", 'J') => self.cells.iter_mut().for_each(|line| line.fill(' ')),
            (place, 'H') => {
                let (line, column) = place.split_once(';').expect("a line and a column");
                let number = |text: &str| text.parse::<usize>().expect("a number") - 1;
                self.cursor = (number(line), number(column));
            }
            (style, 'm') => self.is_coloured |= style.starts_with("38;5;"),
            other => panic!("unknown: {other:?}"),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.cells.iter().map(|line| line.iter().collect::<String>().trim_end().into()).collect()
    }
}

/// A program whose standard error is a terminal.
struct OnTerminal {
    child: Child,
    ours: File,
    theirs: OwnedFd,
    written: Receiver<String>,
    screen: Screen,
}

impl OnTerminal {
    fn start(arguments: &[&str], set: impl FnOnce(&mut Command, &OwnedFd)) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("opened");
        grantpt(&ours).expect("granted");
        unlockpt(&ours).expect("unlocked");
        let path = ptsname(&ours, Vec::new()).expect("named");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let theirs = rustix::fs::open(path, flags, Mode::empty()).expect("opened");
        let ours = File::from(ours);
        resize(&ours, 80, 24);
        let mut command = program(arguments);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR").stdout(Stdio::piped());
        command.stderr(theirs.try_clone().expect("cloned"));
        set(&mut command, &theirs);
        let child = command.spawn().expect("starts");
        let (writer, written) = mpsc::channel();
        let mut reader = ours.try_clone().expect("cloned");
        thread::spawn(move || {
            let (mut bytes, mut whole) = ([0; 4096], Vec::new());
            // Its other end is ours to close, so that nothing is lost.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                whole.extend_from_slice(&bytes[..count]);
                let valid = match std::str::from_utf8(&whole) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<_> = whole.drain(..valid).collect();
                if writer.send(String::from_utf8(text).expect("checked")).is_err() {
                    return;
                }
            }
        });
        Self { child, ours, theirs, written, screen: Screen::new(80, 24) }
    }

    /// Waits until the screen is as `is_so` says.
    #[track_caller]
    fn wait_until(&mut self, what: &str, is_so: impl Fn(&Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.screen) {
            let left = until.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(text) => self.screen.take(&text),
                Err(error) => {
                    let Screen { outside, .. } = &self.screen;
                    panic!("{what}: {error}; {:#?}, outside {outside:?}", self.screen.lines());
                }
            }
        }
    }

    #[track_caller]
    fn wait_for(&mut self, words: &str) {
        self.wait_until(words, |screen| screen.lines().iter().any(|line| line.contains(words)));
    }

    fn signal(&self, signal: &str) {
        let kill = ["-c", "kill \"$0\" \"$1\"", signal, &self.child.id().to_string()];
        assert!(Command::new("sh").args(kill).status().expect("sent").success());
    }

    /// Waits for the end: exit code, standard output, and the screen as it was left.
    fn end(self) -> (i32, String, Screen) {
        let Self { child, ours, theirs, written, mut screen } = self;
        let (code, stdout, _) = finished(child.wait_with_output().expect("ends"));
        // Nobody has the other end any more: the reader comes to an end.
        drop((ours, theirs));
        for text in written {
            screen.take(&text);
        }
        (code, stdout, screen)
    }
}

fn resize(terminal: &File, columns: u16, lines: u16) {
    let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("set");
}

const LONG: [&str; 5] = ["run", "--duration", "5m", "--output", "json"];

#[test]
fn a_terminal_shows_the_figures_and_is_given_back_after_a_signal() {
    let mut running = OnTerminal::start(&LONG, |_, _| {});
    for words in ["/s", "in use", "0 errors", "p99", "healthy", "Ctrl-C ends the run"] {
        running.wait_for(words);
    }
    // Once there was a second to take them from.
    running.wait_until("percentiles", |screen| {
        screen.lines().iter().any(|line| line.contains("p99 ") && !line.contains("p99 -"))
    });
    let screen = &running.screen;
    assert!(screen.is_alternate && !screen.is_cursor_shown && screen.is_coloured);
    let modes = tcgetattr(&running.theirs).expect("read").local_modes;
    assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
    running.signal("-INT");
    let (code, stdout, screen) = running.end();
    assert_eq!((code, &json(&stdout)["outcome"]), (130, &"interrupted".into()));
    assert!(!screen.is_alternate && screen.is_cursor_shown);
    let said = "stopping; a second signal ends the program at once";
    let is_told = screen.outside.lines().any(|line| line == said);
    assert!(is_told, "what was said stays: {}", screen.outside);
}

#[test]
fn the_terminal_is_given_back_at_the_end_and_when_a_run_fails() {
    let short = ["run", "--duration", "600ms", "--output", "json"];
    let (code, stdout, screen) = OnTerminal::start(&short, |_, _| {}).end();
    assert_eq!((code, &json(&stdout)["outcome"]), (0, &"completed".into()));
    assert!(!screen.is_alternate && screen.is_cursor_shown);
    assert_eq!(screen.outside, "");
    let unreachable = ["run", "--url", "sqlite:/nowhere/at/all.db"];
    let (code, _, screen) = OnTerminal::start(&unreachable, |_, _| {}).end();
    assert_eq!(code, 1);
    assert!(!screen.is_alternate && screen.outside.starts_with("error: "), "{}", screen.outside);
}

#[test]
fn what_happened_under_the_view_is_told_again_where_it_stays() {
    let leak = ["run", "--scenario", "leak", "--duration", "3s", "--output", "json"];
    let changed = ["--at", "100ms", "max_idle=3"];
    let (code, _, screen) = OnTerminal::start(&[&leak[..], &changed].concat(), |_, _| {}).end();
    assert_eq!((code, screen.is_alternate), (0, false), "{}", screen.outside);
    for words in ["max_idle unlimited -> 3", "a connection is held for 1.", "(leak_after), from "] {
        assert!(screen.outside.contains(words), "{words:?} not in {:?}", screen.outside);
    }
}

#[test]
fn a_second_signal_gives_the_terminal_back_at_once() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("held.db");
    let url = format!("sqlite:{}", path.display());
    let mut running = OnTerminal::start(&["run", "--duration", "5m", "--url", &url], |_, _| {});
    running.wait_for("0 errors");
    // From here on every transfer waits, and so does the end of the run.
    let holder = Connection::open(&path).expect("opened");
    holder.busy_timeout(Duration::from_mins(1)).expect("set");
    holder.execute_batch("begin immediate").expect("locked");
    running.signal("-INT");
    running.wait_for("a second signal");
    running.signal("-INT");
    let (code, stdout, screen) = running.end();
    assert_eq!((code, stdout.as_str()), (130, ""));
    assert!(!screen.is_alternate && screen.is_cursor_shown);
    drop(holder);
}

#[test]
fn the_view_follows_the_size_of_its_terminal() {
    let mut running = OnTerminal::start(&LONG, |_, _| {});
    running.wait_until("24 lines", |it| it.lines()[23] == "Ctrl-C ends the run");
    resize(&running.ours, 60, 14);
    running.wait_until("14 lines", |it| it.lines()[13] == "Ctrl-C ends the run");
    assert_eq!(running.screen.lines()[23], "", "nothing of the larger one is left");
    resize(&running.ours, 30, 4);
    running.wait_until("4 lines", |it| it.lines()[2] == "Ctrl-C ends the run");
    running.signal("-TERM");
    assert_eq!(running.end().0, 130);
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_is_stopped_lends_the_terminal_to_the_shell() {
    let mut running = OnTerminal::start(&LONG, |_, _| {});
    running.wait_for("in use");
    running.signal("-TSTP");
    running.wait_until("given back", |screen| !screen.is_alternate && screen.is_cursor_shown);
    let status = format!("/proc/{}/stat", running.child.id());
    let until = Instant::now() + PATIENCE;
    while !fs::read_to_string(&status).expect("read").contains(") T ") {
        assert!(Instant::now() < until, "it was not stopped");
        thread::yield_now();
    }
    running.signal("-CONT");
    running.wait_until("taken again", |screen| screen.is_alternate && !screen.is_cursor_shown);
    running.signal("-INT");
    let (code, _, screen) = running.end();
    assert_eq!((code, screen.is_alternate), (130, false));
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_no_load() {
    let arguments = ["run", "--duration", "1s", "--output", "json"];
    let running = OnTerminal::start(&arguments, |_, terminal| {
        tcflow(terminal, Action::OOff).expect("stopped");
    });
    let started = Instant::now();
    let OnTerminal { child, theirs, .. } = running;
    let (code, stdout, _) = finished(child.wait_with_output().expect("ends"));
    assert_eq!(code, 0);
    assert!(json(&stdout)["operations"].as_u64().is_some_and(|count| count > 0));
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    drop(theirs);
}

#[test]
fn no_colour_is_used_where_none_is_wanted() {
    let mut running = OnTerminal::start(&LONG, |command, _| {
        command.env("NO_COLOR", "1");
    });
    running.wait_for("in use");
    running.signal("-INT");
    let (code, _, screen) = running.end();
    assert_eq!((code, screen.is_coloured), (130, false));
}

#[test]
fn lines_are_printed_where_no_view_can_be_or_none_is_wanted() {
    let run = ["run", "--duration", "1200ms", "--output", "json"];
    for (progress, term, lines) in
        [("auto", "dumb", 1), ("lines", "xterm", 1), ("live", "dumb", 2), ("off", "xterm", 0)]
    {
        let arguments = [&run[..], &["--progress", progress]].concat();
        let set = |command: &mut Command, _: &OwnedFd| {
            command.env("TERM", term);
        };
        let (code, _, screen) = OnTerminal::start(&arguments, set).end();
        let outside = &screen.outside;
        assert_eq!(code, 0, "{progress}: {outside}");
        let count = outside.lines().count();
        // One of a second, and perhaps one of the end.
        let expected = lines..=if lines == 0 { 0 } else { lines + 1 };
        assert!(expected.contains(&count), "{progress} on {term}: {outside}");
        assert_eq!(outside.contains("/s "), lines > 0, "{progress}: {outside}");
        let says_why = outside.starts_with("progress is shown as lines: the terminal (TERM)");
        assert_eq!(says_why, progress == "live", "{outside}");
    }
}
