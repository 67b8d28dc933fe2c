//! The live progress on standard error: a bar on a terminal, else a line a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pool_health::HealthState;

use super::health::{HealthEvent, HealthWatch};
use super::say;
use crate::load::Progress;
use crate::words::{counted, shortened};

/// How much later than the last line the one at the end must be.
const WORTH_A_LINE: Duration = Duration::from_millis(100);

/// Shows progress.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
    lines: Lines,
}

impl ProgressLine {
    pub(crate) fn new(duration: Duration) -> Self {
        let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let style = ProgressStyle::with_template("{bar:24} {msg}").expect("bug: a constant");
        let bar = ProgressBar::new(length).with_style(style);
        Self { bar, lines: Lines::default() }
    }

    pub(crate) fn show(&mut self, progress: &Progress, health: &mut HealthWatch) {
        for event in events(progress, &health.news(progress)) {
            if self.bar.is_hidden() { say(&event) } else { self.bar.println(event) }
        }
        let state = health.state();
        if self.bar.is_hidden() {
            self.lines.next(progress, state).iter().for_each(|line| say(line));
            return;
        }
        let elapsed = u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX);
        self.bar.set_position(elapsed);
        self.bar.set_message(line(progress, progress.throughput, state));
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Which progress is worth a line where there is no terminal: that of each whole second, and that of
/// the end.
#[derive(Debug, Default)]
struct Lines {
    /// Time and operations of the last line.
    last: (Duration, u64),
}

impl Lines {
    fn next(&mut self, progress: &Progress, health: HealthState) -> Option<String> {
        let Progress { elapsed, operations, ended, .. } = *progress;
        let since = elapsed.saturating_sub(self.last.0);
        let due = elapsed.as_secs() > self.last.0.as_secs() || (ended && since >= WORTH_A_LINE);
        due.then(|| {
            let throughput = (operations - self.last.1) as f64 / since.as_secs_f64();
            self.last = (elapsed, operations);
            line(progress, throughput, health)
        })
    }
}

/// What has happened since the last time, each in a line.
fn events(progress: &Progress, health: &[HealthEvent]) -> Vec<String> {
    let timed = |at: f64, words: String| format!("{at:>5.1} s  {words}");
    let changes = progress.changes.iter().map(|it| timed(it.at_seconds, it.to_string()));
    let health = health.iter().map(|it| shortened(&timed(it.at_seconds, it.to_string())));
    changes.chain(health).collect()
}

/// Says nothing of the health of a pool that is well.
fn line(progress: &Progress, throughput: f64, health: HealthState) -> String {
    let Progress { elapsed, errors, ref pool, .. } = *progress;
    let health = match health {
        HealthState::Healthy => String::new(),
        HealthState::Unknown => "  health unknown".to_owned(),
        state => format!("  {state}"),
    };
    format!(
        "{:>5.1} s  {throughput:>8.0}/s  {} in use  {} idle  {} waiting  {}{health}",
        elapsed.as_secs_f64(),
        pool.in_use,
        pool.idle,
        pool.waiting,
        counted(errors, "error"),
    )
}

#[cfg(test)]
mod tests {
    use pool_core::{Pool, PoolConfig};
    use pool_sqlite::{SqliteDriver, SqliteOptions};

    use super::*;

    #[test]
    fn a_line_is_due_each_second_and_at_the_end_and_tells_the_rate_since_the_last_one() {
        let driver = SqliteDriver::new(SqliteOptions::shared_memory("progress"));
        let pool = Pool::new(driver, PoolConfig::default()).expect("valid").stats();
        let mut lines = Lines::default();
        let told =
            [(0, 0), (400, 900), (1_001, 1_001), (1_800, 1_500), (2_000, 1_999), (2_050, 2_000)];
        let printed = told.map(|(millis, operations)| {
            let progress = Progress {
                elapsed: Duration::from_millis(millis),
                warm_up_left: None,
                operations,
                errors: 0,
                dropped: 0,
                throughput: 0.0,
                ended: millis == 2_050,
                changes: Vec::new(),
                points: Vec::new(),
                pool: pool.clone(),
                partial: None,
            };
            lines.next(&progress, HealthState::Healthy).map(|line| line[..20].trim().to_owned())
        });
        let second = |line: &str| Some(line.to_owned());
        let (one, two) = (second("1.0 s      1000/s"), second("2.0 s       999/s"));
        assert_eq!(printed, [None, None, one, None, two, None], "the end is told already");
    }
}
