//! What the program prints for shells and for `man`.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{finished, program, run};

#[cfg(unix)]
#[test]
fn bash_completes_the_options_of_a_run() {
    let (code, script, stderr) = run(&["completions", "bash"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("completions");
    fs::write(&path, &script).expect("written");
    let checked = Command::new("bash").arg("-n").arg(&path).output().expect("starts");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let complete = "\
        source \"$0\"; COMP_WORDS=(pool-loadtest run --dur); COMP_CWORD=2; \
        \"$1\" pool-loadtest --dur run; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let named = script.split_once("complete -F ").and_then(|(_, rest)| rest.split(' ').next());
    let mut bash = Command::new("bash");
    let completed = bash.args(["-c", complete]).arg(&path).arg(named.expect("a function")).output();
    let completed = completed.expect("starts");
    let words = String::from_utf8_lossy(&completed.stdout);
    let stderr = String::from_utf8_lossy(&completed.stderr);
    assert_eq!(words.trim(), "--duration", "{stderr}");
}

#[test]
fn every_shell_has_its_script_and_another_is_a_usage_error() {
    for (shell, words) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef pool-loadtest"),
        ("fish", "complete -c pool-loadtest"),
        ("elvish", "edit:completion:arg-completer[pool-loadtest]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let (code, script, stderr) = run(&["completions", shell]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{shell}");
        assert!(script.contains(words) && script.contains("duration"), "{shell}: {script}");
    }
    let (code, stdout, stderr) = run(&["completions", "tcsh"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("bash, elvish, fish, powershell, zsh"), "{stderr}");
}

#[test]
fn the_manual_has_a_page_of_the_program_and_of_a_command() {
    let (code, page, stderr) = run(&["man"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(page.contains(".TH POOL-LOADTEST 1"), "{page}");
    for words in ["POOL-LOADTEST RUN", "POOL-LOADTEST CONFIG EXPLAIN", "Exit codes:", "LOADTEST_"] {
        assert!(page.contains(words), "{words} is missing");
    }
    let (code, page, _) = run(&["man", "run"]);
    assert_eq!(code, 0);
    assert!(page.contains(".TH POOL-LOADTEST-RUN 1") && page.contains("\\-\\-tasks"), "{page}");
    let (code, stdout, stderr) = run(&["man", "sprint"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("no such command; allowed below pool-loadtest: run"), "{stderr}");
}

#[test]
fn a_reader_that_goes_away_is_told_of_and_is_no_panic() {
    for arguments in
        [&["schema", "run"][..], &["man"], &["scenarios"], &["run", "--duration", "100ms"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program(arguments).stdout(writer).output().expect("starts");
        let (code, _, stderr) = finished(output);
        assert_eq!(code, 1, "{arguments:?}: {stderr}");
        let line = stderr.lines().last().unwrap_or_default();
        assert!(line.starts_with("error: cannot print"), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}
