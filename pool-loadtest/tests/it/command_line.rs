//! What the command line understands, and what it says of the rest.

use crate::program::{finished, json, program, run};

#[test]
fn every_problem_of_the_command_line_is_reported_at_once() {
    let (code, stdout, stderr) = run(&[
        "run",
        "--preset",
        "prodution",
        "--pool",
        "max_opn=8",
        "--pool",
        "acquire_timeout=0s",
        "--pool",
        "min_idle",
        "--url",
        "oracle://user:secret@host/db",
    ]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in [
        "--url: url scheme = \"oracle\": this build has no driver for it; allowed: sqlite",
        "preset = \"prodution\": unknown",
        "did you mean \"production\"?",
        "--pool: setting = \"max_opn\": unknown",
        "did you mean \"max_open\"?",
        "acquire_timeout = \"0s\": must not be zero",
        "--pool = \"min_idle\": no value; allowed: FIELD=VALUE",
    ] {
        assert!(stderr.contains(part), "{part} not in {stderr}");
    }
    assert!(!stderr.contains("secret"), "{stderr}");
}

#[test]
fn settings_that_contradict_each_other_are_reported_together() {
    let (code, _, stderr) = run(&[
        "run",
        "--pool",
        "max_open=0",
        "--pool",
        "min_idle=3",
        "--pool",
        "max_idle=2",
        "--pool",
        "connect_timeout=0s",
    ]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: invalid configuration (3 problems)"), "{stderr}");
}

#[test]
fn arguments_that_make_no_sense_name_what_is_allowed() {
    for (arguments, words) in [
        (&["run", "--duration", "0s"][..], "more than zero"),
        (&["run", "--duration", "soon"], "such as 10s"),
        (&["run", "--tasks", "0"], "a whole number from 1 to 100000"),
        (
            &["run", "--output", "xml"],
            "[possible values: text, json, ndjson, csv, markdown, junit, html, hdr]",
        ),
        (&["run", "--tasks", "abc"], "a whole number from 1 to 100000"),
        (&["run", "--tasks", "100001"], "a whole number from 1 to 100000"),
        (&["run", "--tasks", "-3"], "a whole number from 1 to 100000"),
        (&["run", "--duration", "-1s"], "such as 10s"),
        (&["run", "--seed", "-1"], "a whole number from 0"),
        (&["run", "--pool", "max_open=2", "--pool", "max_open=3"], "given twice"),
        (&["sprint"], "unrecognized subcommand"),
        (&["run", "--poll", "max_open=3"], "--pool"),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(words), "{words} not in {stderr}");
    }
}

#[test]
fn private_memory_has_one_connection_and_says_why_not_more() {
    let (code, stdout, stderr) =
        run(&["run", "--url", "sqlite::memory:", "--duration", "200ms", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json(&stdout)["config"]["max_open"], 1);
    let (code, _, stderr) = run(&["run", "--url", "sqlite::memory:", "--pool", "max_open=2"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("max_open = \"2\""), "{stderr}");
    assert!(stderr.contains("a database of its own"), "{stderr}");
}

#[test]
fn a_preset_is_fitted_to_private_memory_and_what_the_user_set_is_not() {
    let memory = ["run", "--url", "sqlite::memory:", "--preset", "production"];
    let short = ["--duration", "200ms", "--output", "json"];
    let (code, stdout, stderr) = run(&[&memory[..], &short[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    let config = &json(&stdout)["config"];
    assert_eq!((&config["max_open"], &config["max_lifetime"]), (&1.into(), &"off".into()));
    let (code, _, stderr) = run(&[&memory[..], &["--pool", "max_open=25"]].concat());
    assert_eq!(code, 2);
    assert!(stderr.contains("max_open = \"25\": each connection to sqlite::memory:"), "{stderr}");
}

#[test]
fn of_a_url_that_is_not_understood_no_more_than_the_scheme_is_repeated() {
    for url in [
        "host=x password=hunter2",
        "hunter2",
        "hunter2@host",
        "hunter2@host:5432/db",
        "oracle://user:hunter2@host/db",
        "oracle:user:hunter2",
        "user:hunter2@host/db",
        "hunter2 is.db",
        "x:y@hunter2.db",
    ] {
        let (code, stdout, stderr) = run(&["run", "--url", url]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{url}");
        assert!(!stderr.contains("hunter2"), "{url}: {stderr}");
        assert!(stderr.contains("allowed: sqlite"), "{url}: {stderr}");
        assert!(!stderr.contains("did you mean"), "{url}: {stderr}");
    }
    for arguments in [
        &["postgres://user:hunter2@host/db"][..],
        &["run", "user:hunter2@host"],
        &["host=h user=u password=hunter2"],
        &["run", "--duration=postgres://u:hunter2@h/db"],
        &["run", "--tasks=postgres://u:hunter2@h/db"],
        &["run", "--output", "postgres://u:hunter2@h/db"],
    ] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("--url") && !stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn a_path_without_a_scheme_is_told_what_was_probably_meant() {
    let (code, _, stderr) = run(&["run", "--url", "data/foo.db"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("did you mean \"sqlite:data/foo.db\"?"), "{stderr}");
}

#[test]
fn a_path_may_hold_an_at_sign() {
    let (code, stdout, stderr) =
        run(&["config", "explain", "--url", "sqlite:a@b.db?pool_max_open=3"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("pool_max_open in the URL"), "{stdout}");
}

#[test]
fn a_scheme_may_be_spelled_in_capitals() {
    let arguments = ["run", "--url", "SQLITE:capitals?mode=memory", "--duration", "200ms"];
    let (code, _, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn the_flags_of_run_work_without_its_name() {
    let (code, stdout, stderr) = run(&["--duration", "200ms", "--tasks", "3", "--output", "json"]);
    assert_eq!((code, &json(&stdout)["load"]["tasks"]), (0, &3.into()), "{stderr}");
}

#[test]
fn help_tells_the_exit_codes_and_every_field_of_the_pool() {
    for arguments in [&["--help"][..], &["run", "--help"]] {
        let (code, help, _) = run(arguments);
        assert_eq!(code, 0);
        for field in pool_core::FIELDS {
            assert!(help.contains(field.name) && help.contains(field.meaning), "{}", field.name);
        }
        for words in
            ["Exit codes:", "130", "more than half of the operations failed", "dropped at the end"]
        {
            assert!(help.contains(words), "{words:?} not in {help}");
        }
    }
}

#[test]
fn config_explain_shows_where_each_setting_comes_from() {
    let (code, stdout, stderr) =
        run(&["config", "explain", "--preset", "production", "--pool", "max_open=7"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let line = |field: &str| {
        let mut lines = stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find(|line| line[0] == field).expect("a line").join(" ")
    };
    assert_eq!(line("max_open"), "max_open 7 --pool");
    assert_eq!(line("max_lifetime"), "max_lifetime 5m preset production");
    assert_eq!(line("acquire_timeout"), "acquire_timeout 30s default");
    let pool = stdout.split("\n\n").next().expect("a part");
    assert_eq!(pool.lines().count(), pool_core::FIELDS.len());
}

#[test]
fn config_explain_shows_where_each_option_of_a_run_comes_from() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("pool.toml");
    let text = "[pool]\nmax_open = 3\n[loadtest]\nduration = \"3s\"\ntasks = 3\nseed = 3\n";
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text");
    let arguments = ["config", "explain", "--file", path, "--seed", "5"];
    let output = program(&arguments).env("LOADTEST_TASKS", "4").output().expect("starts");
    let (code, stdout, stderr) = finished(output);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let file = format!("{path}:4");
    for line in [
        ["max_open", "3", &format!("{path}:2")],
        ["duration", "3s", &file],
        ["tasks", "4", "LOADTEST_TASKS"],
        ["seed", "5", "command line --seed"],
        ["output", "text", "default"],
    ] {
        let line = format!("{:<18} {:<14} {}\n", line[0], line[1], line[2]);
        assert!(stdout.contains(&line), "{line} not in {stdout}");
    }
}

#[test]
fn config_explain_shows_what_is_set_for_other_commands() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("pool.toml");
    let text = "[loadtest]\nrepeats = 3\nslo = \"postgres://app:hunter2@db/app\"\n";
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text");
    let arguments = ["config", "explain", "--file", path];
    let output = program(&arguments).env("LOADTEST_REPEATS", "4").output().expect("starts");
    let (code, stdout, stderr) = finished(output);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let part = stdout.split("\n\n").nth(2).expect("a third part");
    let repeats = format!("{:<18} {:<14} LOADTEST_REPEATS", "repeats", "4");
    let slo = format!("{:<18} {:<14} {path}:3", "slo", "(not shown)");
    let lines: Vec<_> = part.lines().collect();
    assert_eq!(lines, ["Of sweep or tune alone:", &*repeats, &*slo]);
}

#[test]
fn what_is_wrong_with_an_option_says_where_it_is_set() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("pool.toml");
    std::fs::write(&path, "[loadtest]\noutput_file = \"report\"\nsql = \"a.sql\"\n")
        .expect("written");
    let path = path.to_str().expect("text");
    let arguments = ["run", "--file", path, "--output-file", "other", "--duration", "1s"];
    let output = program(&arguments).env("LOADTEST_SAVE", "no/such/a.json").output();
    let (code, stdout, stderr) = finished(output.expect("starts"));
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    for words in [
        &format!("  {path}:3: --sql = \"a.sql\": "),
        "  LOADTEST_SAVE: --save = \"no/such/a.json\": ",
        "  --output-file = \"other\": ",
    ] {
        assert!(stderr.contains(words), "{words:?} not in {stderr}");
    }
}

#[test]
fn a_url_in_the_place_of_a_report_is_not_repeated() {
    let url = "postgres://app:hunter2@db/app";
    for arguments in [&["run", "--baseline", url][..], &["compare", url, url]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains("it cannot be read"), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn what_is_wrong_with_variables_table_and_settings_is_told_together() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("pool.toml");
    std::fs::write(&path, "[pool]\nmax_opn = 3\n[loadtest]\ntsks = 3\n").expect("written");
    let path = path.to_str().expect("text");
    for command in [&["run"][..], &["config", "explain"], &[]] {
        let arguments = [command, &["--file", path]].concat();
        let mut program = program(&arguments);
        let output = program.env("LOADTEST_DURATION", "soon").output().expect("starts");
        let (code, stdout, stderr) = finished(output);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.starts_with("error: invalid configuration (3 problems)"), "{stderr}");
        for words in [
            "LOADTEST_DURATION: duration = \"soon\": not understood; allowed: a duration",
            &format!("{path}:4: option = \"tsks\": unknown; allowed: "),
            "did you mean \"tasks\"?",
            &format!("{path}:2: setting = \"max_opn\": unknown"),
        ] {
            assert!(stderr.contains(words), "{words} not in {stderr}");
        }
    }
}

#[test]
fn an_option_that_excludes_another_or_needs_one_is_told_with_its_name() {
    if !cfg!(feature = "monitor") {
        return;
    }
    let output = program(&["run"]).env("LOADTEST_SAMPLE", "0.5").output().expect("starts");
    let (code, stdout, stderr) = finished(output);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("--otlp <URL>"), "{stderr}");
}

#[test]
fn a_run_takes_its_settings_from_the_url_too_and_its_driver_sees_none_of_them() {
    let arguments = [
        "run",
        "--duration",
        "300ms",
        "--url",
        "sqlite:x?mode=memory&pool_max_open=3",
        "--output",
        "json",
    ];
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json(&stdout)["config"]["max_open"], 3);
}

#[test]
fn what_is_wrong_with_a_url_names_the_source_it_came_from() {
    for (variable, value, expected) in [
        ("POOL_URL", "", "POOL_URL: url = \"\": no scheme"),
        ("POOL_URL", "oracle://app@db", "POOL_URL: url scheme = \"oracle\": this build has"),
        ("POOL_URL", "postgres://app@db/x?sslmod=off", "POOL_URL: parameter = \"sslmod\": unknown"),
        ("POOL_URL", "mysql://app@db/x?tsl=off", "POOL_URL: parameter = \"tsl\": unknown"),
        ("POOL_URL", "sqlite:x.db?mod=ro", "POOL_URL: parameter = \"mod\": unknown"),
        ("POOL_URL_FILE", "/nowhere", "POOL_URL_FILE: url_file = \"/nowhere\": No such file"),
        ("POOL_URL_FILE", "/no@where", "POOL_URL_FILE: url_file = \"/no@where\": No such file"),
    ] {
        for arguments in [&["run"][..], &["config", "explain"]] {
            let output = program(arguments).env(variable, value).output().expect("starts");
            let (code, stdout, stderr) = finished(output);
            assert_eq!((code, stdout.as_str()), (2, ""), "{variable}={value}");
            assert!(stderr.contains(expected), "{expected} not in {stderr}");
        }
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_an_error_without_the_password() {
    for url in ["postgres://app:hunter2@127.0.0.1:1/x", "mysql://app:hunter2@127.0.0.1:1/x"] {
        let (code, stdout, stderr) = run(&["run", "--url", url]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains("refused") && stderr.contains("127.0.0.1:1"), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn a_url_in_the_wrong_place_is_not_repeated() {
    let url = "postgres://app:hunter2@db/x?a=b";
    for arguments in [
        ["config", "explain", "--pool", url],
        ["config", "explain", "--pool", "postgres://app:hunter2@db/x"],
        ["config", "explain", "--preset", url],
        ["config", "explain", "--file", url],
    ] {
        let (code, stdout, stderr) = run(&arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn a_foreign_variable_that_is_no_text_is_left_alone() {
    use std::os::unix::ffi::OsStrExt as _;

    let bytes = std::ffi::OsStr::from_bytes(b"\xff");
    let output = program(&["config", "explain"]).env("FOREIGN", bytes).output().expect("starts");
    let (code, stdout, stderr) = finished(output);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("max_open"), "{stdout}");
    let output = program(&["config", "explain"]).env("POOL_URL", bytes).output().expect("starts");
    let (code, _, stderr) = finished(output);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("POOL_URL: value = \"\": not UTF-8"), "{stderr}");
}

#[test]
fn durations_too_long_to_be_held_are_errors() {
    let long = "18446744073709551615s 1000ms";
    for arguments in [
        ["config", "explain", "--pool", &*format!("acquire_timeout={long}")],
        ["config", "explain", "--url", &format!("sqlite:x.db?busy_timeout={long}")],
        ["run", "--tasks", "2", &format!("--duration={long}")],
    ] {
        let (code, stdout, stderr) = run(&arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains("allowed: a duration"), "{stderr}");
    }
}
