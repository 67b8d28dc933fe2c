//! How many tests passed and failed, by what a test runner printed at its end.

/// Tests of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

/// What nextest or `cargo test` counted; nothing if neither came to its end.
pub(super) fn count(printed: &str) -> Option<Count> {
    let closing = printed.lines().filter_map(closing);
    closing.reduce(|one, other| Count {
        passed: one.passed + other.passed,
        failed: one.failed + other.failed,
    })
}

fn closing(line: &str) -> Option<Count> {
    let line = line.trim();
    let counts = if let Some(summary) = line.strip_prefix("Summary [") {
        summary.split_once(" run: ")?.1
    } else {
        line.strip_prefix("test result: ")?.split_once(". ")?.1
    };
    // `12 passed (1 slow)`, `1 timed out`, `3 filtered out`, `finished in 0.1s`
    let parts = counts.split([',', ';']).filter_map(|part| part.trim().split_once(' '));
    Some(parts.fold(Count::default(), |count, (number, word)| {
        let number = number.parse().unwrap_or(0);
        let begins = |words: [&str; 3]| words.iter().any(|begin| word.starts_with(begin));
        if word.starts_with("passed") {
            Count { passed: count.passed + number, ..count }
        } else if begins(["failed", "timed out", "exec failed"]) {
            Count { failed: count.failed + number, ..count }
        } else {
            count
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(passed: usize, failed: usize) -> Count {
        Count { passed, failed }
    }

    #[test]
    fn nextest_counts_in_its_summary() {
        let printed = "        PASS [   0.012s] a b\n     Summary [   5.075s] 16 tests run: \
                       13 passed (2 slow, 1 flaky), 2 failed, 1 timed out, 19 skipped\n";
        assert_eq!(count(printed), Some(counted(13, 3)));
        assert_eq!(
            count("Summary [ 0.1s] 2/3 tests run: 2 passed, 0 skipped\n"),
            Some(counted(2, 0))
        );
    }

    #[test]
    fn cargo_test_counts_at_the_end_of_each_binary() {
        let printed = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n\
                       test result: FAILED. 3 passed; 1 failed; 0 ignored; 5 filtered out\n";
        assert_eq!(count(printed), Some(counted(5, 1)));
    }

    #[test]
    fn what_never_came_to_its_end_is_not_counted() {
        assert_eq!(count("error: could not compile `a`\n"), None);
    }
}
