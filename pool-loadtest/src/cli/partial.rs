//! What is left of a run that dies half-way: while it goes on, a report of what there is so far is kept
//! beside the file that its report is to go to, and removed once that is there.

use std::any::Any;
use std::ffi::OsString;
use std::fs;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::output::replace;
use super::say;
use crate::report::Report;

/// How often it is written.
const EVERY: Duration = Duration::from_secs(2);
/// What is added to the name of the file.
const EXTENSION: &str = ".partial";

/// The report of a run that goes on, in a file.
#[derive(Debug)]
pub(super) struct Partial {
    path: Option<PathBuf>,
    /// What was written last.
    last: Option<Report>,
    /// Whether it was said that it cannot be written.
    is_said: bool,
}

impl Partial {
    /// Beside the file that a report is to go to, if it is to go to one.
    pub(super) fn beside(file: Option<&Path>) -> Self {
        let path = file.map(|file| {
            let mut path = OsString::from(file);
            path.push(EXTENSION);
            path.into()
        });
        Self { path, last: None, is_said: false }
    }

    /// How often there is to be a report of what there is so far; `None` if nobody keeps it.
    pub(super) fn every(&self) -> Option<Duration> {
        self.path.as_ref().map(|_| EVERY)
    }

    /// Writes what there is so far. That it cannot be written is said once; the run goes on.
    pub(super) fn write(&mut self, report: Report) {
        let Some(path) = &self.path else { return };
        let json = serde_json::to_string_pretty(&report).map_err(Into::into);
        let written = json.and_then(|json| replace(path, &(json + "\n")));
        if let Err(error) = written
            && !self.is_said
        {
            self.is_said = true;
            say(&format!("warning: no partial report in {}: {error:#}", path.display()));
        }
        self.last = Some(report);
    }

    /// The run died. What there is stays, and says why.
    pub(super) fn died(&mut self, why: &str) {
        if let Some(mut report) = self.last.take() {
            report.warnings.push(format!("the run died: {why}"));
            self.write(report);
            let path = self.path.as_deref().unwrap_or(Path::new(""));
            say(&format!("what there was until then is in {}", path.display()));
        }
    }

    /// The report itself is where it is to be: removes this.
    pub(super) fn remove(self) {
        let Some(path) = self.path else { return };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                say(&format!("warning: {} could not be removed: {error}", path.display()));
            }
            _ => {}
        }
    }
}

/// What comes of `work`, or the words of the panic that ended it.
///
/// # Cancel safety
///
/// As that of `work`.
pub(super) async fn survived<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // It is not polled again after a panic.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(panic) => Poll::Ready(Err(words(&*panic))),
        }
    })
    .await
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::report::Outcome;
    use crate::samples::report;

    fn read(path: &Path) -> Report {
        let text = fs::read_to_string(path).expect("there");
        serde_json::from_str(&text).expect("a report")
    }

    #[tokio::test]
    async fn a_run_that_panics_leaves_what_there_was_and_why_it_died() {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("run.json");
        let mut partial = Partial::beside(Some(&file));
        let died = survived(async {
            partial.write(Report { outcome: Outcome::Running, ..report() });
            tokio::task::yield_now().await;
            assert_eq!(partial.every(), None, "it is kept");
        });
        let why = died.await.expect_err("a panic");
        partial.died(&why);
        let left = read(&directory.path().join("run.json.partial"));
        assert_eq!((left.outcome, left.operations), (Outcome::Running, report().operations));
        let [warning] = &left.warnings[..] else { panic!("{:?}", left.warnings) };
        assert!(warning.starts_with("the run died: panicked: "), "{warning}");
        assert!(warning.contains("it is kept"), "{warning}");
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn what_is_partial_goes_once_the_whole_is_there() {
        let directory = TempDir::new().expect("a directory");
        let mut partial = Partial::beside(Some(&directory.path().join("run.json")));
        partial.write(report());
        assert!(directory.path().join("run.json.partial").exists());
        partial.remove();
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 0);
        assert_eq!(survived(async { 7 }).await, Ok(7));
    }

    #[test]
    fn without_a_file_nothing_is_kept() {
        let mut partial = Partial::beside(None);
        assert_eq!(partial.every(), None);
        partial.write(report());
        partial.died("of boredom");
        assert_eq!(partial.last.map(|it| it.operations), None);
        Partial::beside(None).remove();
    }
}
