//! What a test found that brought a fault upon a real server: a row of the table that `itest` prints.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

/// Names the file that [`FaultRow::tell`] adds its lines to.
pub const FAULTS_VARIABLE: &str = "TESTKIT_FAULTS";

/// What came of one fault on one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct FaultRow {
    /// What befell the server.
    pub fault: String,
    /// Which server.
    pub server: String,
    /// What `ready` said meanwhile.
    pub ready: String,
    /// How long after the fault its effect was noticed; `None` if there was nothing to notice.
    pub detected: Option<Duration>,
    /// How long after its end that was over.
    pub recovered: Option<Duration>,
    /// How many requests there were.
    pub requests: usize,
    /// How many of them were turned away with an error before anything was sent.
    pub failed: usize,
    /// How many were sent, and nobody said what became of them.
    pub in_doubt: usize,
    /// How many were acknowledged and are not there, or could have been served and were not.
    pub lost: usize,
}

impl FaultRow {
    /// Says it on standard output, and in the file that [`FAULTS_VARIABLE`] names.
    pub fn tell(&self) {
        println!("{self}");
        if let Some(path) = env::var_os(FAULTS_VARIABLE) {
            // At once, so that lines of several processes do not mix.
            let line = format!("{}\n", self.line());
            let file = File::options().create(true).append(true).open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the row is written");
        }
    }

    fn line(&self) -> String {
        let Self { fault, server, ready, detected, recovered, .. } = self;
        let Self { requests, failed, in_doubt, lost, .. } = self;
        let millis = |took: &Option<Duration>| {
            took.map_or_else(|| "-".to_owned(), |took| took.as_millis().to_string())
        };
        let [detected, recovered] = [detected, recovered].map(millis);
        format!(
            "{fault}\t{server}\t{ready}\t{detected}\t{recovered}\t{requests}\t{failed}\t{in_doubt}\t{lost}"
        )
    }

    /// A row from its line in the file.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.split('\t').collect();
        let [fault, server, ready, detected, recovered, requests, failed, in_doubt, lost] =
            cells[..]
        else {
            return None;
        };
        let [fault, server, ready] = [fault, server, ready].map(str::to_owned);
        Some(Self {
            fault,
            server,
            ready,
            detected: duration(detected)?,
            recovered: duration(recovered)?,
            requests: requests.parse().ok()?,
            failed: failed.parse().ok()?,
            in_doubt: in_doubt.parse().ok()?,
            lost: lost.parse().ok()?,
        })
    }
}

/// One line, as wide as the others.
impl fmt::Display for FaultRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, server, ready, detected, recovered, .. } = self;
        let Self { requests, failed, in_doubt, lost, .. } = self;
        let seconds = |took: &Option<Duration>| {
            took.map_or_else(|| "-".to_owned(), |took| format!("{:.2} s", took.as_secs_f64()))
        };
        let [detected, recovered] = [detected, recovered].map(seconds);
        write!(f, "{fault:<36}{server:<13}{ready:<13}{detected:>9}{recovered:>11}")?;
        write!(f, "{requests:>10}{failed:>8}{in_doubt:>10}{lost:>6}")
    }
}

impl FaultRow {
    /// What stands above the rows.
    #[must_use]
    pub fn heading() -> String {
        format!(
            "{:<36}{:<13}{:<13}{:>9}{:>11}{:>10}{:>8}{:>10}{:>6}",
            "fault",
            "server",
            "ready",
            "detected",
            "recovered",
            "requests",
            "failed",
            "in doubt",
            "lost"
        )
    }
}

#[expect(clippy::option_option, reason = "no duration, and none that can be read")]
fn duration(cell: &str) -> Option<Option<Duration>> {
    if cell == "-" { Some(None) } else { Some(Some(Duration::from_millis(cell.parse().ok()?))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_is_told() {
        let row = FaultRow {
            fault: "killed and started again".to_owned(),
            server: "postgres-15".to_owned(),
            ready: "falls".to_owned(),
            detected: Some(Duration::from_millis(1_234)),
            recovered: None,
            requests: 400,
            failed: 30,
            in_doubt: 2,
            lost: 0,
        };
        assert_eq!(FaultRow::read(&row.line()), Some(row.clone()));
        assert_eq!(FaultRow::read("a\tb"), None);
        let shown = row.to_string();
        assert_eq!(shown.len(), FaultRow::heading().len());
        assert!(shown.contains("1.23 s          -       400      30         2     0"), "{shown}");
    }
}
