//! The live progress on standard error: a bar on a terminal, else a line a second.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::say;
use crate::tester::Progress;

/// Where there is no terminal, a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
    /// When the next line is due, without a terminal.
    next_line: Cell<Duration>,
}

impl ProgressLine {
    pub(crate) fn new(duration: Duration) -> Self {
        let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let style = ProgressStyle::with_template("{bar:24} {msg}").expect("bug: a constant");
        Self { bar: ProgressBar::new(length).with_style(style), next_line: Cell::new(LINE_EVERY) }
    }

    pub(crate) fn show(&self, progress: &Progress) {
        let Progress { elapsed, errors, throughput, ref pool, .. } = *progress;
        let message = format!(
            "{:>5.1} s  {throughput:>8.0}/s  {} in use  {} idle  {} waiting  {errors} errors",
            elapsed.as_secs_f64(),
            pool.in_use,
            pool.idle,
            pool.waiting,
        );
        if !self.bar.is_hidden() {
            self.bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            self.bar.set_message(message);
        } else if elapsed >= self.next_line.get() {
            self.next_line.set(elapsed + LINE_EVERY);
            say(&message);
        }
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
