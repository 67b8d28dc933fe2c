//! The forms of a report as users get them: on standard output, and in files.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{finished, json, program, run};

/// A short run with these arguments.
fn short(arguments: &[&str]) -> (i32, String, String) {
    run(&[&["run", "--duration", "1200ms", "--pool", "max_open=4"][..], arguments].concat())
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("read");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("read").file_name().display().to_string()).collect();
    names.sort_unstable();
    names
}

#[test]
fn one_run_is_written_in_every_form_at_once_with_the_same_figures() {
    let folder = TempDir::new().expect("a directory");
    let extensions = ["json", "ndjson", "csv", "md", "xml", "html", "hlog", "txt", "svg"];
    let files = extensions.map(|extension| path(&folder, &format!("report.{extension}")));
    let mut arguments: Vec<&str> =
        files.iter().flat_map(|file| ["--output-file", &**file]).collect();
    let saved = path(&folder, "saved");
    arguments.extend(["--save", &saved, "--output", "json"]);
    let (code, stdout, stderr) = short(&arguments);
    assert_eq!(code, 0, "{stderr}");
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
    let report = json(&stdout);
    assert_eq!((text("report.json"), text("saved")), (stdout.clone(), stdout));
    let throughput = report["throughput"].as_f64().expect("a figure");
    let page = text("report.html");
    let value = page.split("data-metric=\"throughput\" data-value=\"").nth(1).expect("a figure");
    let value: f64 = value.split('"').next().expect("ends").parse().expect("a figure");
    assert!((value - throughput).abs() < 1e-6, "{value} for {throughput}");
    let series = report["series"].as_array().expect("seconds");
    let lines: Vec<Value> = text("report.ndjson").lines().map(json).collect();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().expect("a type")).collect();
    assert_eq!(types, [vec!["point"; series.len()], vec!["run"]].concat());
    assert_eq!(lines.last().expect("totals")["operations"], report["operations"]);
    let rows = text("report.csv");
    assert!(rows.starts_with("at_seconds,seconds,operations,errors,"), "{rows}");
    assert_eq!(rows.lines().count(), series.len() + 1);
    let rounded = throughput.round() as u64;
    let thousands = format!("{} {:03}/s", rounded / 1_000, rounded % 1_000);
    let shown = if rounded < 1_000 { format!("{rounded}/s") } else { thousands };
    for name in ["report.md", "report.txt"] {
        assert!(text(name).contains(&shown), "{shown} not in {}", text(name));
    }
    let suite = text("report.xml");
    assert!(suite.contains("<testcase name=\"the workload&#39;s invariant held\""), "{suite}");
    assert_eq!(text("report.hlog").matches("\nTag=").count(), 3);
    assert!(text("report.svg").contains("Distribution of latencies"));
    assert_eq!(names(folder.path()).len(), extensions.len() + 1, "no temporary file is left");
}

#[test]
fn each_form_is_printed_if_it_is_asked_for() {
    for (form, start) in [
        ("ndjson", "{\"type\":\""),
        ("csv", "at_seconds,"),
        ("markdown", "## Load test of sqlite"),
        ("junit", "<?xml version=\"1.0\""),
        ("html", "<!doctype html>"),
        ("hdr", "#[Logged with pool-loadtest"),
    ] {
        let (code, stdout, stderr) = run(&["run", "--duration", "200ms", "--output", form]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.starts_with(start), "{form}: {stdout}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_load() {
    let folder = TempDir::new().expect("a directory");
    let there = path(&folder, "there.json");
    fs::write(&there, "old").expect("written");
    fs::create_dir(folder.path().join("folder.json")).expect("made");
    for (argument, file, words) in [
        ("--output-file", "no/report.json", "no such directory"),
        ("--output-file", "report.pdf", "unknown extension; allowed: .json, .ndjson"),
        ("--output-file", "report", "no extension that says in which form"),
        ("--output-file", "folder.json", "is a directory"),
        ("--output-file", "there.json", "given twice; allowed: each file once"),
        ("--save", "/dev/null", "is no file"),
        ("--save", "there.json/x", "cannot be written: Not a directory"),
    ] {
        let arguments = ["run", "--duration", "1h", "--output-file", "there.json", argument, file];
        // In the folder: by chance, its random name may look like a password's.
        let output = program(&arguments).current_dir(folder.path()).output().expect("starts");
        let (code, stdout, stderr) = finished(output);
        assert_eq!((code, stdout.as_str()), (2, ""), "{file}: {stderr}");
        assert!(stderr.contains(file) && stderr.contains(words), "{words} not in {stderr}");
        assert!(stderr.contains(argument), "{stderr}");
    }
    assert_eq!(fs::read_to_string(&there).expect("there"), "old", "what is there stays");
    assert_eq!(names(folder.path()), ["folder.json", "there.json"]);
}

#[cfg(unix)]
#[test]
fn a_file_is_replaced_all_at_once_and_a_link_to_it_stays_one() {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    let folder = TempDir::new().expect("a directory");
    let (file, link) = (path(&folder, "real.json"), path(&folder, "latest.json"));
    fs::write(&file, "old").expect("written");
    symlink("real.json", &link).expect("linked");
    let before = fs::metadata(&file).expect("there").ino();
    let (code, _, stderr) = run(&["run", "--duration", "200ms", "--save", &link]);
    assert_eq!(code, 0, "{stderr}");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(json(&fs::read_to_string(&file).expect("there"))["kind"], "run");
    let after = fs::metadata(&file).expect("there");
    assert_ne!(after.ino(), before, "another file took its name");
    assert_eq!(after.mode() & 0o400, 0o400);
}
