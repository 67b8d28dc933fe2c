//! How many tests passed and failed, by what a test runner printed at its end.

/// Tests of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

/// What nextest or `cargo test` counted; nothing if neither came to its end.
pub(super) fn count(printed: &str) -> Option<Count> {
    // Nextest shows what a failed test printed, and that ends as `cargo test` does.
    let summary = printed.lines().rev().find_map(summary);
    summary.or_else(|| printed.lines().filter_map(result).reduce(plus))
}

/// `Summary [   5.075s] 16 tests run: 15 passed (1 slow), 1 failed, 19 skipped`
fn summary(line: &str) -> Option<Count> {
    let (_, counts) = line.trim().strip_prefix("Summary [")?.split_once(" run: ")?;
    Some(counted(counts))
}

/// `test result: ok. 12 passed; 0 failed; 3 filtered out; finished in 0.1s`
fn result(line: &str) -> Option<Count> {
    let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    Some(counted(counts))
}

fn counted(counts: &str) -> Count {
    const FAILURES: [&str; 3] = ["failed", "timed out", "exec failed"];
    let parts = counts.split([',', ';']).filter_map(|part| part.trim().split_once(' '));
    parts.fold(Count::default(), |count, (number, word)| {
        let number = number.parse().unwrap_or(0);
        if word.starts_with("passed") {
            Count { passed: count.passed + number, ..count }
        } else if FAILURES.iter().any(|failure| word.starts_with(failure)) {
            Count { failed: count.failed + number, ..count }
        } else {
            count
        }
    })
}

fn plus(one: Count, other: Count) -> Count {
    Count { passed: one.passed + other.passed, failed: one.failed + other.failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(passed: usize, failed: usize) -> Count {
        Count { passed, failed }
    }

    #[test]
    fn nextest_counts_in_its_summary() {
        let printed = "test result: FAILED. 0 passed; 1 failed; 0 ignored\n     Summary [   5.075s] 16 tests run: \
                       13 passed (2 slow, 1 flaky), 2 failed, 1 timed out, 19 skipped\n";
        assert_eq!(count(printed), Some(of(13, 3)));
        assert_eq!(count("Summary [ 0.1s] 2/3 tests run: 2 passed, 0 skipped\n"), Some(of(2, 0)));
    }

    #[test]
    fn cargo_test_counts_at_the_end_of_each_binary() {
        let printed = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n\
                       test result: FAILED. 3 passed; 1 failed; 0 ignored; 5 filtered out\n";
        assert_eq!(count(printed), Some(of(5, 1)));
    }

    #[test]
    fn what_never_came_to_its_end_is_not_counted() {
        assert_eq!(count("error: could not compile `a`\n"), None);
    }
}
