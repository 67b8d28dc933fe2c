//! The terminal of standard error: taken over for the live view, and given back whatever happens.
//!
//! The view has the alternate screen. It is drawn anew when the window changes, which a view among
//! the lines of the shell cannot be without asking the terminal where its cursor is, and the report
//! stands by itself afterwards. The terminal's modes stay as they are: no key is read, so that Ctrl-C
//! and Ctrl-Z are signals as always.

use std::io::{self, IsTerminal as _, Write, stderr};
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use ratatui_core::layout::Rect;
use ratatui_core::terminal::{Terminal, TerminalOptions, Viewport};
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::{Hide, Show};
use ratatui_crossterm::crossterm::queue;
use ratatui_crossterm::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen,
};

use super::state::LiveState;
use super::view::{self, LEAST};

/// Whether the view has the screen. Held while something is written to it, so that no frame comes
/// after the terminal was given back.
static IS_TAKEN: Mutex<bool> = Mutex::new(false);

/// How often, and with which pauses, a terminal is asked for that another thread writes to. One that
/// takes nothing any more (Ctrl-S) is left as it is.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Why there can be no live view.
///
/// # Errors
///
/// With the reason, for people.
pub(in crate::cli) fn check() -> Result<(), String> {
    if !stderr().is_terminal() {
        return Err("standard error is no terminal".to_owned());
    }
    if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") && cfg!(unix) {
        return Err("the terminal (TERM) cannot move its cursor".to_owned());
    }
    if !is_in_foreground() {
        return Err("the terminal belongs to another program".to_owned());
    }
    let (columns, rows) = size().map_err(|error| format!("the terminal has no size: {error}"))?;
    if columns < LEAST.0 || rows < LEAST.1 {
        let (least_columns, least_rows) = LEAST;
        return Err(format!(
            "the terminal has {columns} columns and {rows} lines; \
             the view needs {least_columns} and {least_rows}"
        ));
    }
    Ok(())
}

/// Whether colours are welcome: see <https://no-color.org>.
pub(super) fn is_coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether the terminal is ours to draw on: a program that was started with `&` shares it with the
/// shell.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    match rustix::termios::tcgetpgrp(stderr()) {
        Ok(group) => group == rustix::process::getpgrp(),
        // It is the terminal of no session, or of another one: nobody else draws on it.
        Err(_) => true,
    }
}

#[cfg(not(unix))]
fn is_in_foreground() -> bool {
    true
}

/// Columns and lines of the terminal that is written to, which need not be the one that the program
/// was started on.
#[cfg(unix)]
fn size() -> io::Result<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(stderr())?;
    Ok((size.ws_col, size.ws_row))
}

#[cfg(not(unix))]
fn size() -> io::Result<(u16, u16)> {
    ratatui_crossterm::crossterm::terminal::size()
}

/// The screen of the view.
pub(super) struct Screen {
    size: (u16, u16),
    terminal: Terminal<CrosstermBackend<Output>>,
}

impl Screen {
    /// Takes the screen. From here on a panic gives it back before it speaks.
    ///
    /// # Errors
    ///
    /// If nothing can be written, or the terminal has no size.
    pub(super) fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                give_back();
                previous(info);
            }));
        });
        let size = size()?;
        let mut sequences = Vec::new();
        queue!(sequences, EnterAlternateScreen, Clear(ClearType::All), Hide)?;
        let mut is_taken = lock();
        // Even half of it has to be undone.
        *is_taken = true;
        stderr().write_all(&sequences)?;
        Ok(Self { size, terminal: terminal(size)? })
    }

    /// Draws a state, in the size that the terminal has now.
    ///
    /// # Errors
    ///
    /// If nothing can be written, or the terminal has no size any more.
    pub(super) fn draw(&mut self, state: &LiveState, coloured: bool) -> io::Result<()> {
        let size = size()?;
        if size != self.size {
            self.size = size;
            self.terminal = terminal(size)?;
            queue!(self.terminal.backend_mut(), Clear(ClearType::All))?;
        }
        let drawn = self.terminal.draw(|frame| {
            let area = frame.area();
            view::draw(state, coloured, area, frame.buffer_mut());
        });
        drawn.map(|_| ())
    }
}

/// With an area that is fixed, lest it asks for the size of the terminal that the program was started
/// on.
fn terminal((columns, rows): (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Output>>> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
    let backend = CrosstermBackend::new(Output::default());
    Terminal::with_options(backend, TerminalOptions { viewport })
}

/// Gives the screen back, if the view has it. Waits for a frame that is being written, but not for
/// ever.
pub(super) fn give_back() {
    let Some(mut is_taken) = try_lock() else { return };
    if !std::mem::take(&mut *is_taken) {
        return;
    }
    let mut sequences = Vec::new();
    // Nobody is left to be told of a terminal that is gone.
    if queue!(sequences, Show, LeaveAlternateScreen).is_ok() {
        let _ = stderr().write_all(&sequences);
    }
}

/// Collects what is drawn, and writes it as one: what comes in parts flickers.
#[derive(Debug, Default)]
struct Output(Vec<u8>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let is_taken = lock();
        let written = if *is_taken { stderr().write_all(&self.0) } else { Ok(()) };
        self.0.clear();
        written
    }
}

fn lock() -> MutexGuard<'static, bool> {
    IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock() -> Option<MutexGuard<'static, bool>> {
    for _ in 0..ATTEMPTS {
        match IS_TAKEN.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
    }
    None
}
