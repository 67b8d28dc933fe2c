//! The progress of a run on standard error: the live view on a terminal, else a line a second.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use clap::ValueEnum;
use pool_core::ControlHandle;
use pool_health::HealthState;

use super::health::{HealthEvent, HealthWatch};
use super::incidents::Incidents;
use super::live::{self, LiveView};
use super::say;
use crate::load::Progress;
use crate::words::{counted, grouped, shortened};

/// How much later than the last line the one at the end must be.
const WORTH_A_LINE: Duration = Duration::from_millis(100);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// The live view on a terminal, else lines.
    Auto,
    /// The live view; lines where there can be none, with the reason.
    Live,
    /// A line a second, and one for each event.
    Lines,
    /// Nothing.
    Off,
}

/// Shows progress.
#[derive(Debug)]
pub(crate) struct ProgressDisplay {
    shown: Shown,
    incidents: Incidents,
    /// What the run itself has to tell.
    noted: Vec<String>,
}

#[derive(Debug)]
enum Shown {
    View(LiveView),
    Lines(Lines),
    Nothing,
}

impl ProgressDisplay {
    /// Begins to show the progress of a load on `pool`. Needs a tokio runtime around it.
    pub(crate) fn start(form: ProgressForm, duration: Duration, pool: &ControlHandle) -> Self {
        let (shown, incidents) = (Shown::start(form, duration), Incidents::watch(pool));
        Self { shown, incidents, noted: Vec::new() }
    }

    /// Takes events to show next time, each with when it was in seconds since the load began.
    pub(crate) fn note(&mut self, events: impl IntoIterator<Item = (f64, String)>) {
        self.noted.extend(events.into_iter().map(|(at, words)| timed(at, &words)));
    }

    pub(crate) fn show(&mut self, progress: &Progress, health: &mut HealthWatch) {
        let health_news = health.news(progress);
        let mut events = events(progress, &health_news);
        events.append(&mut self.noted);
        let at = progress.elapsed.as_secs_f64();
        events.extend(self.incidents.news().into_iter().map(|words| timed(at, &words)));
        match &mut self.shown {
            Shown::View(view) => view.show(progress, health.state(), events),
            Shown::Lines(lines) => {
                let line = lines.next(progress, health.state());
                events.iter().chain(&line).for_each(|line| say(line));
            }
            Shown::Nothing => {}
        }
    }

    /// Ends it. What was said to whoever watched is said again, where it stays.
    pub(crate) fn end(self) {
        if let Shown::View(view) = self.shown {
            view.close().iter().for_each(|line| say(line));
        }
    }
}

impl Shown {
    fn start(form: ProgressForm, duration: Duration) -> Self {
        let lines = || Self::Lines(Lines::default());
        let is_wanted = match form {
            ProgressForm::Off => return Self::Nothing,
            ProgressForm::Lines => return lines(),
            ProgressForm::Auto => stderr().is_terminal(),
            ProgressForm::Live => true,
        };
        if !is_wanted {
            return lines();
        }
        let started = live::check()
            .and_then(|()| LiveView::start(duration).map_err(|error| format!("{error:#}")));
        match started {
            Ok(view) => Self::View(view),
            Err(why) => {
                if form == ProgressForm::Live {
                    say(&format!("progress is shown as lines: {why}"));
                }
                lines()
            }
        }
    }
}

/// Which progress is worth a line where there is no terminal: that of each whole second, also of the
/// warm-up, and that of the end.
#[derive(Debug, Default)]
struct Lines {
    /// Seconds of the warm-up that were left in the last line.
    warm_up_left: Option<u64>,
    /// Time and operations of the last line.
    last: (Duration, u64),
}

impl Lines {
    fn next(&mut self, progress: &Progress, health: HealthState) -> Option<String> {
        let Progress { elapsed, operations, ended, warm_up_left, .. } = *progress;
        if let Some(left) = warm_up_left {
            let left = left.as_secs_f64().ceil() as u64;
            let is_new = self.warm_up_left.replace(left) != Some(left);
            return is_new.then(|| format!("warming up, {left} s left"));
        }
        let since = elapsed.saturating_sub(self.last.0);
        let due = elapsed.as_secs() > self.last.0.as_secs() || (ended && since >= WORTH_A_LINE);
        due.then(|| {
            let throughput = operations.saturating_sub(self.last.1) as f64 / since.as_secs_f64();
            self.last = (elapsed, operations);
            line(progress, throughput, health)
        })
    }
}

/// What has happened since the last time, each in a line.
fn events(progress: &Progress, health: &[HealthEvent]) -> Vec<String> {
    let changes = progress.changes.iter().map(|it| timed(it.at_seconds, &it.to_string()));
    let health = health.iter().map(|it| shortened(&timed(it.at_seconds, &it.to_string())));
    changes.chain(health).collect()
}

fn timed(at: f64, words: &str) -> String {
    format!("{at:>5.1} s  {words}")
}

/// Says nothing of the health of a pool that is well.
fn line(progress: &Progress, throughput: f64, health: HealthState) -> String {
    let Progress { elapsed, errors, dropped, ref pool, .. } = *progress;
    let health = match health {
        HealthState::Healthy => String::new(),
        HealthState::Unknown => "  health unknown".to_owned(),
        state => format!("  {state}"),
    };
    let dropped = match dropped {
        0 => String::new(),
        dropped => format!("  {} dropped", grouped(dropped)),
    };
    format!(
        "{:>5.1} s  {:>8}/s  {} in use  {} idle  {} waiting  {}{dropped}{health}",
        elapsed.as_secs_f64(),
        grouped(throughput.round() as u64),
        pool.in_use,
        pool.idle,
        pool.waiting,
        counted(errors, "error"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::live::tests::progress;
    use super::*;

    #[test]
    fn a_line_is_due_each_second_and_at_the_end_and_tells_the_rate_since_the_last_one() {
        let mut lines = Lines::default();
        let told =
            [(0, 0), (400, 900), (1_001, 1_001), (1_800, 1_500), (2_000, 1_999), (2_050, 2_000)];
        let printed = told.map(|(millis, operations)| {
            let ended = millis == 2_050;
            let progress = Progress { ended, ..progress(millis, operations) };
            lines.next(&progress, HealthState::Healthy).map(|line| line[..20].trim().to_owned())
        });
        let second = |line: &str| Some(line.to_owned());
        let (one, two) = (second("1.0 s     1 000/s"), second("2.0 s       999/s"));
        assert_eq!(printed, [None, None, one, None, two, None], "the end is told already");
    }

    #[test]
    fn a_warm_up_has_a_line_for_each_second_that_is_left() {
        let mut lines = Lines::default();
        let printed = [2_000, 1_800, 1_000, 900].map(|left| {
            let warm_up_left = Some(Duration::from_millis(left));
            lines.next(&Progress { warm_up_left, ..progress(0, 0) }, HealthState::Healthy)
        });
        let line = |left: u64| Some(format!("warming up, {left} s left"));
        assert_eq!(printed, [line(2), None, line(1), None]);
        let first = lines.next(&progress(1_000, 10), HealthState::Healthy).expect("a line");
        assert!(first.starts_with("  1.0 s"), "{first}");
    }

    #[test]
    fn a_line_tells_of_arrivals_that_were_dropped() {
        let told =
            |dropped| line(&Progress { dropped, ..progress(1_000, 1) }, 1.0, HealthState::Healthy);
        assert!(!told(0).contains("dropped"), "{}", told(0));
        assert!(told(1_200).ends_with("0 errors  1 200 dropped"), "{}", told(1_200));
    }
}
