//! What is left of a run that dies half-way: while it goes on, a report of what there is so far is kept
//! beside the file that its report is to go to, and removed once that is there.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::output::replace;
use super::say;
use crate::report::{Outcome, Report};

/// How often it is written.
const EVERY: Duration = Duration::from_secs(2);
/// What is added to the name of the file.
const EXTENSION: &str = ".partial";

/// The report of a run that goes on, in a file. One that is dropped says that the run died.
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
        let Some(mut report) = self.last.take() else { return };
        report.outcome = Outcome::Died;
        report.warnings.push(format!("the run died: {why}"));
        self.write(report);
        self.last = None;
        let path = self.path.as_deref().unwrap_or(Path::new(""));
        say(&format!("what there was until then is in {}", path.display()));
    }

    /// The report itself is where it is to be: removes this.
    pub(super) fn remove(mut self) {
        self.last = None;
        let Some(path) = &self.path else { return };
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                say(&format!("warning: {} could not be removed: {error}", path.display()));
            }
            _ => {}
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.died("it ended before its report was written");
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::samples::report;

    fn read(path: &Path) -> Report {
        let text = fs::read_to_string(path).expect("there");
        serde_json::from_str(&text).expect("a report")
    }

    fn written(directory: &TempDir) -> (Partial, PathBuf) {
        let mut partial = Partial::beside(Some(&directory.path().join("run.json")));
        partial.write(Report { outcome: Outcome::Running, ..report() });
        (partial, directory.path().join("run.json.partial"))
    }

    #[test]
    fn a_run_that_died_leaves_what_there_was_and_why() {
        let directory = TempDir::new().expect("a directory");
        let (mut partial, path) = written(&directory);
        assert_eq!(read(&path).outcome, Outcome::Running);
        partial.died("the workload panicked: oh no");
        drop(partial);
        let left = read(&path);
        assert_eq!((left.outcome, left.operations), (Outcome::Died, report().operations));
        assert_eq!(left.warnings, ["the run died: the workload panicked: oh no"]);
    }

    #[test]
    fn a_run_that_ends_in_whatever_way_without_a_report_has_died() {
        let directory = TempDir::new().expect("a directory");
        let (partial, path) = written(&directory);
        drop(partial);
        let left = read(&path);
        assert_eq!(left.outcome, Outcome::Died);
        assert_eq!(left.warnings, ["the run died: it ended before its report was written"]);
    }

    #[test]
    fn what_is_partial_goes_once_the_whole_is_there() {
        let directory = TempDir::new().expect("a directory");
        let (partial, path) = written(&directory);
        assert!(path.exists());
        partial.remove();
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 0);
    }

    #[test]
    fn without_a_file_nothing_is_kept() {
        let mut partial = Partial::beside(None);
        assert_eq!(partial.every(), None);
        partial.write(report());
        partial.died("of boredom");
        assert!(partial.last.is_none());
        Partial::beside(None).remove();
    }
}
