//! The house rules as code. Each problem names its file and line and how to mend it.
//!
//! Patterns are strings, and strings are no code, so this file passes its own rules.

use std::path::Path;

use super::tokens::{Token, lines_with, tokens};

const MOST_LINES: usize = 500;

/// A sequence of tokens that must not appear, and what to do instead.
struct Ban {
    pattern: &'static str,
    instead: &'static str,
}

const fn ban(pattern: &'static str, instead: &'static str) -> Ban {
    Ban { pattern, instead }
}

const NAME_WHAT_IT_DOES: &str = "name the module after what it does";
const EXPECT: &str = "write #[expect(lint, reason = \"...\")], which speaks up once it is stale";
const RUN_OR_DELETE: &str = "a test that does not run proves nothing: mend or delete it";
const FINISH: &str = "finish it, or return an error that says what is missing";
const STATE_TAKES_NOW: &str =
    "clock, sleep and spawn belong in pool-core/src/runtime/; take `now` as an argument";

/// What no file may hold.
const BANNED: [Ban; 13] = [
    ban("mod utils", NAME_WHAT_IT_DOES),
    ban("mod helpers", NAME_WHAT_IT_DOES),
    ban("mod common", NAME_WHAT_IT_DOES),
    ban("mod misc", NAME_WHAT_IT_DOES),
    ban("mod types", NAME_WHAT_IT_DOES),
    ban("#[ignore", RUN_OR_DELETE),
    // As the last words of a `cfg_attr`.
    ban(", ignore)]", RUN_OR_DELETE),
    ban("#[allow(", EXPECT),
    ban("#![allow(", EXPECT),
    ban("todo!", FINISH),
    ban("unimplemented!", FINISH),
    ban("dbg!", "remove it"),
    // A keyword: wherever it is, it is about unsafe code.
    ban("unsafe", "find a safe way; no crate of ours has unsafe code"),
];

/// What the engine may not do outside its runtime folder.
const BANNED_IN_ENGINE: [Ban; 6] = [
    ban("Instant::now", STATE_TAKES_NOW),
    ban("SystemTime", STATE_TAKES_NOW),
    ban("thread::sleep", STATE_TAKES_NOW),
    ban("time::sleep", STATE_TAKES_NOW),
    ban("tokio::spawn", STATE_TAKES_NOW),
    ban("thread::spawn", STATE_TAKES_NOW),
];

/// A line and what is wrong with it.
type Problem = (usize, String);

/// What is wrong with the file `path` (from the root of the workspace), which holds `source`.
pub(super) fn problems(path: &Path, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let whole_file = [length(source), opening(source), root(path, &tokens)];
    let mut problems: Vec<Problem> = whole_file.into_iter().flatten().collect();
    problems.extend(banned(&BANNED, &tokens));
    if path.starts_with("pool-core/src") && !path.starts_with("pool-core/src/runtime") {
        problems.extend(banned(&BANNED_IN_ENGINE, &tokens));
    }
    problems.sort();
    let located = |(line, problem)| format!("{}:{line}: {problem}", path.display());
    problems.into_iter().map(located).collect()
}

fn length(source: &str) -> Option<Problem> {
    let lines = source.lines().count();
    (lines > MOST_LINES).then(|| {
        (lines, format!("{lines} lines; split what is more than one concern ({MOST_LINES})"))
    })
}

fn opening(source: &str) -> Option<Problem> {
    (!source.starts_with("//!"))
        .then(|| (1, "open the file with `//!`: what is here, and what is not".to_owned()))
}

