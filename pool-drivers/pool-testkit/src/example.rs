//! Examples that a README shows: run as they are shown, or not passed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the example in the file `source` of the crate under test, whose code `readme` must show word for
/// word, with these variables in its environment, and returns what it prints.
///
/// Cargo builds examples along with tests unless it is told which targets to build.
///
/// # Panics
///
/// `readme` shows other code, the example was not built since it was changed last, or it fails.
#[track_caller]
#[must_use]
pub fn run_as_shown(readme: &str, source: &Path, environment: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(source).expect("the example's source");
    let is_header = |line: &&str| line.starts_with("//!") || line.is_empty();
    let code: Vec<_> = text.lines().skip_while(is_header).collect();
    let shown = format!("\n{}\n```\n", code.join("\n"));
    assert!(readme.contains(&shown), "the README does not show {}:{shown}", source.display());

    let mut example = Command::new(built_example(source));
    example.envs(environment.iter().copied());
    let ended = example.output().expect("a program");
    let [printed, complained] =
        [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(ended.status.success(), "{}: {complained}{printed}", source.display());
    printed
}

/// The program that was built from the example in `source`, together with the tests.
///
/// # Panics
///
/// If there is none, or the source is newer.
#[must_use]
pub fn built_example(source: &Path) -> PathBuf {
    let tests = env::current_exe().expect("a program's own path");
    let name = source.file_stem().expect("a file's name");
    // A test lies in `deps`, beside the folder of the examples.
    let built = tests.ancestors().nth(2).map(|folder| folder.join("examples").join(name));
    built.filter(|program| is_newer(program, source)).unwrap_or_else(|| {
        panic!("{} is not built as it is: `cargo build --examples` does that", source.display())
    })
}

fn is_newer(program: &Path, source: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    changed(program).is_ok_and(|built| built >= changed(source).expect("a time"))
}
