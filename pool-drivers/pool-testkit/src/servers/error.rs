//! What can go wrong with a server, and how to mend it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::product::Product;

/// Why a server is not there, or does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server's programs are nowhere, and cannot be fetched.
    #[error("{product} cannot be had: {why}; {remedy}")]
    Missing {
        /// Which server.
        product: Product,
        /// Where it was looked for, and why it was not fetched.
        why: String,
        /// The one command that brings it.
        remedy: String,
    },
    /// A program that should fetch or prepare something failed.
    #[error("cannot {task}: `{program}` {end}{}", said(.output))]
    Program {
        /// What it was meant to do.
        task: String,
        /// The program, without its arguments.
        program: String,
        /// How it ended.
        end: String,
        /// The last of what it said.
        output: String,
    },
    /// The server ended instead of starting.
    #[error("{product} ended while it was started ({end}){}", said(.log))]
    Died {
        /// Which server.
        product: Product,
        /// How it ended.
        end: String,
        /// The last lines of its log.
        log: String,
    },
    /// The server runs and does not answer.
    #[error("{product} did not answer within {waited:?}{}", said(.log))]
    Unready {
        /// Which server.
        product: Product,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log, and what its client said.
        log: String,
    },
    /// The server refused a statement, in its own words.
    #[error("{product} refused a statement{}", said(.message))]
    Refused {
        /// Which server.
        product: Product,
        /// The server's words.
        message: String,
    },
    /// A fault was asked for that only a server of our own can have.
    #[error("{product} was given by its URL, so it is not ours to {task}; start one of your own")]
    NotOurs {
        /// Which server.
        product: Product,
        /// What was asked for.
        task: &'static str,
    },
    /// A URL, a name or an environment variable that cannot be used.
    #[error("{input} {problem}")]
    Input {
        /// Which input, without any secret.
        input: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The system refused something.
    #[error("cannot {task} {}", .path.display())]
    File {
        /// What was tried.
        task: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The system refused something that is no file.
    #[error("cannot {task}")]
    System {
        /// What was tried.
        task: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// What somebody said, on lines of its own, if it was anything.
pub(crate) fn said(words: &str) -> String {
    let words = words.trim();
    if words.is_empty() { String::new() } else { format!(":\n{words}") }
}

/// Says what was tried with which file when it fails.
pub(crate) trait Trying<T> {
    fn trying(self, task: &'static str, path: impl Into<PathBuf>) -> Result<T, ServerError>;
    fn trying_to(self, task: &'static str) -> Result<T, ServerError>;
}

impl<T> Trying<T> for io::Result<T> {
    fn trying(self, task: &'static str, path: impl Into<PathBuf>) -> Result<T, ServerError> {
        self.map_err(|source| ServerError::File { task, path: path.into(), source })
    }

    fn trying_to(self, task: &'static str) -> Result<T, ServerError> {
        self.map_err(|source| ServerError::System { task, source })
    }
}

/// The end of `text`, which is where a program says why it failed.
pub(crate) fn last_lines(text: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
