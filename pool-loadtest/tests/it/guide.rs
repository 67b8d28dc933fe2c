//! The commands of `docs/load-testing.md`, run as they stand there, one after the other in one
//! directory; those that start a server by themselves. Its Rust is in the doc tests.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::finished;

const GUIDE: &str = include_str!("../../../docs/load-testing.md");

/// The blocks of commands.
fn blocks() -> impl Iterator<Item = &'static str> {
    let parts = GUIDE.split("```sh\n").skip(1);
    parts.map(|part| part.split_once("```").expect("a block has an end").0)
}

fn starts_a_server(block: &str) -> bool {
    block.contains("--start ")
}

/// Runs the commands of one block as a shell does, up to the first that fails.
fn run(block: &str, directory: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_pool-loadtest"));
    let here = program.parent().expect("a directory");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = [here.to_owned()].into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(directories).expect("no directory has a colon");
    let mut shell = Command::new("sh");
    shell.args(["-euc", block]).current_dir(directory).env("PATH", path).stdin(Stdio::null());
    let (code, stdout, stderr) = finished(shell.output().expect("a shell"));
    // Two runs on a machine with other work may differ: then it has to say so.
    let compared = block.contains("pool-loadtest compare") && [4, 5].contains(&code);
    assert!(code == 0 || compared, "{code}: {block}{stdout}{stderr}");
    assert!(!stdout.contains("warning"), "{block}{stdout}");
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let directory = tempfile::tempdir().expect("a directory");
    for block in blocks().filter(|block| !starts_a_server(block)) {
        run(block, directory.path());
    }
    let files = [
        ("first.json", "\"outcome\": \"completed\""),
        ("report.html", "<svg"),
        ("report.md", "| response |"),
        ("pool-loadtest.bash", "complete -F"),
        ("pool-loadtest.1", ".SH"),
    ];
    for (file, words) in files {
        let held = std::fs::read_to_string(directory.path().join(file)).expect(file);
        assert!(held.contains(words), "{file} has no {words}");
    }
}

#[test]
fn every_command_has_an_example() {
    let further = ["budget", "fleet", "scenarios", "config", "completions", "man"];
    for command in ["run", "sweep", "tune", "compare"].into_iter().chain(further) {
        let shown = format!("pool-loadtest {command}");
        assert!(blocks().any(|block| block.contains(&shown)), "no example of {shown}");
    }
}

mod on_servers {
    mod postgres {
        use super::super::{blocks, run, starts_a_server};

        #[test]
        fn every_command_of_the_guide_that_starts_a_server_does_what_it_says() {
            let directory = tempfile::tempdir().expect("a directory");
            for block in blocks().filter(|block| starts_a_server(block)) {
                run(block, directory.path());
            }
        }
    }
}
