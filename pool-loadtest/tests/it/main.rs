//! The load tester as a library on the scripted driver, and as a program on SQLite.

mod command_line;
mod files;
mod phases;
mod program;
#[cfg(unix)]
mod signals;
mod stalls;
mod tester;
