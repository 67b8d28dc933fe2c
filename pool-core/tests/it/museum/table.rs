//! The table of `docs/museum.md`, compared with the tests that it names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The numbers of all entries.
const ENTRIES: [u32; 56] = [
    1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29,
    30, 31, 32, 33, 35, 36, 38, 39, 40, 41, 42, 43, 45, 47, 48, 49, 50, 51, 52, 53, 55, 56, 58, 59,
    60, 63, 64, 65, 67, 69,
];

/// Where the tests are, from the root of the workspace.
const TESTS: [&str; 5] = [
    "pool-core/tests/it",
    "pool-drivers/pool-mysql/tests/it",
    "pool-drivers/pool-postgres/tests/it",
    "pool-drivers/pool-sqlite/tests/it",
    "pool-drivers/pool-testkit/src/conformance",
];

#[test]
fn every_entry_of_the_museum_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let table = std::fs::read_to_string(root.join("docs/museum.md")).expect("the table");
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| M")).collect();
    let numbers: Vec<_> = rows.iter().map(|row| row[3..5].parse::<u32>()).collect();
    assert_eq!(numbers, ENTRIES.map(Ok));

    let tests: BTreeSet<_> = TESTS
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .flat_map(|source| functions(&source))
        .collect();
    let mut in_table = BTreeSet::new();
    for (row, number) in rows.iter().zip(ENTRIES) {
        let names: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let prefix = format!("m{number:02}_");
        assert!(names.iter().any(|name| name.starts_with(&prefix)), "no test of its own: {row}");
        for name in names {
            assert!(tests.contains(name), "no test is called {name}");
            in_table.insert(name.to_owned());
        }
    }
    let is_numbered = |name: &&String| {
        let number = name.strip_prefix('m').and_then(|rest| rest.split('_').next());
        number.is_some_and(|number| number.len() == 2 && number.parse::<u32>().is_ok())
    };
    let missing: Vec<_> = tests.difference(&in_table).filter(is_numbered).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

/// The text of every source file below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("listed").path()).collect::<Vec<PathBuf>>();
    let read = |path: &PathBuf| {
        if path.is_dir() {
            sources(path)
        } else {
            vec![std::fs::read_to_string(path).expect("text")]
        }
    };
    paths.iter().flat_map(read).collect()
}

/// The names of its functions.
fn functions(source: &str) -> Vec<String> {
    let after = source.split("fn ").skip(1);
    let names = after.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
    names.flatten().map(str::to_owned).collect()
}