/// Only what ships: a test's root needs no more than the ban of the word and the workspace's lint.
fn root(path: &Path, tokens: &[Token<'_>]) -> Option<Problem> {
    let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    let attribute = "#![forbid(unsafe_code)]";
    (is_root && lines_with(tokens, attribute).is_empty())
        .then(|| (1, format!("a crate's root says `{attribute}`; add it below the `//!`")))
}

fn banned(bans: &[Ban], tokens: &[Token<'_>]) -> impl Iterator<Item = Problem> {
    bans.iter().flat_map(|Ban { pattern, instead }| {
        let problem = move |line| (line, format!("`{pattern}`: {instead}"));
        lines_with(tokens, pattern).into_iter().map(problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with `code` in a file that is otherwise fine.
    fn found_in(path: &str, code: &str) -> Vec<String> {
        problems(Path::new(path), &format!("//! Here.\n{code}\n"))
    }

    fn found(code: &str) -> Vec<String> {
        found_in("a/src/b.rs", code)
    }

    #[track_caller]
    fn assert_banned(path: &str, code: &str, pattern: &str) {
        let found = found_in(path, code);
        let [problem] = &found[..] else { panic!("not one problem in `{code}`: {found:?}") };
        let start = format!("{path}:2: `{pattern}`: ");
        assert!(problem.starts_with(&start), "{problem}");
    }

    #[test]
    fn a_file_has_at_most_five_hundred_lines() {
        assert!(found(&"\n".repeat(498)).is_empty());
        let expected = "a/src/b.rs:501: 501 lines; split what is more than one concern (500)";
        assert_eq!(found(&"\n".repeat(499)), [expected]);
    }

    #[test]
    fn a_file_opens_with_what_is_here() {
        let expected = "a/src/b.rs:1: open the file with `//!`: what is here, and what is not";
        assert_eq!(problems(Path::new("a/src/b.rs"), "// Here.\n"), [expected]);
    }

    #[test]
    fn the_root_of_a_crate_forbids_unsafe_code() {
        for path in ["a/src/lib.rs", "a/src/main.rs"] {
            assert!(found_in(path, "#![forbid(unsafe_code)]").is_empty());
            let expected =
                "1: a crate's root says `#![forbid(unsafe_code)]`; add it below the `//!`";
            assert_eq!(found_in(path, ""), [format!("{path}:{expected}")]);
        }
        assert!(found_in("a/tests/it/main.rs", "").is_empty());
    }

    #[test]
    fn a_module_is_named_after_what_it_does() {
        for name in ["utils", "helpers", "common", "misc", "types"] {
            let module = format!("mod {name}");
            assert_banned("a/src/b.rs", &format!("pub(crate) {module};"), &module);
            assert_banned("a/src/b.rs", &format!("{module} {{ }}"), &module);
        }
        assert!(found("mod utils_of_trade; fn types() {}").is_empty());
    }

    #[test]
    fn every_test_runs() {
        assert_banned("a/tests/it/b.rs", "#[ignore]", "#[ignore");
        assert_banned("a/tests/it/b.rs", "#[ignore = \"slow\"]", "#[ignore");
        assert_banned("a/tests/it/b.rs", "#[cfg_attr(windows, ignore)]", ", ignore)]");
    }

    #[test]
    fn exceptions_are_expected_and_not_allowed() {
        assert_banned("a/src/b.rs", "#[allow(dead_code)]", "#[allow(");
        assert_banned("a/src/b.rs", "#![allow(dead_code)]", "#![allow(");
        assert!(found("#[expect(dead_code, reason = \"soon\")]").is_empty());
    }

    #[test]
    fn nothing_is_left_unfinished() {
        assert_banned("a/src/b.rs", "fn f() { todo!() }", "todo!");
        assert_banned("a/src/b.rs", "fn f() { unimplemented!(\"later\") }", "unimplemented!");
        assert_banned("a/src/b.rs", "fn f() { dbg!(1); }", "dbg!");
        assert!(found("/// `todo!()`\nconst A: &str = \"dbg!(1)\";").is_empty());
    }

    #[test]
    fn no_code_is_unsafe() {
        assert_banned("a/src/b.rs", "fn f() { unsafe { g() } }", "unsafe");
        assert_banned("a/src/b.rs", "unsafe fn f() {}", "unsafe");
        assert_banned("a/src/b.rs", "unsafe impl Send for A {}", "unsafe");
        assert!(found("#![forbid(unsafe_code)] // no unsafe {}").is_empty());
    }

    #[test]
    fn the_engine_reads_no_clock_sleeps_not_and_spawns_nothing_outside_its_runtime() {
        let patterns = [
            "Instant::now",
            "SystemTime",
            "thread::sleep",
            "time::sleep",
            "tokio::spawn",
            "thread::spawn",
        ];
        for pattern in patterns {
            let code = format!("fn f() {{ std::{pattern}(); }}");
            assert_banned("pool-core/src/state/a.rs", &code, pattern);
            assert!(found_in("pool-core/src/runtime/tokio.rs", &code).is_empty());
            assert!(found_in("pool-core/tests/it/a.rs", &code).is_empty());
            assert!(found_in("pool-loadtest/src/a.rs", &code).is_empty());
        }
    }
}
