//! What a workload has written, as the load knows it.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::words::signed;
use crate::workload::Checked;

/// Counts writes here, to be compared with the database's own count.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Asked for.
    begun: AtomicI64,
    /// The database has said that they are done.
    done: AtomicI64,
}

impl Ledger {
    /// Does one. If it fails or is dropped, nobody knows its outcome.
    pub(super) async fn write<T, E>(
        &self,
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let written = write.await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(written)
    }

    /// Judges a database that counts so many of `what`, and is right otherwise: `state` says how.
    pub(super) fn judge(&self, state: &str, counted: i64, what: &str) -> Checked {
        let (begun, done) = (self.begun.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed));
        let shown = signed(done);
        let reported = match begun - done {
            0 => format!("{shown} were reported as done"),
            unknown => format!(
                "{shown} were reported as done and {} failed or were dropped, with an outcome \
                 nobody knows",
                signed(unknown)
            ),
        };
        let words =
            format!("{state}; the database counts {} {what}, and {reported}", signed(counted));
        if (done..=begun).contains(&counted) {
            Checked::Held(words)
        } else {
            Checked::Broken(words)
        }
    }

    #[cfg(test)]
    pub(super) fn done(&self) -> i64 {
        self.done.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_of_unknown_outcome_may_have_been_done_or_not() {
        let ledger = Ledger::default();
        ledger.write(async { Ok::<_, ()>(()) }).await.expect("done");
        ledger.write(async { Err::<(), _>("lost") }).await.expect_err("failed");
        for counted in [1, 2] {
            let checked = ledger.judge("as it was", counted, "writes");
            let Checked::Held(words) = checked else { panic!("{counted}: {checked:?}") };
            assert!(words.contains("and 1 failed or were dropped"), "{words}");
        }
        for counted in [0, 3] {
            let checked = ledger.judge("as it was", counted, "writes");
            assert!(matches!(checked, Checked::Broken(_)), "{counted}: {checked:?}");
        }
    }
}
